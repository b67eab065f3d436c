package template

import (
	"math"

	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
)

// Find implements Dataflow: of a small set of tilings that a compiler would
// choose from, on the whole array or on halves of it, the one of least value.
// Parts of the array that idle are not filled and not drained.
func (f *marching) Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit) {
	s := marchingSearch{f: f, p: p, goal: g.on(p, &f.arch), least: math.Inf(1)}
	s.o, s.groups = systolic.OperandsOf(p)
	s.size = [3]int64{s.o.M, s.o.N, s.o.K}
	s.rowsDim, s.colsDim, s.timeDim = f.array.Dataflow.Roles()
	// The whole array first: most parts of it take more time by compute alone.
	whole := arrayPart{down: model.CeilDiv(s.size[s.rowsDim], f.array.Rows), across: model.CeilDiv(s.size[s.colsDim], f.array.Cols)}
	whole.floor = s.bound(whole.down, whole.across)
	s.search(&whole)
	var parts [maxParts]arrayPart
	count := s.list(&parts)
	for count > 0 {
		at := 0
		for i := range parts[:count] {
			if parts[i].floor < parts[at].floor {
				at = i
			}
		}
		x := parts[at]
		if !(x.floor < s.least) {
			break
		}
		if x.down != whole.down || x.across != whole.across {
			s.search(&x)
		}
		count--
		parts[at] = parts[count]
	}
	*m = f.nest(s.groups, &s.found)
	return s.best, nil
}

// maxParts is how many parts of an array are tried: 12 halves in each direction.
const maxParts = 144

// arrayPart is a part of the array that works, as the number of folds along rows
// and columns, with a value that no tiling on it is below.
type arrayPart struct {
	down, across int64
	floor        float64
}

// marchingSearch is the state of mapping one layer.
type marchingSearch struct {
	f                         *marching
	p                         *model.Problem
	goal                      goal
	o                         systolic.Operands
	groups                    int64
	rowsDim, colsDim, timeDim int
	// size is that of each dimension, total its steps on the part of the array at
	// hand, floor that part's bound; t is the tiling that is tried.
	size, total [3]int64
	floor       float64
	t, found    systolic.Tiling
	best        Cost
	least       float64
}

// list lists the parts of the array that differ and may win.
func (s *marchingSearch) list(parts *[maxParts]arrayPart) (count int) {
	last := int64(0)
	for rows := s.f.array.Rows; rows > 0; rows /= 2 {
		down := model.CeilDiv(s.size[s.rowsDim], rows)
		if down == last {
			continue
		}
		last = down
		before := int64(0)
		for cols := s.f.array.Cols; cols > 0 && count < maxParts; cols /= 2 {
			across := model.CeilDiv(s.size[s.colsDim], cols)
			if across == before {
				continue
			}
			before = across
			if floor := s.bound(down, across); floor < s.least {
				parts[count] = arrayPart{down, across, floor}
				count++
			}
		}
	}
	return count
}

// on fixes a part of the array.
func (s *marchingSearch) on(down, across int64) {
	s.total = s.size
	s.total[s.rowsDim], s.total[s.colsDim] = down, across
	s.t.Rows, s.t.Cols = model.CeilDiv(s.size[s.rowsDim], down), model.CeilDiv(s.size[s.colsDim], across)
}

// bound returns a value that no tiling on a part of the array is below: that of
// one tile in memories without end.
func (s *marchingSearch) bound(down, across int64) float64 {
	s.on(down, across)
	r := s.f.array.Dataflow.Untiled(&s.o, &s.t)
	if compute := float64(r.Cycles * s.groups); compute >= s.least {
		return compute
	}
	c := s.f.cost(s.p, s.groups, &s.t, &r)
	return margin * s.goal.of(&c)
}

// search tries the tilings on a part of the array, as long as they can win.
func (s *marchingSearch) search(x *arrayPart) {
	s.on(x.down, x.across)
	s.floor = x.floor
	s.t.Tiles, s.t.Steps, s.t.Order = [3]int64{1, 1, 1}, s.total, [3]int{systolic.M, systolic.N, systolic.K}
	if s.try(); s.done() {
		return
	}
	if s.streams(); !s.done() {
		s.blocks()
	}
}

// done reports whether nothing on this part of the array can be better.
func (s *marchingSearch) done() bool { return s.least*margin <= s.floor }

// cut cuts a dimension into at least this many tiles.
func (s *marchingSearch) cut(d int, tiles int64) {
	s.t.Steps[d] = model.CeilDiv(s.total[d], tiles)
	s.t.Tiles[d] = model.CeilDiv(s.total[d], s.t.Steps[d])
}

// within returns the least number of tiles of a dimension of which none has more
// than most; where a single step has more, as many as there are steps.
func (s *marchingSearch) within(d int, most int64) int64 {
	switch d {
	case s.rowsDim:
		most /= s.t.Rows
	case s.colsDim:
		most /= s.t.Cols
	}
	return model.CeilDiv(s.total[d], min(max(most, 1), s.total[d]))
}

// pixels returns the most pixels whose input fits with this much of K.
func (s *marchingSearch) pixels(k int64) int64 {
	room := s.f.half.Input*s.o.K/k - s.o.Halo
	if room >= s.o.Input-s.o.Halo {
		return s.o.M
	}
	return max(room, 0) * s.o.M / s.o.Input
}

// streams tries tilings that sum over all of K at once: an operand stays, the
// other comes once for each of its tiles.
func (s *marchingSearch) streams() {
	half, o := &s.f.half, &s.o
	least := [3]int64{1, 1, 1}
	if s.timeDim != systolic.K && s.total[systolic.K] > 1 {
		perStep := o.Sums / (o.M * o.N) * s.t.Cols
		least[s.timeDim] = s.within(s.timeDim, half.Output/perStep)
	}
	inputs := max(least[systolic.M], s.within(systolic.M, s.pixels(o.K)))
	weights := max(least[systolic.N], s.within(systolic.N, half.Weight*o.N/o.Weight))
	s.cut(systolic.K, 1)
	lastM := int64(0)
	for _, m := range [2]int64{least[systolic.M], inputs} {
		lastN := int64(0)
		for _, n := range [2]int64{least[systolic.N], weights} {
			if m == lastM || n == lastN {
				continue
			}
			lastN = n
			s.cut(systolic.M, m)
			s.cut(systolic.N, n)
			s.t.Order = [3]int{systolic.M, systolic.N, systolic.K}
			s.try()
			if m > 1 && n > 1 {
				s.t.Order = [3]int{systolic.N, systolic.M, systolic.K}
				s.try()
			}
		}
		lastM = m
	}
}

// blocks tries tilings that cut K too: a block of sums stays while tiles of K
// pass, or leaves and comes back for each of them.
func (s *marchingSearch) blocks() {
	half, o := &s.f.half, &s.o
	for n := int64(1); n > 0 && !s.done(); n = model.NextParts(s.total[systolic.N], n) {
		s.cut(systolic.N, n)
		wide := s.extent(systolic.N)
		weights := s.within(systolic.K, half.Weight/(o.Weight/(o.K*o.N)*wide))
		s.pixelBlocks(s.within(systolic.M, half.Output/(o.Sums/(o.M*o.N)*wide)), weights)
	}
}

// pixelBlocks tries tiles over pixels: one, as many as sums fit in, and from there
// on more, down to where one step of K fits beside its inputs: smaller tiles of
// pixels leave room for more of K. weights is the least number of tiles over K.
func (s *marchingSearch) pixelBlocks(fits, weights int64) {
	o, n := &s.o, s.t.Tiles[systolic.N]
	for m := int64(1); m <= s.total[systolic.M]; {
		if s.hopeless(m, n, m < fits) {
			if m >= fits {
				return
			}
			m = fits
			continue
		}
		s.cut(systolic.M, m)
		high := s.extent(systolic.M)
		inputs := s.within(systolic.K, s.f.half.Input*o.K/min(model.CeilDiv(o.Input*high, o.M)+o.Halo, o.Input))
		s.inside(max(inputs, weights))
		if inputs != weights {
			s.inside(min(inputs, weights))
		}
		switch {
		case m < fits:
			m = fits
		case inputs <= weights:
			return // smaller tiles bring nothing
		default:
			m += max(m/8, 1)
		}
	}
}

// hopeless reports whether no tiling with this many tiles over M and N can win:
// inputs or weights come once for each tile of the other, sums that are spilled
// leave after every fold over K.
func (s *marchingSearch) hopeless(m, n int64, spilled bool) bool {
	o := &s.o
	bytes := o.Output + min(o.Input+o.Weight*m, o.Weight+o.Input*n)
	if spilled && s.timeDim != systolic.K {
		bytes += 2 * o.Sums * (s.total[systolic.K] - 1)
	}
	return s.late(bytes)
}

// late reports whether moving so many bytes off chip for a group is no better
// than the best so far.
func (s *marchingSearch) late(bytes int64) bool {
	const milli = 1000
	all := float64(bytes * s.groups)
	return margin*s.goal.value(all*milli/float64(s.f.m.IORate), all*s.f.m.DRAMPJPerByte) >= s.least
}

// inside tries the orders of tiles with this many over K.
func (s *marchingSearch) inside(k int64) {
	s.cut(systolic.K, k)
	s.t.Order = [3]int{systolic.M, systolic.N, systolic.K}
	s.try()
	if s.t.Tiles[systolic.K] > 1 && s.t.Tiles[systolic.N] > 1 {
		s.t.Order = [3]int{systolic.M, systolic.K, systolic.N}
		s.try()
	}
	if s.t.Tiles[systolic.K] > 1 && s.t.Tiles[systolic.M] > 1 {
		s.t.Order = [3]int{systolic.N, systolic.K, systolic.M}
		s.try()
	}
}

func (s *marchingSearch) extent(d int) int64 {
	n := s.t.Steps[d]
	switch d {
	case s.rowsDim:
		n *= s.t.Rows
	case s.colsDim:
		n *= s.t.Cols
	}
	return min(n, s.size[d])
}

func (s *marchingSearch) try() {
	r := s.f.array.Dataflow.Tiled(&s.o, &s.t, &s.f.half)
	if float64(r.Cycles*s.groups) >= s.least || s.late(r.OffChip()) {
		return
	}
	c := s.f.cost(s.p, s.groups, &s.t, &r)
	if v := s.goal.of(&c); v < s.least {
		s.least, s.best, s.found = v, c, s.t
	}
}
