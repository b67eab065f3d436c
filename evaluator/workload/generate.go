package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
)

// Decode is the second phase of a network that generates tokens. The network
// itself takes the prompt and makes the first token; every further one is a
// step, a pass over these layers.
type Decode struct {
	// Steps is how many passes there are. The cache grows by a token in each;
	// the layers are those of the step in the middle, so that Steps of it take what
	// all take, as far as a pass is linear in its cache.
	Steps int64 `json:"steps" yaml:"steps"`
	// Tokens is how many tokens a step makes, one for each sequence of a batch; 0
	// means 1.
	Tokens int64 `json:"tokens" yaml:"tokens,omitempty"`
	// Inputs and Layers are those of a network of its own.
	Inputs []Input `json:"inputs" yaml:"inputs"`
	Layers []Layer `json:"layers" yaml:"layers"`
}

// The names of the phases end in these; those of built-in networks do.
const (
	prefillSuffix = "_prefill"
	decodeSuffix  = "_decode"
)

// Phases returns the networks that a run consists of: the network itself, or
// its prompt and the pass that makes a further token. They share its tables.
func (w *Workload) Phases() []*Workload {
	if w.Decode == nil {
		return []*Workload{w}
	}
	first := *w
	first.Name, first.Decode = w.Name+prefillSuffix, nil
	return []*Workload{&first, w.step()}
}

// step returns the pass as a network of its own.
func (w *Workload) step() *Workload {
	return &Workload{
		Schema: w.Schema, Name: w.Name + decodeSuffix, Source: w.Source, Precision: w.Precision, Inputs: w.Decode.Inputs, Layers: w.Decode.Layers,
	}
}

// normaliseDecode is Normalise for the pass.
func (w *Workload) normaliseDecode() error {
	d := w.Decode
	d.Tokens = cmp.Or(d.Tokens, 1)
	if d.Steps < 1 || d.Steps > maxSize || d.Tokens < 1 || d.Tokens > maxSize {
		return fmt.Errorf("workload %q: decode has %d steps of %d tokens, want 1 to %d of both", w.Name, d.Steps, d.Tokens, maxSize)
	}
	pass := w.step()
	if err := pass.Normalise(); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	var macs int64
	for i := range d.Layers {
		macs += d.Layers[i].MACs()
	}
	if _, ok := product(maxMACs/2, macs, d.Steps); !ok {
		return fmt.Errorf("workload %q: decode has more than 2^61 MACs", w.Name)
	}
	return nil
}

// decodeIdentity is what identifies the pass: its own identity, and how often it runs.
func (w *Workload) decodeIdentity() (json.RawMessage, error) {
	if w.Decode == nil {
		return nil, nil
	}
	id, err := w.step().Identity()
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Steps   int64  `json:"steps"`
		Tokens  int64  `json:"tokens"`
		Network string `json:"network"`
	}{w.Decode.Steps, w.Decode.Tokens, id})
}

// generateTokens is how many tokens a built-in network generates where nothing
// else is said; chosen: a short answer.
const generateTokens = 128

// generate returns a network that makes s.Generate tokens after a prompt, of the
// networks of its two phases.
func generate(name string, s Sizes, prompt int64, prefill, decode func(string, Sizes) (*Workload, error)) (*Workload, error) {
	tokens := cmp.Or(s.Generate, generateTokens)
	prompt = cmp.Or(s.Sequence, prompt)
	if tokens < 2 {
		return nil, fmt.Errorf("network %s: generate is %d, want 2 or more: the prompt makes the first token, %s alone runs it", name, tokens, name+prefillSuffix)
	}
	w, err := prefill(name, Sizes{Batch: s.Batch, Sequence: prompt, Attention: s.Attention})
	if err != nil {
		return nil, err
	}
	steps := tokens - 1
	// Step i, from 0, reads the prompt's tokens and i others, and appends one: on
	// average (steps-1)/2, rounded up.
	pass, err := decode(name, Sizes{Batch: s.Batch, Past: prompt + steps/2, Attention: s.Attention})
	if err != nil {
		return nil, err
	}
	w.Decode = &Decode{Steps: steps, Tokens: max(s.Batch, 1), Inputs: pass.Inputs, Layers: pass.Layers}
	return w, w.Normalise()
}

// generator is a language model as a network that generates tokens.
func generator(name string, prompt int64, prefill, decode func(string, Sizes) (*Workload, error)) builtin {
	build := func(name string, s Sizes) (*Workload, error) { return generate(name, s, prompt, prefill, decode) }
	return builtin{name, build, takes{batch: true, sequence: true, generate: true, attention: true}}
}
