package workload

// bertBase is the encoder of BERT-base for sequences of 128 tokens: Devlin et
// al., arXiv 1810.04805, Section 3. It begins behind the embeddings, which are
// table look-ups.
func bertBase(name string) (*Workload, error) {
	const length, width, heads, inner, layers = 128, 768, 12, 3072, 12
	const x0 = "embeddings"
	b := &builder{sizes: map[string][2]int64{}}
	b.w = Workload{
		Name:   name,
		Source: Source{Kind: "generated", Ref: "arXiv 1810.04805, Section 3, 128 tokens", Licence: "facts (shapes only)"},
		Inputs: []Input{{Name: x0, Shape: []int64{1, 1, length, width}}},
	}
	var none [2]int64
	project := func(id, in string, k int64, act string) string {
		return b.add(id, none, Layer{Op: GEMM, M: length, K: k, Act: act}, in)
	}
	x := x0
	for i := range layers {
		id := numbered("layer", i)
		q := project(id+".query", x, width, "")
		k := project(id+".key", x, width, "")
		v := project(id+".value", x, width, "")
		y := b.add(id+".scores", none, Layer{Op: MatMul, N: heads, M: length, K: length, C: width / heads}, q, k)
		y = b.add(id+".softmax", none, Layer{Op: Softmax}, y)
		y = b.add(id+".context", none, Layer{Op: MatMul, N: heads, M: length, K: width / heads, C: length}, y, v)
		y = project(id+".output", y, width, "")
		y = b.sum(id+".add1", y, x)
		x = b.add(id+".norm1", none, Layer{Op: Norm, Fn: "layer"}, y)
		y = project(id+".expand", x, inner, "gelu")
		y = project(id+".contract", y, width, "")
		y = b.sum(id+".add2", y, x)
		x = b.add(id+".norm2", none, Layer{Op: Norm, Fn: "layer"}, y)
	}
	return b.build()
}
