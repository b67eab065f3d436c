package template

import (
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// fuse takes out of the cost of a layer what its fused operands cross the
// chip's border for. The mapping is that of the layer with tensors in memory,
// and what it moves more than once stays, so that the cost is an upper bound.
func (m *Machine) fuse(p *model.Problem, d *Detail) {
	taken := min(p.FusedBytes(), d.OffChip)
	if taken == 0 {
		return
	}
	less := m.ioCycles(d.OffChip) - m.ioCycles(d.OffChip-taken)
	compute, memory, io := d.needs[0], d.needs[1], min(d.needs[2], d.Cycles)
	saved := min(max(io-max(compute, memory), 0), less)
	pj := float64(taken) * m.DRAMPJPerByte
	d.OffChip, d.Cycles, d.EnergyPJ = d.OffChip-taken, d.Cycles-saved, d.EnergyPJ-pj
	d.split(compute, memory, max(io-less, 0))
	for i := range d.Energy {
		if d.Energy[i].Name == report.OffChip {
			d.Energy[i].Value -= pj
		}
	}
	for i := range d.Bytes {
		if d.Bytes[i].Name == report.OffChip {
			d.Bytes[i].Value -= taken
		}
	}
}
