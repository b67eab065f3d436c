package edge

import (
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// Explain implements frame.Model.
func (b *taskModel) Explain(d frame.Design, _ []report.Given) (frame.Explained, error) {
	c := b.chip(&d)
	var area [areaParts]float64
	b.sizer.area(&c, &area)
	x := frame.Explained{Machine: b.machine(&c), Area: areaOf(&area), Beyond: c.beyond()}
	s := b.get()
	defer b.put(s)
	if x.Reason = b.measure(&c, s); x.Reason != nil {
		return x, nil
	}
	for i := range b.nets {
		net := &b.nets[i]
		b.fit(s, net) // measure left the run of the last network only
		m := &s.machine
		e := net.energy(m, b.shapes, s.costs, s.steps, s.totals[i].Seconds)
		n := frame.NetworkParts{Totals: s.totals[i], Energy: e.parts()}
		for at := range net.layers {
			shape := net.layers[at].shape
			y, st := &net.layers[at], &s.steps[at]
			crossing := y.crossing(m, &b.shapes[shape], st)
			n.Crossing = n.Crossing.Plus(crossing)
			n.Layers = append(n.Layers, m.explainLayer(&b.shapes[shape], &s.costs[shape], st, crossing))
			n.ProgramEntries += st.entries
		}
		x.Networks = append(x.Networks, n)
	}
	return x, nil
}

// crossing lists what crosses the chip's border with a layer.
func (y *layer) crossing(m *machine, s *shape, st *step) report.Counts {
	return report.Counts{
		{Name: "weights", Value: s.weights},
		{Name: "program", Value: st.entries * m.instructionEntryBytes},
		{Name: "inputs", Value: y.arrives},
		{Name: "outputs", Value: y.leaves},
		{Name: "spills", Value: st.spill},
	}
}

func (m *machine) explainLayer(s *shape, cost *layerCost, st *step, crossing report.Counts) report.Layer {
	r := report.Layer{
		Cycles:  st.cycles,
		Mapping: "elements spread over all lanes", Accesses: []report.Access{},
		Counts: report.Counts{
			{Name: "bands", Value: st.bands},
			{Name: "weight_tiles", Value: cost.tiles},
			{Name: "output_tiles", Value: st.tiles},
			{Name: "spill_bytes", Value: st.spill},
			{Name: "active_pes", Value: cost.activePEs},
		},
		Crossing: crossing,
	}
	m.split(&r, cost, st)
	var e energy
	e.addLayer(m, s, cost, st)
	e.scale()
	r.EnergyJ = e.total() // leakage is the network's
	pe, core := s.in+s.out, int64(0)
	if !s.vector {
		pe, core = m.explainMapping(s, cost, &r)
	}
	r.Bytes = report.Counts{
		{Name: report.OffChip, Value: crossing.Total()},
		{Name: "parameter_memory", Value: cost.traffic.parameterRead + cost.traffic.parameterWrite},
		{Name: "pe_memory", Value: pe},
		{Name: "core_memory", Value: core},
		{Name: "exchange", Value: cost.exchange * cost.activePEs},
	}
	return r
}

// split fills the parts of a layer's time. What overlaps is the part of what the
// others wait for.
func (m *machine) split(r *report.Layer, cost *layerCost, st *step) {
	switch longest := max(cost.compute, cost.port, cost.bus, cost.link); {
	case st.io > st.onChip:
		r.IOCycles = st.io
	case longest > cost.compute:
		r.MemoryCycles, r.InstructionCycles = longest, st.rolled*m.loopCycles
	default:
		r.ComputeCycles, r.InstructionCycles = longest, st.rolled*m.loopCycles
	}
	r.SerialCycles = r.Cycles - r.ComputeCycles - r.MemoryCycles - r.IOCycles - r.InstructionCycles
	r.Bottleneck = bottleneck(cost, st, r.InstructionCycles, r.SerialCycles)
}

// explainMapping writes the mapping of a layer with multiplications, and returns
// the bytes that the memories of PEs and cores move.
func (m *machine) explainMapping(s *shape, cost *layerCost, y *report.Layer) (pe, core int64) {
	nest := &report.Mapped{Problem: s.p, Arch: m.hierarchy(s)}
	cost.choice.loops(s, &nest.Mapping)
	e := model.Eval(&s.p, &nest.Arch, &nest.Mapping)
	y.Mapping = nest.Mapping.String(&nest.Arch)
	y.Accesses = report.Accesses(&nest.Arch, &e)
	stream(s, &nest.Mapping)
	y.Mapped = nest
	t := &cost.traffic
	return t.peRead + t.peWrite, t.coreRead + t.coreWrite
}

// stream moves the outermost loops over weight tiles from the parameter memory
// to the off-chip interface. The nest stays the same; it then says that the
// parameter memory holds the tiles on their way and not all weights at once.
func stream(s *shape, m *model.Mapping) {
	from, to := &m.Loops[levelParameter], &m.Loops[levelIO]
	to.Order = from.Order
	move := []model.Dim{s.other(), s.channel}
	if from.Temporal[model.P] == 1 {
		move = append(move, model.C) // no loop over pixels is in between
	}
	for _, d := range move {
		to.Temporal[d], from.Temporal[d] = from.Temporal[d], 1
	}
}

// bottleneck names the largest part of a layer's time; of equal parts the
// first.
func bottleneck(cost *layerCost, st *step, instructions, serial int64) string {
	if st.io > st.onChip && st.io > serial {
		return "off-chip interface"
	}
	name, longest := "compute", cost.compute
	for _, part := range []struct {
		name   string
		cycles int64
	}{{"PE memory port", cost.port}, {"weight bus", cost.bus}, {"mesh links", cost.link}, {"instructions", instructions}, {"serial", serial}} {
		if part.cycles > longest {
			name, longest = part.name, part.cycles
		}
	}
	return name
}
