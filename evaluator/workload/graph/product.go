package graph

// Product returns the dimensions of a batched matrix product, where a or b may
// be transposed: N products of M x C and C x K. Leading dimensions broadcast;
// ok is false when the shapes do not fit. A vector is a matrix of one row (a)
// or one column (b).
func Product(a, b []int64, transposeA, transposeB bool) (d Dims, ok bool) {
	if len(a) == 0 || len(b) == 0 {
		return d, false
	}
	if len(a) == 1 {
		a = []int64{1, a[0]}
	}
	if len(b) == 1 {
		b = []int64{b[0], 1}
	}
	m, c := last(a, transposeA)
	c2, k := last(b, transposeB)
	batch, ok := Broadcast(a[:len(a)-2], b[:len(b)-2])
	if !ok || c != c2 {
		return d, false
	}
	return Dims{N: Elements(batch), M: m, K: k, C: c}, true
}

func last(s []int64, transposed bool) (rows, columns int64) {
	rows, columns = s[len(s)-2], s[len(s)-1]
	if transposed {
		rows, columns = columns, rows
	}
	return rows, columns
}

// Broadcast returns the common shape of two, aligned at their last dimension.
func Broadcast(a, b []int64) ([]int64, bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append([]int64(nil), a...)
	shift := len(a) - len(b)
	for i, d := range b {
		switch have := out[shift+i]; {
		case have == d || d == 1:
		case have == 1:
			out[shift+i] = d
		default:
			return nil, false
		}
	}
	return out, CheckShape(out) == nil
}

// MatMulNode returns the node of a product of tensors a and b: one with
// constant weights where either is constant.
func MatMulNode(g *Graph, d Dims, a, b int) Node {
	switch {
	case g.Tensors[b].Const:
		if g.Elements(b) == d.C*d.K { // the same weights for every product
			d.M, d.N = d.M*d.N, 0
		}
		return Node{Op: Dense, Dims: d, In: []int{a}, WeightBits: g.Tensors[b].Bits, Weights: b + 1}
	case g.Tensors[a].Const:
		if g.Elements(a) == d.M*d.C {
			return Node{Op: Dense, Dims: Dims{M: d.K * d.N, K: d.M, C: d.C}, In: []int{b}, WeightBits: g.Tensors[a].Bits, Weights: a + 1}
		}
		d.M, d.K = d.K, d.M
		return Node{Op: Dense, Dims: d, In: []int{b}, WeightBits: g.Tensors[a].Bits, Weights: a + 1}
	}
	return Node{Op: MatMul, Dims: d, In: []int{a, b}}
}
