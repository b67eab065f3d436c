package workload

import "cmp"

// bertBase is the encoder of BERT-base, for sequences of 128 tokens where no
// size is given: Devlin et al., arXiv 1810.04805, Section 3. It begins behind
// the embeddings, which are table look-ups. Its scores are a tensor in memory
// unless fused attention is asked for, as when it was published.
func bertBase(name string, s Sizes) (*Workload, error) {
	const width, inner, layers = 768, 3072, 12
	if s.Attention == "" {
		s.Attention = AttentionSeparate
	}
	t, x := sequences(name, "arXiv 1810.04805, Section 3, 128 tokens", s, cmp.Or(s.Sequence, 128), width)
	h := heads{12, 12, 64}
	norm := func(id, in string) string { return t.on(id, Layer{Op: Norm, Fn: "layer"}, in) }
	for i := range layers {
		id := numbered("layer", i)
		q := t.project(id+".query", x, t.rows(), width, false, "")
		k := t.project(id+".key", x, t.rows(), width, false, "")
		v := t.project(id+".value", x, t.rows(), width, false, "")
		y := t.attend(id, q, k, v, h, t.length)
		y = t.project(id+".output", y, t.rows(), width, false, "")
		y = t.sum(id+".add1", y, x)
		x = norm(id+".norm1", y)
		y = t.project(id+".expand", x, t.rows(), inner, false, "gelu")
		y = t.project(id+".contract", y, t.rows(), width, false, "")
		y = t.sum(id+".add2", y, x)
		x = norm(id+".norm2", y)
	}
	return t.build()
}
