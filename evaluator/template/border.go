package template

import (
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// border brings the cost of a layer's loops to what crosses the chip's border:
// without what its fused operands cross it for, and with what the loops do not
// know. The mapping is that of the layer with tensors in memory, and what it moves
// of them more than once stays, so that the cost of a fused layer is an upper bound.
func (m *Machine) border(s *shape, d *Detail) {
	more := s.aside - min(s.p.FusedBytes(), d.OffChip)
	if more == 0 {
		return
	}
	change := m.ioCycles(d.OffChip+more) - m.ioCycles(d.OffChip)
	compute, memory, io := d.needs[0], d.needs[1], min(d.needs[2], d.Cycles)
	others := max(compute, memory)
	pj := float64(more) * m.DRAMPJPerByte
	d.OffChip, d.EnergyPJ = d.OffChip+more, d.EnergyPJ+pj
	d.Cycles = max(d.Cycles+max(io+change, others)-max(io, others), m.ioCycles(d.OffChip))
	d.split(compute, memory, max(io+change, 0))
	for i := range d.Energy {
		if d.Energy[i].Name == report.OffChip {
			d.Energy[i].Value += pj
		}
	}
	for i := range d.Bytes {
		if d.Bytes[i].Name == report.OffChip {
			d.Bytes[i].Value += more
		}
	}
	for i := range d.Accesses {
		if x := &d.Accesses[i]; x.Level == m.Arch.Level[0].Name {
			s.cross(x)
		}
	}
}

// cross brings the elements of an operand that the loops move off chip to those that
// cross the border.
func (s *shape) cross(x *report.Access) {
	for o := range model.Operands {
		if x.Operand != o.String() {
			continue
		}
		n := &x.Reads
		if o == model.Outputs {
			n = &x.Updates
		}
		if s.p.Fused[o] {
			*n -= min(s.p.Elements(o, &s.p.Bound), *n)
		}
		if o == s.beside {
			*n += s.aside / s.p.Bytes[o]
		}
	}
}
