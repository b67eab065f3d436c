package workload

// tokens are the sequences of a transformer while it is built: batch of them,
// length tokens each.
type tokens struct {
	*builder
	batch, length, width int64
	fused                bool // scores stay in the units
}

// heads is an attention: queries heads of which groups share keys and values.
type heads struct {
	queries, groups, size int64
}

// sequences starts a network whose input is the embeddings of its tokens.
func sequences(name, ref string, s Sizes, length, width int64) (t *tokens, x string) {
	const input = "embeddings"
	t = &tokens{
		builder: &builder{sizes: map[string][2]int64{}}, batch: max(s.Batch, 1), length: length, width: width,
		fused: s.Attention != AttentionSeparate,
	}
	t.w = Workload{Name: name, Source: Source{Kind: "generated", Ref: ref, Licence: "facts (shapes only)"}}
	return t, t.input(input, 1, 1, t.rows(), width)
}

func (t *tokens) rows() int64 { return t.batch * t.length }

// input adds a tensor from outside.
func (t *tokens) input(name string, shape ...int64) string {
	t.w.Inputs = append(t.w.Inputs, Input{Name: name, Shape: shape})
	return name
}

// on appends a layer without a picture's size.
func (t *tokens) on(id string, l Layer, in ...string) string {
	return t.add(id, [2]int64{}, l, in...)
}

// project appends a product with weights over rows tokens; its bias is there
// unless bare.
func (t *tokens) project(id, in string, rows, k int64, bare bool, act string) string {
	return t.on(id, Layer{Op: GEMM, M: rows, K: k, Act: act, NoBias: bare}, in)
}

// norm appends a normalisation with its scale, and the shift of a layer
// normalisation.
func (t *tokens) norm(id, in, fn string) string {
	constants := t.width
	if fn == "layer" {
		constants *= 2
	}
	return t.on(id, Layer{Op: Norm, Fn: fn, Const: constants}, in)
}

// look appends an embedding: the rows of the table that the tokens name come
// in, the table is idle; 0 where it is that of another layer.
func (t *tokens) look(id, in string, table int64) string {
	return t.on(id, Layer{Op: Copy, Fn: "gather", Idle: table}, in)
}

// rotate appends a rotary embedding (Su et al., arXiv 2104.09864). Its sines and
// cosines, one pair for all heads, are left out.
func (t *tokens) rotate(id, in string) string {
	return t.on(id, Layer{Op: Eltwise, Fn: "rotary"}, in)
}

// cached appends what is new to a cache of past tokens that comes in.
func (t *tokens) cached(id, fresh string, h heads, past int64) string {
	if past == 0 {
		return fresh
	}
	n := t.batch * h.groups
	cache := t.input(id+".cache", n, 1, past, h.size)
	return t.on(id+".append", Layer{Op: Copy, Fn: Append, N: n, P: 1, Q: past + t.length, K: h.size}, cache, fresh)
}

// attend appends the attention of q over reach keys and values: the queries
// that share a head of keys are rows of one product. Masked scores are counted,
// as frameworks compute them.
func (t *tokens) attend(id, q, k, v string, h heads, reach int64) string {
	n, m := t.batch*h.groups, t.length*(h.queries/h.groups)
	y := t.on(id+".scores", Layer{Op: MatMul, N: n, M: m, K: reach, C: h.size, Fused: t.fused}, q, k)
	y = t.on(id+".softmax", Layer{Op: Softmax, Fused: t.fused}, y)
	return t.on(id+".context", Layer{Op: MatMul, N: n, M: m, K: h.size, C: reach}, y, v)
}
