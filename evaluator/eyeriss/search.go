package eyeriss

import (
	"math"

	"apollo/evaluator/model"
)

// Worth says what a search minimises: the time plus CyclesPerEnergy times the
// energy, or the product of both where it is 0.
type Worth struct {
	CyclesPerEnergy float64
	// Product, OffChip, Buffer, Network and Pad are the energies of a
	// multiply-accumulate, of a word off chip, in and out of the buffer and over
	// the buses, and of an access of a scratchpad, in one unit.
	Product, OffChip, Buffer, Network, Pad float64
	// OffChipCycles is the time of a word off chip, beside the rest; 0 in the
	// source.
	OffChipCycles float64
}

// Published is what the source minimises: energy, in units of a
// multiply-accumulate, times delay.
func Published() Worth {
	return Worth{Product: 1, OffChip: offChipEnergy, Buffer: bufferEnergy, Pad: padEnergy}
}

// of returns the value of an energy and a time. It falls with neither.
func (w *Worth) of(energy, cycles float64) float64 {
	if w.CyclesPerEnergy == 0 {
		return energy * cycles
	}
	return cycles + w.CyclesPerEnergy*energy
}

// value returns the value of a cost.
func (w *Worth) value(x *Cost, macs int64) float64 {
	energy := float64(macs)*w.Product + float64(x.OffChip)*w.OffChip + float64(x.Buffer)*w.Buffer + float64(x.Network)*w.Network + float64(x.Pad)*w.Pad
	return w.of(energy, max(float64(x.Cycles), math.Ceil(float64(x.OffChip)*w.OffChipCycles)))
}

// Map returns the mapping of least value; false when the filter rows of the
// problem fit no element, the grid has too few rows for its filter columns, or
// the buffer holds no row of outputs with its inputs.
//
// It is a search over images, rows, and channels of a pass in which every choice
// is left as soon as no completion of it can beat the best mapping so far.
func (c *Chip) Map(p *model.Problem, w *Worth) (Cost, bool) {
	return c.MapNarrow(p, w, math.MaxInt64)
}

// MapNarrow is Map with passes of at most so many input channels, to compare with
// mappings of others that have these.
func (c *Chip) MapNarrow(p *model.Problem, w *Worth, channels int64) (Cost, bool) {
	s := search{c: c, w: w, l: newLayer(p), most: channels, best: math.Inf(1)}
	s.macs = s.l.macs()
	l := &s.l
	if l.s > c.InputWords || l.s > c.FilterWords || l.r > c.Rows {
		return Cost{}, false
	}
	// The strip with the least bound first: what it finds rules out most others.
	first, least := int64(0), math.Inf(1)
	fewest := fewestParts(l.rows, c.Cols*max(c.Rows/l.r, 1))
	for strips := fewest; strips > 0; strips = model.NextParts(l.rows, strips) {
		if v := s.strip(1, model.CeilDiv(l.rows, strips)); v < least {
			first, least = strips, v
		}
	}
	for n := int64(1); n <= l.images; n++ {
		if l.images%n != 0 {
			continue
		}
		if first > 0 {
			s.channels(n, model.CeilDiv(l.rows, first))
		}
		for strips := fewest; strips > 0; strips = model.NextParts(l.rows, strips) {
			if strips != first {
				s.channels(n, model.CeilDiv(l.rows, strips))
			}
		}
	}
	return s.found, !math.IsInf(s.best, 1)
}

// search is the state of mapping one layer.
type search struct {
	c     *Chip
	w     *Worth
	l     layer
	macs  int64
	most  int64 // input channels of a pass
	found Cost
	best  float64
	// at is what is fixed of a pass.
	at pass
}

// pass is a pass whose images and rows are fixed.
type pass struct {
	n, e, sets, room int64
	// window is the inputs of one channel, row the outputs of one.
	window, row int64
	// The time of a unit of work, of an input and of a sum that enters or leaves
	// the grid while nothing else goes on, and of all filters; of the other inputs and
	// sums, which pass during work; likewise the energy. outside are the words of
	// a pass over all inputs outside, once those that are the same in all.
	workCycles, inputCycles, sumCycles, filterCycles float64
	inputBus, sumBus                                 float64
	inputEnergy, sumEnergy, energy                   float64
	outside, once                                    float64
}

// margin keeps the rounding of bounds from ruling out an equal mapping.
const margin = 1 - 1e-12

// on fixes images and rows, and reports whether the grid has a set for them.
func (s *search) on(n, e int64) bool {
	c, l := s.c, &s.l
	a := &s.at
	height := l.height(e)
	*a = pass{n: n, e: e, sets: c.sets(l, e), room: c.BufferBytes / WordBytes, window: n * height * l.width(), row: n * e * l.cols}
	if a.sets == 0 || a.room < a.window+a.row {
		return false
	}
	strips, images := float64(l.groups*model.CeilDiv(l.rows, e)*(l.images/n)), float64(n)
	filters := strips * float64(l.r*l.s) * float64(l.kernels*l.channels)
	bus := milli / float64(c.BusRate)
	a.workCycles = strips * images * float64(l.s*l.cols)
	a.inputCycles = strips * images * float64(height*l.s) * bus
	a.sumCycles = strips * images * float64(e) * bus
	a.filterCycles = filters * bus
	a.inputBus = strips * images * float64(height*(l.width()-l.s)) * bus
	a.sumBus = strips * images * float64(e*(l.cols-1)) * bus
	a.inputEnergy = strips * float64(a.window) * (s.w.Buffer + s.w.Network)
	a.sumEnergy = strips * float64(a.row) * 2 * (s.w.Buffer + s.w.Network)
	a.outside = strips * float64(a.window) * float64(l.channels)
	outputs := float64(l.images*l.groups*l.kernels) * float64(l.rows*l.cols)
	a.once = filters + outputs
	a.energy = float64(s.macs)*(s.w.Product+padAccesses*s.w.Pad) + filters*s.w.Network
	return true
}

// strip returns a bound for passes of n images and e rows; infinite when the
// machine has none.
func (s *search) strip(n, e int64) float64 {
	if !s.on(n, e) {
		return math.Inf(1)
	}
	l, a := &s.l, &s.at
	sums := (a.room - a.window) / a.row
	most := min(s.mostKernels(1)*a.sets, sums, l.kernels)
	channels := min(s.c.InputWords/l.s*a.sets, (a.room-a.row)/a.window, l.channels)
	work := float64(l.kernels) * float64(l.channels) / float64(a.sets)
	return s.bound(work, model.CeilDiv(l.kernels, most), model.CeilDiv(l.channels, channels), l.channels, min(sums, l.kernels))
}

// mostKernels returns how many output channels an element may have with q input
// channels.
func (s *search) mostKernels(q int64) int64 {
	return min(s.c.SumWords, s.c.FilterWords/(q*s.l.s), s.l.kernels)
}

// bound returns a value that no mapping is below whose images and rows are
// fixed: that with buses that need no whole cycles. work is the least number of
// channel pairs an element sees over all passes, overKernels and overChannels the
// least numbers of passes, channels the input channels that all passes bring,
// sums the most output channels whose sums the buffer holds.
func (s *search) bound(work float64, overKernels, overChannels, channels, sums int64) float64 {
	l, a := &s.l, &s.at
	inputs, outputs := float64(overKernels*channels), float64(overChannels*l.kernels)
	busy := max(a.workCycles*work, a.inputBus*inputs, a.sumBus*outputs)
	cycles := busy + a.inputCycles*inputs + a.sumCycles*outputs + a.filterCycles
	offChip := a.once + a.outside*float64(model.CeilDiv(l.kernels, sums))
	energy := a.energy + offChip*s.w.OffChip + a.inputEnergy*inputs + a.sumEnergy*outputs
	return s.w.of(margin*energy, math.Ceil(margin*max(cycles, offChip*s.w.OffChipCycles)))
}

// share is the input channels of an element, the sets that share the rest, and
// what no mapping with them is below.
type share struct {
	q, r  int64
	bound float64
}

// maxShares is how many shares are sorted; others are tried at once.
const maxShares = 256

// channels tries the input channels of an element and the sets that share the
// rest, those with the least bound first.
func (s *search) channels(n, e int64) {
	if v := s.strip(n, e); !(v < s.best) {
		return
	}
	var list [maxShares]share
	count := 0
	l, most := &s.l, s.c.InputWords/s.l.s
	for parts := fewestParts(l.channels, most); parts > 0; parts = model.NextParts(l.channels, parts) {
		q := model.CeilDiv(l.channels, parts)
		for over := fewestParts(parts, s.at.sets); over > 0; over = model.NextParts(parts, over) {
			r := model.CeilDiv(parts, over)
			bound := s.share(q, r)
			switch {
			case q*r > s.most:
			case !(bound < s.best):
			case count < maxShares:
				list[count] = share{q, r, bound}
				count++
			default:
				s.kernels(q, r)
			}
		}
	}
	for ; count > 0; count-- {
		least := 0
		for i := range list[:count] {
			if list[i].bound < list[least].bound {
				least = i
			}
		}
		x := list[least]
		if !(x.bound < s.best) {
			return
		}
		s.kernels(x.q, x.r)
		list[least] = list[count-1]
	}
}

// share returns a bound for a share, infinite when nothing fits beside it.
func (s *search) share(q, r int64) float64 {
	l, a := &s.l, &s.at
	most, sums := s.mostKernels(q), (a.room-q*r*a.window)/a.row
	if most == 0 || sums < 1 {
		return math.Inf(1)
	}
	over, beside := model.CeilDiv(l.channels, q*r), a.sets/r
	together := min(most*beside, sums, l.kernels)
	work := float64(over * q * model.CeilDiv(l.kernels, beside))
	return s.bound(work, model.CeilDiv(l.kernels, together), over, over*q*r, min(sums, l.kernels))
}

// kernels tries the output channels of an element. Of those side by side the
// most that fit dominate.
func (s *search) kernels(q, r int64) {
	l, a := &s.l, &s.at
	sums, beside, over := (a.room-q*r*a.window)/a.row, a.sets/r, model.CeilDiv(l.channels, q*r)
	m := Mapping{E: a.e, Q: q, R: r, N: a.n}
	for steps := fewestParts(l.kernels, min(s.mostKernels(q), sums)); steps > 0; steps = model.NextParts(l.kernels, steps) {
		m.P = model.CeilDiv(l.kernels, steps)
		passes := model.CeilDiv(steps, min(beside, sums/m.P))
		if !(s.bound(float64(passes*m.P*over*q), passes, over, over*q*r, min(sums, l.kernels)) < s.best) {
			continue
		}
		m.T = model.CeilDiv(steps, passes)
		m.M = min(sums/(m.P*m.T), passes) * m.P * m.T
		x := s.c.cost(l, m)
		if v := s.w.value(&x, s.macs); v < s.best {
			s.best, s.found = v, x
		}
	}
}

// fewestParts returns the least number of parts of n of which none is larger
// than most; 0 when most is.
func fewestParts(n, most int64) int64 {
	if most < 1 {
		return 0
	}
	return model.CeilDiv(n, most)
}
