package onnx

import (
	"slices"

	"apollo/evaluator/workload/graph"
)

func (n *node) reshape() {
	if !n.need(0, 0) {
		return
	}
	target, ok := n.ints(1, "shape")
	if !ok {
		n.stated("its target shape is computed at run time")
		n.emit(graph.Node{Op: graph.View, In: n.in[:1]})
		return
	}
	if len(target) > graph.MaxRank {
		n.fail("the target shape %v has rank %d, the limit is %d", target, len(target), graph.MaxRank)
		return
	}
	x, total := n.shape(0), n.g.Elements(n.in[0])
	out, rest, open := make([]int64, len(target)), int64(1), -1
	for i, d := range target {
		switch {
		case d == 0 && i < len(x) && n.int("allowzero", 0) == 0:
			d = x[i]
		case d == -1 && open < 0:
			open, d = i, 1
		}
		if d < 1 || rest > graph.MaxElements/d {
			n.misfit("the target shape %v does not fit the input %v", target, x)
			return
		}
		out[i], rest = d, rest*d
	}
	if open >= 0 {
		out[open] = total / rest
		rest *= out[open]
	}
	if rest != total {
		n.misfit("the target shape %v does not fit the input %v", target, x)
		return
	}
	n.view(out)
}

// view ends an operation that only renames.
func (n *node) view(out []int64) {
	n.set(0, out)
	n.keep()
	n.emit(graph.Node{Op: graph.View, In: n.in[:1]})
}

func (n *node) flatten() {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	a := n.int("axis", 1)
	if a < 0 {
		a += int64(len(x))
	}
	if a < 0 || a > int64(len(x)) {
		n.misfit("axis %d does not exist in the input %v", a, x)
		return
	}
	n.view([]int64{graph.Elements(x[:a]), graph.Elements(x[a:])})
}

// axes returns the axes of an operation, brought into 0 … rank-1 and sorted;
// ok is false when they are not given.
func (n *node) axes(i, rank int) (axes []int, ok bool) {
	list, ok := n.ints(i, "axes")
	if !ok {
		if n.has(i) {
			n.fail("the axes are computed at run time: export the model with fixed shapes")
		}
		return nil, false
	}
	for _, a := range list {
		axes = append(axes, n.axis(a, rank))
	}
	slices.Sort(axes)
	return slices.Compact(axes), true
}

func (n *node) squeeze() {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	if n.stateView(1, "axes") {
		return
	}
	axes, given := n.axes(1, len(x))
	var out []int64
	for i, d := range x {
		if given && !slices.Contains(axes, i) || !given && d != 1 {
			out = append(out, d)
		} else if d != 1 {
			n.misfit("axis %d of the input %v is not 1", i, x)
		}
	}
	n.view(out)
}

// atRunTime reports whether an input that makes a shape is computed at run time.
func (n *node) atRunTime(i int, attr string) bool {
	_, ok := n.ints(i, attr)
	return n.has(i) && !ok
}

// stateView ends an operation that renames, where input i is computed at run
// time: the output has the shape that the file states.
func (n *node) stateView(i int, attr string) bool {
	if !n.atRunTime(i, attr) {
		return false
	}
	n.stated("its axes are computed at run time")
	n.emit(graph.Node{Op: graph.View, In: n.in[:1]})
	return true
}

func (n *node) unsqueeze() {
	if !n.need(0, 0) {
		return
	}
	if n.stateView(1, "axes") {
		return
	}
	list, ok := n.ints(1, "axes")
	rank := len(n.shape(0)) + len(list)
	if !ok || rank > graph.MaxRank {
		n.fail("the axes are not known, or give rank %d", rank)
		return
	}
	axes, _ := n.axes(1, rank)
	if n.err != nil || len(axes) != len(list) {
		n.misfit("the axes %v are not distinct", list)
		return
	}
	out, rest := make([]int64, rank), n.shape(0)
	for i := range out {
		if slices.Contains(axes, i) {
			out[i] = 1
		} else {
			out[i], rest = rest[0], rest[1:]
		}
	}
	n.view(out)
}

func (n *node) transpose() {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	perm := n.attrs["perm"].ints
	if perm == nil {
		for i := range x {
			perm = append(perm, int64(len(x)-1-i))
		}
	}
	if len(perm) != len(x) {
		n.misfit("perm %v does not fit the input %v", perm, x)
		return
	}
	out, moved := make([]int64, len(x)), []int64{}
	for i, p := range perm {
		from := n.axis(p, len(x))
		if n.err != nil {
			return
		}
		out[i] = x[from]
		if x[from] != 1 {
			moved = append(moved, p)
		}
	}
	n.set(0, out)
	n.pick(0, func(at []int64) []int64 {
		from := make([]int64, len(at))
		for i, p := range perm {
			from[n.axis(p, len(x))] = at[i]
		}
		return from
	})
	if len(x) == 1 || n.in[0] >= 0 && slices.IsSorted(moved) {
		n.emit(graph.Node{Op: graph.View, In: n.in[:1]}) // only dimensions of 1 move
		return
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "transpose", In: n.in[:1]})
}

func (n *node) concat() { n.join(n.in) }

// qlinearConcat has pairs of scale and zero point, then triples of tensor,
// scale and zero point.
func (n *node) qlinearConcat() {
	var in []int
	for i := 2; i < len(n.in); i += 3 {
		in = append(in, n.in[i])
	}
	n.join(in)
}

func (n *node) join(in []int) {
	if len(in) == 0 || slices.Min(in) < 0 {
		n.misfit("an input is missing")
		return
	}
	out := slices.Clone(n.g.Shape(in[0]))
	a := n.axis(n.int("axis", 1), len(out))
	if n.err != nil {
		return
	}
	for _, t := range in[1:] {
		s := n.g.Shape(t)
		if len(s) != len(out) || s[a] > graph.MaxDim-out[a] {
			n.misfit("the shapes %v and %v do not join along axis %d", out, s, a)
			return
		}
		for i := range s {
			if i != a && s[i] != out[i] {
				n.misfit("the shapes %v and %v do not join along axis %d", out, s, a)
				return
			}
		}
		out[a] += s[a]
	}
	n.set(0, out)
	n.fold(func(v [][]float64) []float64 {
		joined := make([]float64, 0, graph.Elements(out))
		walk(out, func(at []int64) {
			from := slices.Clone(at)
			for i, t := range in {
				s := n.g.Shape(t)
				if from[a] < s[a] {
					joined = append(joined, v[i][place(s, from)])
					return
				}
				from[a] -= s[a]
			}
		})
		return joined
	}, len(in))
	if some := slices.DeleteFunc(slices.Clone(in), func(t int) bool { return n.g.Elements(t) == 0 }); len(some) > 0 {
		in = some
	}
	if len(in) == 1 {
		n.emit(graph.Node{Op: graph.View, In: in})
		return
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "concat", In: in})
}

func (n *node) split() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	a := n.axis(n.int("axis", 0), len(x))
	parts, ok := n.ints(1, "split")
	if !ok && n.has(1) {
		for i := range n.out {
			n.state(i, "the sizes of the parts are computed at run time")
		}
		n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: n.in[:1]})
		return
	}
	if len(parts) > 0 && !fill(parts, x[a]) {
		n.misfit("the parts %v do not add up to axis %d of the input %v", parts, a, x)
		return
	}
	count := int64(len(n.out))
	var before int64
	for i := range n.out {
		out := slices.Clone(x)
		if ok && i < len(parts) {
			out[a] = parts[i]
		} else {
			size := (x[a] + count - 1) / count
			out[a] = min(size, x[a]-min(int64(i)*size, x[a]))
		}
		n.set(i, out)
		first := before
		n.pick(i, func(at []int64) []int64 {
			from := slices.Clone(at)
			from[a] += first
			return from
		})
		before += out[a]
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "split", In: n.in[:1]})
}

func (n *node) slice() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	starts, ok1 := n.ints(1, "starts")
	ends, ok2 := n.ints(2, "ends")
	axes, ok3 := n.ints(3, "axes")
	steps, ok4 := n.ints(4, "steps")
	if !ok1 || !ok2 || n.has(3) && !ok3 || n.has(4) && !ok4 {
		n.stated("its bounds are computed at run time")
		n.emit(graph.Node{Op: graph.Copy, Fn: "slice", In: n.in[:1]})
		return
	}
	out := slices.Clone(x)
	first, step := make([]int64, len(x)), slices.Repeat([]int64{1}, len(x))
	for i := range starts {
		axis, s := int64(i), int64(1)
		if ok3 && i < len(axes) {
			axis = axes[i]
		}
		if ok4 && i < len(steps) {
			s = steps[i]
		}
		a := n.axis(axis, len(x))
		if n.err != nil || i >= len(ends) || s == 0 {
			n.misfit("starts %v, ends %v, steps %v do not fit together", starts, ends, steps)
			return
		}
		from, size := span(starts[i], ends[i], s, x[a])
		out[a], first[a], step[a] = size, from, s
	}
	n.set(0, out)
	n.pick(0, func(at []int64) []int64 {
		from := make([]int64, len(at))
		for d, i := range at {
			from[d] = first[d] + i*step[d]
		}
		return from
	})
	n.emit(graph.Node{Op: graph.Copy, Fn: "slice", In: n.in[:1]})
}

// span returns the first index and the length of start:end:step over size.
func span(start, end, step, size int64) (first, length int64) {
	low, high := int64(0), size
	if step < 0 {
		low, high = -1, size-1
	}
	place := func(v int64) int64 {
		if v < 0 {
			v += size
		}
		return max(low, min(v, high))
	}
	start, end = place(start), place(end)
	if step < 0 {
		start, end, step = -start, -end, -step
		return -start, max((end-start+step-1)/step, 0)
	}
	return start, max((end-start+step-1)/step, 0)
}

func (n *node) gather() {
	if !n.need(0, 1) || !n.need(1, 0) {
		return
	}
	x, index := n.shape(0), n.shape(1)
	a := n.axis(n.int("axis", 0), len(x))
	out := slices.Concat(x[:a], index, x[a+1:])
	n.set(0, out)
	if picks, ok := n.known(1); ok && n.err == nil {
		for _, f := range picks {
			if i := whole(f); i < -x[a] || i >= x[a] {
				n.misfit("index %d is outside the input %v", i, x)
				return
			}
		}
		n.pick(0, func(at []int64) []int64 {
			i := wrapped(picks[place(index, at[a:a+len(index)])], x[a])
			return slices.Concat(at[:a], []int64{i}, at[a+len(index):])
		})
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "gather"})
}

func (n *node) gatherElements() {
	if !n.need(0, 1) || !n.need(1, 1) {
		return
	}
	x, index := n.shape(0), n.shape(1)
	a := n.axis(n.int("axis", 0), len(x))
	n.set(0, index)
	if picks, ok := n.known(1); ok && len(index) == len(x) {
		n.pick(0, func(at []int64) []int64 {
			from := slices.Clone(at)
			from[a] = wrapped(picks[place(index, at)], x[a])
			return from
		})
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "gather"})
}

func (n *node) gatherND() {
	if !n.need(0, 1) || !n.need(1, 1) {
		return
	}
	x, index, batch := n.shape(0), n.shape(1), n.int("batch_dims", 0)
	last := len(index) - 1
	skip := index[last] + batch
	if batch < 0 || skip < 0 || skip > int64(len(x)) {
		n.misfit("the indices %v do not fit the input %v", index, x)
		return
	}
	n.set(0, slices.Concat(index[:last], x[skip:]))
	if picks, ok := n.known(1); ok && batch == 0 {
		n.pick(0, func(at []int64) []int64 {
			return slices.Concat(spot(picks, index, at[:last], x), at[last:])
		})
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "gather"})
}

func (n *node) pad() {
	if !n.need(0, 1) {
		return
	}
	x := n.shape(0)
	pads, ok := n.ints(1, "pads")
	if a, old := n.attrs["paddings"]; old { // before opset 2
		pads, ok = a.ints, true
	}
	if !ok {
		n.stated("its padding is computed at run time")
		n.emit(graph.Node{Op: graph.Copy, Fn: "pad", In: n.in[:1]})
		return
	}
	listed, given := n.ints(3, "")
	if n.has(3) && !given {
		n.stated("the axes that it pads are computed at run time")
		n.emit(graph.Node{Op: graph.Copy, Fn: "pad", In: n.in[:1]})
		return
	}
	var axes []int // in the order of pads
	for _, a := range listed {
		axes = append(axes, n.axis(a, len(x)))
	}
	if !given {
		for i := range x {
			axes = append(axes, i)
		}
	}
	if n.err != nil {
		return
	}
	if len(pads) != 2*len(axes) {
		n.misfit("pads has %d numbers, want %d", len(pads), 2*len(axes))
		return
	}
	out, spatial, first := slices.Clone(x), len(x) == 4 || len(x) == 3, make([]int64, len(x))
	for i, a := range axes {
		before, after := pads[i], pads[len(axes)+i]
		if min(before, after) < -graph.MaxDim || max(before, after) > graph.MaxDim {
			n.misfit("pads has the number %d", max(before, after))
			return
		}
		out[a] += before + after
		first[a] = before
		spatial = spatial && (a >= 2 || before == 0 && after == 0) && before >= 0 && after >= 0
	}
	n.set(0, out)
	mode := n.attrs["mode"].s
	if mode != "" && mode != "constant" {
		n.emit(graph.Node{Op: graph.Copy, Fn: "pad", In: n.in[:1]})
		return
	}
	n.fold(func(v [][]float64) []float64 { return n.padded(v[0], x, out, first) }, 1)
	n.emit(graph.Node{Op: graph.Pad, Fn: "pad", In: n.in[:1], Spatial: spatial})
}

func (n *node) tile() {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	repeats, ok := n.ints(1, "")
	if axis, old := n.ints(2, ""); old && ok && len(repeats) == 1 && len(axis) == 1 { // one axis, before opset 6
		count := repeats[0]
		repeats = slices.Repeat([]int64{1}, len(x))
		if len(x) > 0 {
			repeats[n.axis(axis[0], len(x))] = count
		}
	}
	if !ok || len(repeats) != len(x) {
		n.stated("its repeats are computed at run time or do not fit")
	} else {
		out := slices.Clone(x)
		for i, r := range repeats {
			if r < 0 || out[i] > 0 && r > graph.MaxDim/out[i] {
				n.misfit("repeats %v are outside 0 to %d", repeats, int64(graph.MaxDim))
				return
			}
			out[i] *= r
		}
		n.set(0, out)
		n.pick(0, func(at []int64) []int64 {
			from := slices.Clone(at)
			for d := range from {
				from[d] %= x[d]
			}
			return from
		})
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "tile", In: n.in[:1]})
}

func (n *node) expand() {
	if !n.need(0, 0) {
		return
	}
	target, ok := n.ints(1, "")
	if !ok {
		n.stated("its target shape is computed at run time")
	} else {
		if graph.CheckShape(target) != nil {
			n.misfit("the target shape %v is outside the limits", target)
			return
		}
		out, fits := graph.Broadcast(n.shape(0), target)
		if !fits {
			n.fail("the shapes %v and %v do not broadcast", n.shape(0), target)
			return
		}
		n.set(0, out)
		n.fold(func(v [][]float64) []float64 { return broadcasted(v[0], n.shape(0), out) }, 1)
	}
	n.emit(graph.Node{Op: graph.Copy, Fn: "tile", In: n.in[:1]})
}

func (n *node) depthToSpace() { n.blocks("depth_to_space", true) }
func (n *node) spaceToDepth() { n.blocks("space_to_depth", false) }

func (n *node) blocks(fn string, toSpace bool) {
	b := n.int("blocksize", 0)
	if !n.need(0, 4) {
		return
	}
	x := n.shape(0)
	if b < 1 || b > 1<<15 || len(x) != 4 || toSpace && x[1]%(b*b) != 0 || !toSpace && (x[2]%b != 0 || x[3]%b != 0) {
		n.misfit("blocks of %d do not fit the input %v", b, x)
		return
	}
	out := []int64{x[0], x[1] * b * b, x[2] / b, x[3] / b}
	if toSpace {
		out = []int64{x[0], x[1] / (b * b), x[2] * b, x[3] * b}
	}
	n.set(0, out)
	n.emit(graph.Node{Op: graph.Copy, Fn: fn, In: n.in[:1]})
}

func reducing(fn string) infer {
	return func(n *node) { n.reduce(fn) }
}

func (n *node) reduce(fn string) {
	if !n.need(0, 0) {
		return
	}
	x := n.shape(0)
	if n.atRunTime(1, "axes") {
		n.stated("its axes are computed at run time")
		n.emit(graph.Node{Op: graph.Reduce, Fn: fn, In: n.in[:1]})
		return
	}
	axes, given := n.axes(1, len(x))
	if n.op == "ArgMax" || n.op == "ArgMin" {
		axes, given = []int{n.axis(n.int("axis", 0), len(x))}, true
		n.g.Tensors[n.out[0]].Bits = bits(typeInt64)
	}
	if len(axes) == 0 && n.int("noop_with_empty_axes", 0) != 0 {
		n.view(x)
		return
	}
	all := !given || len(axes) == 0
	var out []int64
	for i, d := range x {
		gone := all || slices.Contains(axes, i)
		switch {
		case !gone:
			out = append(out, d)
		case n.int("keepdims", 1) != 0:
			out = append(out, 1)
		}
	}
	if fn == "mean" && len(x) == 4 && slices.Equal(axes, []int{2, 3}) {
		n.globalPool("avg", out)
		return
	}
	n.set(0, out)
	n.fold(func(v [][]float64) []float64 {
		return reduced(n.op, v[0], x, func(axis int) bool { return all || slices.Contains(axes, axis) })
	}, 1)
	n.emit(graph.Node{Op: graph.Reduce, Fn: fn, In: n.in[:1]})
}

func (n *node) topK() {
	if !n.need(0, 1) {
		return
	}
	x := slices.Clone(n.shape(0))
	k, ok := n.ints(1, "")
	if a, given := n.attrs["k"]; given {
		k, ok = []int64{a.i}, true
	}
	if ok && (len(k) != 1 || k[0] < 0) {
		n.misfit("k is %v, want one number of 0 or more", k)
		return
	}
	if !ok {
		n.stated("k is computed at run time")
		x = n.g.Shape(n.out[0])
	} else {
		a := n.axis(n.int("axis", -1), len(x))
		x[a] = min(k[0], x[a])
		n.set(0, x)
		n.set(1, x)
		n.ranked(a, x)
	}
	n.set(1, x)
	n.places(1)
	n.emit(graph.Node{Op: graph.Reduce, Fn: "topk", In: n.in[:1]})
}
