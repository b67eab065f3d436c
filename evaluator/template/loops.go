package template

import (
	"math"

	"apollo/evaluator/model"
)

// Spread puts a dimension on at most Limit instances of the level below Level.
type Spread struct {
	Level int
	Dim   model.Dim
	Limit int64
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
	// inner is the level whose temporal loops the dimensions of innerDims are;
	// 0 means that all loops over a tile are the buffer's.
	inner     int
	innerDims []model.Dim
	// param is the parameter that sizes the buffer, for messages; fixed is the
	// array's fill and drain per tile, in cycles.
	param string
	fixed int64
}

var _ Dataflow = (*loops)(nil)

// Nest implements Dataflow.
func (l *loops) Nest(p *model.Problem) model.Problem { return *p }

// tileOrder is an order of the loops over tiles.
type tileOrder struct {
	dims [model.Dims]model.Dim
	// place of channels, input channels and pixels among the three, 0 outermost.
	k, c, pixels int
}

// tileOrders are the orders of the loops over tiles, groups and images
// outermost. Those that come first complete sums before the next tile.
func tileOrders() [6]tileOrder {
	const g, n, k, c, p, q, r, s = model.G, model.N, model.K, model.C, model.P, model.Q, model.R, model.S
	return [6]tileOrder{
		{[model.Dims]model.Dim{g, n, k, p, q, c, r, s}, 0, 2, 1},
		{[model.Dims]model.Dim{g, n, p, q, k, c, r, s}, 1, 2, 0},
		{[model.Dims]model.Dim{g, n, k, c, r, s, p, q}, 0, 1, 2},
		{[model.Dims]model.Dim{g, n, c, r, s, k, p, q}, 1, 0, 2},
		{[model.Dims]model.Dim{g, n, p, q, c, r, s, k}, 2, 1, 0},
		{[model.Dims]model.Dim{g, n, c, r, s, p, q, k}, 2, 0, 1},
	}
}

// finding is the state of mapping one layer.
type finding struct {
	l *loops
	p *model.Problem
	// rest is what the spatial loops leave of each dimension; floor the time
	// that no mapping with them beats.
	rest         [model.Dims]int64
	steps, floor int64
	// bytes and outputs are the sizes of the operands.
	bytes   [model.Operands]int64
	outputs int64
	orders  [6]tileOrder
	finer   int
	// whole is the extent of each dimension in a tile of the buffer, in steps.
	whole [model.Dims]int64
	// m is the mapping that is tried, best the best so far.
	m, best model.Mapping
	cost    Cost
	found   bool
	// least is the bytes of the smallest tiles that were tried at a level that
	// they do not fit.
	least, level int64
	// shrunk says that loops of the inner level had to move, tight that a level
	// holds its outputs only if they reach it complete.
	shrunk, tight bool
	result        model.Result
}

// Find implements Dataflow: the mapping with the least time, of equal ones that
// with the least energy.
func (l *loops) Find(p *model.Problem, m *model.Mapping) (Cost, *Misfit) {
	f := finding{l: l, p: p}
	for o := range model.Operands {
		f.bytes[o] = p.Elements(o, &p.Bound) * p.Bytes[o]
	}
	f.finer = finer
	if least := touched(p) * p.Bytes[model.Inputs]; least < f.bytes[model.Inputs] {
		f.bytes[model.Inputs], f.finer = least, math.MaxInt
	}
	f.orders = tileOrders()
	f.outputs = p.Elements(model.Outputs, &p.Bound)
	for i := range l.spreads {
		f.on(i, p.Bound[model.K], p.Bound[model.C])
		if !f.idle() {
			f.tiles(1, 1)
		}
	}
	// Where the interface is the limit, channels on fewer units give smaller
	// tiles, less waiting for the first one, and tiles that fit better.
	for i := range l.spreads {
		for _, d := range []model.Dim{model.K, model.C} {
			f.fewer(i, d)
		}
	}
	if f.found {
		*m = f.best
		return f.cost, nil
	}
	level := &l.arch.Level[f.level]
	need := f.least
	if level.DoubleBuffered {
		need *= 2
	}
	return Cost{}, &Misfit{
		Code: "buffer", What: "the smallest tile of the " + level.Name + ", twice,", Param: l.param,
		Need: need, Have: level.Capacity, Unit: "B",
	}
}

// touched returns the inputs that windows read: a stride larger than a window
// skips some.
func touched(p *model.Problem) int64 {
	b := &p.Bound
	rows := min((b[model.P]-1)*p.Stride[0]+(b[model.R]-1)*p.Dilation[0]+1, b[model.P]*b[model.R])
	columns := min((b[model.Q]-1)*p.Stride[1]+(b[model.S]-1)*p.Dilation[1]+1, b[model.Q]*b[model.S])
	return b[model.G] * b[model.N] * b[model.C] * rows * columns
}

func steps(v *[model.Dims]int64) int64 {
	n := int64(1)
	for _, x := range v {
		n *= x
	}
	return n
}

// on spreads the layer in the i-th way, channels and input channels on at most
// so many units.
func (f *finding) on(i int, k, c int64) {
	f.rest = f.l.spread(f.p, f.l.spreads[i], k, c, &f.m)
	f.steps = steps(&f.rest)
	f.floor = f.bound(&f.orders[0], 1, 1, 1)
}

// idle reports whether nothing better can come of the way that on chose.
func (f *finding) idle() bool { return f.close() || f.found && f.floor >= f.cost.Cycles }

// smallest is the share of the units, as 1/smallest, down to which channels are
// spread over fewer.
const smallest = 4

// fewer tries output or input channels on fewer units than there are, one step
// of them in each tile.
func (f *finding) fewer(i int, d model.Dim) {
	bound := f.p.Bound
	f.on(i, bound[model.K], bound[model.C])
	if f.idle() || f.rest[d] == bound[d] {
		return
	}
	full := f.rest[d]
	for parts := range counts(min(bound[d], smallest*full)) {
		if parts <= full {
			continue
		}
		limit := bound
		limit[d] = model.CeilDiv(bound[d], parts)
		f.on(i, limit[model.K], limit[model.C])
		if f.idle() {
			continue
		}
		first := [model.Dims]int64{model.K: 1, model.C: 1}
		first[d] = f.rest[d]
		f.tiles(first[model.K], first[model.C])
	}
}

// spread writes the spatial loops, output channels on at most k and input
// channels on at most c instances in all, and returns the steps that remain of
// each dimension.
func (l *loops) spread(p *model.Problem, list []Spread, k, c int64, m *model.Mapping) [model.Dims]int64 {
	for i := range l.arch.Levels {
		m.Loops[i] = model.Ones()
	}
	rest, room := p.Bound, p.Bound
	room[model.K], room[model.C] = k, c
	for _, s := range list {
		limit := min(s.Limit, max(room[s.Dim], 1))
		part := model.CeilDiv(rest[s.Dim], limit)
		n := model.CeilDiv(rest[s.Dim], part)
		m.Loops[s.Level].Spatial[s.Dim] *= n
		rest[s.Dim], room[s.Dim] = part, room[s.Dim]/n
	}
	return rest
}

// maxSlack ends the search of an alternative at a mapping within 1/maxSlack of
// its lower bound.
const maxSlack = 64

// close reports whether the best mapping is as good as the bound.
func (f *finding) close() bool { return f.found && f.cost.Cycles <= f.floor+f.floor/maxSlack }

// tiles tries numbers of tiles over groups, input channels and output channels,
// from nk0 and nc0 on, and for each the fewest tiles over images, rows, then
// columns, that fit.
func (f *finding) tiles(nk0, nc0 int64) {
	for ng := range counts(f.rest[model.G]) {
		for nc := range counts(f.rest[model.C]) {
			for nk := range counts(f.rest[model.K]) {
				if nk < nk0 || nc < nc0 {
					continue
				}
				f.pixels(ng, nc, nk)
				if f.close() {
					return
				}
			}
		}
	}
}

// finer is how many times the pixels of the largest tile that fits are halved
// again: smaller tiles wait less for the first and the last one. Where a stride
// is larger than a window, only tiles of one row or column leave out what it
// skips: there is no limit then.
const finer = 4

// pixels cuts images, then rows and columns in three ways, until the tiles fit
// and no more can win.
func (f *finding) pixels(ng, nc, nk int64) {
	for way := rowsFirst; way <= inTurn; way++ {
		if way > rowsFirst && f.rest[model.Q] == 1 {
			return // there is one way
		}
		left := f.finer
		for n := range cuts(way, f.rest[model.N], f.rest[model.P], f.rest[model.Q]) {
			parts := [model.Dims]int64{model.G: ng, model.N: n[0], model.K: nk, model.C: nc, model.P: n[1], model.Q: n[2], model.R: 1, model.S: 1}
			if f.found && f.hopeless(&parts) {
				break
			}
			f.cut(&parts)
			if !f.fits(false) {
				continue
			}
			f.try()
			if f.shrunk {
				f.cut(&parts)
				if f.fits(true) {
					f.try()
				}
			}
			if left--; left < 0 || f.close() {
				break
			}
		}
	}
}

// hopeless reports whether no order of so many tiles, or of more, can win.
func (f *finding) hopeless(parts *[model.Dims]int64) bool {
	fixed := f.l.fixed * steps(parts)
	for i := range f.orders {
		if f.bound(&f.orders[i], parts[model.K], parts[model.C], parts[model.N]*parts[model.P]*parts[model.Q])+fixed < f.cost.Cycles {
			return false
		}
	}
	return true
}

// cut writes the temporal loops for numbers of tiles.
func (f *finding) cut(parts *[model.Dims]int64) {
	outer, tile := &f.m.Loops[0], &f.m.Loops[1]
	tile.Order = f.l.order
	for d := range model.Dims {
		size := model.CeilDiv(f.rest[d], parts[d])
		outer.Temporal[d], tile.Temporal[d], f.whole[d] = model.CeilDiv(f.rest[d], size), size, size
	}
	if f.l.inner == 0 {
		return
	}
	for i := 2; i <= f.l.inner; i++ {
		in := &f.m.Loops[i]
		in.Order = f.l.order
		in.Temporal = [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	}
	in := &f.m.Loops[f.l.inner]
	for _, d := range f.l.innerDims {
		in.Temporal[d], tile.Temporal[d] = tile.Temporal[d], 1
	}
}

// try evaluates the orders of tiles whose bound is better than the best.
func (f *finding) try() {
	outer := &f.m.Loops[0].Temporal
	nk, nc, pixels := outer[model.K], outer[model.C], outer[model.N]*outer[model.P]*outer[model.Q]
	ramp := f.ramp()
	for i := range f.orders {
		o := &f.orders[i]
		if f.tight && nc > 1 && o.c < 2 || f.found && f.bound(o, nk, nc, pixels)+ramp >= f.cost.Cycles {
			continue
		}
		f.m.Loops[0].Order = o.dims
		f.result.Eval(f.p, &f.l.arch, &f.m)
		c := f.l.cost(f.p, &f.m, &f.result)
		if !f.found || c.Cycles < f.cost.Cycles || c.Cycles == f.cost.Cycles && c.EnergyPJ < f.cost.EnergyPJ {
			f.best, f.cost, f.found = f.m, c, true
		}
	}
}

// cost returns the cost of an evaluated mapping: the core's, and the array's
// fill and drain for every tile.
func (l *loops) cost(p *model.Problem, m *model.Mapping, r *model.Result) Cost {
	c := Cost{Cycles: r.Cycles + l.fixed*steps(&m.Loops[0].Temporal)}
	read, write := r.Traffic(p, 0)
	c.OffChip = read + write
	c.EnergyPJ = r.ComputePJ
	for _, pj := range r.LevelPJ {
		c.EnergyPJ += pj
	}
	return c
}

// bound returns a time that no mapping with these numbers of tiles in this
// order beats: each operand comes once, and again for every step of a loop
// without it that stands outside one with it. Windows that overlap are left out.
func (f *finding) bound(o *tileOrder, nk, nc, pixels int64) int64 {
	const milli = 1000
	again := func(n int64, at int, first int64, firstAt int, second int64, secondAt int) int64 {
		if first > 1 && firstAt > at || second > 1 && secondAt > at {
			return n
		}
		return 1
	}
	weights := f.bytes[model.Weights] * again(pixels, o.pixels, nk, o.k, nc, o.c)
	inputs := f.bytes[model.Inputs] * again(nk, o.k, nc, o.c, pixels, o.pixels)
	sums := f.outputs * (again(nc, o.c, nk, o.k, pixels, o.pixels) - 1) * f.p.PartialBytes
	return max(f.steps, model.CeilDiv((weights+inputs+f.bytes[model.Outputs]+2*sums)*milli, f.l.arch.Level[0].ReadRate))
}

// ramp returns the time that nothing hides: the first tile's way in, the last
// one's way out, and the array's fill and drain for every tile.
func (f *finding) ramp() int64 {
	const milli = 1000
	others, sums := f.tile(1)
	outside := &f.l.arch.Level[0]
	return f.l.fixed*steps(&f.m.Loops[0].Temporal) + model.CeilDiv(others*milli, outside.ReadRate) +
		model.CeilDiv(sums*f.p.Bytes[model.Outputs]*milli, outside.WriteRate)
}
