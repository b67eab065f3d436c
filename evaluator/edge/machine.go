package edge

import (
	"apollo/evaluator/model"
	"apollo/evaluator/tech"
)

// Levels of the hierarchy.
const (
	levelIO = iota
	levelParameter
	levelPE
	levelCore
	levelLane
	levelCount
)

// machine is a chip made ready for evaluating layers.
type machine struct {
	Chip
	*constants
	arch model.Arch
	// ioRate is the off-chip bandwidth in bytes per 1000 cycles.
	ioRate int64
	// hopPJ is the energy of bringing one byte to a PE.
	hopPJ float64
	// activationPJ is the energy of one byte through the chip-level activation
	// memory, in and out; instructionPJ that of reading an instruction entry.
	activationPJ, instructionPJ, dramPJ, addPJ float64
	// leakageW is the static power of the memories in W.
	leakageW float64
}

const milli = 1000

// prepare fills in m. It allocates nothing.
func (s *sizer) prepare(m *machine, c *Chip) {
	k, n := &s.constants, &s.node
	pe, core := s.pe.sram(k, c.PEMemory), s.core.sram(k, c.CoreMemory)
	act := s.act.sram(k, c.ActivationMemory)
	instruction := s.instruction.sram(k, c.InstructionMemory)
	parameter := s.params.sram(k, c.ParameterMemory)
	m.Chip, m.constants = *c, k
	m.ioRate = max(c.IOBandwidth/max(c.clock()/milli, 1), 1)
	m.hopPJ = n.HopPJPerByte * float64(c.PEsX+c.PEsY) / 2
	m.dramPJ, m.addPJ = n.DRAMPJPerByte, n.AddPJ
	m.activationPJ = act.WritePJPerByte + act.ReadPJPerByte
	m.instructionPJ = instruction.ReadPJPerByte * float64(k.instructionEntryBytes)
	const wattsPerMilliwatt = 1e-3
	m.leakageW = wattsPerMilliwatt * (float64(c.PEs())*(pe.LeakageMW+float64(c.Cores)*core.LeakageMW) +
		act.LeakageMW + instruction.LeakageMW + parameter.LeakageMW)
	m.build(n, &pe, &core, &parameter)
}

// build writes the hierarchy of the chip.
func (m *machine) build(n *tech.Node, pe, core, parameter *tech.SRAM) {
	var weights, activations, outputs [model.Operands]bool
	weights[model.Weights] = true
	activations[model.Inputs], activations[model.Outputs] = true, true
	outputs[model.Outputs] = true
	m.arch = model.Arch{Levels: levelCount, MACPJ: n.MACPJ()}
	m.arch.Level = [model.MaxLevels]model.Level{
		levelIO: {Name: "off-chip memory", Keeps: weights, DoubleBuffered: true, Fanout: 1, ReadRate: m.ioRate, ReadPJ: n.DRAMPJPerByte},
		levelParameter: {
			Name: "parameter memory", Keeps: weights, DoubleBuffered: true, Fanout: m.PEs(), ReadRate: m.busBytes * milli,
			Capacity: m.ParameterMemory * m.parameterEntryBytes, ReadPJ: parameter.ReadPJPerByte + m.hopPJ, WritePJ: parameter.WritePJPerByte,
		},
		levelPE: {
			Name: "PE memory", Keeps: activations, DoubleBuffered: true, Fanout: m.Cores, ReadRate: m.portBytes * milli, WriteRate: m.portBytes * milli,
			ReadPJ: pe.ReadPJPerByte, WritePJ: pe.WritePJPerByte,
		},
		levelCore: {
			Name: "core memory", Keeps: weights, DoubleBuffered: true, Fanout: m.Lanes,
			Capacity: m.CoreMemory, ReadPJ: core.ReadPJPerByte, WritePJ: core.WritePJPerByte,
		},
		levelLane: {
			Name: "lane", Keeps: outputs, DoubleBuffered: true, Fanout: SIMDWidth, ReadPJ: m.registerPJ, WritePJ: m.registerPJ,
		},
	}
}
