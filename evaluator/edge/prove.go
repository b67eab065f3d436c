package edge

import (
	"math"

	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// Stages of a proof: what the time of a mapped layer cannot beat, what the
// mapping depends on beyond that, and what only the network pass sees.
const (
	stageArray = iota
	stageMapping
	stageNetwork
)

// Stages implements frame.Bounded.
func (b *taskModel) Stages() [][]int {
	return [][]int{
		stageArray:   {0, 1, 3, 5, 9}, // pes_x, pes_y, cores, lanes, io_bandwidth
		stageMapping: {2, 4},          // pe_memory, core_memory
		stageNetwork: {6, 7, 8},       // the chip-level memories
	}
}

// NewProbe implements frame.Bounded.
func (b *taskModel) NewProbe(energy bool) frame.Probe {
	return &probe{
		b: b, energy: energy, scratch: *b.newScratch(),
		ideal: make([]layerCost, len(b.shapes)), least: make([]frame.Totals, len(b.nets)),
	}
}

// probe implements frame.Probe.
//
// Time is bounded on the chip of the largest values, because more memory never
// slows a layer or the network down; energy with the counts of that chip and the
// least energies of the memories that are open, because a memory may cost less per
// access than a smaller one.
type probe struct {
	b          *taskModel
	energy     bool
	lowMachine machine
	scratch
	ideal   []layerCost // that no mapping beats on the array or a part of it
	idealOf [4]int64    // the array that ideal was computed for
	least   []frame.Totals
}

// Fix implements frame.Probe.
func (p *probe) Fix(stage int, lowest, largest *frame.Design, all []frame.Totals) (frame.Machine, bool) {
	b := p.b
	low, high := b.chip(lowest), b.chip(largest)
	// A rule that rejects the largest completion rejects all: every rule asks for
	// memory, and what it asks for follows from the array.
	if _, _, broken := b.firstBroken(&high); broken {
		return frame.Machine{}, false
	}
	var ok bool
	switch stage {
	case stageArray:
		b.sizer.prepare(&p.whole, &high)
		p.machine = p.whole
		ok = p.anyPart(&p.machine, &low)
	case stageMapping:
		b.sizer.prepare(&p.whole, &high)
		ok = p.mapped(&low)
	default: // complete
		if p.energy {
			b.sizer.prepare(&p.whole, &high)
		}
		p.whole.chip = high
		ok = b.networks(&p.scratch, p.energy) == nil
	}
	if !ok {
		return frame.Machine{}, false
	}
	copy(all, p.totals)
	return b.machine(&low), true
}

// mapped bounds by the mapped layers of the whole array, whose program must fit,
// and by what no part of the array gets below.
func (p *probe) mapped(low *chip) bool {
	b := p.b
	b.cache.mapAll(&p.whole, b.shapes, p.costs)
	if !p.bound(&p.whole, p.costs, low, false) {
		return false
	}
	copy(p.least, p.totals)
	for h := range halves {
		m := &p.machine
		*m = p.whole
		if !m.halve(h) {
			continue
		}
		if p.anyPart(m, low) {
			for i, t := range p.totals {
				p.least[i].Cycles = min(p.least[i].Cycles, t.Cycles)
				p.least[i].Seconds = min(p.least[i].Seconds, t.Seconds)
				p.least[i].Joules = min(p.least[i].Joules, t.Joules) // both NaN without energy
			}
		}
	}
	copy(p.totals, p.least)
	return true
}

// anyPart bounds by what no mapping on the array or a part of it gets below.
func (p *probe) anyPart(m *machine, low *chip) bool {
	array := [4]int64{m.PEsX, m.PEsY, m.Cores, m.Lanes}
	if p.idealOf != array {
		p.idealOf = array
		p.b.cache.bounds(m, p.b.shapes, p.ideal)
	}
	m.anyLanes = true
	return p.bound(m, p.ideal, low, true)
}

// quickest returns a time on chip that no mapping of a layer gets below, on the
// array or a part of it.
func (m *machine) quickest(s *shape) int64 {
	ramp := 4*m.hopCycles + m.tileCycles // one PE's way
	if s.vector {
		var c layerCost
		m.vectorCost(s, &c)
		return max(c.compute, c.port, c.bus) + ramp
	}
	q := search{m: m, s: s}
	var list [maxUnrollings]unrolling
	n := q.unrollings(&list)
	least := list[0].steps
	for i := range list[:n] {
		least = min(least, list[i].steps)
	}
	b := &s.p.Bound
	// One read serves what a PE does with it in a step.
	reads := s.macs / b[s.channel] * model.CeilDiv(b[s.channel], m.Cores*m.Lanes)
	if s.channel == model.G {
		reads = s.macs
	}
	busiest := max(s.size(model.Inputs, reads), s.size(model.Outputs, s.outputs))
	port := model.CeilDiv(model.CeilDiv(busiest, m.PEs()), m.portBytes)
	bus := model.CeilDiv(s.filters, m.busBytes)
	return max(m.issued(least), port, bus) + ramp + model.CeilDiv(s.window, m.busBytes) + (s.groupSteps()-1)*m.tileCycles
}

// roundOff makes up for the rounding of sums, whose relative errors are below
// 1e-12.
const roundOff = 1 - 1e-9

// bound writes the totals that the layers' costs bound, or reports that no
// program fits. Of any part of the array the way to it may be one hop.
func (p *probe) bound(m *machine, costs []layerCost, low *chip, anyPart bool) bool {
	b := p.b
	if p.energy {
		b.sizer.prepareLeast(&p.lowMachine, low, &p.whole.chip)
		if anyPart {
			p.lowMachine.PEsX, p.lowMachine.PEsY = 1, 1
			p.lowMachine.addHops()
		}
	}
	p.totals = p.totals[:0]
	for i := range b.nets {
		net := &b.nets[i]
		p.reserve(len(net.layers))
		if !net.program(m, costs, p.steps) {
			return false
		}
		t := frame.Totals{Cycles: net.least(m, b.shapes, costs, p.steps), Joules: math.NaN()}
		t.Seconds = float64(t.Cycles) / float64(m.clock())
		if p.energy {
			e := net.energy(&p.lowMachine, b.shapes, costs, p.steps, t.Seconds)
			t.Joules = e.total() * roundOff
		}
		p.totals = append(p.totals, t)
	}
	return true
}

// least returns cycles that no order of off-chip transfers gets below, and
// leaves in each step what crosses the border. m has the largest parameter memory,
// steps the fewest bands, tiles and entries.
//
// A layer lasts at least its time on chip and that of the activations that cross. Up to the end
// of a layer, everything that it and the layers before it need from off-chip
// has passed the interface, which rests while layers start; and of what the
// layers from any j on need, all but a full parameter memory has passed it
// since j began.
func (net *network) least(m *machine, shapes []shape, costs []layerCost, steps []step) int64 {
	capacity := m.ParameterMemory * m.parameterEntryBytes
	var busy, bytes int64
	var out outside
	var ahead int64 // the most that busy time is ahead of transfers at the start of a layer, in bytes x milli
	for i := range net.layers {
		y, st := &net.layers[i], &steps[i]
		s, cost := &shapes[y.shape], &costs[y.shape]
		st.cross(y, m.spill(y, cost, &out))
		onChip := cost.cycles + st.bands*m.bandCycles + st.rolled*m.loopCycles
		ahead = max(ahead, busy*m.ioRate-bytes*milli)
		bytes += s.weights + st.entries*m.instructionEntryBytes + st.border
		passed := max(bytes*milli, ahead+(bytes-capacity)*milli)
		busy = max(busy+max(onChip, model.CeilDiv(st.border*milli, m.ioRate)), model.CeilDiv(passed, m.ioRate))
	}
	return busy + int64(len(net.layers))*m.layerCycles
}
