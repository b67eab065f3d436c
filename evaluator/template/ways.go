package template

import (
	"math"
	"slices"

	"apollo/evaluator/model"
)

// way is one way to spread a layer: an alternative of the wires, with dimensions
// on at most so many instances in all.
type way struct {
	spread int
	// most instances of each dimension, 0 for as many as there are.
	most [model.Dims]int64
	// single says that a tile has one step of the limited channels: with fewer
	// units, that leaves tiles as small as they can be.
	single bool
	// even says that a dimension takes few instances of its first axes where it then takes
	// more of its next ones: 20 of lanes and elements are 5 x 4 and not 8 x 2.
	even  bool
	steps int64
	// value is a bound of what the way costs; ways with the same key spread the
	// layer over the same instances.
	value float64
	key   uint64
}

// ways is a way made ready.
type ways struct {
	way
	// spread has the spatial loops; rest is the steps that they leave of each
	// dimension; inside the instances of each at and below a level, and the steps
	// of a window there.
	spread model.Mapping
	rest   [model.Dims]int64
	inside [model.MaxLevels + 1][model.Dims]int64
	// extent is that of a tile of the whole layer.
	extent [model.Dims]int64
	// cycles and pj are a time on chip and an energy without the interface that
	// no numbers of tiles beat.
	cycles, pj float64
	// read and written are the bytes that the buffer gives and takes at least.
	read, written int64
	// fixed is the array's fill and drain per tile, in cycles.
	fixed int64
	// ramp is a bound of what the first tile's way in and the last one's way out
	// take on chip; fits is how much of an operand the holder's instances hold
	// together.
	ramp float64
	fits [model.Operands]int64
	// apart are the steps of groups and images whose loops are outside the
	// holder of an operand, 1 for one that the buffer keeps.
	apart [model.Operands]int64
	// complete says that outputs reach the buffer only when they are complete,
	// unless input channels are in several tiles.
	complete bool
	// priced says that cycles, pj, read, written and complete are those of one tile.
	priced bool
}

// waysOf are the ways of a layer that may win, those that were searched first.
type waysOf struct {
	list            [maxWays]way
	count, searched int
}

// maxWays is room for ways; when there are more, those that are listed are searched
// first.
const maxWays = 128

// full searches the ways to spread the layer over all units that it can use.
func (s *search) full() {
	for i := range s.l.spreads {
		s.offer(&way{spread: i})
	}
	s.ways()
}

// fewer searches ways on fewer units: where the interface is the limit, tiles are
// smaller, fit better, and the first one is there earlier. What a machine with half
// of the units can do, this one tries.
func (s *search) fewer() {
	for i := range s.l.spreads {
		for _, d := range s.l.idle {
			s.idle(i, d)
		}
	}
	s.ways()
}

// idle lists ways with one dimension on all of its instances, half of them and so on, with
// steps of five and six quarters of those.
func (s *search) idle(spread int, d model.Dim) {
	list := s.l.spreads[spread]
	_, rest := s.l.shares(s.p, list, &way{}, &s.shared)
	others, instances, axes := steps(&rest)/rest[d], int64(1), 0
	for i := range list {
		if at := slices.Index(list[i].Dims, d); at >= 0 {
			instances *= list[i].Limit
			axes++
			// The next dimensions take what this one leaves.
			for _, next := range list[i].Dims[at+1:] {
				others /= rest[next]
			}
		}
	}
	bound, last := s.p.Bound[d], rest[d]
	for halved := 0; last < bound; halved++ {
		all := model.CeilDiv(bound, max(instances>>halved, 1))
		for quarters := int64(4); quarters <= 6; quarters++ {
			n, single := min(model.CeilDiv(all*quarters, 4), bound), quarters == 5
			if n <= last || single && (halved > 1 || n == min(model.CeilDiv(all*6, 4), bound)) {
				continue
			}
			w := way{spread: spread, steps: others * n}
			if last = n; s.goal.value(s.floor(&w)) >= s.limit {
				return
			}
			w.most[d], w.single = model.CeilDiv(bound, n), single && (d == model.K || d == model.C)
			if s.offer(&w); d == model.K && !w.single {
				s.halves(w, rest[model.C])
			}
			if axes > 1 && w.steps > others*n {
				w.even = true
				s.offer(&w)
			}
		}
	}
}

// halves lists a way with input channels on halves of their instances too.
func (s *search) halves(w way, rest int64) {
	bound := s.p.Bound[model.C]
	for range s.l.halvings {
		if rest == bound {
			return
		}
		rest = min(2*rest, bound)
		w.most[model.C] = model.CeilDiv(bound, rest)
		if !s.offer(&w) {
			return
		}
	}
}

// offer lists a way, if it leaves hope and is not known. It reports whether its steps
// leave hope.
func (s *search) offer(w *way) bool {
	count, rest := s.l.shares(s.p, s.l.spreads[w.spread], w, &s.shared)
	w.steps = steps(&rest)
	cycles, pj := s.floor(w)
	if s.goal.value(cycles, pj) >= s.limit {
		return false
	}
	shared := s.shared[:count]
	if w.value = s.goal.value(cycles+s.edges(shared), pj); w.value >= s.limit {
		return true
	}
	w.key = 0
	for i := range shared {
		w.key += shared[i].key()
	}
	x := &s.tried
	for i := range x.list[:x.count] {
		if known := &x.list[i]; known.key == w.key && (w.single || !known.single) {
			return true
		} else if known.key == w.key && i >= x.searched {
			*known = *w
			return true
		}
	}
	if x.count == len(x.list) {
		s.ways()
		x.count, x.searched = 0, 0
	}
	x.list[x.count] = *w
	x.count++
	return true
}

// edges returns a bound of what the first tile's way in and the last one's way out
// take over the interface: the smallest tile's, or as much of it as the holder has
// room for once loops were halved until it fits.
func (s *search) edges(shared []share) float64 {
	extent := [model.Dims]int64{1, 1, 1, 1, 1, 1, s.p.Bound[model.R], s.p.Bound[model.S]}
	room := s.rooms
	for i := range shared {
		x := &shared[i]
		if x.d != model.R && x.d != model.S {
			extent[x.d] *= x.n
		}
		for o := range model.Operands {
			if room[o] < math.MaxInt64 && x.level < s.holder[o] && model.Relevant(o, x.d) {
				room[o] *= x.n
			}
		}
	}
	for d := range model.Dims {
		extent[d] = min(extent[d], s.p.Bound[d])
	}
	var bytes int64
	for o := range model.Operands {
		if o != model.Outputs || !s.l.arch.Level[s.holder[o]].Forwards {
			bytes += min(s.p.Elements(o, &extent)*s.p.Bytes[o], room[o])
		}
	}
	return s.io(bytes)
}

// ways searches what is listed, the least bound first.
func (s *search) ways() {
	x := &s.tried
	for x.searched < x.count {
		best := x.searched
		for i := x.searched + 1; i < x.count; i++ {
			if x.list[i].value < x.list[best].value {
				best = i
			}
		}
		x.list[x.searched], x.list[best] = x.list[best], x.list[x.searched]
		w := x.list[x.searched]
		if w.value >= s.limit {
			x.count = x.searched
			return
		}
		x.searched++
		s.search(&w)
	}
}

// search searches one way to spread the layer.
func (s *search) search(w *way) {
	if s.goal.value(s.floor(w)) < s.limit && s.open(w) {
		s.cutAll()
		s.tiles()
	}
}

// floor returns a time and an energy that no mapping with a way beats.
func (s *search) floor(w *way) (cycles, pj float64) {
	bytes := s.compulsory()
	return max(float64(w.steps*s.taps), s.io(bytes)), float64(s.p.MACs())*s.l.arch.MACPJ + float64(bytes)*s.l.arch.Level[0].ReadPJ
}

func (s *search) compulsory() int64 {
	return s.bytes[model.Weights] + s.bytes[model.Inputs] + s.bytes[model.Outputs]
}

// ready spreads the layer in a way.
func (s *search) ready(w *way) {
	l, x := s.l, &s.at
	x.way = *w
	x.rest = l.spread(s.p, l.spreads[w.spread], w, &x.spread)
	x.inside[l.arch.Levels] = [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	x.fixed = l.fixed(&x.spread)
	for i := l.arch.Levels - 1; i >= 0; i-- {
		for d := range model.Dims {
			x.inside[i][d] = x.inside[i+1][d] * x.spread.Loops[i].Spatial[d] * x.spread.Loops[i].Temporal[d]
		}
	}
	for d := range model.Dims {
		x.extent[d] = min(x.rest[d]*x.inside[1][d], s.p.Bound[d])
	}
}

// open makes a way ready to search: one tile for the whole layer tells what
// stays the same for all numbers of tiles. It reports whether the least tile
// fits the inner levels.
func (s *search) open(w *way) bool {
	l, x := s.l, &s.at
	s.ready(w)
	x.ramp = 0
	fill, drain := x.spread.Ramp(s.p, &l.arch)
	for i := 1; i < l.arch.Levels; i++ {
		x.ramp += float64(fill[i] + drain[i])
	}
	if cycles, pj := s.floor(w); s.goal.value(cycles+x.ramp+float64(x.fixed), pj) >= s.limit {
		return false
	}
	for o := range model.Operands {
		x.fits[o], x.apart[o] = s.most(o), s.apart(o)
	}
	for i := 2; i < l.arch.Levels; i++ {
		if s.need(i, &x.inside[i], several) > l.room(i) {
			return false
		}
	}
	x.cycles, x.pj, x.complete, x.priced = float64(w.steps*s.taps), float64(s.p.MACs())*l.arch.MACPJ, true, false
	if !s.best.any {
		s.price()
	}
	return true
}

// price replaces the bounds of an open way by what one tile for the whole layer takes:
// that stays the same for all numbers of tiles.
func (s *search) price() {
	l, x := s.l, &s.at
	x.priced = true
	var none [model.MaxLevels]int64 // the ramp does not count here
	s.m = x.spread
	s.cut(&[model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1})
	s.m.Loops[0].Order = tileOrders[0].dims
	s.result.EvalRamped(s.p, &l.arch, &s.m, &none, &none)
	x.cycles, x.pj = float64(s.result.ComputeCycles), s.result.ComputePJ
	for i := 1; i < l.arch.Levels; i++ {
		x.cycles = max(x.cycles, float64(s.result.LevelCycles[i]))
		x.pj += s.result.LevelPJ[i]
	}
	x.read, x.written = s.result.Traffic(s.p, 1)
	out := &s.result.Access[1][model.Outputs]
	x.complete = out.Reads == 0 && out.Fills == 0
}

// most returns the bytes of an operand that all instances of its holder have room
// for, in the operand's own width.
func (s *search) most(o model.Operand) int64 {
	level := s.holder[o]
	room := s.l.room(level)
	if level == 1 || room == math.MaxInt64 {
		return math.MaxInt64
	}
	if o == model.Outputs {
		room = room / s.p.PartialBytes * s.p.Bytes[o]
	}
	for d := range model.Dims {
		if model.Relevant(o, d) {
			room *= s.at.inside[1][d] / s.at.inside[level][d]
		}
	}
	return room
}

// apart returns the steps of groups and images outside the holder of an operand.
func (s *search) apart(o model.Operand) int64 {
	n := int64(1)
	for _, d := range [...]model.Dim{model.G, model.N} {
		if s.holder[o] > 1 && model.Relevant(o, d) && !slices.Contains(s.l.innerDims, d) {
			n *= s.at.rest[d]
		}
	}
	return n
}
