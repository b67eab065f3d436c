package onnx

import (
	"cmp"
	"slices"

	"apollo/evaluator/workload/graph"
)

// attention is one while its layers are appended.
type attention struct {
	batch, length           int64 // sequences, queries of each
	queries, groups         int64 // heads of queries, and of keys and values
	size, width             int64 // of a head: queries and keys, values
	q, k, v                 int   // tensors; k and v hold fresh tokens
	fresh                   int64 // keys that come in
	pastKey, pastValue      int   // caches, -1 for none
	presentKey, presentVals int   // outputs that hold the grown caches, by index
	scores                  int   // the output that holds the scores, by index
	masks                   []int // what is added to the scores
	both                    int   // the output that holds both grown caches, 0 for none
}

// attention23 is Attention of opset 23: Q, K and V with their heads in an axis
// of their own, or in the last one.
func (n *node) attention23() {
	if n.domain == "com.microsoft" {
		n.packedAttention()
		return
	}
	if !n.need(0, 3) || !n.need(1, 3) || !n.need(2, 3) {
		return
	}
	q, k, v := n.shape(0), n.shape(1), n.shape(2)
	a := attention{q: n.in[0], k: n.in[1], v: n.in[2], pastKey: n.at(4), pastValue: n.at(5), presentKey: 1, presentVals: 2, scores: 3, masks: n.present(3)}
	switch {
	case len(q) == 4 && len(k) == 4 && len(v) == 4:
		a.batch, a.queries, a.length, a.size = q[0], q[1], q[2], q[3]
		a.groups, a.fresh, a.width = k[1], k[2], v[3]
	case len(q) == 3 && len(k) == 3 && len(v) == 3:
		a.queries, a.groups = n.int("q_num_heads", 0), n.int("kv_num_heads", 0)
		if !n.heads(&a, q[2], k[2], v[2]) {
			return
		}
		a.batch, a.length, a.fresh = q[0], q[1], k[1]
	default:
		n.misfit("queries %v, keys %v and values %v do not fit together", q, k, v)
		return
	}
	out := slices.Clone(q)
	if out[len(out)-1] = a.width; len(q) == 3 {
		out[2] = a.queries * a.width
	}
	n.set(0, out)
	n.attend(a)
}

// heads cuts the features of queries, keys and values into heads.
func (n *node) heads(a *attention, q, k, v int64) bool {
	if a.groups == 0 {
		a.groups = a.queries
	}
	if a.queries < 1 || a.groups < 1 || a.queries > graph.MaxDim || a.queries%a.groups != 0 || q%a.queries != 0 || k%a.groups != 0 || v%a.groups != 0 {
		n.misfit("%d and %d heads do not fit the features %d, %d and %d", a.queries, a.groups, q, k, v)
		return false
	}
	a.size, a.width = q/a.queries, v/a.groups
	return true
}

// present returns those of the inputs that are given.
func (n *node) present(list ...int) (in []int) {
	for _, i := range list {
		if n.has(i) {
			in = append(in, n.in[i])
		}
	}
	return in
}

// at returns input i, -1 where it is not given.
func (n *node) at(i int) int {
	if !n.has(i) {
		return -1
	}
	return n.in[i]
}

// attend appends the layers: the caches grow, queries that share keys are rows
// of one product, and scores go on without becoming a tensor unless they are an
// output.
func (n *node) attend(a attention) {
	if n.err != nil {
		return
	}
	reach := a.fresh
	for _, c := range []struct {
		fresh      *int
		past, into int
		size       int64
	}{{&a.k, a.pastKey, a.presentKey, a.size}, {&a.v, a.pastValue, a.presentVals, a.width}} {
		*c.fresh = n.grown(a, *c.fresh, c.past, c.into, c.size)
		if n.err != nil {
			return
		}
	}
	if a.pastKey >= 0 && n.g.Elements(a.pastKey) > 0 {
		reach += n.g.Elements(a.pastKey) / max(a.batch*a.groups*a.size, 1)
	}
	if a.both > 0 {
		n.sequences[a.both] = []int{a.k, a.v}
		n.g.Tensors[a.both].Const = false
	}
	each := a.queries / max(a.groups, 1) * a.length
	if a.batch < 1 || a.groups < 1 || a.size < 1 || a.width < 1 || reach < 1 || each < 1 ||
		n.g.Elements(a.k) != a.batch*a.groups*reach*a.size || n.g.Elements(a.v) != a.batch*a.groups*reach*a.width || n.g.Elements(a.q) != a.batch*a.groups*each*a.size {
		n.misfit("queries %v, keys %v and values %v do not fit together", n.g.Shape(a.q), n.g.Shape(a.k), n.g.Shape(a.v))
		return
	}
	wanted := a.scores < len(n.out) && n.out[a.scores] >= 0
	shape := []int64{a.batch, a.queries, a.length, reach}
	scores := n.inner(".scores", shape...)
	if wanted {
		n.set(a.scores, shape)
		scores = n.out[a.scores]
	}
	weights := n.inner(".weights", shape...)
	d := graph.Dims{N: a.batch * a.groups, M: each, K: reach, C: a.size}
	n.emit(graph.Node{Op: graph.MatMul, Dims: d, In: []int{a.q, a.k}, Out: []int{scores}, Fused: !wanted})
	n.emit(graph.Node{Op: graph.Softmax, In: slices.Concat([]int{scores}, a.masks), Out: []int{weights}, Fused: true})
	d.K, d.C = a.width, reach
	n.emit(graph.Node{Op: graph.MatMul, Dims: d, In: []int{weights, a.v}, Out: n.out[:1]})
}

// grown appends fresh keys or values to a cache and returns the tensor.
func (n *node) grown(a attention, fresh, past, into int, size int64) int {
	out := -1
	if into < len(n.out) {
		out = n.out[into]
	}
	length := a.fresh
	if past >= 0 {
		length += n.g.Elements(past) / max(a.batch*a.groups*size, 1)
	}
	shape := []int64{a.batch, a.groups, length, size}
	if past < 0 || n.g.Elements(past) == 0 {
		if out >= 0 {
			n.set(into, shape)
			n.emit(graph.Node{Op: graph.View, In: []int{fresh}, Out: []int{out}})
		}
		return fresh
	}
	if out < 0 {
		out = n.inner(".cache", shape...)
	} else {
		n.set(into, shape)
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "append", In: []int{past, fresh}, Out: []int{out}})
	return out
}

// rotated appends a rotary embedding of a tensor.
func (n *node) rotated(t int, suffix string) int {
	if n.err != nil {
		return t
	}
	out := n.inner(suffix, n.g.Shape(t)...)
	n.emit(graph.Node{Op: graph.Act, Fn: "rotary", In: []int{t}, Out: []int{out}})
	return out
}

// groupQuery is GroupQueryAttention of com.microsoft; without keys, the first
// input holds queries, keys and values.
func (n *node) groupQuery() {
	if !n.need(0, 3) {
		return
	}
	q := n.shape(0)
	a := attention{
		queries: n.int("num_heads", 0), groups: n.int("kv_num_heads", 0), batch: q[0], length: q[1], fresh: q[1],
		pastKey: n.at(3), pastValue: n.at(4), presentKey: 1, presentVals: 2, scores: len(n.out), masks: n.present(10),
	}
	a.q, a.k, a.v = n.in[0], n.at(1), n.at(2)
	width := q[2]
	if a.k < 0 {
		if a.queries < 1 || a.groups < 1 || max(a.queries, a.groups) > graph.MaxDim || width%(a.queries+2*a.groups) != 0 {
			n.misfit("%d and %d heads do not fit the features %d", a.queries, a.groups, width)
			return
		}
		size := width / (a.queries + 2*a.groups)
		width = a.queries * size
		a.q, a.k, a.v = n.inner(".query", q[0], q[1], width), n.inner(".key", q[0], q[1], a.groups*size), n.inner(".value", q[0], q[1], a.groups*size)
		n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: n.in[:1], Out: []int{a.q, a.k, a.v}})
	}
	last := func(t int) int64 { s := n.g.Shape(t); return s[max(len(s)-1, 0)] }
	if a.v < 0 || len(n.g.Shape(a.k)) != 3 || len(n.g.Shape(a.v)) != 3 {
		n.misfit("keys and values are missing or do not fit the queries %v", q)
		return
	}
	if !n.heads(&a, width, last(a.k), last(a.v)) {
		return
	}
	if n.int("do_rotary", 0) != 0 {
		a.q, a.k = n.rotated(a.q, ".query.rotary"), n.rotated(a.k, ".key.rotary")
	}
	n.set(0, []int64{q[0], q[1], a.queries * a.width})
	n.attend(a)
}

// multiHead is MultiHeadAttention of com.microsoft: keys and values as the
// queries are, or with their heads in an axis of their own.
func (n *node) multiHead() {
	if !n.need(0, 3) {
		return
	}
	a := attention{
		queries: n.int("num_heads", 0), q: n.in[0], k: n.at(1), v: n.at(2),
		pastKey: n.at(6), pastValue: n.at(7), presentKey: 1, presentVals: 2, scores: 3, masks: n.present(4, 5),
	}
	if !n.unpacked(&a) {
		return
	}
	q, k, v := n.g.Shape(a.q), n.g.Shape(a.k), n.g.Shape(a.v)
	a.batch, a.length = q[0], q[1]
	if len(q) < 3 || len(k) < 3 || len(v) < 3 {
		n.misfit("queries %v, keys %v and values %v do not fit together", q, k, v)
		return
	}
	keys, values := k[2], v[2]
	a.fresh = k[1]
	if len(k) == 4 && len(v) == 4 {
		a.fresh, keys, values = k[2], k[1]*k[3], v[1]*v[3]
	}
	if len(q) != 3 || len(k) != len(v) || len(k) > 4 {
		n.misfit("queries %v, keys %v and values %v do not fit together", q, k, v)
		return
	}
	if n.heads(&a, q[2], keys, values) {
		n.set(0, []int64{q[0], q[1], a.queries * a.width})
		n.attend(a)
	}
}

// unpacked cuts queries, keys and values, or keys and values, out of one tensor that
// has them beside each other for each head: batch, tokens, heads, 2 or 3, size.
func (n *node) unpacked(a *attention) bool {
	from, suffixes := a.k, []string{".key", ".value"}
	if a.k < 0 {
		from, suffixes = a.q, []string{".query", ".key", ".value"}
	}
	if a.v >= 0 && a.k >= 0 {
		return true
	}
	s := n.g.Shape(from)
	if a.v >= 0 || len(s) != 5 || s[3] != int64(len(suffixes)) || s[2] > graph.MaxDim/max(s[4], 1) {
		n.misfit("keys or values are missing, or %v does not hold them for each head", s)
		return false
	}
	var parts []int
	for _, suffix := range suffixes {
		parts = append(parts, n.inner(suffix, s[0], s[1], s[2]*s[4]))
	}
	if n.err != nil {
		return false
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: []int{from}, Out: parts})
	a.k, a.v = parts[len(parts)-2], parts[len(parts)-1]
	if len(parts) == 3 {
		a.q = parts[0]
	}
	return n.err == nil
}

// packedAttention is Attention of com.microsoft: a product makes queries, keys
// and values of the input.
func (n *node) packedAttention() {
	if !n.need(0, 3) || !n.need(1, 2) {
		return
	}
	x, w := n.shape(0), n.shape(1)
	a := attention{queries: n.int("num_heads", 0), batch: x[0], length: x[1], fresh: x[1], pastKey: -1, pastValue: -1, presentKey: len(n.out), presentVals: len(n.out), scores: len(n.out), masks: n.present(3, 5)}
	past := 4
	if n.op == "QAttention" { // scales and zero points are between
		past, a.masks = 8, n.present(5)
	}
	sizes := n.attrs["qkv_hidden_sizes"].ints
	if len(sizes) != 3 {
		sizes = []int64{w[1] / 3, w[1] / 3, w[1] / 3}
	}
	if len(x) != 3 || len(w) != 2 || w[0] != x[2] || sizes[0] < 1 || sizes[0]+sizes[1]+sizes[2] != w[1] {
		n.misfit("the matrix %v does not fit the input %v", w, x)
		return
	}
	all := n.inner(".product", x[0], x[1], w[1])
	n.weighted(graph.Node{Op: graph.Dense, In: n.in[:1], Out: []int{all}, Dims: graph.Dims{M: x[0] * x[1], K: w[1], C: w[0]}}, 1, 2)
	a.q, a.k, a.v = n.inner(".query", x[0], x[1], sizes[0]), n.inner(".key", x[0], x[1], sizes[1]), n.inner(".value", x[0], x[1], sizes[2])
	n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: []int{all}, Out: []int{a.q, a.k, a.v}})
	if n.heads(&a, sizes[0], sizes[1], sizes[2]) {
		n.set(0, []int64{x[0], x[1], sizes[2]})
		n.past(&a, past)
		n.attend(a)
	}
}

// past gives an attention the keys and values that input i, and output 1, hold in
// one tensor: 2, batch, heads, tokens, size. Both halves grow where they are, so
// they are a sequence of two tensors here.
func (n *node) past(a *attention, i int) {
	if len(n.out) > 1 && n.out[1] >= 0 {
		a.both = n.out[1]
	}
	if !n.has(i) || n.err != nil {
		return
	}
	t := n.in[i]
	halves, ok := n.sequences[t]
	if !ok {
		s := n.g.Shape(t)
		if len(s) != 5 || s[0] != 2 || s[1] != a.batch || s[2] != a.groups || s[4] != a.size || a.size != a.width {
			n.misfit("keys and values of the past %v do not fit %d sequences with %d heads of %d", s, a.batch, a.groups, a.size)
			return
		}
		tokens := s[3]
		if n.int("past_present_share_buffer", 0) != 0 { // room for all tokens, of which the last are new
			tokens = max(tokens-a.length, 0)
		}
		halves = n.halves(t, a.batch, a.groups, tokens, a.size)
	}
	if n.err == nil {
		a.pastKey, a.pastValue = halves[0], halves[1]
	}
}

// halves cuts a tensor in two: one that comes from outside comes as two.
func (n *node) halves(t int, shape ...int64) (parts []int) {
	for _, suffix := range []string{".key", ".value"} {
		part, err := n.tensor(graph.Tensor{Name: n.g.Tensors[t].Name + suffix, Shape: shape, Bits: n.g.Tensors[t].Bits, Const: n.g.Tensors[t].Const})
		if err != nil {
			n.fail("%w", err)
			return nil
		}
		parts = append(parts, part)
	}
	switch {
	case n.g.Tensors[t].Const: // empty at the first run
	case slices.Contains(n.g.Inputs, t):
		n.g.Inputs = append(n.g.Inputs, parts...)
	default:
		n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: []int{t}, Out: parts})
	}
	return parts
}

// rotary is RotaryEmbedding: its sines and cosines are parameters.
func (n *node) rotary() {
	if n.need(0, 3) {
		n.set(0, n.shape(0))
		n.emit(graph.Node{Op: graph.Act, Fn: "rotary", In: slices.Concat(n.in[:1], n.angles())})
	}
}

// angles returns the sines and cosines of a rotary embedding that are computed at
// run time, and not looked up in its table.
func (n *node) angles() []int {
	first := 1
	if n.domain == "com.microsoft" { // positions stand before them
		first = 2
	}
	if len(n.in) < first+2 {
		return nil
	}
	m := *n
	m.in = n.in[:first+2]
	return m.computed(first)
}

// matMulNBits is a product with weights of few bits, packed in blocks.
func (n *node) matMulNBits() {
	if !n.need(0, 1) || !n.need(1, 1) {
		return
	}
	x, k, c := n.shape(0), n.int("N", 0), n.int("K", 0)
	last := len(x) - 1
	if k < 1 || c < 1 || x[last] != c || !n.g.Tensors[n.in[1]].Const {
		n.misfit("a stored matrix of %d x %d does not fit the input %v", c, k, x)
		return
	}
	n.set(0, slices.Concat(x[:last], []int64{k}))
	n.emit(graph.Node{
		Op: graph.Dense, In: n.in[:1], Bias: n.has(5), Biases: n.held(5), WeightBits: cmp.Or(n.int("bits", 0), 4), Weights: n.in[1] + 1, ScaleBytes: n.bytes(2, 3, 4), // scales, zero points, groups of input channels
		Dims: graph.Dims{M: graph.Elements(x) / c, K: k, C: c},
	})
}

// skipNorm is a sum and its normalisation in one: input, skip, scale, shift,
// bias.
func skipNorm(fn string) infer {
	return func(n *node) {
		if !n.need(0, 1) || !n.need(1, 1) {
			return
		}
		shape, ok := graph.Broadcast(n.shape(0), n.shape(1))
		if !ok {
			n.misfit("the shapes %v and %v do not broadcast", n.shape(0), n.shape(1))
			return
		}
		n.set(0, shape)
		sum := -1
		if len(n.out) > 3 && n.out[3] >= 0 {
			n.set(3, shape)
			sum = n.out[3]
		} else if n.err == nil {
			sum = n.inner(".sum", shape...)
		}
		n.emit(graph.Node{Op: graph.Eltwise, Fn: "add", In: n.in[:2], Out: []int{sum}})
		var stored int64
		for i := 2; i < len(n.in); i++ {
			if n.has(i) {
				stored += n.g.Elements(n.in[i])
			}
		}
		n.emit(graph.Node{Op: graph.Norm, Fn: fn, In: []int{sum}, Out: n.out[:1], Const: stored, WeightBits: n.bits(2)})
	}
}
