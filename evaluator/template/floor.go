package template

import (
	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// floor returns a cost that no mapping of a layer is below: units that never wait,
// an interface that moves every tensor once while they work, and no energy but that
// of products and of these transfers.
func (m *Machine) floor(s *shape) Cost {
	if s.vector {
		c, _ := m.layer(s, leastTime())
		return c
	}
	b, fused := &s.p.Bound, &s.p.Fused
	var bytes int64
	if !fused[model.Weights] {
		bytes += s.p.Elements(model.Weights, b) * s.p.Bytes[model.Weights]
	}
	if !fused[model.Inputs] {
		bytes += touched(&s.p) * s.p.Bytes[model.Inputs]
	}
	if !fused[model.Outputs] {
		bytes += s.p.Elements(model.Outputs, b) * s.p.Bytes[model.Outputs]
	}
	return Cost{
		Cycles: max(model.CeilDiv(s.p.MACs(), m.Units), m.ioCycles(bytes)), OffChip: bytes,
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
	b := bound.(*taskModel)
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
		c := seen[x.view].floor(x)
		sum.add(&c)
	}
	return float64(sum.Cycles) / float64(seen[0].ClockHz), sum.EnergyPJ * joulesPerPicojoule, nil
}
