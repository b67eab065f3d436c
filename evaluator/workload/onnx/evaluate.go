package onnx

import (
	"cmp"
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

// wrapped is an index that may count from the end.
func wrapped(v float64, size int64) int64 {
	i := whole(v)
	if i < 0 {
		i += size
	}
	return i
}

// spot is a place in x that the last dimension of an array of indices names.
func spot(picks []float64, index, at, x []int64) []int64 {
	out := make([]int64, index[len(index)-1])
	for d := range out {
		out[d] = wrapped(picks[place(index, slices.Concat(at, []int64{int64(d)}))], x[d])
	}
	return out
}

// padded surrounds known values with a constant; nil where that is not known.
func (n *node) padded(v []float64, x, out, first []int64) []float64 {
	fill, ok := n.scalar(2)
	if a, given := n.attrs["value"]; given {
		fill, ok = a.f, true
	}
	if !ok && n.has(2) {
		return nil
	}
	all := make([]float64, 0, len(v))
	walk(out, func(at []int64) {
		from := slices.Clone(at)
		for d := range from {
			from[d] -= first[d]
		}
		if p := place(x, from); p >= 0 {
			all = append(all, v[p])
		} else {
			all = append(all, fill)
		}
	})
	return all
}

// written makes output 0 of input 0 with updates (input 2) at places that
// indices (input 1) name: to says where an element of the updates goes.
func (n *node) written(to func(picks []float64, at []int64) []int64) {
	picks, known := n.known(1)
	if !known || n.attrs["reduction"].s != "" && n.attrs["reduction"].s != "none" {
		return
	}
	n.fold(func(v [][]float64) []float64 {
		out, i := slices.Clone(v[0]), 0
		walk(n.shape(2), func(at []int64) {
			if p := place(n.shape(0), to(picks, at)); p >= 0 && i < len(v[2]) {
				out[p] = v[2][i]
			}
			i++
		})
		return out
	}, 3)
}

// scatter writes updates along an axis.
func (n *node) scatter() {
	if !n.need(0, 1) || !n.need(1, 1) || !n.need(2, 1) {
		return
	}
	x, index := n.shape(0), n.shape(1)
	a := n.axis(n.int("axis", 0), len(x))
	if len(index) != len(x) || !slices.Equal(index, n.shape(2)) {
		n.misfit("the indices %v and updates %v do not fit the input %v", index, n.shape(2), x)
		return
	}
	n.set(0, x)
	n.written(func(picks []float64, at []int64) []int64 {
		into := slices.Clone(at)
		into[a] = wrapped(picks[place(index, at)], x[a])
		return into
	})
	n.emit(graph.Node{Op: graph.Copy, Fn: "scatter", In: []int{n.in[0], n.in[2]}})
}

// scatterND writes parts at places.
func (n *node) scatterND() {
	if !n.need(0, 1) || !n.need(1, 1) || !n.need(2, 0) {
		return
	}
	x, index := n.shape(0), n.shape(1)
	last := len(index) - 1
	if index[last] < 0 || index[last] > int64(len(x)) || !slices.Equal(n.shape(2), slices.Concat(index[:last], x[index[last]:])) {
		n.misfit("the indices %v and updates %v do not fit the input %v", index, n.shape(2), x)
		return
	}
	n.set(0, x)
	n.written(func(picks []float64, at []int64) []int64 {
		return slices.Concat(spot(picks, index, at[:last], x), at[last:])
	})
	n.emit(graph.Node{Op: graph.Copy, Fn: "scatter", In: []int{n.in[0], n.in[2]}})
}

// tensorScatter writes fresh keys or values into a cache, which stays where it is.
func (n *node) tensorScatter() {
	if n.need(0, 1) && n.need(1, 1) {
		n.set(0, n.shape(0))
		n.emit(graph.Node{Op: graph.Copy, Fn: "append", In: n.in[:2]})
	}
}

// cumSum adds up along an axis.
func (n *node) cumSum() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	n.set(0, x)
	if axis, ok := n.scalar(1); ok && len(x) == 1 && n.int("exclusive", 0) == 0 && n.int("reverse", 0) == 0 {
		n.axis(whole(axis), 1)
		n.fold(func(v [][]float64) []float64 {
			out := slices.Clone(v[0])
			for i := 1; i < len(out); i++ {
				out[i] += out[i-1]
			}
			return out
		}, 1)
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "cumsum", In: n.in[:1]})
}

// eyeLike follows from a shape alone.
func (n *node) eyeLike() {
	if n.need(0, 2) {
		n.write(nil, false, n.shape(0), cmp.Or(bits(n.int("dtype", 0)), n.bits(0)))
	}
}

// castLike needs of its second input the type alone.
func (n *node) castLike() {
	if !n.need(0, 0) {
		return
	}
	if n.has(1) && n.g.Tensors[n.in[0]].Const {
		n.fixed = true
		n.g.Tensors[n.out[0]].Const = true
	}
	requant(n)
	n.keep()
}

// hasElement reports whether an optional tensor is given.
func (n *node) hasElement() {
	n.write([]float64{truth(n.has(0))}, true, nil, bits(typeBool))
}

// ranked makes the outputs of a TopK of known values: the best along an axis, in
// their order, and where they stand.
func (n *node) ranked(axis int, out []int64) {
	v, ok := n.known(0)
	x := n.shape(0)
	if n.err != nil || !ok || graph.Elements(out) > graph.MaxFolded || int64(len(v)) != graph.Elements(x) {
		return
	}
	best := 1.0
	if n.int("largest", 1) == 0 {
		best = -1
	}
	var values, places []float64
	walk(out, func(at []int64) {
		line := make([]int64, x[axis])
		of := func(i int64) float64 {
			from := slices.Clone(at)
			from[axis] = i
			return v[place(x, from)]
		}
		for i := range line {
			line[i] = int64(i)
		}
		slices.SortStableFunc(line, func(i, j int64) int { return cmp.Compare(best*of(j), best*of(i)) })
		values, places = append(values, of(line[at[axis]])), append(places, float64(line[at[axis]]))
	})
	for i, list := range [][]float64{values, places} {
		if i < len(n.out) && n.out[i] >= 0 {
			n.values[n.out[i]] = value{list, i == 1 || n.wholeInputs()}
		}
	}
}

// multiplied is the product of two matrices, or of vectors, of known values.
func multiplied(v [][]float64, d graph.Dims) []float64 {
	out := make([]float64, 0, d.M*d.K)
	for i := range d.M {
		for j := range d.K {
			sum := 0.0
			for c := range d.C {
				sum += v[0][i*d.C+c] * v[1][c*d.K+j]
			}
			out = append(out, sum)
		}
	}
	return out
}
