package template

import (
	"math"
	"slices"

	"apollo/evaluator/model"
)

// Spread puts dimensions on at most Limit instances of the level below Level:
// the first takes what it can use, the next what that leaves.
type Spread struct {
	Level int
	Limit int64
	Dims  []model.Dim
	// Most are the instances that each of Dims takes at most, nil for as many as there are.
	Most []int64
	// HalfCycles is what filling and draining the array takes for each instance
	// that is used, in halves of a cycle; idle ones take nothing.
	HalfCycles int64
	// Cycles is what it takes beside that where more than one instance is used.
	Cycles int64
}

func axis(level int, limit int64, dims ...model.Dim) Spread {
	return Spread{Level: level, Limit: limit, Dims: dims}
}

// deep returns the axis with half cycles of fill and drain for each instance.
func (s Spread) deep(halfCycles int64) Spread {
	s.HalfCycles = halfCycles
	return s
}

// fixed returns the array's fill and drain per tile for a mapping, in cycles: on the alternative
// with the least of those that spread its loops, MaxInt64 where there is none.
func (l *loops) fixed(m *model.Mapping) int64 {
	var shared [maxShares]share
	count := sharesOf(m, l.arch.Levels, &shared)
	least := int64(math.MaxInt64)
	for _, list := range l.spreads {
		x := alternative{list, loopsOf(list)}
		least = min(least, x.fixed(shared[:count]))
	}
	return least
}

// sharesOf lists the spatial loops of a mapping of more than one instance.
func sharesOf(m *model.Mapping, levels int, out *[maxShares]share) (count int) {
	for i := range levels {
		for d, n := range m.Loops[i].Spatial {
			if n > 1 {
				out[count] = share{i, model.Dim(d), n}
				count++
			}
		}
	}
	return count
}

// alternative is a list of Spreads with a bit for each loop that it can spread.
type alternative struct {
	list  []Spread
	loops uint64
}

// loopsOf returns the loops that an alternative can spread.
func loopsOf(list []Spread) (loops uint64) {
	for i := range list {
		for _, d := range list[i].Dims {
			loops |= loopBit(list[i].Level, d)
		}
	}
	return loops
}

// loopBit is the bit of a dimension over instances of the level below another.
func loopBit(level int, d model.Dim) uint64 { return 1 << (level*int(model.Dims) + int(d)) }

// fixed returns the array's fill and drain per tile, in cycles, MaxInt64 where the wires do not
// spread all the loops on as many instances.
func (x *alternative) fixed(shared []share) int64 {
	all := int64(1)
	for i := range shared {
		if x.loops&loopBit(shared[i].level, shared[i].d) == 0 {
			return math.MaxInt64
		}
		all *= shared[i].n
	}
	half := int64(0)
	for i := range x.list {
		s, n := &x.list[i], int64(1)
		for at := range shared {
			if shared[at].level == s.Level && slices.Contains(s.Dims, shared[at].d) {
				n *= shared[at].n
			}
		}
		if n > s.Limit {
			return math.MaxInt64
		}
		if half += n * s.HalfCycles; n > 1 {
			half += 2 * s.Cycles
		}
		all /= n
	}
	if all != 1 {
		return math.MaxInt64
	}
	return model.CeilDiv(half, 2)
}

// sameLoops reports whether two alternatives spread the same loops in the same time, on however many
// instances.
func sameLoops(a, b []Spread) bool {
	return slices.EqualFunc(a, b, func(x, y Spread) bool {
		return x.Level == y.Level && x.HalfCycles == y.HalfCycles && x.Cycles == y.Cycles && slices.Equal(x.Dims, y.Dims)
	})
}

// loops searches mappings of a hierarchy whose first level is off-chip memory
// and whose second is the buffer that holds tiles.
type loops struct {
	arch model.Arch
	// spreads lists the alternatives that the wires allow.
	spreads [][]Spread
	// order of the loops over a tile, outermost first: what stands innermost
	// decides which operand stays.
	order [model.Dims]model.Dim
	// inner is the level, 2 or deeper, whose temporal loops the dimensions of
	// innerDims are; 0 means that all loops over a tile are the buffer's.
	inner     int
	innerDims []model.Dim
	// idle are the dimensions that the search spreads over fewer instances too, and
	// halvings how often it halves those of input channels beside fewer ones of
	// output channels, meshHalvings those of columns beside fewer ones of rows.
	idle                   []model.Dim
	halvings, meshHalvings int
	// stride is what numbers of tiles over channels that are searched first are powers of; 0 means 2.
	stride int64
	// window is the level that runs over the filter window for a tile of units,
	// which pass inputs on to their neighbours; 0 where none does.
	window int
	// param is the parameter that sizes the buffer, for messages.
	param string
}

var _ Dataflow = (*loops)(nil)

// Nest implements Dataflow.
func (l *loops) Nest(p *model.Problem) model.Problem { return *p }

// outside reports whether a loop of the inner level stands outside all others there.
func (l *loops) outside(d model.Dim) bool {
	for _, x := range l.order {
		if slices.Contains(l.innerDims, x) {
			return x == d
		}
	}
	return false
}

// tileOrder is an order of the loops over tiles.
type tileOrder struct {
	dims [model.Dims]model.Dim
	// place of channels, input channels and pixels among the three, 0 outermost.
	k, c, pixels int
}

// tileOrders are the orders of the loops over tiles, groups and images
// outermost. Those that come first complete sums before the next tile.
var tileOrders = [...]tileOrder{
	{[model.Dims]model.Dim{model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S}, 0, 2, 1},
	{[model.Dims]model.Dim{model.G, model.N, model.P, model.Q, model.K, model.C, model.R, model.S}, 1, 2, 0},
	{[model.Dims]model.Dim{model.G, model.N, model.K, model.C, model.R, model.S, model.P, model.Q}, 0, 1, 2},
	{[model.Dims]model.Dim{model.G, model.N, model.C, model.R, model.S, model.K, model.P, model.Q}, 1, 0, 2},
	{[model.Dims]model.Dim{model.G, model.N, model.P, model.Q, model.C, model.R, model.S, model.K}, 2, 1, 0},
	{[model.Dims]model.Dim{model.G, model.N, model.C, model.R, model.S, model.P, model.Q, model.K}, 2, 0, 1},
}

// room returns what one instance of a level has for a tile.
func (l *loops) room(level int) int64 {
	x := &l.arch.Level[level]
	switch {
	case x.Capacity == 0:
		return math.MaxInt64
	case x.DoubleBuffered:
		return x.Capacity / 2
	}
	return x.Capacity
}

func steps(v *[model.Dims]int64) int64 {
	n := int64(1)
	for _, x := range v {
		n *= x
	}
	return n
}

// share is a dimension spread over n instances of the level below another.
type share struct {
	level int
	d     model.Dim
	n     int64
}

// maxShares is room for the spatial loops of all wires.
const maxShares = 16

// key is a number that differs between shares; those of several may be added.
func (x *share) key() uint64 {
	k := (uint64(x.n)<<8 | uint64(x.level)<<4 | uint64(x.d)) * 0x9e3779b97f4a7c15
	return (k ^ k>>29) * 0xbf58476d1ce4e5b9
}

// shares lists the spatial loops of a way of more than one instance and returns the
// steps that remain of each dimension.
func (l *loops) shares(p *model.Problem, list []Spread, w *way, out *[maxShares]share) (count int, rest [model.Dims]int64) {
	room := p.Bound
	rest = p.Bound
	if l.window > 0 {
		rest[model.R], rest[model.S] = 1, 1
	}
	for d, most := range w.most {
		if most > 0 {
			room[d] = most
		}
	}
	for i := range list {
		s := &list[i]
		left := s.Limit
		for k, d := range s.Dims {
			if rest[d] == 1 || left == 1 {
				continue
			}
			most := min(left, max(room[d], 1))
			if s.Most != nil {
				most = min(most, s.Most[k])
			}
			if w.even {
				most = evenly(list[i+1:], d, room[d], most)
			}
			part := model.CeilDiv(rest[d], most)
			n := model.CeilDiv(rest[d], part)
			if n > 1 {
				out[count] = share{s.Level, d, n}
				count++
				rest[d], room[d] = part, room[d]/n
				left /= n
			}
		}
	}
	return count, rest
}

// evenly returns on how many instances of an axis a dimension is of room instances in
// all, at most so many: fewer, where the next axes then take more.
func evenly(next []Spread, d model.Dim, room, most int64) int64 {
	limit := int64(1)
	for i := range next {
		if slices.Contains(next[i].Dims, d) {
			limit *= next[i].Limit
		}
	}
	if few := model.CeilDiv(room, limit); few < most && few*min(limit, room/few) >= most*min(limit, room/most) {
		return few
	}
	return most
}

// spread writes the spatial loops of a way and returns the steps that remain of
// each dimension.
func (l *loops) spread(p *model.Problem, list []Spread, w *way, m *model.Mapping) [model.Dims]int64 {
	for i := range l.arch.Levels {
		m.Loops[i] = model.Ones()
	}
	if l.window > 0 {
		for _, d := range [...]model.Dim{model.R, model.S} {
			m.Loops[l.window].Temporal[d] = p.Bound[d]
		}
	}
	var shared [maxShares]share
	count, rest := l.shares(p, list, w, &shared)
	for _, x := range shared[:count] {
		m.Loops[x.level].Spatial[x.d] *= x.n
	}
	return rest
}

// cost returns the cost of an evaluated mapping: the core's, and the array's
// fill and drain for every tile.
func (l *loops) cost(p *model.Problem, m *model.Mapping, r *model.Result) Cost {
	return l.costOf(p, m, r, l.fixed(m))
}

// costOf is cost for a known fill and drain of a tile.
func (l *loops) costOf(p *model.Problem, m *model.Mapping, r *model.Result, fixed int64) Cost {
	c := Cost{Cycles: r.Cycles + fixed*steps(&m.Loops[0].Temporal)}
	read, write := r.Traffic(p, 0)
	c.OffChip, c.inputs = read+write, r.Access[0][model.Inputs].Reads*p.Bytes[model.Inputs]
	c.needs = needs{compute: r.ComputeCycles, io: r.LevelCycles[0]}
	for i := 1; i < l.arch.Levels; i++ {
		c.needs.memory = max(c.needs.memory, r.LevelCycles[i])
	}
	c.EnergyPJ = r.ComputePJ
	for _, pj := range r.LevelPJ {
		c.EnergyPJ += pj
	}
	return c
}

// touched returns the inputs that windows read: a stride larger than a window
// skips some.
func touched(p *model.Problem) int64 {
	b := &p.Bound
	rows := min((b[model.P]-1)*p.Stride[0]+(b[model.R]-1)*p.Dilation[0]+1, b[model.P]*b[model.R])
	columns := min((b[model.Q]-1)*p.Stride[1]+(b[model.S]-1)*p.Dilation[1]+1, b[model.Q]*b[model.S])
	return b[model.G] * b[model.N] * b[model.C] * rows * columns
}
