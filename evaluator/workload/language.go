package workload

import (
	"cmp"

	"apollo/evaluator/workload/graph"
)

// decoder is a language model of the family of Llama: root-mean-square
// normalisation, rotary embeddings, keys and values that query heads share, a
// gated feed-forward layer, perhaps several of them of which each token takes a
// few.
type decoder struct {
	ref                  string
	layers, width, inner int64
	heads                heads
	vocabulary           int64
	tied                 bool  // the table of embeddings is that of the output
	biased               bool  // queries, keys and values have a bias
	experts, chosen      int64 // feed-forward layers of a block, and those a token takes
}

// Shapes from the config.json that is published with the weights.
func llama1B() decoder {
	return decoder{
		ref: "arXiv 2407.21783 and config.json of Llama 3.2 1B", layers: 16, width: 2048, inner: 8192,
		heads: heads{32, 8, 64}, vocabulary: 128256, tied: true,
	}
}

func llama8B() decoder {
	return decoder{
		ref: "arXiv 2407.21783, Table 3, and config.json of Llama 3.1 8B", layers: 32, width: 4096, inner: 14336,
		heads: heads{32, 8, 128}, vocabulary: 128256,
	}
}

func qwenHalfB() decoder {
	return decoder{
		ref: "arXiv 2412.15115 and config.json of Qwen2.5 0.5B", layers: 24, width: 896, inner: 4864,
		heads: heads{14, 2, 64}, vocabulary: 151936, tied: true, biased: true,
	}
}

func mixtral() decoder {
	return decoder{
		ref: "arXiv 2401.04088, Table 1", layers: 32, width: 4096, inner: 14336,
		heads: heads{32, 8, 128}, vocabulary: 32000, experts: 8, chosen: 2,
	}
}

// Sizes of a run where none are given; chosen: a prompt and a cache of a
// thousand tokens.
const (
	promptTokens = 1024
	pastTokens   = 1024
)

// prefill is a prompt that comes in at once; decode makes one token after it.
func (d decoder) prefill(name string, s Sizes) (*Workload, error) {
	return d.build(name, s, promptTokens, 0)
}

func (d decoder) decode(name string, s Sizes) (*Workload, error) {
	return d.build(name, s, 1, pastTokens)
}

func (d decoder) build(name string, s Sizes, length, past int64) (*Workload, error) {
	past = cmp.Or(s.Past, past)
	t, x := sequences(name, d.ref, s, cmp.Or(s.Sequence, length), d.width)
	if table := d.vocabulary * d.width; d.tied {
		x = t.look("embed", x, 0)
	} else {
		x = t.look("embed", x, table)
	}
	for i := range int(d.layers) {
		x = d.block(t, numbered("layer", i), x, past)
	}
	x = t.norm("norm", x, "rms")
	if t.length > 1 { // only the last token of a prompt makes one
		x = t.on("last", Layer{Op: Copy, Fn: "slice", N: 1, P: 1, Q: t.batch, K: d.width}, x)
	}
	t.project("logits", x, t.batch, d.vocabulary, true, "")
	return t.build()
}

func (d decoder) block(t *tokens, id, x string, past int64) string {
	h := d.heads
	y := t.norm(id+".norm1", x, "rms")
	q := t.project(id+".query", y, t.rows(), h.queries*h.size, !d.biased, "")
	k := t.project(id+".key", y, t.rows(), h.groups*h.size, !d.biased, "")
	v := t.project(id+".value", y, t.rows(), h.groups*h.size, !d.biased, "")
	q, k = t.rotate(id+".query.rotary", q), t.rotate(id+".key.rotary", k)
	k, v = t.cached(id+".key", k, h, past), t.cached(id+".value", v, h, past)
	y = t.attend(id, q, k, v, h, past+t.length)
	y = t.project(id+".output", y, t.rows(), d.width, true, "")
	x = t.sum(id+".add1", y, x)
	y = t.norm(id+".norm2", x, "rms")
	if d.experts > 0 {
		y = d.mixture(t, id, y)
	} else {
		y = t.gated(id, y, t.rows(), d.width, d.inner)
	}
	return t.sum(id+".add2", y, x)
}

// gated appends the feed-forward layer of SwiGLU (Shazeer, arXiv 2002.05202).
func (t *tokens) gated(id, x string, rows, width, inner int64) string {
	gate := t.project(id+".gate", x, rows, inner, true, "swish")
	up := t.project(id+".up", x, rows, inner, true, "")
	return t.project(id+".down", t.scale(id+".gated", up, gate), rows, width, true, "")
}

// mixture appends the feed-forward layers that the tokens choose.
func (d decoder) mixture(t *tokens, id, x string) string {
	rows := t.rows()
	read, each := graph.Experts(d.experts, d.chosen, rows)
	router := t.project(id+".router", x, rows, d.experts, true, "")
	router = t.on(id+".choice", Layer{Op: Softmax}, router)
	y := t.on(id+".dispatch", Layer{Op: Copy, Fn: "dispatch", N: 1, P: 1, Q: each, K: read * d.width}, x, router)
	apart := func(step, in string, k, c int64, act string) string {
		return t.on(id+step, Layer{
			Op: GroupConv, K: read * k, C: c, P: 1, Q: each, R: 1, S: 1, Groups: read, Act: act, NoBias: true, Idle: (d.experts - read) * k * c,
		}, in)
	}
	gate := apart(".gate", y, d.inner, d.width, "swish")
	up := apart(".up", y, d.inner, d.width, "")
	y = apart(".down", t.scale(id+".gated", up, gate), d.width, d.inner, "")
	return t.on(id+".combine", Layer{Op: Reduce, Fn: "sum", N: 1, P: 1, Q: rows, K: d.width}, y, router)
}

// gpt2 is the smallest GPT-2: Radford et al., "Language Models are Unsupervised
// Multitask Learners", 2019, Table 2; the table of embeddings is that of the
// output, positions are learned.
func gpt2(name string, s Sizes, length, past int64) (*Workload, error) {
	const layers, width, vocabulary, positions = 12, 768, 50257, 1024
	h := heads{12, 12, 64}
	past = cmp.Or(s.Past, past)
	t, x := sequences(name, "Radford et al. 2019, Table 2, 117M", s, cmp.Or(s.Sequence, length), width)
	x = t.on("embed", Layer{Op: Eltwise, Fn: "add", Const: min(t.length, positions) * width, Idle: max(positions-t.length, 0) * width}, x)
	for i := range layers {
		id := numbered("layer", i)
		y := t.norm(id+".norm1", x, "layer")
		q := t.project(id+".query", y, t.rows(), width, false, "")
		k := t.project(id+".key", y, t.rows(), width, false, "")
		v := t.project(id+".value", y, t.rows(), width, false, "")
		k, v = t.cached(id+".key", k, h, past), t.cached(id+".value", v, h, past)
		y = t.attend(id, q, k, v, h, past+t.length)
		x = t.sum(id+".add1", t.project(id+".output", y, t.rows(), width, false, ""), x)
		x = t.wide(id, x, width, 4*width)
	}
	x = t.norm("norm", x, "layer")
	if t.length > 1 {
		x = t.on("last", Layer{Op: Copy, Fn: "slice", N: 1, P: 1, Q: t.batch, K: width}, x)
	}
	t.project("logits", x, t.batch, vocabulary, true, "")
	return t.build()
}

// wide appends a feed-forward layer behind its normalisation, with its sum.
func (t *tokens) wide(id, x string, width, inner int64) string {
	y := t.norm(id+".norm2", x, "layer")
	y = t.project(id+".expand", y, t.rows(), inner, false, "gelu")
	return t.sum(id+".add2", t.project(id+".contract", y, t.rows(), width, false, ""), x)
}

// gpt2Prompt is the prompt where none is given; chosen: half of the positions.
const gpt2Prompt = 512

func gpt2Prefill(name string, s Sizes) (*Workload, error) { return gpt2(name, s, gpt2Prompt, 0) }
func gpt2Decode(name string, s Sizes) (*Workload, error)  { return gpt2(name, s, 1, gpt2Prompt) }
