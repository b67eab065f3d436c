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
	saved := min(d.IO, m.ioCycles(d.OffChip)-m.ioCycles(d.OffChip-taken))
	pj := float64(taken) * m.DRAMPJPerByte
	d.OffChip, d.Cycles, d.IO, d.EnergyPJ = d.OffChip-taken, d.Cycles-saved, d.IO-saved, d.EnergyPJ-pj
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
	if saved > 0 && d.IO == 0 {
		d.Bottleneck = "compute"
		if d.Memory > 0 {
			d.Bottleneck = "on-chip memory"
		}
		if d.Serial > max(d.Compute, d.Memory) {
			d.Bottleneck = "serial"
		}
	}
}
