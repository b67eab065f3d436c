package template

import (
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// border brings the cost of a layer's loops to what crosses the chip's border:
// without what its fused operands cross it for, and with what the loops do not
// know. The mapping is that of the layer with tensors in memory, and what it moves
// of them more than once stays, so that the cost of a fused layer is an upper bound.
func (m *Machine) border(s *shape, c *Cost) {
	c.loops = bare{c.Cycles, c.EnergyPJ}
	more := s.aside() - s.padding(c.inputs) - min(s.p.FusedBytes(), c.OffChip)
	if more == 0 {
		return
	}
	change := m.ioCycles(c.OffChip+more) - m.ioCycles(c.OffChip)
	n := &c.needs
	io := min(n.io, c.Cycles)
	others := max(n.compute, n.memory)
	c.OffChip, c.EnergyPJ = c.OffChip+more, c.EnergyPJ+float64(more)*m.DRAMPJPerByte
	c.Cycles = max(c.Cycles+max(io+change, others)-max(io, others), m.ioCycles(c.OffChip))
	n.io = max(io+change, 0)
}

// detailed is border for a cost by parts.
func (m *Machine) detailed(s *shape, d *Detail) {
	bytes, pj := d.OffChip, d.EnergyPJ
	m.border(s, &d.Cost)
	d.split()
	for i := range d.Energy {
		if d.Energy[i].Name == report.OffChip {
			d.Energy[i].Value += d.EnergyPJ - pj
		}
	}
	for i := range d.Bytes {
		if d.Bytes[i].Name == report.OffChip {
			d.Bytes[i].Value += d.OffChip - bytes
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
		n, size := &x.Reads, max(s.p.Bytes[o], s.word)
		if o == model.Outputs {
			n = &x.Updates
		}
		if o == model.Inputs {
			*n -= s.padding(*n*size) / size
		}
		if s.p.Fused[o] {
			*n -= min(s.p.Elements(o, &s.p.Bound), *n)
		}
		*n += model.CeilDiv(max(s.beside[o], 0), size) - max(-s.beside[o], 0)/size
	}
}
