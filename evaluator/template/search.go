package template

import (
	"slices"
	"sync"

	"apollo/evaluator/model"
)

// search is the state of mapping one layer: a walk over ways to spread it and
// over numbers of tiles. A closed form bounds the cost of each from below, and
// the core evaluates what is bounded below the best so far.
type search struct {
	state
	// tried are the ways that are known, cuts those of the pixels of the way that is being
	// searched, counts its numbers of tiles over groups, input channels and output channels,
	// open what of it is not searched yet.
	tried  waysOf
	cuts   cutsOf
	counts [3]counts
	open   nodes
}

// searches are kept: their lists need not be cleared for the next layer.
var searches = sync.Pool{New: func() any { return new(search) }}

// searchOf returns a search of mappings whose value is below the limit.
func searchOf(l *loops, p *model.Problem, g goal, limit float64) *search {
	s := searches.Get().(*search)
	s.state = state{l: l, p: p, goal: g, limit: limit}
	s.tried.count, s.tried.searched, s.cuts.count, s.open.count = 0, 0, 0, 0
	for i := range s.counts {
		s.counts[i].of = 0
	}
	return s
}

// state is what a search has beside its lists.
type state struct {
	l    *loops
	p    *model.Problem
	goal goal
	// perByte is the cycles of a byte over the interface.
	perByte float64
	// bytes are the operands' sizes, inputs as far as windows touch them; sums
	// is the size of all partial sums.
	bytes [model.Operands]int64
	sums  int64
	// once is what crosses the interface at least, in bytes.
	once float64
	// least is what the interface and the energy take at least.
	least struct{ cycles, pj float64 }
	// edges is the time of all that the first and the last tile pass over the interface
	// while nothing else goes on, if there is one tile, outs that of outputs; fillings
	// is how many tiles fill the buffer.
	edges, outs, fillings float64
	// gaps says that windows leave rows or columns of the inputs out.
	gaps bool
	// taps are the steps of a window that a level inside the units' neighbours runs.
	taps int64
	// room is what a tile may have of the buffer.
	room int64
	// holder is, of each operand, the outermost level on chip that keeps it,
	// next the one inside it where the buffer is that level and the buffer's port
	// has to pass the operand on each time that it comes there, else 0.
	holder, next [model.Operands]int
	// passes says that the weights' holder has loops of the inner level inside it,
	// so that weights can pass it.
	passes bool
	// drains says that the inner level keeps sums alone, of which those of an output
	// channel complete before the next one's begin.
	drains bool
	// toHolder and toNext are what the loops between do under the mapping that is
	// tried.
	toHolder, toNext [model.Operands]again
	// slides says that tiles of the level inside the buffer bring fewer inputs where
	// one slides into the next: loops over channels between them cost.
	slides bool
	// nears says that a level inside the buffer keeps inputs.
	nears bool
	// ported says that the buffer's port has a rate.
	ported bool
	// first says of which operands the first or the last tile of the buffer passes the
	// interface as a whole while nothing else goes on.
	first [model.Operands]bool
	// shared are the spatial loops of a way that is offered.
	shared [maxShares]share
	// wires are the alternatives that differ in more than their instances.
	wires  [maxWires]alternative
	differ int
	// at is the way to spread that is being searched.
	at   ways
	best found
	// bestWay is how the best mapping spreads the layer.
	bestWay way
	// bestCompute is the time of its units, bestFixed the array's fill and drain per tile.
	bestCompute, bestFixed int64
	// limit is what a bound has to beat; exhaustive searches leave it where it is, so that
	// bounds leave nothing out.
	limit      float64
	exhaustive bool
	// gain is the share that ways on fewer units have to save at least.
	gain float64
	// saving says that what is hardly faster takes no more energy than it saves time.
	saving bool
	// spreadable are the loops over instances of all wires, busy says that units of the best
	// mapping take more time than the interface does at least.
	spreadable uint64
	busy       bool
	// wait is what nothing hides of the best mapping; inPlace says that the one that is tried has its
	// tiles of the buffer.
	wait           float64
	inPlace, waits bool
	// m is the mapping that is tried, whole the steps of one of its tiles.
	m      model.Mapping
	whole  [model.Dims]int64
	result model.Result
	// fill and drain are the ramp of the mapping that is tried, in any order of its
	// tiles.
	fill, drain [model.MaxLevels]int64
}

// found is the best mapping so far; its value is what the search minimises.
type found struct {
	m     model.Mapping
	cost  Cost
	value float64
	any   bool
}

// keep keeps the mapping that was evaluated last as the best.
func (s *search) keep(c *Cost, value float64, fixed int64) {
	s.best, s.bestCompute, s.bestFixed = found{s.m, *c, value, true}, s.result.ComputeCycles, fixed
	s.wait = float64(fixed*steps(&s.m.Loops[0].Temporal) + s.result.FillCycles + s.result.DrainCycles)
}

// inside says which loops of the inner level go to the buffer.
type inside int

const (
	// pixelsLeave and channelsLeave: those of tiles that do not fit, over pixels
	// or over output channels first.
	pixelsLeave inside = iota
	channelsLeave
	// weightsPass: all over output channels, so that the weights' holder has few
	// at a time and the first are there early.
	weightsPass
	// sumsPass: all over output channels of which a tile has all input channels, so that
	// the sums' holder has those of one step and the last are out early.
	sumsPass
)

// Find implements Dataflow.
func (l *loops) Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit) {
	time := g.cyclesPerPJ == 0
	g = g.on(p, &l.arch)
	s := searchOf(l, p, g, g.limit())
	s.gain = gain
	defer searches.Put(s)
	if s.run(); !s.best.any {
		return Cost{}, s.misfit()
	}
	s.polish(time)
	*m = s.best.m
	return s.best.cost, nil
}

// run searches mappings whose value is below the limit.
func (s *search) run() {
	const milli = 1000
	l, p := s.l, s.p
	s.perByte = milli / float64(l.arch.Level[0].ReadRate)
	s.taps = 1
	if l.window > 0 {
		s.taps = p.Bound[model.R] * p.Bound[model.S]
	}
	for o := range model.Operands {
		s.bytes[o] = p.Elements(o, &p.Bound) * p.Bytes[o]
		for s.holder[o] = 1; !l.arch.Level[s.holder[o]].Keeps[o]; {
			s.holder[o]++
		}
	}
	s.gaps = (p.Bound[model.R]-1)*p.Dilation[0]+1 < p.Stride[0] || (p.Bound[model.S]-1)*p.Dilation[1]+1 < p.Stride[1]
	s.bytes[model.Inputs] = min(s.bytes[model.Inputs], touched(p)*p.Bytes[model.Inputs])
	for o := range model.Operands {
		if i := s.holder[o] + 1; s.holder[o] == 1 {
			for ; i < l.arch.Levels && !l.arch.Level[i].Keeps[o]; i++ {
			}
			// Inner loops that bring a window's inputs again are in ways.read.
			if i < l.arch.Levels && (i != l.window || o != model.Inputs) && l.arch.Level[1].ReadRate > 0 {
				s.next[o], s.ported = i, true
			}
		}
	}
	s.passes = s.holder[model.Weights] > 1 && s.holder[model.Weights] <= l.inner && slices.Contains(l.innerDims, model.K)
	keeps := &l.arch.Level[l.inner].Keeps
	s.drains = l.inner > 1 && keeps[model.Outputs] && !keeps[model.Weights] && !keeps[model.Inputs] && l.outside(model.K)
	s.slides = s.next[model.Inputs] > 0 && p.Bound[model.R]*p.Bound[model.S] > 1
	for i := 2; i < l.arch.Levels; i++ {
		s.nears = s.nears || l.arch.Level[i].Keeps[model.Inputs]
	}
	s.room = l.room(1)
	for o := range model.Operands {
		s.first[o] = s.holder[o] == 1 && (o != model.Outputs || !l.arch.Level[1].Forwards)
	}
	var kept int64
	for o := range model.Operands {
		if s.first[o] {
			s.edges += s.io(s.bytes[o])
		}
		if l.arch.Level[1].Keeps[o] {
			kept += s.bytes[o]
		}
	}
	if s.first[model.Outputs] {
		s.outs = s.io(s.bytes[model.Outputs])
	}
	s.fillings = float64(kept) / float64(s.room)
	s.sums = p.Elements(model.Outputs, &p.Bound) * p.PartialBytes
	once := s.compulsory()
	s.once = float64(once)
	s.least.cycles, s.least.pj = s.io(once), float64(s.p.MACs())*l.arch.MACPJ+float64(once)*l.arch.Level[0].ReadPJ
	s.wire()
	s.full()
	if s.best.any {
		s.limit *= 1 - s.gain
	}
	s.fewer()
}

// maxWires is room for alternatives that differ in more than their instances.
const maxWires = 24

// wire lists them.
func (s *search) wire() {
	for _, list := range s.l.spreads {
		if !slices.ContainsFunc(s.wires[:s.differ], func(x alternative) bool { return sameLoops(x.list, list) }) {
			s.wires[s.differ] = alternative{list, loopsOf(list)}
			s.differ++
		}
	}
}

// eval evaluates the mapping that is tried.
func (s *search) eval() {
	s.result.EvalRamped(s.p, &s.l.arch, &s.m, &s.fill, &s.drain)
	cost := s.l.costOf(s.p, &s.m, &s.result, s.at.fixed)
	if s.wasteful(&cost) {
		return
	}
	if v := s.goal.of(&cost); v < s.limit && (!s.best.any || v < s.best.value*margin) {
		s.keep(&cost, v, s.at.fixed)
		s.bestWay = s.at.way
		if !s.exhaustive {
			s.limit = v * margin
		}
	}
}
