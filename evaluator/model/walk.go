package model

// walk counts the accesses of a loop nest, operand by operand. Everything is a
// product over the loops: no loop is executed.
type walk struct {
	p *Problem
	a *Arch
	m *Mapping
	// tile is the extent of each dimension inside one instance of a level,
	// at most the bound.
	tile [MaxLevels][Dims]int64
	// apart is the number of instances of a level per dimension: the product of
	// the spatial factors above it.
	apart [MaxLevels + 1][Dims]int64
	// steps is the number of temporal steps of a dimension on the busiest
	// instance: the product of the temporal factors where they divide the bound,
	// less where the last tile is short.
	steps [Dims]int64
}

// begin makes a walk ready, in place: it is large. Who calls it has set what it is of, so
// that the compiler sees that this does not outlive the call.
func (w *walk) begin() {
	p, a, m := w.p, w.a, w.m
	inside := [Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	w.steps = inside
	for i := a.Levels - 1; i >= 0; i-- {
		l := &m.Loops[i]
		for d := range Dims {
			inside[d] *= l.Temporal[d] * l.Spatial[d]
			w.tile[i][d] = min(inside[d], p.Bound[d])
			w.steps[d] *= l.Temporal[d]
		}
	}
	for d := range Dims {
		if inside[d] != p.Bound[d] {
			w.steps[d] = w.shortSteps(d, inside[d], w.steps[d])
		}
	}
	w.apart[0] = [Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	for i := range a.Levels {
		for d := range Dims {
			// A dimension is never on more instances than it has iterations.
			w.apart[i+1][d] = min(w.apart[i][d]*m.Loops[i].Spatial[d], p.Bound[d])
		}
	}
}

// shortSteps counts the steps of a dimension whose factors, with the products
// covered and steps, exceed the bound. Going in, whole tiles take all the steps
// inside them, and what is left is spread evenly over the instances below.
func (w *walk) shortSteps(d Dim, covered, steps int64) int64 {
	left, n := w.p.Bound[d], int64(0)
	for i := 0; i < w.a.Levels && left > 0; i++ {
		l := &w.m.Loops[i]
		covered /= l.Temporal[d]
		steps /= l.Temporal[d]
		n += left / covered * steps
		left = CeilDiv(left%covered, l.Spatial[d])
		covered /= l.Spatial[d]
		if left >= covered {
			return n + steps
		}
	}
	return n
}

// operand fills in the accesses of one operand, from the outermost level in.
func (w *walk) operand(o Operand, r *Result) {
	above := -1 // the next level out that keeps o
	var reuse reuse
	reuse.start()
	for i := range w.a.Levels {
		if w.a.Level[i].Keeps[o] && !w.m.Loops[i].Bypass[o] {
			w.level(o, i, above, &reuse, r)
			above = i
		}
		reuse.pass(o, &w.m.Loops[i], i)
	}
	if above >= 0 {
		w.units(o, above, r)
	}
}

// reuse follows the temporal loops from the outermost in and remembers which of
// them make an operand's tile change.
type reuse struct {
	// visits is the product of the irrelevant loops outside the innermost
	// relevant one: how often each element comes again.
	visits int64
	// pending is the product of the irrelevant loops inside it.
	pending int64
	// last is the innermost loop of more than one step, with its factor and
	// its level.
	last  Dim
	steps int64
	level int
}

func (u *reuse) start() { *u = reuse{visits: 1, pending: 1, last: Dims, steps: 1} }

func (u *reuse) pass(o Operand, l *Loops, level int) {
	for _, d := range l.Order {
		f := l.Temporal[d]
		if f == 1 {
			continue
		}
		u.last, u.steps, u.level = d, f, level
		if !relevant[o][d] {
			u.pending *= f
			continue
		}
		u.visits *= u.pending
		u.pending = 1
	}
}

// level counts the traffic between level i and the level above that keeps the
// operand.
func (w *walk) level(o Operand, i, above int, u *reuse, r *Result) {
	x := &r.Access[i][o]
	x.Tile = w.p.Elements(o, &w.tile[i])
	if above < 0 {
		return
	}
	distinct := w.distinct(o, i, u)
	parent := &r.Access[above][o]
	if o != Outputs {
		x.Fills = distinct * u.visits * w.copies(o, i)
		if o == Inputs && w.a.Level[i].Passes != [Dims]bool{} {
			distinct = w.together(i, above, u)
		}
		parent.Reads = distinct * u.visits * w.copies(o, above)
		return
	}
	// Partial sums of instances that split a sum below the parent are added on
	// their way up: one update each, unless nothing adds them.
	first := distinct * w.copies(o, i)
	x.Drains = first * u.visits
	x.Fills = x.Drains - first
	parent.Updates = distinct * u.visits * w.copies(o, above)
	parent.Reads = parent.Updates - distinct*w.copies(o, above)
	if w.a.Level[above].Scattered {
		parent.Reads += x.Drains - parent.Updates
		parent.Updates = x.Drains
	}
}

// units counts the traffic between the innermost level that keeps the operand
// and the multiply-accumulate units: one element per unit and cycle, shared by
// the units that a dimension without relevance spreads over.
func (w *walk) units(o Operand, i int, r *Result) {
	n := irrelevant(o, &w.steps)
	x := &r.Access[i][o]
	total := w.touched(o)
	if o != Outputs {
		x.Reads = total * n * w.copies(o, i)
		return
	}
	x.Updates = total * n * w.copies(o, i)
	x.Reads = x.Updates - total*w.copies(o, i)
}

// touched returns how often the units touch an operand when dimensions without
// relevance have one iteration: per multiply-accumulate, not per element, as
// windows overlap.
func (w *walk) touched(o Operand) int64 {
	return product(&w.p.Bound) / irrelevant(o, &w.p.Bound)
}

// copies returns the number of instances of level i that hold the same
// elements, for weights and inputs, or partial sums of the same outputs.
func (w *walk) copies(o Operand, i int) int64 { return irrelevant(o, &w.apart[i]) }

// distinct returns the elements that the tiles of level i cover, each tile
// once. The tiles of weights and outputs partition the tensor; input tiles
// overlap by the windows' halo, except where one tile slides into the next.
func (w *walk) distinct(o Operand, i int, u *reuse) int64 {
	if o != Inputs {
		return w.p.Elements(o, &w.p.Bound)
	}
	b := &w.p.Bound
	return b[G] * b[N] * b[C] * w.positions(0, i, P, R, u) * w.positions(1, i, Q, S, u)
}

// together returns distinct for tiles of the instances of level i under one of the level
// above, those together that pass inputs on to each other.
func (w *walk) together(i, above int, u *reuse) int64 {
	tile, apart, passes := w.tile[i], w.apart[i], &w.a.Level[i].Passes
	for d := range Dims {
		if passes[d] {
			w.tile[i][d] = min(tile[d]*CeilDiv(apart[d], w.apart[above][d]), w.p.Bound[d])
			w.apart[i][d] = w.apart[above][d]
		}
	}
	b := &w.p.Bound
	n := b[G] * b[N] * b[C]
	for axis, out := range [...]Dim{P, Q} {
		tap := out + R - P
		positions := w.positions(axis, i, out, tap, u)
		if passes[out] || passes[tap] {
			positions = min(positions, b[out]*b[tap]) // a stride skips what no window of the tiles has
		}
		n *= positions
	}
	w.tile[i], w.apart[i] = tile, apart
	return n
}

// positions returns the input positions along one axis that the tiles of level
// i cover, each tile counted once.
func (w *walk) positions(axis, i int, out, tap Dim, u *reuse) int64 {
	t, spread := &w.tile[i], int64(1)
	if u.last == out || u.last == tap {
		spread = w.spread(u.last, i, u)
	}
	return w.p.Positions(axis, t[out], t[tap], u.last, u.steps, spread)
}

// Positions returns the input positions along one axis, 0 for rows and 1 for columns, that
// tiles of so many outputs and taps cover, each tile counted once, where a loop over last of
// so many steps is the innermost one above them, and is spread over so many instances between.
func (p *Problem) Positions(axis int, outs, taps int64, last Dim, steps, spread int64) int64 {
	out, tap := P+Dim(axis), R+Dim(axis)
	rows, runs := CeilDiv(p.Bound[out], outs), CeilDiv(p.Bound[tap], taps)
	window := (taps-1)*p.Dilation[axis] + 1
	span := p.span(axis, outs, taps)
	switch {
	case last == out && spread > 1:
		return runs * slide(rows, steps, span, outs*spread*p.Stride[axis])
	case last == out && outs*p.Stride[axis] <= span:
		first := CeilDiv(rows, steps)
		return runs * ((p.Bound[out]-first)*p.Stride[axis] + first*window)
	case last == tap && taps*spread*p.Dilation[axis] <= span:
		return rows * slide(runs, steps, span, taps*spread*p.Dilation[axis])
	}
	return runs * ((p.Bound[out]-rows)*p.Stride[axis] + rows*window)
}

// spread returns over how many instances a dimension is spread between the
// innermost loop and level i: the loop steps over all of them at once, so that
// the tile of one instance moves that many tiles.
func (w *walk) spread(d Dim, i int, u *reuse) int64 {
	return max(w.apart[i][d]/w.apart[u.level][d], 1)
}

// slide returns the positions that tiles of the given span bring when runs of
// at most steps tiles follow each other at a distance.
func slide(tiles, steps, span, distance int64) int64 {
	runs := CeilDiv(tiles, steps)
	return runs*span + (tiles-runs)*min(distance, span)
}
