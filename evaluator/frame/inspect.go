package frame

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/report"
)

// BaselinePreset is the preset that every template has.
const BaselinePreset = "baseline"

// Presets returns the named designs: the baseline, then the others.
func (s *Spec) Presets() []report.Preset {
	base := report.Preset{Name: BaselinePreset, Doc: s.BaselineDoc}
	for i := range s.Params {
		base.Values = append(base.Values, s.Params[i].Baseline)
	}
	list := append([]report.Preset{base}, s.OtherPresets...)
	if s.choice != nil {
		for i := range list {
			list[i].Values = slices.Concat(list[i].Values, s.choice.Baseline)
		}
	}
	return list
}

// chosen is what a design runs, and the design without what chooses it.
func (s *Spec) chosen(networks []evaluator.Network, p report.Point) ([]evaluator.Network, report.Point, error) {
	if s.choice == nil {
		return networks, p, nil
	}
	at := len(p.Values) - len(s.choice.Params)
	if at < 0 {
		return nil, p, fmt.Errorf("the design has %d values, the template %s with the network has %d parameters", len(p.Values), s.Name, len(s.Params)+len(s.choice.Params))
	}
	n, err := s.choice.Network(p.Values[at:])
	p.Values = p.Values[:at]
	return []evaluator.Network{n}, p, err
}

// at binds networks, with a constant moved, and reads a design.
func (s *Spec) at(networks []evaluator.Network, p report.Point) (*taskEvaluator, Design, error) {
	networks, p, err := s.chosen(networks, p)
	if err != nil {
		return nil, Design{}, err
	}
	e, _, err := s.moved(networks, "", 0)
	if err != nil {
		return nil, Design{}, err
	}
	d, err := e.point(p)
	return e, d, err
}

// moved binds networks with a constant moved; it returns the constant's value.
func (s *Spec) moved(networks []evaluator.Network, constant string, factor float64, single ...evaluator.Metric) (*taskEvaluator, float64, error) {
	k := s.Declare()
	value, err := move(k.Rows(), constant, factor)
	if err != nil {
		return nil, 0, err
	}
	e, err := s.bind(evaluator.Task{Params: s.params(), Networks: networks, MapperGoal: s.MapperGoal, Metrics: slices.Concat(s.Asked, single)}, k)
	return e, value, err
}

// Bind returns the model of networks.
func (s *Spec) Bind(networks []evaluator.Network, k Constants) (Model, error) {
	e, err := s.bind(evaluator.Task{Params: s.params(), Networks: networks, MapperGoal: s.MapperGoal}, k)
	if err != nil {
		return nil, err
	}
	return e.model, nil
}

func (e *taskEvaluator) point(p report.Point) (Design, error) {
	d := Design{Preset: p.Preset}
	if !e.read(p.Values, &d) {
		return d, e.malformed(p.Values)
	}
	return d, nil
}

// explain is Explain of the model, after the given mappings are checked.
func (e *taskEvaluator) explain(d Design, given []report.Given) (Explained, error) {
	if len(given) > 0 && e.spec.Fixed != "" {
		return Explained{}, errors.New(e.spec.Fixed)
	}
	for i := range given {
		g := &given[i]
		found, vector := false, false
		for n := range e.nets {
			for _, l := range e.nets[n].Layers {
				if g.For(e.nets[n].Name, l.ID) {
					found, vector = true, vector || !l.Op.HasMACs()
				}
			}
		}
		switch name := g.Layer; {
		case !found:
			return Explained{}, fmt.Errorf("a mapping is given for the layer %q, which no network has", name)
		case vector:
			return Explained{}, fmt.Errorf("a mapping is given for the layer %q, which has no multiplications and so no mapping", name)
		}
	}
	return e.model.Explain(d, given)
}

// Inspect explains a design; without given mappings it agrees with the
// template's evaluator, bit for bit. A layer that a mapping is given for has
// that one. The error names a design, a network or a mapping that is malformed;
// an infeasible design has a report with its reason.
func (s *Spec) Inspect(networks []evaluator.Network, p report.Point, given []report.Given) (report.Design, error) {
	e, d, err := s.at(networks, p)
	if err != nil {
		return report.Design{}, err
	}
	x, err := e.explain(d, given)
	if err != nil {
		return report.Design{}, err
	}
	const operations, tera = 2, 1e12
	m := x.Machine
	r := report.Design{
		Template: s.Name, Version: s.Version, Design: append(report.FieldsOf(s.Template().Params, p.Values), x.Beyond...),
		ClockHz: m.ClockHz, MACsPerCycle: m.MACsPerCycle, PeakTOPS: operations * float64(m.MACsPerCycle) * float64(m.ClockHz) / tera,
		IOBandwidth: m.IOBandwidth, Feasible: x.Reason == nil, Reason: report.ReasonOf(x.Reason), Area: x.Area, Array: x.Array, Memories: x.Memories,
		Networks: []report.Network{}, Layers: []report.Layer{},
	}
	all := make([]Totals, len(x.Networks))
	for i := range x.Networks {
		all[i] = x.Networks[i].Totals
		e.network(m, &e.nets[i], &x.Networks[i], &r)
	}
	r.Metrics = append(e.report(m, all), s.ofNetwork(p)...)
	return r, nil
}

// ofNetwork are the metrics of the network that a design chose.
func (s *Spec) ofNetwork(p report.Point) (list report.Metrics) {
	if s.choice == nil {
		return nil
	}
	for i, v := range s.choice.Values(nil, p.Values[len(p.Values)-len(s.choice.Params):]) {
		m := report.Metric{Metric: s.choice.Metrics[i]}
		if !math.IsNaN(v) { // as nobody knows the accuracy of some networks
			m.Value = &v
		}
		list = append(list, m)
	}
	return list
}

// network adds a network and its layers to a report.
func (e *taskEvaluator) network(m Machine, net *Network, x *NetworkParts, r *report.Design) {
	n := report.Network{Name: net.Name, Weight: net.Weight, Energy: x.Energy, ProgramEntries: x.ProgramEntries, Crossing: x.Crossing, Metrics: e.phase(m, x.Totals), Runs: 1}
	for i := range e.runs {
		if r := &e.runs[i]; r.decode != nil && net == &e.nets[r.first+1] {
			n.Runs = r.decode.Steps
		}
	}
	hz, units := float64(m.ClockHz), float64(m.MACsPerCycle)
	roof := func(macs, offChip int64, seconds float64) report.Roofline {
		return report.NewRoofline(macs, offChip, seconds, units*hz, float64(m.IOBandwidth))
	}
	var split report.Layer
	for i := range x.Layers {
		y, l := &x.Layers[i], &net.Layers[i]
		y.Network, y.ID, y.Op, y.MACs = net.Name, l.ID, string(l.Op), l.MACs()
		y.LatencySeconds = float64(y.Cycles) / hz
		y.Utilisation = float64(y.MACs) / (float64(y.Cycles) * units)
		offChip := y.Bytes.Of(report.OffChip)
		y.Roofline = roof(y.MACs, offChip, y.LatencySeconds)
		n.MACs += y.MACs
		n.OffChipBytes += offChip
		split.ComputeCycles += y.ComputeCycles
		split.MemoryCycles += y.MemoryCycles
		split.IOCycles += y.IOCycles
		split.InstructionCycles += y.InstructionCycles
		split.SerialCycles += y.SerialCycles
		r.Layers = append(r.Layers, *y)
	}
	n.Utilisation = float64(n.MACs) / (float64(x.Cycles) * units)
	n.Latency = report.Latency{
		Compute: float64(split.ComputeCycles) / hz, Memory: float64(split.MemoryCycles) / hz, IO: float64(split.IOCycles) / hz,
		Instruction: float64(split.InstructionCycles) / hz, Serial: float64(split.SerialCycles) / hz, Total: x.Seconds,
	}
	n.Power = report.NewPower(x.Layers, x.Joules, x.Seconds)
	n.Roofline = roof(n.MACs, n.OffChipBytes, x.Seconds)
	r.Networks = append(r.Networks, n)
}

// Broken returns every reason for which a design cannot run the networks; it is
// empty for a feasible design.
func (s *Spec) Broken(networks []evaluator.Network, p report.Point) ([]*evaluator.Reason, error) {
	e, d, err := s.at(networks, p)
	if err != nil {
		return nil, err
	}
	return e.model.Broken(d, false), nil
}

// Mapped returns the mappings of the layers with multiplications, in order. An
// infeasible design is an error that says why.
func (s *Spec) Mapped(networks []evaluator.Network, p report.Point, given []report.Given) ([]report.Mapped, error) {
	e, d, err := s.at(networks, p)
	if err != nil {
		return nil, err
	}
	x, err := e.explain(d, given)
	if err != nil {
		return nil, err
	}
	if x.Reason != nil {
		return nil, fmt.Errorf("the design is infeasible: %s", x.Reason.Message)
	}
	var out []report.Mapped
	for i := range x.Networks {
		for at := range x.Networks[i].Layers {
			if l := x.Networks[i].Layers[at].Mapped; l != nil {
				n := &e.nets[i]
				l.Network, l.Layer, l.CycleSeconds = n.Name, n.Layers[at].ID, 1/float64(x.Machine.ClockHz)
				l.Weights, l.Activations, l.Sums = n.Layers[at].Formats(n.Workload.Precision)
				l.Outputs = n.Layers[at].OutputFormat(n.Workload.Precision)
				out = append(out, *l)
			}
		}
	}
	return out, nil
}

// Measured is a function that measures designs, for one goroutine. The reason is nil
// for a feasible one; the error is for a malformed one.
type Measured = func(report.Point) (report.Metrics, *evaluator.Reason, error)

// Model returns a function that measures designs with a constant multiplied by
// factor, and the value that the constant then has: whole ones move by at least
// one. A name of "" moves none. Metrics of single networks are there where they are
// asked for.
func (s *Spec) Model(networks []evaluator.Network, constant string, factor float64, single ...evaluator.Metric) (Measured, float64, error) {
	if s.choice != nil {
		networks = s.choice.All
	}
	e, value, err := s.moved(networks, constant, factor, single...)
	if err != nil {
		return nil, 0, err
	}
	bound := map[string]*taskEvaluator{}
	return func(p report.Point) (report.Metrics, *evaluator.Reason, error) {
		e, whole := e, p
		if s.choice != nil {
			one, own, err := s.chosen(nil, p)
			if err != nil {
				return nil, nil, err
			}
			if p = own; bound[one[0].Workload.Name] == nil {
				if len(bound) >= max(maxBound, len(s.choice.All)) {
					clear(bound)
				}
				if bound[one[0].Workload.Name], _, err = s.moved(one, constant, factor); err != nil {
					return nil, nil, err
				}
			}
			e = bound[one[0].Workload.Name]
		}
		d, err := e.point(p)
		if err != nil {
			return nil, nil, err
		}
		all := make([]Totals, len(e.nets))
		m, why := e.model.Measure(d, all)
		if why != nil {
			all = nil
		}
		return append(e.report(m, all), s.ofNetwork(whole)...), why, nil
	}, value, nil
}
