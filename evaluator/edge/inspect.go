package edge

import (
	"errors"

	"apollo/evaluator"
	"apollo/evaluator/report"
)

// Inspector answers the tools that look at single designs, in the terms that
// all templates share. It is safe for concurrent use.
type Inspector struct{}

// Presets returns the named chips.
func (Inspector) Presets() []report.Preset {
	var out []report.Preset
	for _, p := range Presets() {
		out = append(out, report.Preset{Name: p.Name, Values: p.Chip.Values(), Doc: p.Doc})
	}
	return out
}

// chipAt returns a point as a chip: its parameters, and what its preset has
// beyond them, a clock for one.
func chipAt(p report.Point) (Chip, error) {
	c, err := ChipOf(p.Values)
	if err != nil {
		return c, err
	}
	if start, ok := PresetNamed(p.Preset); ok {
		return start.Chip.With(c), nil
	}
	return c, nil
}

// errFixed says why no mapping can be given.
var errFixed = errors.New("the template edge takes no mappings: its network pass, prefetching and spilling, holds for the mapper's own. " +
	"Given by the design are the spreads over mesh, cores and lanes, and the order of the loops; searched are which dimensions are spread, and the tiles")

// Inspect explains a design. The error is for a design or networks that are
// malformed, and for mappings: this template takes none.
func (Inspector) Inspect(networks []evaluator.Network, p report.Point, given []report.Given) (report.Design, error) {
	if len(given) > 0 {
		return report.Design{}, errFixed
	}
	c, err := chipAt(p)
	if err != nil {
		return report.Design{}, err
	}
	r, err := ExplainChip(networks, c)
	if err != nil {
		return report.Design{}, err
	}
	d := report.Design{
		Template: r.Template, Version: r.Version, Design: append(report.FieldsOf(params(), p.Values), r.Chip.beyond()...),
		ClockHz: r.Chip.ClockHz, MACsPerCycle: r.MACsPerCycle, PeakTOPS: r.PeakTOPS, IOBandwidth: r.Chip.IOBandwidth,
		Feasible: r.Feasible, Metrics: report.Metrics(r.Metrics), Area: parts(r.Area.Parts()),
		Networks: []report.Network{}, Layers: []report.Layer{},
	}
	if r.Reason != nil {
		reason := report.Reason(*r.Reason)
		d.Reason = &reason
	}
	for i := range r.Networks {
		n := &r.Networks[i]
		d.Networks = append(d.Networks, report.Network{
			Name: n.Name, Weight: n.Weight, MACs: n.MACs, LatencySeconds: n.LatencySeconds, EnergyJ: n.EnergyJ, Utilisation: n.Utilisation,
			Latency: report.Latency(n.Latency), Energy: parts(n.Energy.Parts()), ProgramEntries: n.ProgramEntries, OffChipBytes: n.OffChipBytes,
			Roofline: report.Roofline(n.Roofline),
		})
	}
	for i := range r.Layers {
		d.Layers = append(d.Layers, r.Layers[i].report())
	}
	return d, nil
}

// beyond lists what a chip has beyond the ten parameters.
func (c *Chip) beyond() report.Fields {
	f := report.Fields{{Name: "clock_hz", Value: c.clock()}}
	if c.ResidentBytes > 0 {
		f = append(f, report.Field{Name: "resident_bytes", Value: c.ResidentBytes})
	}
	if c.IssuePercent > 0 {
		f = append(f, report.Field{Name: "issue_percent", Value: c.IssuePercent})
	}
	if c.PackedDepthwise {
		f = append(f, report.Field{Name: "packed_depthwise", Value: true})
	}
	if c.HostCycles > 0 {
		f = append(f, report.Field{Name: "host_cycles", Value: c.HostCycles})
	}
	return f
}

func parts(list []Part) report.Breakdown {
	var b report.Breakdown
	for _, p := range list {
		b = append(b, report.Part(p))
	}
	return b
}

func (l *LayerReport) report() report.Layer {
	y := report.Layer{
		Network: l.Network, ID: l.ID, Op: l.Op, MACs: l.MACs, Cycles: l.Cycles, ComputeCycles: l.ComputeCycles, MemoryCycles: l.MemoryCycles,
		IOCycles: l.IOCycles, InstructionCycles: l.InstructionCycles, SerialCycles: l.SerialCycles, LatencySeconds: l.LatencySeconds,
		Utilisation: l.Utilisation, Bottleneck: l.Bottleneck, EnergyJ: l.EnergyJ, Mapping: l.Mapping, Accesses: []report.Access{},
		Roofline: report.Roofline(l.Roofline),
		Bytes: report.Counts{
			{Name: report.OffChip, Value: l.Bytes.OffChip},
			{Name: "parameter_memory", Value: l.Bytes.ParameterMemory},
			{Name: "pe_memory", Value: l.Bytes.PEMemory},
			{Name: "core_memory", Value: l.Bytes.CoreMemory},
			{Name: "exchange", Value: l.Bytes.Exchange},
		},
		Counts: report.Counts{
			{Name: "bands", Value: l.Bands},
			{Name: "weight_tiles", Value: l.WeightTiles},
			{Name: "output_tiles", Value: l.OutputTiles},
			{Name: "spill_bytes", Value: l.SpillBytes},
		},
	}
	y.Accesses = append(y.Accesses, l.Accesses...)
	return y
}

// Broken returns every rule that a design breaks, for every network.
func (Inspector) Broken(networks []evaluator.Network, p report.Point) ([]*evaluator.Reason, error) {
	c, err := chipAt(p)
	if err != nil {
		return nil, err
	}
	return Broken(networks, c)
}

// Mapped returns the mappings of the layers with multiplications, in order. An
// infeasible design is an error that says why.
func (Inspector) Mapped(networks []evaluator.Network, p report.Point, given []report.Given) ([]report.Mapped, error) {
	if len(given) > 0 {
		return nil, errFixed
	}
	c, err := chipAt(p)
	if err != nil {
		return nil, err
	}
	list, err := Mappings(networks, c)
	if err != nil {
		return nil, err
	}
	var out []report.Mapped
	for i := range list {
		m := &list[i]
		out = append(out, report.Mapped{
			Network: m.Network, Layer: m.Layer, Problem: m.Problem, Arch: m.Arch, Mapping: m.Mapping, CycleSeconds: 1 / float64(c.clock()),
		})
	}
	return out, nil
}

// Constants lists the declared constants that Model can move.
func (Inspector) Constants() []report.Constant {
	var out []report.Constant
	for _, k := range Constants() {
		out = append(out, report.Constant{Name: k.Name, Unit: k.Unit, Value: k.Value})
	}
	return out
}

// Model returns a function that measures designs with a constant multiplied by
// factor, and the value that the constant then has. A name of "" moves none.
func (Inspector) Model(networks []evaluator.Network, constant string, factor float64) (func(report.Point) (report.Metrics, *evaluator.Reason, error), float64, error) {
	m, value, err := NewModel(networks, constant, factor)
	if err != nil {
		return nil, 0, err
	}
	return func(p report.Point) (report.Metrics, *evaluator.Reason, error) {
		c, err := chipAt(p)
		if err != nil {
			return report.Metrics{}, nil, err
		}
		r, why, err := m.Measure(c)
		return report.Metrics(r), why, err
	}, value, nil
}
