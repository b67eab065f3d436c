package template

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"apollo/evaluator/model"
)

// exact finds the least of all mappings of a layer on a free array: every way of its wires,
// every order of the loops on chip, every size ceil(n/i) of the tiles of the shared and of
// the local memory, or of some of these, and every order of the loops over tiles.
//
// A mapping is a cut of the layer into tiles of the shared memory and a tile of the local one; the
// loops of the shared memory are what these leave. The cut says what the interface moves, the
// tile what the units read, so that bounds of both add up. Pairs whose sum leaves hope
// are bounded together, and the core evaluates what is left.
type exact struct {
	flows []loops
	p     *model.Problem
	goal  goal
	// limit is what a bound has to beat, best the mapping that it comes from.
	limit float64
	best  found
	// evaluated counts the mappings that the core was asked for.
	evaluated int

	// way has the spatial loops, which are sp; rest are the steps that they leave, fixed is
	// the array's fill and drain for each tile.
	way      model.Mapping
	sp, rest [model.Dims]int64
	fixed    int64
	// compute is a bound of the steps, pj of the energy of products and registers.
	compute, pj float64
	// io and port are the cycles of a byte over the interface and at the shared memory.
	io, port float64
	// bytes are the operands' sizes, sums that of all partial sums, planes that of one position
	// of all inputs; copies is how many units have the same of an operand.
	bytes, copies [model.Operands]float64
	sums, planes  float64
	// once is what a tile of the local memory takes if all operands but inputs come once, registers
	// and local what one takes that comes to the registers or the local memory once more.
	once             taken
	registers, local [model.Operands]float64

	dims [model.Dims]dimension
	// overlaps of the tiles of the shared memory, of those of a unit and of those of all units
	// together, by rows and columns
	ofShared, ofUnits, ofLine [2]overlaps

	cuts          []tileCut
	tiles         []unitTile
	byCut, byTile []ranked
	// sharp are sharper bounds of the tiles in byTile, which their order does not depend on.
	sharp []float64
	// rank is the place of each tile in byTile, left are those that a cut leaves hope for.
	rank, left []int32
	// alike are the tiles of each operand by their key.
	alike [model.Operands][]uint64
	// between are the steps of the shared memory for each size, of the cut that is searched.
	between [model.Dims][]int64
}

// dimension has the numbers of tiles of a dimension, the steps of a unit, and between them those of
// the shared memory, as far as they were asked for.
type dimension struct {
	rest, sp               int64
	counts, sizes, between []int64
	// extent is that of the least tile of the shared memory for each count, line what all units
	// have together for each size.
	extent, line []int64
	// alone is the index of the size that leaves the shared memory one step, for each count: -1 where none does.
	alone []int32
}

// maxTilings is the number of ways to cut a layer's loops into tiles up to which the mapper of
// a free array is exact. Chosen: a third of the layers of MobileNetV2 on random designs have no more, and
// take no longer than before.
const maxTilings = 1 << 16

// tilings returns in how many ways the loops of a layer can be cut into tiles of both
// memories on the first way of the wires, at most a number above most.
func (f *free) tilings(p *model.Problem, most int) int {
	var shared [maxShares]share
	all, l := 1, &f.flows[0]
	_, rest := l.shares(p, l.spreads[0], &way{}, &shared)
	for d, n := range rest {
		count := 0
		if d := model.Dim(d); !slices.Contains(l.innerDims, d) {
			count = partsOf(n)
		} else {
			for i := int64(1); i > 0; i = model.NextParts(n, i) {
				count += partsOf(model.CeilDiv(n, model.CeilDiv(n, i)))
			}
		}
		if all *= count; all > most {
			return all
		}
	}
	return all
}

// partsOf returns how many sizes ceil(n/i) there are: 1, and one more than each of the
// floor((n-1)/i), of which those up to the root are every number.
func partsOf(n int64) int {
	root := int64(math.Sqrt(float64(n - 1)))
	if root*(root+1) <= n-1 {
		return int(2*root + 1)
	}
	return int(2 * root)
}

// tileCut is a cut into tiles of the shared memory, with the innermost loop over them.
type tileCut struct {
	at   [model.Dims]uint16 // indices of counts
	last model.Dim
	// comes is how often each operand comes to the shared memory, steps those of
	// all loops over tiles without it.
	comes, steps [model.Operands]float64
	taken
}

// unitTile is a tile of the local memory with an order of the loops on chip.
type unitTile struct {
	at   [model.Dims]uint16 // indices of sizes
	flow uint8
	// roomy says that it fits with partial sums too, has that it has several steps with an
	// operand; outside are the steps without it outside those.
	roomy   bool
	has     [model.Operands]bool
	outside [model.Operands]float64
	// given are the bytes of inputs that come to the local memories and inputsPJ their energy, again that
	// of an operand that comes there once more.
	given, inputsPJ float64
	again           [model.Operands]float64
	taken
}

// taken is what a part of a mapping takes at least.
type taken struct {
	// io, read and written are bytes over the interface and at the shared memory's port,
	// ramp the time that nothing hides.
	io, read, written, ramp, pj float64
	value                       float64
}

// lower lowers each part to that of another.
func (t *taken) lower(x *taken) {
	t.io, t.read, t.written, t.ramp, t.pj = min(t.io, x.io), min(t.read, x.read), min(t.written, x.written), min(t.ramp, x.ramp), min(t.pj, x.pj)
}

var never = taken{io: math.Inf(1), read: math.Inf(1), written: math.Inf(1), ramp: math.Inf(1), pj: math.Inf(1)}

// exactPool keeps the lists of searches from layer to layer.
var exactPool = sync.Pool{New: func() any { return new(exact) }}

// selection says which sizes of tiles are tried.
type selection uint8

const (
	every selection = iota
	// halves are those of which powers of two make the whole.
	halves
	// nearby are those between half and twice of a known mapping's.
	nearby
	// held is that of a known mapping.
	held
)

// all returns one selection for each dimension.
func all(which selection) (list [model.Dims]selection) {
	for d := range list {
		list[d] = which
	}
	return list
}

// exact writes the least of the mappings with such sizes, of all loops, ways of the wires and orders, whose
// value is below a limit; false says that there is none. Of m nearby sizes are known.
func (f *free) exact(p *model.Problem, g goal, limit float64, which [model.Dims]selection, m *model.Mapping) (Cost, bool) {
	s := exactPool.Get().(*exact)
	defer exactPool.Put(s)
	s.flows, s.p, s.goal, s.limit, s.best = f.flows, p, g, limit, found{}
	for i, list := range f.flows[0].spreads {
		if s.begin(list, &which, m) && (f.distinct || !s.known(i)) {
			s.search()
		}
	}
	if s.best.any {
		*m = s.best.m
	}
	return s.best.cost, s.best.any
}

// known reports whether one of so many ways of the wires spreads the layer over the same
// instances as that which is searched.
func (s *exact) known(ways int) bool {
	var m model.Mapping
	for _, list := range s.flows[0].spreads[:ways] {
		if s.flows[0].spread(s.p, list, &way{}, &m); m.Loops[1].Spatial == s.sp {
			return true
		}
	}
	return false
}

// begin makes a way of the wires and the sizes that are tried ready; false says that nothing on it is
// below the limit.
func (s *exact) begin(list []Spread, which *[model.Dims]selection, m *model.Mapping) bool {
	const perMilli = 1000
	l, p := &s.flows[0], s.p
	a := &l.arch
	s.rest = l.spread(p, list, &way{}, &s.way)
	s.sp, s.fixed = s.way.Loops[1].Spatial, l.fixed(&s.way)
	s.compute = float64(steps(&s.rest))
	s.io, s.port = perMilli/float64(a.Level[0].ReadRate), perMilli/float64(a.Level[1].ReadRate)
	s.pj = float64(p.MACs()) * a.MACPJ
	registers := &a.Level[3]
	for o := range model.Operands {
		s.bytes[o] = float64(p.Elements(o, &p.Bound) * p.Bytes[o])
		s.copies[o] = without(o, &s.sp)
		products := float64(p.MACs()) / without(o, &p.Bound) * s.copies[o]
		again := without(o, &s.rest)
		if o != model.Outputs {
			s.pj += products * again * float64(p.Bytes[o]) * registers.ReadPJ
			continue
		}
		partial := products * (again - 1) * float64(p.PartialBytes)
		s.pj += partial*registers.ReadPJ + (products*float64(p.Bytes[o])+partial)*registers.WritePJ
	}
	if s.value(0, 0, 0, 0, 0) >= s.limit {
		return false
	}
	s.sums = s.bytes[model.Outputs] / float64(p.Bytes[model.Outputs]) * float64(p.PartialBytes)
	s.chip()
	for d := range model.Dims {
		s.dims[d].begin(s.rest[d], s.sp[d], p.Bound[d], slices.Contains(l.innerDims, d), which[d], m.Loops[0].Temporal[d], m.Loops[1].Temporal[d], m.Loops[2].Temporal[d])
	}
	passes := &a.Level[2].Passes
	for axis, out := range [...]model.Dim{model.P, model.Q} {
		x, tap := &s.dims[out], out+model.R-model.P
		y := &s.dims[tap]
		s.ofShared[axis].begin(p, axis, x.extent, y.extent, false)
		s.ofUnits[axis].begin(p, axis, x.sizes, y.sizes, false)
		outs, taps := x.sizes, y.sizes
		if passes[out] {
			outs = x.line
		}
		if passes[tap] {
			taps = y.line
		}
		s.ofLine[axis].begin(p, axis, outs, taps, passes[out] || passes[tap])
	}
	return true
}

// chip prices what passes between the shared memory and the registers.
func (s *exact) chip() {
	p, a := s.p, &s.flows[0].arch
	far, near, unit, b := &a.Level[1], &a.Level[2], &a.Level[3], &p.Bound
	s.planes = float64(b[model.G] * b[model.N] * b[model.C] * p.Bytes[model.Inputs])
	const w, in, out = model.Weights, model.Inputs, model.Outputs
	s.local[w] = s.bytes[w] * (far.ReadPJ + far.WirePJ[w] + s.copies[w]*near.WritePJ)
	s.local[out] = s.sums * (far.ReadPJ + far.WritePJ + 2*far.WirePJ[out] + s.copies[out]*(near.ReadPJ+near.WritePJ))
	s.registers[w] = s.bytes[w] * s.copies[w] * (near.ReadPJ + unit.WritePJ)
	s.registers[in] = s.planes * float64(b[model.P]*b[model.R]*b[model.Q]*b[model.S]) * s.copies[in] * (near.ReadPJ + unit.WritePJ)
	s.registers[out] = s.sums * s.copies[out] * (near.ReadPJ + near.WritePJ + unit.ReadPJ + unit.WritePJ)
	s.once = taken{
		read: s.bytes[w], written: s.bytes[out],
		pj: s.local[w] + s.registers[w] + s.registers[in] +
			s.bytes[out]*(far.WritePJ+far.WirePJ[out]+s.copies[out]*(near.ReadPJ+near.WritePJ+unit.ReadPJ)),
	}
}

// without returns the product over the dimensions that do not index an operand.
func without(o model.Operand, n *[model.Dims]int64) float64 {
	switch o {
	case model.Weights:
		return float64(n[model.N] * n[model.P] * n[model.Q])
	case model.Inputs:
		return float64(n[model.K])
	}
	return float64(n[model.C] * n[model.R] * n[model.S])
}

// begin lists numbers and sizes; tiles, between and size are those of the mapping that is known.
func (x *dimension) begin(rest, sp, bound int64, local bool, which selection, tiles, between, size int64) {
	x.counts, x.sizes, x.between, x.extent, x.line, x.alone = x.counts[:0], x.sizes[:0], x.between[:0], x.extent[:0], x.line[:0], x.alone[:0]
	x.rest, x.sp = rest, min(sp, bound)
	if which == held {
		size = min(size, rest)
		steps := model.CeilDiv(rest, size)
		tiles = model.CeilDiv(steps, min(between, steps))
		x.count(tiles, min(model.CeilDiv(rest, tiles)*sp, bound))
		x.size(size, min(size*sp, bound))
	} else {
		x.list(sp, bound, local, which, tiles, size)
	}
	at := 0
	for _, count := range x.counts {
		for at < len(x.sizes) && model.CeilDiv(rest, x.sizes[at]) < count {
			at++
		}
		if at < len(x.sizes) && model.CeilDiv(rest, x.sizes[at]) == count {
			x.alone = append(x.alone, int32(at))
		} else {
			x.alone = append(x.alone, -1)
		}
	}
	all := len(x.counts) * len(x.sizes)
	x.between = slices.Grow(x.between, all)[:all]
	clear(x.between)
}

func (x *dimension) count(n, extent int64) {
	x.counts, x.extent = append(x.counts, n), append(x.extent, extent)
}

func (x *dimension) size(n, line int64) {
	x.sizes, x.line = append(x.sizes, n), append(x.line, line)
}

// list lists those that are tried.
func (x *dimension) list(sp, bound int64, local bool, which selection, tiles, size int64) {
	power := int64(1)
	for i := int64(1); i > 0; i = model.NextParts(x.rest, i) {
		n := model.CeilDiv(x.rest, i)
		if which == halves {
			for model.CeilDiv(x.rest, power) > n {
				power *= 2
			}
			if model.CeilDiv(x.rest, power) != n {
				continue
			}
		}
		if count := model.CeilDiv(x.rest, n); which != nearby || alike(count, tiles) {
			x.count(count, min(n*sp, bound))
		}
		if local && (which != nearby || alike(n, size)) || !local && n == 1 {
			x.size(n, min(n*sp, bound))
		}
	}
}

// betweens returns the steps that a number of tiles leaves for the shared memory for each size, by its
// index: -1 where another number of tiles has the same size.
func (x *dimension) betweens(count uint16) []int64 {
	list := x.between[int(count)*len(x.sizes):][:len(x.sizes)]
	if list[0] != 0 {
		return list
	}
	tiles := x.counts[count]
	for i, size := range x.sizes {
		all := model.CeilDiv(x.rest, size)
		if list[i] = model.CeilDiv(all, tiles); model.CeilDiv(all, list[i]) != tiles {
			list[i] = -1
		}
	}
	return list
}

// alike reports whether neither of two numbers is more than twice the other.
func alike(a, b int64) bool { return a <= 2*b && b <= 2*a }

// slid says which loop of an axis is the innermost one above a tile.
type slid uint8

const (
	still slid = iota
	overOutputs
	overTaps
	// anyhow is when that is not known, orSmall when tiles may be smaller too.
	anyhow
	orSmall
	// apartOutputs and apartTaps are overOutputs and overTaps where it is known how far apart the units' tiles are.
	apartOutputs
	apartTaps
	slidings
)

// overlaps has bounds of the input positions along an axis that tiles cover, by the
// indices of their outputs and taps: windows of neighbours overlap, unless one tile slides into the
// next.
type overlaps struct {
	taps int
	list [][slidings]float64
}

func (x *overlaps) at(out, tap uint16, how slid) float64 {
	return x.list[int(out)*x.taps+int(tap)][how]
}

// begin fills the list; where units pass inputs on, what no window has is not read.
func (x *overlaps) begin(p *model.Problem, axis int, outs, taps []int64, passes bool) {
	x.taps, x.list = len(taps), x.list[:0]
	stride, dilation := p.Stride[axis], p.Dilation[axis]
	out, tap := p.Bound[int(model.P)+axis], p.Bound[int(model.R)+axis]
	for _, o := range outs {
		for _, t := range taps {
			rows, runs := model.CeilDiv(out, o), model.CeilDiv(tap, t)
			window := (t-1)*dilation + 1
			span := (o-1)*stride + window
			n := runs * ((out-rows)*stride + rows*window)
			list := [...]int64{still: n, overOutputs: n, overTaps: min(n, rows*(span+(runs-1)*min(t*dilation, span)))}
			if stride <= window {
				list[overOutputs] = min(n, runs*((out-1)*stride+window))
			}
			var bounds [slidings]float64
			for how, n := range list {
				if passes {
					n = min(n, out*tap)
				}
				bounds[how] = float64(n)
			}
			bounds[anyhow] = min(bounds[still], bounds[overOutputs], bounds[overTaps])
			bounds[orSmall] = bounds[anyhow]
			x.list = append(x.list, bounds)
		}
	}
	for i := len(x.list) - 1; i >= 0; i-- {
		least := &x.list[i][orSmall]
		if (i+1)%x.taps > 0 {
			*least = min(*least, x.list[i+1][orSmall])
		}
		if i+x.taps < len(x.list) {
			*least = min(*least, x.list[i+x.taps][orSmall])
		}
	}
}

// apart fills in the bounds of what tiles cover whose loop is the innermost one; linked are the dimensions of which
// the tiles of all units count as one.
func (x *overlaps) apart(p *model.Problem, axis int, outs, taps *dimension, linked *[model.Dims]bool) {
	out, tap := model.P+model.Dim(axis), model.R+model.Dim(axis)
	most := int64(math.MaxInt64)
	if linked[out] || linked[tap] {
		most = p.Bound[out] * p.Bound[tap]
	}
	for i := range outs.sizes {
		for k := range taps.sizes {
			o, apart := outs.tile(i, linked[out])
			t, wide := taps.tile(k, linked[tap])
			at := &x.list[i*x.taps+k]
			at[apartOutputs] = float64(min(most, p.Positions(axis, o, t, out, model.CeilDiv(outs.rest, outs.sizes[i]), apart)))
			at[apartTaps] = float64(min(most, p.Positions(axis, o, t, tap, model.CeilDiv(taps.rest, taps.sizes[k]), wide)))
		}
	}
}

// tile returns a size and over how many units its tiles are spread, or the size of those of all units together.
func (x *dimension) tile(at int, linked bool) (size, spread int64) {
	if linked {
		return x.line[at], 1
	}
	return x.sizes[at], x.sp
}

// along returns how the innermost loop of all moves tiles along an axis.
func along(axis int, last model.Dim) slid {
	switch last {
	case model.P + model.Dim(axis):
		return overOutputs
	case model.R + model.Dim(axis):
		return overTaps
	}
	return still
}

// search searches a way of the wires.
func (s *exact) search() {
	s.tiles, s.cuts = s.tiles[:0], s.cuts[:0]
	for d := range s.dims {
		if len(s.dims[d].counts) == 0 || len(s.dims[d].sizes) == 0 {
			return // nothing is nearby on these wires
		}
	}
	ones := [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	// The least of any tile: all of its operands come once.
	var small unitTile
	s.inputs(&small, orSmall)
	small.ramp = s.lineRamp(&ones)
	n, extent := ones, ones
	for d := range model.Dims {
		extent[d] = s.dims[d].extent[len(s.dims[d].extent)-1]
	}
	var x tileCut
	s.listCuts(0, &n, &extent, &x, &small)
	least := tileCut{taken: never, comes: [model.Operands]float64{1, 1, 1}}
	for i := range s.cuts {
		least.lower(&s.cuts[i].taken)
	}
	var y unitTile
	n = ones
	if s.listTiles(0, &n, &y, &least); len(s.tiles) == 0 {
		return
	}
	cuts := sorted(s.byCut[:0], len(s.cuts), func(i int32) float64 { return s.cuts[i].value })
	tiles := sorted(s.byTile[:0], len(s.tiles), func(i int32) float64 { return s.tiles[i].value })
	s.byCut, s.byTile = cuts, tiles
	loose := s.leastTile()
	s.sharpen(&least)
	small = s.leastTile()
	tiles = s.hopeful(tiles)
	grouped := false
	for _, i := range cuts {
		if i.value >= s.limit {
			break
		}
		x := &s.cuts[i.at]
		if s.bound(x, &small) >= s.limit {
			continue
		}
		s.among(x)
		more := s.beyond(x, &least, &small)
		if s.together(x, &small, &x.steps) < s.limit {
			for i, k := range tiles {
				if k.value+more >= s.limit {
					break
				}
				if s.sharp[i]+more < s.limit {
					s.pair(x, &s.tiles[k.at])
				}
			}
			continue
		}
		// Only tiles for which an operand stands still are left: others come again with each step.
		if !grouped {
			s.group()
			grouped = true
		}
		s.left = s.left[:0]
		for o := range model.Operands {
			for _, k := range s.standing(o, x) {
				if at := int32(uint32(k)); s.tiles[at].value+more < s.limit {
					s.left = append(s.left, at)
				}
			}
		}
		if s.together(x, &loose, &x.steps) < s.limit {
			slices.SortFunc(s.left, func(a, b int32) int { return cmp.Compare(s.rank[a], s.rank[b]) })
		}
		for _, i := range s.left {
			s.pair(x, &s.tiles[i])
		}
	}
}

// leastTile returns the least of the tiles that are listed, which is more than that of any tile.
func (s *exact) leastTile() unitTile {
	small := unitTile{taken: never, given: math.Inf(1), again: [model.Operands]float64{math.Inf(1), math.Inf(1), math.Inf(1)}}
	for i := range s.tiles {
		y := &s.tiles[i]
		small.lower(&y.taken)
		small.given = min(small.given, y.given)
		for o := range y.again {
			small.again[o] = min(small.again[o], y.again[o])
		}
	}
	return small
}

// sharpen raises the bounds of the tiles that are listed to what they bring of the inputs where one loop of all is the
// innermost one. Their order stays: of mappings that are worth the same, the first one is found.
func (s *exact) sharpen(least *tileCut) {
	var none [model.Dims]bool
	passes := &s.flows[0].arch.Level[2].Passes
	for axis := range s.ofUnits {
		outs, taps := &s.dims[int(model.P)+axis], &s.dims[int(model.R)+axis]
		s.ofUnits[axis].apart(s.p, axis, outs, taps, &none)
		s.ofLine[axis].apart(s.p, axis, outs, taps, passes)
	}
	for i := range s.tiles {
		y := &s.tiles[i]
		s.withInputs(y, leastInputs(&s.ofUnits, &y.at), leastInputs(&s.ofLine, &y.at))
		y.value = s.bound(least, y)
	}
}

// leastInputs returns a bound of the positions of inputs that tiles bring where one loop of all is the innermost one.
func leastInputs(list *[2]overlaps, at *[model.Dims]uint16) float64 {
	rows := &list[0].list[int(at[model.P])*list[0].taps+int(at[model.R])]
	columns := &list[1].list[int(at[model.Q])*list[1].taps+int(at[model.S])]
	return min(min(rows[still], rows[apartOutputs], rows[apartTaps])*columns[still], rows[still]*min(columns[apartOutputs], columns[apartTaps]))
}

// hopeful returns the tiles of a list whose bounds leave hope.
func (s *exact) hopeful(list []ranked) []ranked {
	s.rank = slices.Grow(s.rank[:0], len(s.tiles))[:len(s.tiles)]
	left := list[:0]
	s.sharp = s.sharp[:0]
	for i, k := range list {
		s.rank[k.at] = int32(i)
		if sharp := s.tiles[k.at].value; sharp < s.limit {
			left, s.sharp = append(left, k), append(s.sharp, sharp)
		}
	}
	return left
}

// group lists the tiles by the sizes that an operand has.
func (s *exact) group() {
	for o := range model.Operands {
		list := s.alike[o][:0]
		for i := range s.tiles {
			list = append(list, s.key(o, &s.tiles[i].at)<<keyed|uint64(i))
		}
		slices.Sort(list)
		s.alike[o] = list
	}
}

// keyed are the bits below a key, which say where a tile stands that has it. Both take less than half of the bits: a
// layer has at most maxTilings tiles, or two to four dimensions of a few hundred sizes at most.
const keyed = 32

// key numbers the sizes of a tile in the dimensions that an operand has.
func (s *exact) key(o model.Operand, at *[model.Dims]uint16) (key uint64) {
	for _, d := range tileDims {
		if model.Relevant(o, d) {
			key = key*uint64(len(s.dims[d].sizes)) + uint64(at[d])
		}
	}
	return key
}

// standing returns the tiles for which an operand stands still while the loops of the shared memory run, for a
// cut: none of those of several steps has it.
func (s *exact) standing(o model.Operand, x *tileCut) []uint64 {
	var at [model.Dims]uint16
	for d := range model.Dims {
		if !model.Relevant(o, d) {
			continue
		}
		i := s.dims[d].alone[x.at[d]]
		if i < 0 {
			return nil
		}
		at[d] = uint16(i)
	}
	key, list := s.key(o, &at), s.alike[o]
	first, _ := slices.BinarySearch(list, key<<keyed)
	end := first
	for end < len(list) && list[end]>>keyed == key {
		end++
	}
	return list[first:end]
}

// among makes the steps of the shared memory for a cut and any sizes ready.
func (s *exact) among(x *tileCut) {
	for d := range model.Dims {
		s.between[d] = s.dims[d].betweens(x.at[d])
	}
}

// beyond returns how far the value of a cut with any tile is above the bound of that tile at least: by what
// adds up to the least of any cut, with the least of any tile.
func (s *exact) beyond(x, least *tileCut, small *unitTile) float64 {
	pj := x.pj - least.pj
	for o, n := range x.comes {
		pj += (n - 1) * small.again[o]
	}
	return s.goal.value(x.ramp-least.ramp, pj) * margin
}

// ranked is a bound and where it stands.
type ranked struct {
	value float64
	at    int32
}

// sorted lists bounds, the least first. None is NaN, which cmp.Compare would look for at each.
func sorted(list []ranked, n int, value func(int32) float64) []ranked {
	for i := range int32(n) {
		list = append(list, ranked{value: value(i), at: i})
	}
	slices.SortFunc(list, func(a, b ranked) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	return list
}

// bound returns a bound of the value of the mappings of a cut and a tile.
func (s *exact) bound(x *tileCut, y *unitTile) float64 { return s.together(x, y, &x.comes) }

// together is bound where operands come to the local memory more often than to the shared one.
func (s *exact) together(x *tileCut, y *unitTile, comes *[model.Operands]float64) float64 {
	w, in, out := comes[model.Weights]-1, comes[model.Inputs]-1, comes[model.Outputs]-1
	back := out * s.sums
	read, written := x.read+y.read+w*s.bytes[model.Weights]+in*y.given+back, x.written+y.written+back
	return s.value(x.io, read, written, x.ramp+y.ramp, x.pj+y.pj+w*y.again[model.Weights]+in*y.again[model.Inputs]+out*y.again[model.Outputs])
}

// value returns what something is worth at least that takes so much: none is NaN, which max would look for.
func (s *exact) value(io, read, written, ramp, pj float64) float64 {
	cycles := s.compute
	if io *= s.io; io > cycles {
		cycles = io
	}
	if written > read {
		read = written
	}
	if read *= s.port; read > cycles {
		cycles = read
	}
	return s.goal.value(cycles+ramp, s.pj+pj) * margin
}

// tileDims is the order in which sizes of a tile of the local memory are chosen.
var tileDims = [...]model.Dim{model.C, model.K, model.P, model.Q, model.R, model.S}

// listTiles lists the tiles of the local memory that fit and leave hope; so many sizes are chosen,
// the others are one in n and the largest in x.
func (s *exact) listTiles(chosen int, n *[model.Dims]int64, x *unitTile, least *tileCut) {
	if chosen == len(tileDims) {
		s.tile(n, x, least)
		return
	}
	d := tileDims[chosen]
	for i, size := range s.dims[d].sizes {
		x.at[d], n[d] = uint16(i), size
		if !s.fits(2, n, false) {
			continue
		}
		if chosen+1 < len(tileDims) {
			s.inputs(x, orSmall)
			left := [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
			for _, d := range tileDims[:chosen+1] {
				left[d] = model.CeilDiv(s.rest[d], n[d])
			}
			x.ramp = s.lineRamp(n)
			for o := range model.Operands {
				if x.again[o] = 0; severalWith(o, n) {
					x.pj += (without(o, &left) - 1) * s.registers[o]
				}
			}
			if s.bound(least, x) >= s.limit {
				continue
			}
		}
		s.listTiles(chosen+1, n, x, least)
	}
	x.at[d], n[d] = 0, 1
}

// innermost returns the innermost loop of several steps above a tile, which is one over tiles
// where the shared memory has none.
func innermost(order *[model.Dims]model.Dim, n *[model.Dims]int64, last model.Dim) model.Dim {
	for i := len(order) - 1; i >= 0; i-- {
		if n[order[i]] > 1 {
			return order[i]
		}
	}
	return last
}

// severalWith reports whether one of the loops of a level has several steps and an operand.
func severalWith(o model.Operand, n *[model.Dims]int64) bool {
	for d := range model.Dims {
		if n[d] > 1 && model.Relevant(o, d) {
			return true
		}
	}
	return false
}

// inputs sets what a tile takes if operands come once.
func (s *exact) inputs(x *unitTile, how slid) {
	x.taken, x.again = s.once, s.local
	s.bring(x, how, how)
}

// slide replaces the inputs of a tile by those under an innermost loop of so many steps.
func (s *exact) slide(x *unitTile, last model.Dim, steps int64) {
	var none [model.Dims]bool
	here, passes := s.covered(x, last, steps, &none), &s.flows[0].arch.Level[2].Passes
	given := here
	if *passes != none {
		given = s.covered(x, last, steps, passes)
	}
	s.withInputs(x, here, given)
}

// covered returns the positions of inputs that tiles bring under an innermost loop of so many steps.
func (s *exact) covered(x *unitTile, last model.Dim, steps int64, linked *[model.Dims]bool) float64 {
	all := 1.0
	for axis := range s.ofUnits {
		out, tap := model.P+model.Dim(axis), model.R+model.Dim(axis)
		o, spread := s.dims[out].tile(int(x.at[out]), linked[out])
		t, wide := s.dims[tap].tile(int(x.at[tap]), linked[tap])
		if last == tap {
			spread = wide
		}
		n := s.p.Positions(axis, o, t, last, steps, spread)
		if linked[out] || linked[tap] {
			n = min(n, s.p.Bound[out]*s.p.Bound[tap])
		}
		all *= float64(n)
	}
	return all
}

// withInputs replaces the inputs of a tile: the positions that come to all units, and those that are read for them.
func (s *exact) withInputs(x *unitTile, here, given float64) {
	x.read -= x.given
	x.pj -= x.inputsPJ
	x.again[model.Inputs] -= x.inputsPJ
	s.addInputs(x, here, given)
}

// bring adds the inputs of a tile that come once.
func (s *exact) bring(x *unitTile, rows, columns slid) {
	p, q, r, t := x.at[model.P], x.at[model.Q], x.at[model.R], x.at[model.S]
	here := s.ofUnits[0].at(p, r, rows) * s.ofUnits[1].at(q, t, columns)
	given := here
	if s.flows[0].arch.Level[2].Passes != [model.Dims]bool{} {
		given = s.ofLine[0].at(p, r, rows) * s.ofLine[1].at(q, t, columns)
	}
	s.addInputs(x, here, given)
}

// addInputs adds those positions of inputs to a tile.
func (s *exact) addInputs(x *unitTile, here, given float64) {
	far, near := &s.flows[0].arch.Level[1], &s.flows[0].arch.Level[2]
	here *= s.planes
	x.given = s.planes * given
	x.inputsPJ = x.given*(far.ReadPJ+far.WirePJ[model.Inputs]) + here*s.copies[model.Inputs]*near.WritePJ
	x.read += x.given
	x.pj += x.inputsPJ
	x.again[model.Inputs] += x.inputsPJ
}

// lineRamp is the ramp of the tiles of all units.
func (s *exact) lineRamp(n *[model.Dims]int64) float64 {
	var line [model.Dims]int64
	for d := range model.Dims {
		line[d] = min(n[d]*s.sp[d], s.p.Bound[d])
	}
	return s.ramp(&line, s.port)
}

// fits reports whether a tile of an extent fits a memory.
func (s *exact) fits(level int, extent *[model.Dims]int64, partial bool) bool {
	p, width := s.p, s.p.Bytes[model.Outputs]
	if partial {
		width = p.PartialBytes
	}
	return p.Elements(model.Weights, extent)*p.Bytes[model.Weights]+p.Elements(model.Inputs, extent)*p.Bytes[model.Inputs]+
		p.Elements(model.Outputs, extent)*width <= s.flows[0].room(level)
}

// tile lists a tile of the local memory with every order of the loops on chip.
func (s *exact) tile(n *[model.Dims]int64, x *unitTile, least *tileCut) {
	var left [model.Dims]int64
	for d := range model.Dims {
		left[d] = model.CeilDiv(s.rest[d], n[d])
	}
	s.inputs(x, anyhow)
	x.ramp, x.roomy = s.lineRamp(n), s.fits(2, n, true)
	once, again := x.taken, x.again
	for i := range s.flows {
		x.flow, x.taken, x.again = uint8(i), once, again
		back := false
		for o := range model.Operands {
			x.has[o], x.outside[o] = reused(o, &s.flows[i].order, n)
			if !x.has[o] {
				x.again[o] += s.registers[o]
				continue
			}
			more := x.outside[o]*without(o, &left) - 1
			x.pj += more * s.registers[o]
			back = back || o == model.Outputs && more > 0
		}
		if x.value = s.bound(least, x); x.value < s.limit && (x.roomy || !back) {
			s.tiles = append(s.tiles, *x)
		}
	}
}

// ramp returns the time of the first tile's way in and the last one's way out.
func (s *exact) ramp(extent *[model.Dims]int64, perByte float64) float64 {
	p := s.p
	in := p.Elements(model.Weights, extent)*p.Bytes[model.Weights] + p.Elements(model.Inputs, extent)*p.Bytes[model.Inputs]
	out := p.Elements(model.Outputs, extent) * p.Bytes[model.Outputs]
	return math.Ceil(float64(in)*perByte*margin) + math.Ceil(float64(out)*perByte*margin)
}

// reused returns whether one of the loops of a level has several steps and an operand, and
// the steps of those without it outside the innermost such one.
func reused(o model.Operand, order *[model.Dims]model.Dim, n *[model.Dims]int64) (has bool, outside float64) {
	outside = 1
	for i := len(order) - 1; i >= 0; i-- {
		switch d := order[i]; {
		case n[d] == 1:
		case model.Relevant(o, d):
			has = true
		case has:
			outside *= float64(n[d])
		}
	}
	return has, outside
}

// cutDims is the order in which numbers of tiles are chosen.
var cutDims = [...]model.Dim{model.K, model.C, model.R, model.S, model.P, model.Q, model.N, model.G}

// listCuts lists the cuts into tiles of the shared memory that leave hope; so many numbers are chosen, the others
// are one in n, and extent has the least tiles of them.
func (s *exact) listCuts(chosen int, n, extent *[model.Dims]int64, x *tileCut, least *unitTile) {
	if chosen == len(cutDims) {
		s.cut(n, extent, x, least)
		return
	}
	d := cutDims[chosen]
	c := &s.dims[d]
	for i := range c.counts {
		n[d], extent[d], x.at[d] = c.counts[i], c.extent[i], uint16(i)
		if !s.fits(1, extent, false) {
			continue
		}
		if len(c.counts) > 1 {
			value, hope := s.lowest(n, x, least, s.ramp(extent, s.io)*margin)
			if value >= s.limit {
				break // more tiles take no less
			}
			if !hope {
				continue
			}
		}
		s.listCuts(chosen+1, n, extent, x, least)
	}
	n[d], extent[d], x.at[d] = 1, c.extent[len(c.extent)-1], 0
}

// lowest returns a bound of cuts with as many tiles or more, but for what passes the interface first and last. With that,
// the ramp, it says whether it leaves hope: the first operand that may stay and does ends the search, and the bound is its own.
func (s *exact) lowest(n *[model.Dims]int64, x *tileCut, least *unitTile, ramp float64) (value float64, hope bool) {
	for o := range model.Operands {
		x.steps[o] = without(o, n)
	}
	in := s.planes * s.ofShared[0].at(x.at[model.P], x.at[model.R], orSmall) * s.ofShared[1].at(x.at[model.Q], x.at[model.S], orSmall)
	value = math.Inf(1)
	for stays := range model.Operands {
		x.comes = x.steps
		x.comes[stays] = 1
		s.price(x, in, float64(s.fixed*steps(n)))
		if value = min(value, s.bound(x, least)); value+ramp < s.limit {
			return value, true
		}
	}
	return value, false
}

// price sets what a cut takes of which inputs come some bytes each time.
func (s *exact) price(x *tileCut, inputs, ramp float64) {
	dram, far := &s.flows[0].arch.Level[0], &s.flows[0].arch.Level[1]
	again := (x.comes[model.Outputs] - 1) * s.sums
	in := s.bytes[model.Weights]*x.comes[model.Weights] + x.comes[model.Inputs]*inputs
	out := s.bytes[model.Outputs]
	x.taken = taken{
		io: in + out + 2*again, written: in + again, read: out + again, ramp: ramp,
		pj: (in+again)*(dram.ReadPJ+far.WritePJ) + (out+again)*(dram.WritePJ+far.ReadPJ),
	}
}

// cut lists a cut with each innermost loop: those that have not the same operand stand next to it,
// and no other order of the loops over tiles makes one come less often.
func (s *exact) cut(n, extent *[model.Dims]int64, x *tileCut, least *unitTile) {
	for o := range model.Operands {
		x.steps[o] = without(o, n)
	}
	ramp := s.ramp(extent, s.io) + float64(s.fixed*steps(n))
	for _, x.last = range [...]model.Dim{model.K, model.C, model.P, model.Q, model.R, model.S, model.N} {
		if x.last != model.N && n[x.last] == 1 {
			continue
		}
		x.comes = x.steps
		switch x.last {
		case model.K:
			x.comes[model.Inputs] = 1
		case model.C, model.R, model.S:
			x.comes[model.Outputs] = 1
		case model.P, model.Q:
			x.comes[model.Weights] = 1
			if n[model.K] > 1 || x.steps[model.Outputs] > 1 {
				x.comes[model.Weights] = float64(n[model.N])
			}
		default:
			if x.steps[model.Inputs]*x.steps[model.Outputs]*float64(n[model.P]*n[model.Q]) > 1 {
				return
			}
			x.comes[model.Weights] = 1
		}
		if x.comes[model.Outputs] > 1 && !s.fits(1, extent, true) {
			continue
		}
		s.price(x, s.planes*s.ofShared[0].at(x.at[model.P], x.at[model.R], along(0, x.last))*s.ofShared[1].at(x.at[model.Q], x.at[model.S], along(1, x.last)), ramp)
		if x.value = s.bound(x, least); x.value < s.limit {
			s.cuts = append(s.cuts, *x)
		}
	}
}

// lastOrders are orders of the loops over tiles by the innermost one.
var lastOrders = [model.Dims][model.Dims]model.Dim{
	model.N: {model.G, model.N, model.K, model.C, model.P, model.Q, model.R, model.S},
	model.K: {model.G, model.N, model.P, model.Q, model.C, model.R, model.S, model.K},
	model.C: {model.G, model.N, model.K, model.P, model.Q, model.R, model.S, model.C},
	model.P: {model.G, model.N, model.K, model.C, model.R, model.S, model.Q, model.P},
	model.Q: {model.G, model.N, model.K, model.C, model.R, model.S, model.P, model.Q},
	model.R: {model.G, model.N, model.K, model.P, model.Q, model.C, model.S, model.R},
	model.S: {model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
}

// pair evaluates the mapping of a cut and a tile, if it may win.
func (s *exact) pair(x *tileCut, y *unitTile) {
	var n [model.Dims]int64
	for d := range model.Dims {
		if n[d] = s.between[d][y.at[d]]; n[d] < 0 {
			return
		}
	}
	order := &s.flows[y.flow].order
	comes := x.comes
	for o := range model.Operands {
		if has, outside := reused(o, order, &n); has {
			comes[o] = x.steps[o] * outside
		}
	}
	back := comes[model.Outputs]
	if y.has[model.Outputs] {
		back = x.steps[model.Outputs] * without(model.Outputs, &n) * y.outside[model.Outputs]
	}
	if back > 1 && !y.roomy || s.together(x, y, &comes) >= s.limit {
		return
	}
	var extent [model.Dims]int64
	m := &s.way
	for d := range model.Dims {
		c := &s.dims[d]
		m.Loops[0].Temporal[d], m.Loops[1].Temporal[d], m.Loops[2].Temporal[d] = c.counts[x.at[d]], n[d], c.sizes[y.at[d]]
		extent[d] = min(n[d]*c.sizes[y.at[d]]*s.sp[d], s.p.Bound[d])
	}
	if !s.fits(1, &extent, comes[model.Outputs] > 1) {
		return
	}
	whole, tile := *x, *y
	whole.ramp = s.ramp(&extent, s.io) + float64(s.fixed*steps(&m.Loops[0].Temporal))
	last := innermost(order, &n, x.last)
	times := n[last]
	if times == 1 {
		times = m.Loops[0].Temporal[last]
	}
	s.slide(&tile, last, times)
	if s.together(&whole, &tile, &comes) >= s.limit {
		return
	}
	m.Loops[0].Order, m.Loops[1].Order, m.Loops[2].Order = lastOrders[x.last], *order, *order
	s.evaluated++
	r := model.Eval(s.p, &s.flows[0].arch, m)
	c := s.flows[0].costOf(s.p, m, &r, s.fixed)
	if v := s.goal.of(&c); v < s.limit {
		s.best, s.limit = found{*m, c, v, true}, v*margin
	}
}
