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
func (b *bound) Stages() [][]int {
	return [][]int{
		stageArray:   {0, 1, 3, 5, 9}, // pes_x, pes_y, cores, lanes, io_bandwidth
		stageMapping: {2, 4},          // pe_memory, core_memory
		stageNetwork: {6, 7, 8},       // the chip-level memories
	}
}

// NewProbe implements frame.Bounded.
func (b *bound) NewProbe(energy bool) frame.Probe {
	return &probe{
		b: b, energy: energy,
		scratch: scratch{costs: make([]layerCost, len(b.shapes))},
		ideal:   make([]layerCost, len(b.shapes)),
	}
}

// probe implements frame.Probe.
//
// Time is bounded on the chip of the largest values, because more memory never
// slows a layer or the network down; energy with the counts of that chip and the
// energies of the one of the smallest, because a larger memory costs more per
// access.
type probe struct {
	b          *bound
	energy     bool
	lowMachine machine
	scratch    // costs are those of the mapping stage
	prompt     constants
	ideal      []layerCost
	idealOf    [4]int64 // the array that ideal was computed for
}

// Memories without a limit, in bytes: every layer's weights are one tile, and
// nothing spills. Products with the numbers of PEs stay below 2^63.
const (
	endlessPEMemory   = 1 << 44
	endlessCoreMemory = 1 << 60
)

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
		p.array(&high)
		ok = p.bound(p.ideal, &low)
	case stageMapping:
		b.sizer.prepare(&p.machine, &high)
		b.cache.mapAll(&p.machine, b.shapes, p.costs)
		ok = p.bound(p.costs, &low)
	default: // complete: measured on the mapped layers
		if p.energy {
			b.sizer.prepare(&p.machine, &high)
		}
		p.machine.chip = high
		ok = b.mapped(&p.scratch, p.energy) == nil
	}
	if !ok {
		return frame.Machine{}, false
	}
	copy(all, p.totals)
	return b.machine(&low), true
}

// array maps every shape as if the memories had no end and output tiles were
// issued in no time. No mapping on the same array is faster; fewer steps and
// PEs make no program larger.
func (p *probe) array(high *chip) {
	c := *high
	c.PEMemory, c.CoreMemory = endlessPEMemory, endlessCoreMemory
	p.b.sizer.prepare(&p.machine, &c)
	p.prompt = p.b.sizer.constants
	p.prompt.loopCycles = 0
	p.machine.constants = &p.prompt
	defer func() { p.machine.constants = &p.b.sizer.constants }()
	array := [4]int64{c.PEsX, c.PEsY, c.Cores, c.Lanes}
	if p.idealOf == array {
		return
	}
	p.idealOf = array
	for i := range p.b.shapes {
		s, cost := &p.b.shapes[i], &p.ideal[i]
		p.machine.mapLayer(s, cost)
		*cost = layerCost{cycles: cost.cycles, activePEs: 1, steps: 1}
		if !s.vector {
			cost.steps = model.CeilDiv(s.p.Bound[s.channel], c.PEs()*c.Cores*c.Lanes) * s.groupSteps()
		}
	}
}

// roundOff makes up for the rounding of sums, whose relative errors are below
// 1e-12.
const roundOff = 1 - 1e-9

// bound writes the totals that the layers' costs bound, or reports that no
// program fits.
func (p *probe) bound(costs []layerCost, low *chip) bool {
	b, m := p.b, &p.machine
	if p.energy {
		b.sizer.prepare(&p.lowMachine, low)
	}
	p.totals = p.totals[:0]
	for i := range b.nets {
		net := &b.nets[i]
		p.reserve(len(net.layers))
		if b.program(net, m, costs, p.steps) != nil {
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
