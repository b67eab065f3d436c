package template

import (
	"math"
	"slices"

	"apollo/evaluator/model"
)

// place is where a dimension may have a loop: in time or over instances, at a level.
type place struct {
	level   int
	spatial bool
}

// steps returns the loop's number of steps.
func (x place) steps(m *model.Mapping, d model.Dim) *int64 {
	if x.spatial {
		return &m.Loops[x.level].Spatial[d]
	}
	return &m.Loops[x.level].Temporal[d]
}

// maxPlaces is room for the places of a dimension.
const maxPlaces = 3 + model.MaxLevels

// places lists those of a dimension, the innermost first: loops in time off chip, at the buffer and
// at the inner level.
func (s *search) places(d model.Dim, out *[maxPlaces]place) (count int) {
	for i := s.l.arch.Levels - 1; i >= 0; i-- {
		if s.spreadable&loopBit(i, d) != 0 {
			out[count] = place{i, true}
			count++
		}
		if i <= 1 || i == s.l.inner {
			out[count] = place{i, false}
			count++
		}
	}
	return count
}

// neighbours tries the mappings that differ from the best one in the place of one loop or two, as far
// as the search leaves them out. It goes on from each that is better.
func (s *search) neighbours() {
	s.spreadable = 0
	for i := range s.wires[:s.differ] {
		s.spreadable |= s.wires[i].loops
	}
	s.busy = float64(s.bestCompute) > s.least.cycles
	s.waits = s.sooner()
	s.turn()
	s.shifts()
	s.resize()
	s.stream()
	s.partsNearby()
	for _, d := range [...]model.Dim{model.R, model.S} {
		if s.divides(d) {
			for a := range model.Dims {
				s.exchange(a, d)
			}
		}
	}
	for _, a := range [...]model.Dim{model.N, model.G} {
		for _, d := range [...]model.Dim{model.K, model.C, model.P, model.Q} {
			if a == model.N || d == model.K || d == model.C {
				s.exchange(a, d)
			}
		}
	}
	if s.busy {
		s.swaps()
	}
}

// turn puts tiles below each other instead of beside each other, or the other way round: windows then slide
// along the other axis.
func (s *search) turn() {
	n := &s.best.m.Loops[0].Temporal
	if n[model.P] == 1 || n[model.Q] == 1 || float64(s.best.cost.OffChip)*(1-gain) <= s.once {
		return
	}
	s.m = s.best.m
	s.turned()
	s.attempt(s.bestFixed)
}

// turned lets the loops off chip over rows and columns of the mapping that is tried change places.
func (s *search) turned() {
	order := &s.m.Loops[0].Order
	p, q := slices.Index(order[:], model.P), slices.Index(order[:], model.Q)
	order[p], order[q] = order[q], order[p]
}

// resize tries rows and columns of a grid that is used in part, between half and twice those of the best mapping,
// both at once, with the pixels that an element has of its own and without, and tiles that slide along either: the
// search halves grids, and a tile between two halves may fit better. For time alone that hardly finds anything, and takes a
// quarter of the search.
func (s *search) resize() {
	i := s.l.window - 1
	if s.l.window == 0 || s.saving || !s.partly(i) {
		return
	}
	alone := s.best.m
	alone.Loops[s.l.inner].Temporal[model.P], alone.Loops[s.l.inner].Temporal[model.Q] = 1, 1
	for n, from := range [...]model.Mapping{s.best.m, alone} {
		if n > 0 && from.Loops[s.l.inner] == s.best.m.Loops[s.l.inner] {
			return
		}
		for rows := s.halved(&from, i, model.P); rows > 0; rows = s.beyond(&from, i, model.P, rows) {
			for columns := s.halved(&from, i, model.Q); columns > 0; columns = s.beyond(&from, i, model.Q, columns) {
				s.m = from
				s.m.Loops[i].Spatial[model.P], s.m.Loops[i].Spatial[model.Q] = rows, columns
				s.cover(model.P)
				s.cover(model.Q)
				fixed := s.fixed()
				if s.attempt(fixed) && s.m.Loops[0].Temporal[model.P] > 1 && s.m.Loops[0].Temporal[model.Q] > 1 {
					s.turned()
					s.attempt(fixed)
				}
			}
		}
	}
}

// partly reports whether the best mapping leaves units of the axes of a level idle that could do something.
func (s *search) partly(level int) bool {
	used := &s.best.m.Loops[level].Spatial
	return slices.ContainsFunc(s.wires[0].list, func(x Spread) bool {
		return x.Level == level && slices.ContainsFunc(x.Dims, func(d model.Dim) bool { return used[d] < min(x.Limit, s.p.Bound[d]) })
	})
}

// halved returns the least number of instances of a dimension that resize tries, and beyond the one behind another, 0 behind the last.
func (s *search) halved(m *model.Mapping, level int, d model.Dim) int64 {
	return (m.Loops[level].Spatial[d] + 1) / 2
}

func (s *search) beyond(m *model.Mapping, level int, d model.Dim, n int64) int64 {
	if n = model.NextParts(s.p.Bound[d], n); n > min(2*m.Loops[level].Spatial[d], s.l.arch.Level[level].Fanout) {
		return 0
	}
	return n
}

// stream tries streamTiles tiles along the way at most, and steps of output channels divided by streamCuts at
// most, by powers of two. Of 3,000 searches on 60 random designs of shidiannao for energy and for its product
// with time, half as many tiles lose none and a quarter 2 (5.8 %), four times as many win 0.5 % in one; half as
// many cuts lose 0.3 % in one, more win nothing.
const streamTiles, streamCuts = 16, 4

// stream tries the best mapping with channels and pixels at the buffer, where tiles slide along rows or columns,
// and fewer output channels inside, as far as that makes room.
func (s *search) stream() {
	if s.l.window == 0 || s.saving {
		return
	}
	from := s.best.m
	for _, way := range [...][3]model.Dim{{model.C, model.Q, model.P}, {model.C, model.P, model.Q}} {
		for few := int64(1); few <= streamCuts; few *= 2 {
			for parts := int64(1); parts <= streamTiles; parts *= 2 {
				s.m = from
				in, buffer := &s.m.Loops[s.l.inner].Temporal, &s.m.Loops[1]
				in[model.K] = model.CeilDiv(in[model.K], few)
				s.cover(model.K)
				place := model.Dims - 1
				for at := range way {
					d := way[len(way)-1-at]
					in[d], buffer.Temporal[d] = 1, s.p.Bound[d]
					if d == way[2] {
						buffer.Temporal[d] = model.CeilDiv(s.p.Bound[d], parts*s.m.Loops[s.l.window-1].Spatial[d])
					}
					s.cover(d)
					old := slices.Index(buffer.Order[:], d)
					copy(buffer.Order[old:place], buffer.Order[old+1:place+1])
					buffer.Order[place] = d
					place--
				}
				s.attempt(s.bestFixed)
			}
		}
	}
}

// partsNearby tries the numbers of tiles over channels that more leaves out, as far as the next ones that it has.
func (s *search) partsNearby() {
	if s.l.window == 0 {
		return
	}
	from := s.best.m
	for _, d := range [...]model.Dim{model.K, model.C} {
		n := from.Loops[0].Temporal[d]
		if n <= 2*fine || from.Loops[1].Temporal[d] > 1 {
			continue
		}
		for parts := model.NextParts(s.p.Bound[d], n-n/fine-1); parts > 0 && parts <= n+n/fine; parts = model.NextParts(s.p.Bound[d], parts) {
			if parts == n {
				continue
			}
			s.m = from
			s.m.Loops[s.l.inner].Temporal[d] = model.CeilDiv(s.p.Bound[d], parts)
			s.cover(d)
			s.attempt(s.bestFixed)
		}
	}
}

// divides reports whether loops of several places may be over a dimension.
func (s *search) divides(d model.Dim) bool {
	return s.p.Bound[d] > 1 && (s.l.window == 0 || d != model.R && d != model.S)
}

// shifts moves all of a loop, or a factor of two, to another place of its dimension.
func (s *search) shifts() {
	var list [maxPlaces]place
	for d := range model.Dims {
		if !s.divides(d) {
			continue
		}
		count := s.places(d, &list)
		for _, from := range list[:count] {
			for _, to := range list[:count] {
				if from == to || s.searched(d, from, to) {
					continue
				}
				if n := *from.steps(&s.best.m, d); n > 1 {
					s.shift(d, from, to, n)
				}
				if *from.steps(&s.best.m, d) > 2 {
					s.shift(d, from, to, 2)
				}
			}
		}
	}
}

// inTile reports whether a loop moves from the inner level to the buffer: its tiles stay what they are.
func (s *search) inTile(from, to place) bool {
	return from == place{s.l.inner, false} && to == place{1, false}
}

// sooner reports whether the best mapping would be better if the first tile were there and the last one
// left as soon as with all loops of the inner level at the buffer.
func (s *search) sooner() bool {
	if s.best.value-s.wait >= s.limit {
		return false
	}
	s.m = s.best.m
	out, in := &s.m.Loops[1].Temporal, &s.m.Loops[s.l.inner].Temporal
	for d := range out {
		out[d], in[d] = out[d]*in[d], 1
	}
	return s.best.value+s.waiting(s.bestFixed)-s.wait < s.limit
}

// waiting returns what nothing hides of the mapping that is tried.
func (s *search) waiting(fixed int64) float64 {
	s.fill, s.drain = s.m.Ramp(s.p, &s.l.arch)
	cycles := fixed * steps(&s.m.Loops[0].Temporal)
	for i := range s.l.arch.Levels {
		cycles += s.fill[i] + s.drain[i]
	}
	return float64(cycles)
}

// searched reports whether the search has tried what differs so, or nothing like it was found better.
func (s *search) searched(d model.Dim, from, to place) bool {
	inner := place{s.l.inner, false}
	in, out := from.level == 0 && to == inner, from == inner && to.level == 1
	switch {
	case from.spatial:
		// Ways have fewer units of the others, and taps that leave the buffer do so together.
		return d != model.R && d != model.S || to != inner
	case to.spatial:
		return !s.busy || d == model.P || d == model.Q
	case out:
		return !s.waits
	case d == model.G || d == model.N || d == model.C:
		return !in && (d == model.C || from == inner || to != inner)
	}
	return d != model.R && d != model.S
}

// shift tries the best mapping with a factor of a loop in another place.
func (s *search) shift(d model.Dim, from, to place, factor int64) {
	s.m = s.best.m
	source, target := from.steps(&s.m, d), to.steps(&s.m, d)
	ordered := to.spatial || to.level == s.l.inner || *target > 1
	s.inPlace = s.inTile(from, to)
	*source, *target = model.CeilDiv(*source, factor), *target*factor
	s.cover(d)
	fixed := s.bestFixed
	if from.spatial || to.spatial {
		fixed = s.fixed()
	}
	if ordered {
		s.attempt(fixed)
	} else {
		s.attemptOrders(fixed, to.level, d)
	}
	s.inPlace = false
}

// exchange tries the best mapping with all loops in time of one dimension off chip, of taps also those
// over instances, and those of another that stand outside the inner level there instead. Without
// another it names the same one twice.
func (s *search) exchange(in, out model.Dim) {
	inner, taps := max(s.l.inner, 1), out == model.R || out == model.S
	if !s.divides(in) || !s.divides(out) {
		return
	}
	for level := range min(inner, 2) {
		s.m = s.best.m
		if in == out && level > 0 || in != out && s.m.Loops[level].Temporal[in] == 1 {
			continue
		}
		if in != out {
			s.m.Loops[inner].Temporal[in] *= s.m.Loops[level].Temporal[in]
			s.m.Loops[level].Temporal[in] = 1
		}
		fixed, moved := s.bestFixed, false
		for i := 1; i < s.l.arch.Levels; i++ {
			if n := &s.m.Loops[i].Temporal[out]; *n > 1 {
				*n, moved = 1, true
			}
			if n := &s.m.Loops[i].Spatial[out]; taps && *n > 1 {
				*n, moved = 1, true
				fixed = s.fixed()
			}
		}
		if moved {
			s.cover(in)
			s.cover(out)
			s.attemptOrders(fixed, 0, out)
		}
	}
}

// swaps puts a dimension on the instances of another, which the inner level runs over instead.
func (s *search) swaps() {
	inner := max(s.l.inner, 1)
	for i := 1; i < s.l.arch.Levels; i++ {
		for a := range model.Dims {
			for b := range model.Dims {
				if s.best.m.Loops[i].Spatial[a] == 1 {
					break
				}
				if a == b || s.spreadable&loopBit(i, b) == 0 {
					continue
				}
				s.m = s.best.m
				from := &s.m.Loops[inner].Temporal[b]
				if *from == 1 {
					from = &s.m.Loops[1].Temporal[b]
				}
				if *from == 1 {
					continue
				}
				n := s.m.Loops[i].Spatial[a]
				s.m.Loops[i].Spatial[a] = 1
				s.m.Loops[inner].Temporal[a] *= n
				n = min(n, *from)
				s.m.Loops[i].Spatial[b] *= n
				*from = model.CeilDiv(*from, n)
				s.cover(a)
				s.cover(b)
				s.attempt(s.fixed())
			}
		}
	}
}

// fixed returns the array's fill and drain per tile for the mapping that is tried, MaxInt64 where the
// wires do not spread its loops.
func (s *search) fixed() int64 {
	var shared [maxShares]share
	count := sharesOf(&s.m, s.l.arch.Levels, &shared)
	least := int64(math.MaxInt64)
	for i := range s.wires[:s.differ] {
		least = min(least, s.wires[i].fixed(shared[:count]))
	}
	return least
}

// attemptOrders tries the mapping with a loop of a level inside all others there, and outside.
func (s *search) attemptOrders(fixed int64, level int, d model.Dim) {
	loops := &s.m.Loops[level]
	at := slices.Index(loops.Order[:], d)
	copy(loops.Order[at:], loops.Order[at+1:])
	loops.Order[model.Dims-1] = d
	if s.attempt(fixed) && steps(&loops.Temporal) > loops.Temporal[d] {
		copy(loops.Order[1:], loops.Order[:model.Dims-1])
		loops.Order[0] = d
		s.attempt(fixed)
	}
}

// attempt evaluates the mapping that is tried, if it may win. It reports whether it may in another
// order of its loops.
func (s *search) attempt(fixed int64) bool {
	if fixed == math.MaxInt64 {
		return false
	}
	cycles := max(s.least.cycles, s.computes())
	if s.goal.value(cycles, s.least.pj) >= s.limit {
		return false
	}
	wait := s.waiting(fixed)
	// A tile that stays what it is moves no less.
	if s.goal.value(cycles+wait, s.least.pj) >= s.limit || s.inPlace && s.best.value+wait-s.wait >= s.limit {
		return false
	}
	s.result.EvalRamped(s.p, &s.l.arch, &s.m, &s.fill, &s.drain)
	cost := s.l.costOf(s.p, &s.m, &s.result, fixed)
	value := s.goal.of(&cost)
	if value >= s.limit || s.wasteful(&cost) {
		return true
	}
	for i := 1; i < s.l.arch.Levels; i++ {
		if s.result.TileBytes(s.p, i) > s.l.room(i) {
			return false
		}
	}
	s.keep(&cost, value, fixed)
	s.limit = value * (1 - gain)
	return true
}

// computes returns a bound of what the units of the mapping that is tried take: they divide each
// dimension evenly.
func (s *search) computes() float64 {
	cycles := int64(1)
	for d, n := range s.p.Bound {
		units := int64(1)
		for i := range s.l.arch.Levels {
			units *= s.m.Loops[i].Spatial[d]
		}
		if units > 1 {
			n = model.CeilDiv(n, units)
		}
		cycles *= n
	}
	return float64(cycles)
}

// cover makes the loops over a dimension cover it with no more steps than that takes.
func (s *search) cover(d model.Dim) {
	left := s.p.Bound[d]
	for i := s.l.arch.Levels - 1; i > 0; i-- {
		fewest(&s.m.Loops[i].Spatial[d], &left)
	}
	for i := max(s.l.inner, 1); i > 0; i-- {
		fewest(&s.m.Loops[i].Temporal[d], &left)
	}
	s.m.Loops[0].Temporal[d] = left
}

// fewest lowers the steps of a loop to those that are needed, and what is left to those of each.
func fewest(n, left *int64) {
	if *n > 1 {
		size := model.CeilDiv(*left, *n)
		*n, *left = model.CeilDiv(*left, size), size
	}
}
