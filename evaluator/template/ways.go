package template

import (
	"cmp"
	"math"
	"slices"

	"apollo/evaluator/model"
)

// way is one way to spread a layer: an alternative of the wires, with output
// channels, input channels and groups on at most so many instances in all, 0 for
// as many as there are.
type way struct {
	spread  int
	k, c, g int64
	// single says that a tile has one step of the limited channels: with fewer
	// units, that leaves tiles as small as they can be.
	single bool
	steps  int64
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
	// cycles and pj are a time on chip and an energy without the interface that
	// no numbers of tiles beat.
	cycles, pj float64
	// read and written are the bytes that the buffer gives and takes at least.
	read, written int64
	// fixed is the array's fill and drain per tile, in cycles.
	fixed int64
	// ramp is a bound of what the first tile's way in and the last one's way out
	// take on chip; most is how much of an operand the holder's instances hold
	// together.
	ramp float64
	most [model.Operands]int64
	// apart are the steps of groups and images whose loops are outside the
	// holder of an operand, 1 for one that the buffer keeps.
	apart [model.Operands]int64
	// complete says that outputs reach the buffer only when they are complete,
	// unless input channels are in several tiles.
	complete bool
}

// full searches the ways to spread the layer over all units that it can use, those
// with the fewest steps first.
func (s *search) full() {
	var list [maxWays]way
	ways := list[:0]
	for i := range s.l.spreads {
		w := way{spread: i}
		rest := s.l.spread(s.p, s.l.spreads[i], &w, &s.m)
		if w.steps = steps(&rest); !slices.ContainsFunc(ways, func(x way) bool { return x.steps == w.steps && s.same(&x) }) {
			ways = append(ways, w)
		}
	}
	slices.SortStableFunc(ways, func(a, b way) int { return cmp.Compare(a.steps, b.steps) })
	for i := range ways {
		s.search(&ways[i])
	}
}

// same reports whether a way spreads the layer as the mapping that is tried.
func (s *search) same(w *way) bool {
	s.l.spread(s.p, s.l.spreads[w.spread], w, &s.at.spread)
	for i := range s.l.arch.Levels {
		if s.m.Loops[i].Spatial != s.at.spread.Loops[i].Spatial {
			return false
		}
	}
	return true
}

// fewer searches channels on fewer units, down to an eighth: where the interface
// is the limit, tiles are smaller, fit better, and the first one is there
// earlier.
func (s *search) fewer() {
	b := &s.p.Bound
	for i := range s.l.spreads {
		rest := s.l.spread(s.p, s.l.spreads[i], &way{}, &s.m)
		all := steps(&rest)
		// on returns on how many instances so many quarters of the steps leave a
		// dimension, and the steps.
		on := func(d model.Dim, quarters int64) (instances, n int64) {
			n = min(model.CeilDiv(rest[d]*quarters, 4), b[d])
			return model.CeilDiv(b[d], n), n
		}
		half, twice := on(model.C, 8)
		lastK, lastC, lastG := rest[model.K], rest[model.C], rest[model.G]
		for _, quarters := range [...]int64{5, 6, 8, 12, 16, 24, 32} {
			k, nk := on(model.K, quarters)
			c, nc := on(model.C, quarters)
			g, ng := on(model.G, quarters)
			single := quarters != 6 && quarters != 8
			if nk > lastK {
				s.less(&way{spread: i, k: k, single: single, steps: all / rest[model.K] * nk})
				if !single && twice > rest[model.C] {
					s.less(&way{spread: i, k: k, c: half, steps: all / rest[model.K] * nk / rest[model.C] * twice})
				}
			}
			if nc > lastC {
				s.less(&way{spread: i, c: c, single: single, steps: all / rest[model.C] * nc})
			}
			if ng > lastG {
				s.less(&way{spread: i, g: g, steps: all / rest[model.G] * ng})
			}
			if quarters == 5 {
				continue // six quarters search more of the same
			}
			lastK, lastC, lastG = nk, nc, ng
		}
	}
}

// less searches a way with fewer units, if it leaves hope.
func (s *search) less(w *way) {
	if s.goal.value(s.floor(w)) >= s.limit {
		return
	}
	rest := s.l.spread(s.p, s.l.spreads[w.spread], w, &s.m)
	if w.steps = steps(&rest); !s.known(w) {
		s.search(w)
	}
}

// known reports whether an alternative of the wires before that of a way spreads
// the layer as the mapping that is tried.
func (s *search) known(w *way) bool {
	before := *w
	for before.spread = range w.spread {
		if s.same(&before) {
			return true
		}
	}
	return false
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
	bytes, taps := s.compulsory(), int64(1)
	if s.l.window > 0 {
		taps = s.p.Bound[model.R] * s.p.Bound[model.S]
	}
	return max(float64(w.steps*taps), s.io(bytes)), float64(s.p.MACs())*s.l.arch.MACPJ + float64(bytes)*s.l.arch.Level[0].ReadPJ
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
	s.m = x.spread
	s.cut(&[model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1})
	s.m.Loops[0].Order = tileOrders[0].dims
	s.result.Eval(s.p, &l.arch, &s.m)
	x.cycles, x.pj = float64(s.result.ComputeCycles), s.result.ComputePJ
	for i := 1; i < l.arch.Levels; i++ {
		x.cycles = max(x.cycles, float64(s.result.LevelCycles[i]))
		x.pj += s.result.LevelPJ[i]
	}
	x.read, x.written = s.result.Traffic(s.p, 1)
	for o := range model.Operands {
		x.most[o], x.apart[o] = s.most(o), s.apart(o)
	}
	out := &s.result.Access[1][model.Outputs]
	x.complete = out.Reads == 0 && out.Fills == 0
	for i := 2; i < l.arch.Levels; i++ {
		if s.need(i, &x.inside[i], several) > l.room(i) {
			return false
		}
	}
	return true
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
