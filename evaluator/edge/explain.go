package edge

import (
	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

// Explain evaluates one design of a task in detail. It agrees with the task's
// evaluator bit for bit. The error is for a task or a design that is
// malformed; an infeasible design has a report with its Reason.
func Explain(task evaluator.Task, design []space.Value) (Report, error) {
	b, err := bind(task)
	if err != nil {
		return Report{}, err
	}
	c, ok := b.chip(design)
	if !ok {
		return Report{}, malformedError{b.malformed(design).Message}
	}
	return b.explain(&c), nil
}

// ExplainChip is Explain for a chip that need not lie on the lattice, for
// example a preset with a clock of its own.
func ExplainChip(networks []evaluator.Network, c Chip) (Report, error) {
	b, err := bindChip(networks, c)
	if err != nil {
		return Report{}, err
	}
	return b.explain(&c), nil
}

// malformedError says what is wrong with a design.
type malformedError struct{ why string }

func (e malformedError) Error() string { return e.why }

func (b *bound) explain(c *Chip) Report {
	c.ClockHz = c.clock()
	r := Report{
		Template: Name, Version: Version, Chip: *c,
		PEs: c.PEs(), MACsPerCycle: c.MACs(), PeakTOPS: c.PeakTOPS(),
		Area: b.sizer.area(c), Networks: []NetworkReport{}, Layers: []LayerReport{},
	}
	r.Metrics.AreaMM2 = finite(r.Area.Total)
	s := b.get()
	defer b.put(s)
	if why := b.measure(c, s); why != nil {
		r.Reason = reasonReport(why)
		return r
	}
	r.Feasible = true
	r.Metrics.LatencySeconds = finite(b.mean(s.totals, func(t *totals) float64 { return t.latencySeconds }))
	r.Metrics.EnergyJ = finite(b.mean(s.totals, func(t *totals) float64 { return t.energyJ }))
	for i := range b.nets {
		// measure left the steps of the last network only.
		net := &b.nets[i]
		s.reserve(len(net.layers))
		b.program(net, &s.machine, s.costs, s.steps)
		net.time(&s.machine, b.shapes, s.costs, s.steps)
		b.explainNetwork(net, s, &s.totals[i], &r)
	}
	return r
}

func (b *bound) explainNetwork(net *network, s *scratch, t *totals, r *Report) {
	m := &s.machine
	n := NetworkReport{
		Name: net.name, Weight: net.weight, LatencySeconds: t.latencySeconds, EnergyJ: t.energyJ,
		Energy: net.energy(m, b.shapes, s.costs, s.steps, t.latencySeconds),
	}
	var split LayerReport
	for i := range net.layers {
		y := m.explainLayer(&net.layers[i], &b.shapes[net.layers[i].shape], &s.costs[net.layers[i].shape], &s.steps[i])
		y.Network = net.name
		n.MACs += y.MACs
		n.ProgramEntries += s.steps[i].entries
		n.OffChipBytes += y.Bytes.OffChip
		split.ComputeCycles += y.ComputeCycles
		split.MemoryCycles += y.MemoryCycles
		split.IOCycles += y.IOCycles
		split.InstructionCycles += y.InstructionCycles
		split.SerialCycles += y.SerialCycles
		r.Layers = append(r.Layers, y)
	}
	n.Roofline = m.roofline(n.MACs, n.OffChipBytes, t.latencySeconds)
	hz := float64(m.clock())
	n.Utilisation = float64(n.MACs) / (float64(t.cycles) * float64(m.MACs()))
	n.Latency = LatencySplit{
		Compute: float64(split.ComputeCycles) / hz, Memory: float64(split.MemoryCycles) / hz,
		IO: float64(split.IOCycles) / hz, Instruction: float64(split.InstructionCycles) / hz,
		Serial: float64(split.SerialCycles) / hz, Total: t.latencySeconds,
	}
	r.Networks = append(r.Networks, n)
}

func (m *machine) explainLayer(y *layer, s *shape, cost *layerCost, st *step) LayerReport {
	longest := max(cost.compute, cost.port, cost.bus, cost.link)
	r := LayerReport{
		ID: y.id, Op: string(y.op), MACs: y.macs, Cycles: st.cycles,
		ComputeCycles: cost.compute, MemoryCycles: longest - cost.compute,
		IOCycles: max(st.io-st.onChip, 0), InstructionCycles: st.rolled * m.loopCycles,
		LatencySeconds: float64(st.cycles) / float64(m.clock()),
		Utilisation:    float64(y.macs) / (float64(st.cycles) * float64(m.MACs())),
		Bands:          st.bands, WeightTiles: cost.tiles, OutputTiles: st.tiles, SpillBytes: st.spill,
		Mapping: "elements spread over all lanes", Accesses: []report.Access{},
	}
	r.SerialCycles = r.Cycles - r.ComputeCycles - r.MemoryCycles - r.IOCycles - r.InstructionCycles
	r.Bottleneck = bottleneck(cost, st, r.SerialCycles)
	r.Bytes = LevelBytes{
		OffChip:         s.weights + st.entries*m.instructionEntryBytes + st.spill,
		ParameterMemory: cost.traffic.parameterRead + cost.traffic.parameterWrite,
		PEMemory:        s.in + s.out,
		Exchange:        cost.exchange * cost.activePEs,
	}
	r.Roofline = m.roofline(y.macs, r.Bytes.OffChip, r.LatencySeconds)
	var e Energy
	e.addLayer(m, s, cost, st)
	e.scale()
	r.EnergyJ = e.Dynamic()
	if !s.vector {
		m.explainMapping(s, cost, &r)
	}
	return r
}

func (m *machine) explainMapping(s *shape, cost *layerCost, r *LayerReport) {
	var loops model.Mapping
	cost.choice.loops(s, &loops)
	arch := m.hierarchy()
	e := model.Eval(&s.p, &arch, &loops)
	r.Mapping = loops.String(&arch)
	r.Accesses = report.Accesses(&arch, &e)
	read, write := e.Traffic(&s.p, levelPE)
	r.Bytes.PEMemory = read + write
	read, write = e.Traffic(&s.p, levelCore)
	r.Bytes.CoreMemory = read + write
}

// bottleneck names the largest part of a layer's time; of equal parts the
// first.
func bottleneck(cost *layerCost, st *step, serial int64) string {
	if st.io > st.onChip && st.io > serial {
		return "off-chip interface"
	}
	name, longest := "compute", cost.compute
	for _, part := range []struct {
		name   string
		cycles int64
	}{{"PE memory port", cost.port}, {"weight bus", cost.bus}, {"mesh links", cost.link}, {"serial", serial}} {
		if part.cycles > longest {
			name, longest = part.name, part.cycles
		}
	}
	return name
}
