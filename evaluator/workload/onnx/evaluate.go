package onnx

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

// pick makes output i of elements of input 0, when they are known and few:
// from says at which place of the input an element of the output stands, by
// its place along every dimension.
func (n *node) pick(i int, from func(at []int64) []int64) {
	if n.err != nil || i >= len(n.out) || n.out[i] < 0 {
		return
	}
	v, ok := n.known(0)
	out := n.g.Shape(n.out[i])
	if size := graph.Elements(out); !ok || size > graph.MaxFolded || int64(len(v)) != n.g.Elements(n.in[0]) {
		return
	}
	x := n.shape(0)
	picked := make([]float64, 0, len(v))
	walk(out, func(at []int64) {
		if p := place(x, from(at)); p >= 0 && p < len(v) {
			picked = append(picked, v[p])
		}
	})
	if int64(len(picked)) == graph.Elements(out) {
		n.values[n.out[i]] = value{picked, n.values[n.in[0]].integer}
	}
}

// walk visits the places of a tensor in the order of memory. The slice is
// reused.
func walk(shape []int64, visit func(at []int64)) {
	at := make([]int64, len(shape))
	for range graph.Elements(shape) {
		visit(at)
		for d := len(at) - 1; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
}

// place is the index in memory of an element, -1 outside the tensor.
func place(shape, at []int64) int {
	p := int64(0)
	for d, i := range at {
		if i < 0 || i >= shape[d] {
			return -1
		}
		p = p*shape[d] + i
	}
	return int(p)
}

// under is the place in a tensor that an element of a broadcast result reads.
func under(shape, at []int64) []int64 {
	own := slices.Clone(at[len(at)-len(shape):])
	for d := range own {
		if shape[d] == 1 {
			own[d] = 0
		}
	}
	return own
}

// broadcasted repeats known values to a shape that they broadcast to, nil
// where that is too large.
func broadcasted(v []float64, shape, to []int64) []float64 {
	size := graph.Elements(to)
	if size > graph.MaxFolded || len(shape) > len(to) || int64(len(v)) != graph.Elements(shape) {
		return nil
	}
	out := make([]float64, 0, size)
	walk(to, func(at []int64) {
		if p := place(shape, under(shape, at)); p >= 0 {
			out = append(out, v[p])
		}
	})
	return out
}

// reduced folds a reduction over the given axes (all of them where keep says
// of none that it stays).
func reduced(op string, v []float64, x []int64, gone func(axis int) bool) []float64 {
	groups := map[int][]float64{}
	var stay []int64
	for d, size := range x {
		if !gone(d) {
			stay = append(stay, size)
		}
	}
	i := 0
	walk(x, func(at []int64) {
		var own []int64
		for d, k := range at {
			if !gone(d) {
				own = append(own, k)
			}
		}
		p := place(stay, own)
		groups[p] = append(groups[p], v[i])
		i++
	})
	out := make([]float64, 0, len(groups))
	for p := range len(groups) {
		t := total(op, groups[p])
		if t == nil {
			return nil
		}
		out = append(out, t...)
	}
	return out
}
