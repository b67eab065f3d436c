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
	// fixed is the array's fill and drain per tile, in cycles.
	fixed int64
	// key is the same for ways that spread the layer over the same instances.
	key uint64
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
	// onChip is what the numbers of tiles that are tried take at least: any that any take, some
	// that those take which have several steps of input channels.
	onChip
	any, some onChip
	// ramp is a bound of what the first tile's way in and the last one's way out
	// take on chip; fits is how much of an operand the holder's instances hold
	// together.
	ramp float64
	fits [model.Operands]int64
	// apart are the steps of groups and images whose loops are outside the
	// holder of an operand, 1 for one that the buffer keeps.
	apart [model.Operands]int64
	// least is a bound of the bytes of weights that a holder inside the buffer gets
	// first where loops over them leave it, MaxInt64 where none has to.
	least int64
	// early is the time over the interface of all weights of which a tile's come first, of
	// those that pass of one step: 0 where the buffer keeps them.
	early float64
	// complete says that outputs reach the buffer only when they are complete,
	// unless input channels are in several tiles.
	complete bool
	// priced says that what is on chip, and complete, are those of one tile.
	priced bool
}

// onChip is a bound of what a way takes on chip.
type onChip struct {
	// cycles and pj are the time and the energy, without the interface.
	cycles, pj float64
	// read and written are the bytes that the buffer gives and takes.
	read, written int64
}

// with sets what so many tiles over input channels take.
func (x *ways) with(nc int64) {
	if x.onChip = x.any; nc < x.rest[model.C] {
		x.onChip = x.some
	}
}

// waysOf are the ways of a layer that may win, those that were searched first.
type waysOf struct {
	list [maxWays]way
	// value are the bounds of what they cost.
	value           [maxWays]float64
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
	if len(s.l.idle) == 0 {
		return
	}
	for i, list := range s.l.spreads {
		_, rest := s.l.shares(s.p, list, &way{}, &s.shared)
		for _, d := range s.l.idle {
			if rest[d] < s.p.Bound[d] {
				s.idle(i, d, &rest)
			}
		}
	}
	s.ways()
}

// idle lists ways with one dimension on all of its instances, half of them and so on, with
// steps of five and six quarters of those; rest is what remains on all instances.
func (s *search) idle(spread int, d model.Dim, rest *[model.Dims]int64) {
	list := s.l.spreads[spread]
	others, instances, first, axes := *rest, int64(1), int64(1), 0
	others[d] = 1
	for i := range list {
		if slices.Contains(list[i].Dims, d) {
			if axes == 0 {
				first = list[i].Limit
			}
			instances *= list[i].Limit
			axes++
		}
		for at, x := range list[i].Dims {
			if x == d || d == model.K && x == model.C && s.l.halvings > 0 {
				// The next dimensions take what this one leaves.
				for _, next := range list[i].Dims[at+1:] {
					others[next] = 1
				}
			}
		}
	}
	bound, last, least := s.p.Bound[d], rest[d], steps(&others)
	if axes > 1 {
		w := way{spread: spread, even: true}
		next := instances / first
		w.most[d] = model.CeilDiv(model.CeilDiv(bound, last), next) * next
		s.offer(&w)
	}
	for halved := 0; last < bound; halved++ {
		all := model.CeilDiv(bound, max(instances>>halved, 1))
		for quarters := int64(4); quarters <= 6; quarters++ {
			n, single := min(model.CeilDiv(all*quarters, 4), bound), quarters == 5
			if n <= last || single && (halved > 1 || n == min(model.CeilDiv(all*6, 4), bound)) {
				continue
			}
			last = n
			most := model.CeilDiv(bound, n)
			w := way{spread: spread, steps: least * model.CeilDiv(bound, most)}
			if s.goal.value(s.floor(&w)) >= s.limit {
				return
			}
			w.most[d], w.single = most, single && (d == model.K || d == model.C)
			few := w.steps
			if s.offer(&w); d == model.K && !w.single {
				s.halves(w, model.C, rest[model.C], few, s.l.halvings)
			} else if d == model.P {
				s.halves(w, model.Q, rest[model.Q], few, s.l.meshHalvings)
			}
			if axes > 1 {
				w.even = true
				s.offer(&w)
			}
		}
	}
}

// halves lists a way with another dimension on halves of its instances too; steps is the least of
// the way with all of them.
func (s *search) halves(w way, d model.Dim, rest, steps int64, times int) {
	bound := s.p.Bound[d]
	steps /= rest
	for range times {
		if rest == bound {
			return
		}
		rest = min(2*rest, bound)
		w.most[d] = model.CeilDiv(bound, rest)
		if w.steps = steps * model.CeilDiv(bound, w.most[d]); s.goal.value(s.floor(&w)) >= s.limit {
			return
		}
		s.offer(&w)
	}
}

// offer lists a way, if it leaves hope and is not known.
func (s *search) offer(w *way) {
	count, rest := s.l.shares(s.p, s.l.spreads[w.spread], w, &s.shared)
	w.steps = steps(&rest)
	cycles, pj := s.floor(w)
	if s.goal.value(cycles, pj) >= s.limit {
		return
	}
	shared := s.shared[:count]
	w.key = 0
	for i := range shared {
		w.key += shared[i].key()
	}
	x := &s.tried
	same := x.count
	for i := range x.list[:x.count] {
		if known := &x.list[i]; known.key == w.key && (w.single || !known.single) {
			return
		} else if known.key == w.key && i >= x.searched {
			same = i
			break
		}
	}
	w.fixed = math.MaxInt64
	for i := range s.wires[:s.differ] {
		w.fixed = min(w.fixed, s.wires[i].fixed(shared))
	}
	edge := s.ends(w.fixed, 1, s.edges)
	if s.goal.value(cycles+edge, pj) >= s.limit {
		return
	}
	value := s.goal.value(cycles+max(edge, s.smallest(shared)+float64(w.fixed)), pj)
	if value >= s.limit {
		return
	}
	if same < x.count {
		x.list[same], x.value[same] = *w, value
		return
	}
	if x.count == len(x.list) {
		s.ways()
		x.count, x.searched = 0, 0
	}
	x.list[x.count], x.value[x.count] = *w, value
	x.count++
}

// smallest returns a bound of what the first tile's way in and the last one's way out
// take over the interface: the smallest tile's.
func (s *search) smallest(shared []share) float64 {
	extent := s.sharedInside(shared, 0)
	var bytes int64
	for o := range model.Operands {
		if s.first[o] {
			bytes += s.p.Elements(o, &extent) * s.p.Bytes[o]
		}
	}
	if !s.first[model.Weights] {
		for i := 2; i <= s.l.inner && s.l.window == 0; i++ {
			// A window that does not fit leaves the holder.
			if inside := s.sharedInside(shared, i); s.need(i, &inside, several) > s.l.room(i) {
				return s.io(bytes)
			}
		}
		bytes += s.p.Elements(model.Weights, &extent) * s.p.Bytes[model.Weights]
	}
	return s.io(bytes)
}

// sharedInside returns the extent of one step of all dimensions and a whole window below a
// level.
func (s *search) sharedInside(shared []share, level int) [model.Dims]int64 {
	extent := [model.Dims]int64{1, 1, 1, 1, 1, 1, s.p.Bound[model.R], s.p.Bound[model.S]}
	for i := range shared {
		if x := &shared[i]; x.level >= level && x.d != model.R && x.d != model.S {
			extent[x.d] *= x.n
		}
	}
	for d := range model.Dims {
		extent[d] = min(extent[d], s.p.Bound[d])
	}
	return extent
}

// ways searches what is listed, the least bound first.
func (s *search) ways() {
	x := &s.tried
	for x.searched < x.count {
		best := x.searched
		for i := x.searched + 1; i < x.count; i++ {
			if x.value[i] < x.value[best] {
				best = i
			}
		}
		if x.value[best] >= s.limit {
			x.count = x.searched
			return
		}
		x.list[x.searched], x.list[best] = x.list[best], x.list[x.searched]
		x.value[best] = x.value[x.searched]
		w := x.list[x.searched]
		x.searched++
		s.search(&w)
	}
}

// search searches one way to spread the layer.
func (s *search) search(w *way) {
	if s.goal.value(s.floor(w)) < s.limit && s.begin(w) {
		s.tiles()
	}
}

// floor returns a time and an energy that no mapping with a way beats.
func (s *search) floor(w *way) (cycles, pj float64) {
	return max(float64(w.steps*s.taps), s.least.cycles), s.least.pj
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
	for i := l.arch.Levels - 1; i >= 0; i-- {
		for d := range model.Dims {
			x.inside[i][d] = x.inside[i+1][d] * x.spread.Loops[i].Spatial[d] * x.spread.Loops[i].Temporal[d]
		}
	}
	for d := range model.Dims {
		x.extent[d] = min(x.rest[d]*x.inside[1][d], s.p.Bound[d])
	}
}

// begin makes a way ready to search: one tile for the whole layer tells what
// stays the same for all numbers of tiles. It reports whether the least tile
// fits the inner levels.
func (s *search) begin(w *way) bool {
	l, x := s.l, &s.at
	s.ready(w)
	x.ramp = 0
	fill, drain := x.spread.Ramp(s.p, &l.arch)
	for i := 1; i < l.arch.Levels; i++ {
		x.ramp += float64(fill[i] + drain[i])
	}
	x.early, x.least = 0, math.MaxInt64
	cycles, pj := s.floor(w)
	if s.goal.value(cycles+x.ramp+s.edge(1, 0), pj) >= s.limit {
		return false
	}
	for o := range model.Operands {
		x.fits[o], x.apart[o] = s.most(o), s.apart(o)
	}
	if s.holder[model.Weights] > 1 {
		x.least = s.leastWeights()
		x.early = s.io(s.bytes[model.Weights]) / float64(x.apart[model.Weights])
		if s.passes {
			x.early /= float64(x.rest[model.K])
		}
		if s.goal.value(cycles+x.ramp+s.edge(1, 0), pj) >= s.limit {
			return false
		}
	}
	for i := 2; i < l.arch.Levels; i++ {
		if s.need(i, &x.inside[i], several) > l.room(i) {
			return false
		}
	}
	x.onChip, x.complete, x.priced = onChip{cycles: float64(w.steps * s.taps), pj: float64(s.p.MACs()) * l.arch.MACPJ}, true, false
	x.any, x.some = x.onChip, x.onChip
	if !s.best.any {
		s.price()
	}
	return true
}

// staying are orders of loops in which an operand stays longest: those without it are inside
// the others, and windows slide.
var staying = [model.Operands][model.Dims]model.Dim{
	model.Weights: {model.G, model.K, model.C, model.R, model.S, model.N, model.P, model.Q},
	model.Inputs:  {model.G, model.N, model.C, model.R, model.S, model.P, model.Q, model.K},
	model.Outputs: {model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
}

// price replaces the bounds of an open way by what one tile for the whole layer takes
// where each operand stays as long as it can: no numbers of tiles take less.
func (s *search) price() {
	l, x := s.l, &s.at
	x.priced = true
	p := s.closest(l.window > 0)
	s.m = x.spread
	s.cut(&[model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1})
	in, tile := &s.m.Loops[max(l.inner, 1)].Temporal, &s.m.Loops[1].Temporal
	for _, d := range [...]model.Dim{model.G, model.N} {
		tile[d], in[d] = 1, in[d]*tile[d]
	}
	s.result.EvalLeast(&p, &l.arch, &s.m, &staying)
	x.any = s.taken(&p)
	x.some = x.any
	sums := &s.result.Access[1][model.Outputs]
	x.complete = sums.Reads == 0 && sums.Fills == 0
	if l.window > 0 && x.least == math.MaxInt64 {
		// Windows do not slide where several input channels stay inside.
		p = s.closest(false)
		s.result.EvalLeast(&p, &l.arch, &s.m, &[model.Operands][model.Dims]model.Dim{l.order, l.order, l.order})
		x.some = s.taken(&p)
	}
	x.onChip = x.any
}

// taken returns what the mapping takes on chip that was evaluated last.
func (s *search) taken(p *model.Problem) onChip {
	x := onChip{cycles: float64(s.result.ComputeCycles), pj: s.result.ComputePJ}
	for i := 1; i < s.l.arch.Levels; i++ {
		x.cycles = max(x.cycles, float64(s.result.LevelCycles[i]))
		x.pj += s.result.LevelPJ[i]
	}
	x.read, x.written = s.result.Traffic(p, 1)
	return x
}

// closest returns the layer with strides and dilations with which any tile brings the least
// inputs: one of one row or column brings nothing of what lies between windows, one of one tap
// nothing of what lies between taps, and windows that slide bring what is new.
func (s *search) closest(slide bool) model.Problem {
	p := *s.p
	if slide {
		p.Stride, p.Dilation = [2]int64{1, 1}, [2]int64{}
		return p
	}
	for i, tap := range [...]model.Dim{model.R, model.S} {
		window := p.Bound[tap]
		if s.nears && s.l.window == 0 {
			window = s.at.rest[tap] // a unit has not the others' inputs
		}
		if p.Dilation[i] > 1 && s.at.rest[tap] > 1 && s.parted() {
			p.Dilation[i] = 1
		}
		p.Stride[i] = min(p.Stride[i], (window-1)*p.Dilation[i]+1)
	}
	return p
}

// parted reports whether tiles of a level inside the buffer may have a part of a window's
// inputs: loops over taps are outside the level, or leave it where the window does not fit.
func (s *search) parted() bool {
	for i := max(s.l.inner+1, 2); i < s.l.arch.Levels; i++ {
		if s.l.arch.Level[i].Keeps[model.Inputs] {
			return true
		}
	}
	return !s.stays(1, 1)
}

// leastWeights returns least of an open way.
func (s *search) leastWeights() int64 {
	x, k := &s.at, int64(1)
	if !s.passes {
		k = x.rest[model.K]
	}
	if s.stays(k, x.rest[model.C]) {
		return math.MaxInt64
	}
	extent := x.inside[1]
	if s.stays(1, 1) {
		for _, d := range [...]model.Dim{model.R, model.S} {
			extent[d] *= x.rest[d]
		}
	}
	for d := range model.Dims {
		extent[d] = min(extent[d], s.p.Bound[d])
	}
	return s.p.Elements(model.Weights, &extent) * s.p.Bytes[model.Weights]
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
