package template

import (
	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// stepper is a Dataflow that knows the least steps that its wires leave of a layer.
type stepper interface{ steps(p *model.Problem) int64 }

// floor returns a cost that no mapping of a layer is below: units that never wait,
// an interface that moves every tensor once while they work, and no energy but that
// of products and of these transfers. What the wires cannot spread counts where spread says so.
func (m *Machine) floor(s *shape, spread bool) Cost {
	if s.vector {
		c, _ := m.layer(s, leastTime())
		return c
	}
	b, fused := &s.p.Bound, &s.p.Fused
	bytes := s.aside()
	if !fused[model.Weights] {
		bytes += s.p.Elements(model.Weights, b) * s.p.Bytes[model.Weights]
	}
	switch {
	case s.absent > 0:
		bytes += s.least
	case !fused[model.Inputs]:
		bytes += touched(&s.p) * s.p.Bytes[model.Inputs]
	}
	if !fused[model.Outputs] {
		bytes += s.p.Elements(model.Outputs, b) * s.p.Bytes[model.Outputs]
	}
	cycles := model.CeilDiv(s.p.MACs(), m.Units)
	if f, ok := m.Flow.(stepper); ok && spread {
		cycles = max(cycles, f.steps(&s.p))
	}
	return Cost{
		Cycles: max(cycles, m.ioCycles(bytes)), OffChip: bytes,
		EnergyPJ: float64(s.p.MACs())*m.Arch.MACPJ + float64(bytes)*m.DRAMPJPerByte,
	}
}

// SpatialFloor returns a time in seconds and an energy in J that no design of the
// template spatial with at most so many units behind an interface is below on a
// network. The error says what is wrong with the network.
func SpatialFloor(n evaluator.Network, units, ioBytesPerSecond int64) (seconds, joules float64, err error) {
	s := spatialSpec()
	bound, err := s.template().Bind([]evaluator.Network{n}, declared(&s))
	if err != nil {
		return 0, 0, err
	}
	b := bound.(bounded).taskModel
	var d frame.Design
	for i := range s.Params {
		d.Values[i] = int64(s.Params[i].Baseline.Num) // of labels the first
	}
	d.Values[spatialIO] = ioBytesPerSecond
	seen := b.machines(&d)
	for i := range seen {
		seen[i].Units = units
	}
	var sum Cost
	for _, at := range b.nets[0].shapes {
		x := &b.shapes[at]
		c := seen[x.view].floor(x, false)
		sum.add(&c)
	}
	return float64(sum.Cycles) / float64(seen[0].ClockHz), sum.EnergyPJ * joulesPerPicojoule, nil
}

// bounded is a template whose partial designs have floors.
type bounded struct{ *taskModel }

var (
	_ frame.Bounded = bounded{}
	_ frame.Probe   = bounded{}
)

// Stages implements frame.Bounded.
func (b bounded) Stages() [][]int { return b.constants.spec.Stages }

// NewProbe implements frame.Bounded: a walk has no state.
func (b bounded) NewProbe(bool) frame.Probe { return b }

// Fix implements frame.Probe.
func (b bounded) Fix(stage int, low, _ *frame.Design, totals []frame.Totals) (frame.Machine, bool) {
	if stage == len(b.Stages())-1 {
		m, reason := b.Measure(*low, totals)
		return m, reason == nil
	}
	seen := b.machines(low)
	for i := range b.nets {
		var sum Cost
		for _, at := range b.nets[i].shapes {
			x := &b.shapes[at]
			c := seen[x.view].floor(x, true)
			sum.add(&c)
		}
		seconds := float64(sum.Cycles) / float64(seen[0].ClockHz)
		totals[i] = frame.Totals{Cycles: sum.Cycles, Seconds: seconds, Joules: sum.EnergyPJ * joulesPerPicojoule}
	}
	return peak(seen), true
}
