package template

import (
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// Inspector answers the tools that look at single designs of one template. It
// is safe for concurrent use.
type Inspector struct{ spec Spec }

// InspectorOf returns the inspector of a template of this package; false when
// there is none of that name.
func InspectorOf(name string) (Inspector, bool) {
	for _, s := range Specs() {
		if s.Name == name {
			return Inspector{s}, true
		}
	}
	return Inspector{}, false
}

// Presets returns the baseline, the only named design.
func (x Inspector) Presets() []report.Preset {
	p := report.Preset{Name: "baseline", Doc: "the published chip, or the design of the space nearest to it"}
	for _, param := range x.spec.Params {
		p.Values = append(p.Values, param.Baseline)
	}
	return []report.Preset{p}
}

// machine binds networks and builds a design, with a constant moved.
func (x Inspector) machine(networks []evaluator.Network, p report.Point, constant string, factor float64) (*bound, *Machine, error) {
	e, err := x.bind(networks)
	if err != nil {
		return nil, nil, err
	}
	if _, err := e.constants.move(constant, factor); err != nil {
		return nil, nil, err
	}
	v, err := e.values(p.Values)
	if err != nil {
		return nil, nil, err
	}
	m := e.spec.machine(&e.constants, v)
	return e, &m, nil
}

func (x Inspector) bind(networks []evaluator.Network) (*bound, error) {
	task := evaluator.Task{Networks: networks}
	for _, p := range x.spec.Params {
		task.Params = append(task.Params, p.Param)
	}
	e, err := backend(x).New(task)
	if err != nil {
		return nil, err
	}
	return e.(*bound), nil
}

// Inspect explains a design; without given mappings it agrees with the
// template's evaluator. A layer that a mapping is given for has that one. The
// error names a design, a network or a mapping that is malformed; an infeasible
// design has a report with its reason.
func (x Inspector) Inspect(networks []evaluator.Network, p report.Point, given []report.Given) (report.Design, error) {
	e, m, err := x.machine(networks, p, "", 0)
	if err != nil {
		return report.Design{}, err
	}
	params := make([]report.Field, 0, len(x.spec.Params))
	params = append(params, report.FieldsOf(e.params(), p.Values)...)
	const operations, tera = 2, 1e12
	r := report.Design{
		Template: x.spec.Name, Version: Version, Design: params,
		ClockHz: m.ClockHz, MACsPerCycle: m.Units, PeakTOPS: operations * float64(m.Units) * float64(m.ClockHz) / tera, IOBandwidth: m.bandwidth(),
		Area: m.Area, Networks: []report.Network{}, Layers: []report.Layer{},
	}
	area := m.Area.Total()
	r.Metrics.AreaMM2 = &area
	if err := e.known(given); err != nil {
		return r, err
	}
	each := make([]totals, len(e.nets))
	for i := range e.nets {
		reason, err := e.inspectNetwork(m, &e.nets[i], given, &each[i], &r)
		if err != nil {
			return r, err
		}
		if reason != nil {
			r.Reason, r.Networks, r.Layers = report.ReasonOf(reason), []report.Network{}, []report.Layer{}
			return r, nil
		}
	}
	r.Feasible = true
	seconds, joules := e.mean(each)
	r.Metrics.LatencySeconds, r.Metrics.EnergyJ = &seconds, &joules
	return r, nil
}

// bandwidth returns the off-chip bandwidth in bytes per second.
func (m *Machine) bandwidth() int64 {
	const milli = 1000
	return m.IORate * (m.ClockHz / milli)
}

// known refuses mappings of layers that there are not, or that have nothing to
// map.
func (e *bound) known(given []report.Given) error {
	for i := range given {
		g := &given[i]
		found, vector := false, false
		for n := range e.nets {
			for _, l := range e.nets[n].layers {
				if g.For(e.nets[n].name, l.id) {
					found, vector = true, vector || e.shapes[l.shape].vector
				}
			}
		}
		switch name := g.Layer; {
		case !found:
			return fmt.Errorf("a mapping is given for the layer %q, which no network has", name)
		case vector:
			return fmt.Errorf("a mapping is given for the layer %q, which has no multiplications and so no mapping", name)
		}
	}
	return nil
}

// mapped is a layer's mapping with its cost.
type mapped struct {
	p     model.Problem
	m     model.Mapping
	given bool
	d     Detail
}

// mapLayer returns the mapping that is given for a layer, or the mapper's.
func (e *bound) mapLayer(m *Machine, network string, l *layer, given []report.Given) (mapped, *evaluator.Reason, error) {
	p := &e.shapes[l.shape].p
	x := mapped{p: m.Flow.Nest(p)}
	if g := report.Of(given, network, l.id); g != nil {
		var err error
		if x.m, err = model.ParseMapping(g.Nest, &m.Arch); err == nil {
			x.d, err = m.Flow.Detail(p, &x.m)
		}
		if err != nil {
			return x, nil, fmt.Errorf("the mapping of layer %s: %w", l.id, err)
		}
		x.given = true
		return x, nil, nil
	}
	if _, misfit := m.Flow.Find(p, &x.m); misfit != nil {
		return x, misfit.reason(l.id), nil
	}
	var err error
	if x.d, err = m.Flow.Detail(p, &x.m); err != nil {
		return x, nil, fmt.Errorf("layer %s: the mapper's own mapping is refused: %w", l.id, err)
	}
	return x, nil, nil
}

func (e *bound) inspectNetwork(m *Machine, net *network, given []report.Given, t *totals, r *report.Design) (*evaluator.Reason, error) {
	n := report.Network{Name: net.name, Weight: net.weight}
	var split Detail
	energy := breakdown{}
	for i := range net.layers {
		l := &net.layers[i]
		s := &e.shapes[l.shape]
		x := mapped{}
		if s.vector {
			x.d = m.vectorDetail(s)
		} else {
			var reason *evaluator.Reason
			var err error
			if x, reason, err = e.mapLayer(m, net.name, l, given); reason != nil || err != nil {
				return reason, err
			}
		}
		t.add(&x.d.Cost)
		split.Compute += x.d.Compute
		split.Memory += x.d.Memory
		split.IO += x.d.IO
		split.Serial += x.d.Serial
		energy.add(x.d.Energy, joulesPerPicojoule)
		n.MACs += l.macs
		n.OffChipBytes += x.d.OffChip
		r.Layers = append(r.Layers, m.layerReport(net.name, l, &x))
	}
	t.finish(m)
	hz := float64(m.ClockHz)
	n.LatencySeconds, n.EnergyJ = t.seconds, t.joules
	n.Utilisation = float64(n.MACs) / (float64(t.cycles) * float64(m.Units))
	n.Latency = report.Latency{
		Compute: float64(split.Compute) / hz, Memory: float64(split.Memory) / hz, IO: float64(split.IO) / hz,
		Serial: float64(split.Serial) / hz, Total: t.seconds,
	}
	energy.add(report.Breakdown{{Name: "leakage", Value: m.LeakageW * t.seconds}}, 1)
	n.Energy = energy.parts
	n.Roofline = m.roofline(n.MACs, n.OffChipBytes, t.seconds)
	r.Networks = append(r.Networks, n)
	return nil, nil
}

// breakdown adds up parts by name.
type breakdown struct{ parts report.Breakdown }

func (b *breakdown) add(parts report.Breakdown, scale float64) {
	for _, p := range parts {
		at := slices.IndexFunc(b.parts, func(x report.Part) bool { return x.Name == p.Name })
		if at < 0 {
			at = len(b.parts)
			b.parts = append(b.parts, report.Part{Name: p.Name})
		}
		b.parts[at].Value += p.Value * scale
	}
}

func (m *Machine) roofline(macs, offChip int64, seconds float64) report.Roofline {
	return report.NewRoofline(macs, offChip, seconds, float64(m.Units)*float64(m.ClockHz), float64(m.bandwidth()))
}

// vectorDetail is the cost of a layer without multiplications, by parts.
func (m *Machine) vectorDetail(s *shape) Detail {
	c, _ := m.layer(s)
	d := Detail{Cost: c, Bytes: report.Counts{{Name: report.OffChip, Value: s.bytes}}, Accesses: []report.Access{}}
	d.split(model.CeilDiv(s.ops, m.Units), 0, m.ioCycles(s.bytes))
	d.Energy = report.Breakdown{{Name: "arithmetic", Value: float64(s.ops) * m.AddPJ}, {Name: report.OffChip, Value: float64(s.bytes) * m.DRAMPJPerByte}}
	return d
}

func (m *Machine) layerReport(network string, l *layer, x *mapped) report.Layer {
	d := &x.d
	y := report.Layer{
		Network: network, ID: l.id, Op: l.op, MACs: l.macs,
		Cycles: d.Cycles, ComputeCycles: d.Compute, MemoryCycles: d.Memory, IOCycles: d.IO, SerialCycles: d.Serial,
		LatencySeconds: float64(d.Cycles) / float64(m.ClockHz), Utilisation: float64(l.macs) / (float64(d.Cycles) * float64(m.Units)),
		Bottleneck: d.Bottleneck, Bytes: d.Bytes, Accesses: d.Accesses, EnergyJ: d.EnergyPJ * joulesPerPicojoule,
		Mapping: "elements spread over all units", Given: x.given,
	}
	y.Roofline = m.roofline(l.macs, d.OffChip, y.LatencySeconds)
	if x.p.Bound[model.N] > 0 {
		y.Mapping = x.m.String(&m.Arch)
	}
	return y
}

// Broken returns every reason for which a design cannot run the networks, one
// for each code; it is empty for a feasible design.
func (x Inspector) Broken(networks []evaluator.Network, p report.Point) ([]*evaluator.Reason, error) {
	e, m, err := x.machine(networks, p, "", 0)
	if err != nil {
		return nil, err
	}
	var out []*evaluator.Reason
	for i := range e.shapes {
		_, misfit := m.layer(&e.shapes[i])
		if misfit == nil || slices.ContainsFunc(out, func(r *evaluator.Reason) bool { return r.Code == misfit.Code }) {
			continue
		}
		out = append(out, misfit.reason(e.shapes[i].id))
	}
	return out, nil
}

// Mapped returns the mappings of the layers with multiplications, in order. An
// infeasible design is an error that says why.
func (x Inspector) Mapped(networks []evaluator.Network, p report.Point, given []report.Given) ([]report.Mapped, error) {
	e, m, err := x.machine(networks, p, "", 0)
	if err != nil {
		return nil, err
	}
	if err := e.known(given); err != nil {
		return nil, err
	}
	var out []report.Mapped
	for i := range e.nets {
		for at := range e.nets[i].layers {
			l := &e.nets[i].layers[at]
			if e.shapes[l.shape].vector {
				continue
			}
			y, reason, err := e.mapLayer(m, e.nets[i].name, l, given)
			if err != nil {
				return nil, err
			}
			if reason != nil {
				return nil, fmt.Errorf("the design is infeasible: %s", reason.Message)
			}
			out = append(out, report.Mapped{Network: e.nets[i].name, Layer: l.id, Problem: y.p, Arch: m.Arch, Mapping: y.m, CycleSeconds: 1 / float64(m.ClockHz)})
		}
	}
	return out, nil
}

// Constants lists the declared constants that Measure can move.
func (x Inspector) Constants() []report.Constant {
	k := declared(&x.spec)
	var out []report.Constant
	for _, v := range variables() {
		out = append(out, report.Constant{Name: v.name, Unit: v.unit, Value: *v.of(&k)})
	}
	return out
}

// Model returns a function that measures designs with a constant multiplied by
// factor, and the value that the constant then has. A name of "" moves none. The
// reason is nil for a feasible design.
func (x Inspector) Model(networks []evaluator.Network, constant string, factor float64) (func(report.Point) (report.Metrics, *evaluator.Reason, error), float64, error) {
	e, err := x.bind(networks)
	if err != nil {
		return nil, 0, err
	}
	value, err := e.constants.move(constant, factor)
	if err != nil {
		return nil, 0, err
	}
	return e.measure, value, nil
}

func (e *bound) measure(p report.Point) (report.Metrics, *evaluator.Reason, error) {
	var out report.Metrics
	if _, err := e.values(p.Values); err != nil {
		return out, nil, err
	}
	r := e.evaluate(p.Values)
	finite := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	out.LatencySeconds, out.AreaMM2, out.EnergyJ = finite(r.Values[metricLatency]), finite(r.Values[metricArea]), finite(r.Values[metricEnergy])
	return out, r.Reason, nil
}
