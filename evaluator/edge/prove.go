package edge

import (
	"math"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/optimizer/space"
)

// Stages of a proof: what the time of a mapped layer cannot beat, what the
// mapping depends on beyond that, and what only the network pass sees.
const (
	stageArray = iota
	stageMapping
	stageNetwork
	stageCount
)

var (
	_ evaluator.Prover = (*bound)(nil)
	_ evaluator.Probe  = (*probe)(nil)
)

// stageParams lists the parameters of each stage by their index in the
// template.
func stageParams() [stageCount][]int {
	return [stageCount][]int{
		stageArray:   {0, 1, 3, 5, 9}, // pes_x, pes_y, cores, lanes, io_bandwidth
		stageMapping: {2, 4},          // pe_memory, core_memory
		stageNetwork: {6, 7, 8},       // the chip-level memories
	}
}

// Stages implements evaluator.Prover.
func (b *bound) Stages() [][]int {
	stages := make([][]int, 0, stageCount)
	for _, params := range stageParams() {
		at := make([]int, len(params))
		for i, p := range params {
			at[i] = b.position[p]
		}
		stages = append(stages, at)
	}
	return stages
}

// NewProbe implements evaluator.Prover.
func (b *bound) NewProbe(wanted []bool) evaluator.Probe {
	p := &probe{
		b: b, stages: stageParams(), energy: len(wanted) <= metricEnergy || wanted[metricEnergy],
		scratch: scratch{costs: make([]layerCost, len(b.shapes))},
		ideal:   make([]layerCost, len(b.shapes)),
	}
	low, high := p.low.fields(), p.high.fields()
	for i, at := range b.position {
		values := b.params[at].Values
		*low[i], *high[i] = int64(values[0]), int64(values[len(values)-1])
	}
	p.smallest, p.largest = p.low, p.high
	return p
}

// probe implements evaluator.Probe.
//
// A partial design stands between two chips: low and high have the fixed
// parameters, and the smallest and largest levels of the others. Time is bounded
// on high, because more memory never slows a layer or the network down; energy
// with the counts of high and the energies of low, because a larger memory
// costs more per access.
type probe struct {
	b                 *bound
	stages            [stageCount][]int
	energy            bool
	smallest, largest Chip
	low, high         Chip
	lowMachine        machine
	scratch           // costs are those of the mapping stage
	prompt            constants
	ideal             []layerCost
	idealOf           [4]int64 // the array that ideal was computed for
}

// Memories without a limit, in bytes: every layer's weights are one tile, and
// nothing spills. Products with the numbers of PEs stay below 2^63.
const (
	endlessPEMemory   = 1 << 44
	endlessCoreMemory = 1 << 60
)

// Fix implements evaluator.Probe.
func (p *probe) Fix(stage int, design []space.Value, values []float64) bool {
	p.read(stage, design)
	if p.broken() {
		return false
	}
	switch stage {
	case stageArray:
		p.array()
		return p.bound(p.ideal, values)
	case stageMapping:
		p.b.sizer.prepare(&p.machine, &p.high)
		p.b.cache.mapAll(&p.machine, p.b.shapes, p.costs)
		return p.bound(p.costs, values)
	}
	return p.exact(values)
}

// read takes the stage's values and forgets those of later stages.
func (p *probe) read(stage int, design []space.Value) {
	low, high := p.low.fields(), p.high.fields()
	smallest, largest := p.smallest.fields(), p.largest.fields()
	for s := stage; s < stageCount; s++ {
		for _, i := range p.stages[s] {
			if s == stage {
				*low[i] = int64(design[p.b.position[i]].Num)
				*high[i] = *low[i]
				continue
			}
			*low[i], *high[i] = *smallest[i], *largest[i]
		}
	}
}

// broken reports whether a rule rejects even the largest completion: every rule
// asks for memory, and what it asks for follows from the array.
func (p *probe) broken() bool {
	for i := range ruleCount {
		for n := range p.b.nets {
			if r := p.b.nets[n].limits.check(i, &p.high, &p.b.sizer.constants); r.need > r.have {
				return true
			}
		}
	}
	return false
}

// array maps every shape as if the memories had no end and output tiles were
// issued in no time. No mapping on the same array is faster; fewer steps and
// PEs make no program larger.
func (p *probe) array() {
	c := p.high
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

// roundOff makes up for the rounding of sums, logarithms and exponentials,
// whose relative errors are below 1e-12.
const roundOff = 1 - 1e-9

// bound writes the bounds that the layers' costs give, or reports that no
// program fits.
func (p *probe) bound(costs []layerCost, values []float64) bool {
	b, m := p.b, &p.machine
	if p.energy {
		b.sizer.prepare(&p.lowMachine, &p.low)
	}
	p.totals = p.totals[:0]
	for i := range b.nets {
		net := &b.nets[i]
		p.reserve(len(net.layers))
		if b.program(net, m, costs, p.steps) != nil {
			return false
		}
		t := totals{cycles: net.least(m, b.shapes, costs, p.steps)}
		t.latencySeconds = float64(t.cycles) / float64(m.clock())
		if p.energy {
			e := net.energy(&p.lowMachine, b.shapes, costs, p.steps, t.latencySeconds)
			t.energyJ = e.Total * roundOff
		}
		p.totals = append(p.totals, t)
	}
	p.write(values, &p.low)
	if len(b.nets) > 1 {
		values[metricLatency] *= roundOff
		values[metricEnergy] *= roundOff
	}
	return true
}

// exact measures the complete design on the mapped layers.
func (p *probe) exact(values []float64) bool {
	b, m := p.b, &p.machine
	if p.energy {
		b.sizer.prepare(m, &p.high)
	}
	m.Chip = p.high
	p.totals = p.totals[:0]
	for i := range b.nets {
		net := &b.nets[i]
		p.reserve(len(net.layers))
		if b.program(net, m, p.costs, p.steps) != nil {
			return false
		}
		t := totals{cycles: net.time(m, b.shapes, p.costs, p.steps)}
		t.latencySeconds = float64(t.cycles) / float64(m.clock())
		if p.energy {
			e := net.energy(m, b.shapes, p.costs, p.steps, t.latencySeconds)
			t.energyJ = e.Total
		}
		p.totals = append(p.totals, t)
	}
	p.write(values, &p.high)
	return true
}

func (p *probe) write(values []float64, c *Chip) {
	a := p.b.sizer.area(c)
	values[metricArea] = a.Total
	values[metricLatency] = p.b.mean(p.totals, func(t *totals) float64 { return t.latencySeconds })
	values[metricEnergy] = math.NaN()
	if p.energy {
		values[metricEnergy] = p.b.mean(p.totals, func(t *totals) float64 { return t.energyJ })
	}
}

// least returns cycles that no order of off-chip transfers gets below, and
// leaves each layer's spill in its step. m has the largest parameter memory,
// steps the fewest bands, tiles and entries.
//
// A layer lasts at least its time on chip and that of its spill. Up to the end
// of a layer, everything that it and the layers before it need from off-chip
// has passed the interface, which rests while layers start; and of what the
// layers from any j on need, all but a full parameter memory has passed it
// since j began.
func (net *network) least(m *machine, shapes []shape, costs []layerCost, steps []step) int64 {
	capacity := m.ParameterMemory * m.parameterEntryBytes
	var busy, bytes, spilled int64
	var ahead int64 // the most that busy time is ahead of transfers at the start of a layer, in bytes x milli
	for i := range net.layers {
		y, st := &net.layers[i], &steps[i]
		s, cost := &shapes[y.shape], &costs[y.shape]
		st.spill, spilled = m.spill(y, cost, spilled)
		if i == 0 {
			st.spill += net.input
		}
		if i == len(net.layers)-1 {
			st.spill += net.output
		}
		onChip := cost.cycles + st.bands*m.bandCycles + st.rolled*m.loopCycles
		ahead = max(ahead, busy*m.ioRate-bytes*milli)
		bytes += s.weights + st.entries*m.instructionEntryBytes + st.spill
		passed := max(bytes*milli, ahead+(bytes-capacity)*milli)
		busy = max(busy+max(onChip, model.CeilDiv(st.spill*milli, m.ioRate)), model.CeilDiv(passed, m.ioRate))
	}
	return busy + int64(len(net.layers))*m.layerCycles
}
