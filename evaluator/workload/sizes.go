package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator/number"
)

// Sizes are the parameters of a built-in network, and the formats of its
// numbers, which every network has. 0 and "" mean the network's
// own. Which of them a network has is in its row of builtins.
type Sizes struct {
	// Batch is how many pictures or sequences run at once.
	Batch int64
	// Sequence is how many tokens of a sequence come in.
	Sequence int64
	// Past is how many tokens of a sequence are in the cache already.
	Past int64
	// Generate is how many tokens are made after a prompt.
	Generate int64
	// Attention is AttentionFused, where scores stay in the units, or
	// AttentionSeparate, where they are a tensor in memory.
	Attention string
	// Weights, Activations and Accumulators are formats by name (package number).
	Weights, Activations, Accumulators string
	// Sparsity says which weights are zero, see ParseSparsity.
	Sparsity string
}

// The values of Sizes.Attention.
const (
	AttentionFused    = "fused"
	AttentionSeparate = "separate"
)

// Attentions are the values of Sizes.Attention.
func Attentions() []string { return []string{AttentionFused, AttentionSeparate} }

// maxSize bounds a batch and a number of tokens; chosen: a million tokens are
// more than any network here was made for.
const maxSize = 1 << 20

// takes says which sizes a network has.
type takes struct {
	batch, sequence, past, generate, attention bool
}

// names are the sizes that a network has.
func (t takes) names() (list []string) {
	for _, f := range []struct {
		name string
		has  bool
	}{{"batch", t.batch}, {"sequence", t.sequence}, {"past", t.past}, {"generate", t.generate}, {"attention", t.attention}} {
		if f.has {
			list = append(list, f.name)
		}
	}
	return list
}

// check refuses sizes that the network does not have, and values out of range.
func (t takes) check(network string, s Sizes) error {
	for _, f := range []struct {
		name  string
		value int64
		has   bool
	}{{"batch", s.Batch, t.batch}, {"sequence", s.Sequence, t.sequence}, {"past", s.Past, t.past}, {"generate", s.Generate, t.generate}} {
		if f.value < 0 || f.value > maxSize {
			return fmt.Errorf("network %s: %s is %d, want 1 to %d", network, f.name, f.value, maxSize)
		}
		if f.value > 0 && !f.has {
			return t.lacks(network, f.name)
		}
	}
	switch s.Attention {
	case "":
	case AttentionFused, AttentionSeparate:
		if !t.attention {
			return t.lacks(network, "attention")
		}
	default:
		return fmt.Errorf("network %s: attention is %q, want %s", network, s.Attention, strings.Join(Attentions(), " or "))
	}
	if _, err := s.precision(); err != nil {
		return fmt.Errorf("network %s: %w", network, err)
	}
	return nil
}

func (t takes) lacks(network, size string) error {
	return fmt.Errorf("network %s has no %s, it has: %s", network, size, strings.Join(t.names(), ", "))
}

// String writes sizes as they are typed behind a network's name:
// "past=4096,batch=8".
func (s Sizes) String() string {
	var parts []string
	for _, f := range []struct {
		name  string
		value int64
	}{{"batch", s.Batch}, {"sequence", s.Sequence}, {"past", s.Past}, {"generate", s.Generate}} {
		if f.value != 0 {
			parts = append(parts, f.name+"="+strconv.FormatInt(f.value, 10))
		}
	}
	for _, f := range s.words() {
		if *f.at != "" {
			parts = append(parts, f.name+"="+*f.at)
		}
	}
	return strings.Join(parts, ",")
}

// word is a size that is no number.
type word struct {
	name string
	at   *string
}

func (s *Sizes) words() []word {
	return []word{{"attention", &s.Attention}, {"weights", &s.Weights}, {"activations", &s.Activations}, {"accumulators", &s.Accumulators}, {"sparsity", &s.Sparsity}}
}

// ParseSizes reads what String writes.
func ParseSizes(text string) (s Sizes, err error) {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		if seen[name] {
			return s, fmt.Errorf("%q: %s is given twice, say it once", part, name)
		}
		seen[name] = true
		var into *int64
		switch name {
		case "batch":
			into = &s.Batch
		case "sequence":
			into = &s.Sequence
		case "past":
			into = &s.Past
		case "generate":
			into = &s.Generate
		default:
			words := s.words()
			at := slices.IndexFunc(words, func(w word) bool { return w.name == name })
			if at < 0 {
				return s, fmt.Errorf("%q: want batch=N, sequence=N, past=N, generate=N, attention=%s, weights=, activations= or accumulators=%s, or sparsity=N:M",
					part, strings.Join(Attentions(), "|"), strings.Join(number.Names(), "|"))
			}
			*words[at].at = value
			continue
		}
		if *into, err = strconv.ParseInt(value, 10, 64); err != nil || *into < 1 {
			return s, fmt.Errorf("%q: want a whole number of 1 or more behind %s=", part, name)
		}
	}
	return s, nil
}

// batched makes a network of one picture one of n.
func batched(w *Workload, n int64) error {
	for i := range w.Inputs {
		w.Inputs[i].Shape[0] *= n
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		switch l.Op {
		case GEMM:
			l.M *= n
		case Eltwise, Activation, Softmax, Norm: // as their inputs
			l.N, l.P, l.Q, l.K = 0, 0, 0, 0
		default:
			l.N *= n
		}
	}
	return w.Normalise()
}
