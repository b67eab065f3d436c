package template

import (
	"fmt"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// Explain implements frame.Model.
func (b *taskModel) Explain(d frame.Design, given []report.Given) (frame.Explained, error) {
	seen := b.machines(&d)
	m := &seen[0]
	x := frame.Explained{Machine: peak(seen), Array: m.Axes}
	if len(m.Axes) > 0 {
		x.Memories = memoriesOf(&m.Arch, b.views[0].perByte)
	}
	addParts(&x.Area, m.Area, 1) // two axes that sum have reduction trees each
	for i := range b.nets {
		n, reason, err := b.explainNetwork(seen, &b.nets[i], given)
		if reason != nil || err != nil {
			x.Reason, x.Networks = reason, nil
			return x, err
		}
		x.Networks = append(x.Networks, n)
	}
	return x, nil
}

// memoriesOf lists the memories of a hierarchy that have an end, in bytes.
func memoriesOf(a *model.Arch, perByte int64) (list []report.Memory) {
	const milli = 1000
	instances := int64(1)
	for i := range a.Levels {
		if l := &a.Level[i]; l.Capacity > 0 {
			list = append(list, report.Memory{
				Name: l.Name, Bytes: l.Capacity / perByte, Instances: instances, BytesPerCycle: float64(l.ReadRate) / milli / float64(perByte),
			})
		}
		instances *= a.Level[i].Fanout
	}
	return list
}

func (b *taskModel) explainNetwork(seen []Machine, net *network, given []report.Given) (n frame.NetworkParts, reason *evaluator.Reason, err error) {
	m := &seen[0]
	goals := slices.Repeat([]goal{b.goal(m)}, len(b.shapes))
	if b.mapperGoal == evaluator.MapEnergyDelay {
		b.balanced(seen, net, make([]Cost, len(b.shapes)), goals)
	}
	var sum Cost
	for i, at := range net.shapes {
		s := &b.shapes[at]
		v, m := &b.views[s.view], &seen[s.view]
		var d Detail
		y := report.Layer{Mapping: "elements spread over all units"}
		if s.vector {
			d = m.vectorDetail(s)
		} else {
			g := report.Of(given, net.Name, net.Layers[i].ID)
			y.Given, y.Mapped = g != nil, v.mapped(m.Flow.Nest(&s.p), m.Arch)
			if d, reason, err = m.detail(s, v, goals[at], net.Layers[i].ID, g, &y.Mapped.Mapping); reason != nil || err != nil {
				return n, reason, err
			}
			v.detail(&d)
			y.Mapping = y.Mapped.Mapping.String(&m.Arch)
		}
		sum.add(&d.Cost)
		addParts(&n.Energy, d.Energy, joulesPerPicojoule)
		y.Cycles, y.ComputeCycles, y.MemoryCycles, y.IOCycles, y.SerialCycles = d.Cycles, d.Compute, d.Memory, d.IO, d.Serial
		y.Bottleneck, y.Bytes, y.Accesses, y.EnergyJ = d.Bottleneck, d.Bytes, d.Accesses, d.EnergyPJ*joulesPerPicojoule
		n.Layers = append(n.Layers, y)
	}
	n.Totals = m.totals(&sum)
	addParts(&n.Energy, report.Breakdown{{Name: "clock", Value: m.ClockW * n.Seconds}, {Name: "leakage", Value: m.LeakageW * n.Seconds}}, 1)
	return n, nil, nil
}

// detail writes the mapping that is given for a layer, or the mapper's, and
// returns its cost by parts.
func (m *Machine) detail(s *shape, v *view, goal goal, layer string, g *report.Given, mapping *model.Mapping) (d Detail, why *evaluator.Reason, err error) {
	if g != nil {
		if d, err = m.given(&s.p, goal, g, mapping); err != nil {
			err = fmt.Errorf("the mapping of layer %s: %w", layer, err)
		}
		m.detailed(s, &d)
		return d, nil, err
	}
	if _, misfit := m.Flow.Find(&s.p, goal, mapping); misfit != nil {
		v.misfit(misfit)
		return d, misfit.reason(layer), nil
	}
	if d, err = m.Flow.Detail(&s.p, mapping); err != nil {
		err = fmt.Errorf("layer %s: the mapper's own mapping is refused: %w", layer, err)
	}
	m.detailed(s, &d)
	return d, nil, err
}

// given writes the mapping that is given, of several the best that the machine can run.
// Where it can run none, the error is that of the first.
func (m *Machine) given(p *model.Problem, goal goal, g *report.Given, mapping *model.Mapping) (best Detail, err error) {
	on, found := goal.on(p, &m.Arch), false
	for i, nest := range append([]string{g.Nest}, g.Or...) {
		one, wrong := model.ParseMapping(nest, &m.Arch)
		var d Detail
		if wrong == nil {
			d, wrong = m.Flow.Detail(p, &one)
		}
		switch {
		case wrong == nil && (!found || on.of(&d.Cost) < on.of(&best.Cost)):
			best, *mapping, found = d, one, true
		case i == 0:
			err = wrong
		}
	}
	if found {
		return best, nil
	}
	return Detail{}, err
}

// addParts adds up parts by name.
func addParts(b *report.Breakdown, parts report.Breakdown, scale float64) {
	for _, p := range parts {
		at := slices.IndexFunc(*b, func(x report.Part) bool { return x.Name == p.Name })
		if at < 0 {
			at = len(*b)
			*b = append(*b, report.Part{Name: p.Name})
		}
		(*b)[at].Value += p.Value * scale
	}
}

// vectorDetail is the cost of a layer without multiplications, by parts.
func (m *Machine) vectorDetail(s *shape) Detail {
	c, _ := m.layer(s, leastTime())
	c.needs = needs{compute: model.CeilDiv(s.ops, m.Units), io: m.ioCycles(s.bytes)}
	d := Detail{Cost: c, Bytes: report.Counts{{Name: report.OffChip, Value: s.bytes}}, Accesses: []report.Access{}}
	d.split()
	d.Energy = report.Breakdown{{Name: "arithmetic", Value: float64(s.ops) * m.AddPJ}, {Name: report.OffChip, Value: float64(s.bytes) * m.DRAMPJPerByte}}
	return d
}
