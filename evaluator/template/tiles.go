package template

import (
	"iter"

	"apollo/evaluator/model"
)

// cutting is the order in which rows and columns are cut into parts.
type cutting int

const (
	rowsFirst cutting = iota
	columnsFirst
	inTurn
)

// cuts yields growing numbers of parts of images, rows and columns; images are
// cut to the end first.
func cuts(way cutting, images, rows, columns int64) iter.Seq[[3]int64] {
	return func(yield func([3]int64) bool) {
		n, most := [3]int64{1, 1, 1}, [3]int64{images, rows, columns}
		for turn := 1; yield(n); turn = 3 - turn {
			at := turn
			switch {
			case n[0] < most[0]:
				at = 0
			case way == rowsFirst, n[2] == most[2]:
				at = 1
			case way == columnsFirst, n[1] == most[1]:
				at = 2
			}
			if at == 1 && n[1] == most[1] {
				at = 2
			}
			if n[at] == most[at] {
				return
			}
			n[at] = min(2*n[at], most[at])
		}
	}
}

// counts yields numbers of parts of n: all up to 16, then eight to a doubling, n
// at the end. Of numbers that give parts of the same size, the first.
func counts(n int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		const fine = 8
		last := int64(0)
		for i := int64(1); i < n; i += max(i/fine, 1) {
			size := model.CeilDiv(n, i)
			if size != last && !yield(i) {
				return
			}
			last = size
		}
		yield(n)
	}
}

// fits reports whether the tiles fit every level, twice where it is
// double-buffered. Loops of the inner level whose tiles do not fit there move to
// the buffer: those over pixels first, or those over output channels.
func (f *finding) fits(channelsFirst bool) bool {
	f.shrunk, f.tight = false, false
	for i := f.l.arch.Levels - 1; i >= 1; i-- {
		for !f.levelFits(i) {
			if i < 2 || !f.shrink(i, channelsFirst) {
				return false
			}
		}
	}
	return true
}

func (f *finding) levelFits(i int) bool {
	level := &f.l.arch.Level[i]
	if level.Capacity == 0 {
		return true
	}
	room := level.Capacity
	if level.DoubleBuffered {
		room /= 2
	}
	others, sums := f.tile(i)
	switch {
	case others+sums*f.p.PartialBytes <= room:
		return true
	case others+sums*f.p.Bytes[model.Outputs] <= room && f.complete(i):
		f.tight = true
		return true
	}
	need := others + sums*f.p.Bytes[model.Outputs]
	if f.least == 0 || need < f.least {
		f.least, f.level = max(need, room+1), int64(i)
	}
	return false
}

// tile returns the bytes of weights and inputs, and the number of outputs, that
// one instance of a level holds.
func (f *finding) tile(level int) (others, sums int64) {
	var extent [model.Dims]int64
	for d := range model.Dims {
		extent[d] = 1
		for i := level; i < f.l.arch.Levels; i++ {
			extent[d] *= f.m.Loops[i].Temporal[d] * f.m.Loops[i].Spatial[d]
		}
		extent[d] = min(extent[d], f.p.Bound[d])
	}
	keeps := &f.l.arch.Level[level].Keeps
	for _, o := range []model.Operand{model.Weights, model.Inputs} {
		if keeps[o] {
			others += f.p.Elements(o, &extent) * f.p.Bytes[o]
		}
	}
	if keeps[model.Outputs] {
		sums = f.p.Elements(model.Outputs, &extent)
	}
	return others, sums
}

// complete reports whether outputs reach a level only once their sums are
// complete, in the orders that complete sums before the next tile.
func (f *finding) complete(level int) bool {
	f.m.Loops[0].Order = f.orders[0].dims
	f.result.Eval(f.p, &f.l.arch, &f.m)
	x := &f.result.Access[level][model.Outputs]
	return x.Reads == 0 && x.Fills == 0
}

// shrink halves a loop of the inner level whose dimension a kept operand has,
// and reports whether there was one.
func (f *finding) shrink(level int, channelsFirst bool) bool {
	if f.l.inner < level {
		return false
	}
	f.shrunk = true
	in, out := &f.m.Loops[f.l.inner], &f.m.Loops[1]
	order := [model.Dims]model.Dim{model.P, model.Q, model.K, model.C, model.R, model.S, model.G, model.N}
	if channelsFirst {
		order = [model.Dims]model.Dim{model.K, model.P, model.Q, model.C, model.R, model.S, model.G, model.N}
	}
	for _, d := range order {
		n := in.Temporal[d]
		if n == 1 || !f.holds(level, d) {
			continue
		}
		size := model.CeilDiv(n, 2)
		out.Temporal[d], in.Temporal[d] = model.CeilDiv(f.whole[d], size), size
		f.m.Loops[0].Temporal[d] = model.CeilDiv(f.rest[d], out.Temporal[d]*size)
		return true
	}
	return false
}

// holds reports whether a level keeps an operand that a dimension indexes.
func (f *finding) holds(level int, d model.Dim) bool {
	for o := range model.Operands {
		if f.l.arch.Level[level].Keeps[o] && model.Relevant(o, d) {
			return true
		}
	}
	return false
}
