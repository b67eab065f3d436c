package edge

import "apollo/evaluator/model"

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
	chip
	*constants
	// allPEs is the number of PEs on the chip, of which PEs are in use: the
	// memories of the others still hold what waits.
	allPEs int64
	// anyLanes asks for bounds that hold for any number of lanes up to Lanes.
	anyLanes bool
	// ioRate is the off-chip bandwidth in bytes per 1000 cycles.
	ioRate int64
	// pe, core and parameter are the energies of the memories that a mapping
	// uses; what leaves the parameter memory crosses the mesh.
	pe, core, parameter sramEnergy
	// hopPJ is the energy of bringing one byte to a PE.
	hopPJ float64
	// activationPJ is the energy of one byte through the chip-level activation
	// memory, in and out; instructionPJ that of reading an instruction entry.
	activationPJ, instructionPJ, dramPJ float64
	// leakageW is the static power of the memories in W, clockW that of the clock
	// network.
	leakageW, clockW float64
}

// sramEnergy is the energy of one byte in pJ.
type sramEnergy struct{ readPJ, writePJ float64 }

// of returns the energy in pJ of the given bytes.
func (e *sramEnergy) of(read, write int64) float64 {
	return float64(read)*e.readPJ + float64(write)*e.writePJ
}

const milli = 1000

// prepare fills in m. It allocates nothing.
func (s *sizer) prepare(m *machine, c *chip) { s.prepareLeast(m, c, c) }

// prepareLeast fills in m as c, with memories that cost no more than those of any chip
// from c to high.
func (s *sizer) prepareLeast(m *machine, c, high *chip) {
	k, n := &s.constants, &s.Node
	pe, core := s.pe.between(k, c.PEMemory, high.PEMemory), s.core.between(k, c.CoreMemory, high.CoreMemory)
	act := s.act.between(k, c.ActivationMemory, high.ActivationMemory)
	instruction := s.instruction.between(k, c.InstructionMemory, high.InstructionMemory)
	parameter := s.params.between(k, c.ParameterMemory, high.ParameterMemory)
	m.chip, m.constants, m.hopPJ, m.anyLanes = *c, k, 0, false
	m.ioRate = max(c.IOBandwidth/max(c.clock()/milli, 1), 1)
	m.allPEs = c.PEs()
	m.pe = sramEnergy{pe.ReadPJPerByte, pe.WritePJPerByte}
	m.core = sramEnergy{core.ReadPJPerByte, core.WritePJPerByte}
	m.parameter = sramEnergy{parameter.ReadPJPerByte, parameter.WritePJPerByte}
	m.addHops()
	m.dramPJ = n.DRAMPJPerByte
	m.activationPJ = act.WritePJPerByte + act.ReadPJPerByte
	m.instructionPJ = instruction.ReadPJPerByte * float64(k.instructionEntryBytes)
	const wattsPerMilliwatt = 1e-3
	m.leakageW = wattsPerMilliwatt * (float64(c.PEs())*(pe.LeakageMW+float64(c.Cores)*core.LeakageMW) +
		act.LeakageMW + instruction.LeakageMW + parameter.LeakageMW)
	var parts [areaParts]float64
	s.area(c, &parts)
	m.clockW = k.ClockW(logicMM2(&parts), c.clock())
}

// addHops fills in the energy of the way to the PEs in use.
func (m *machine) addHops() {
	m.parameter.readPJ -= m.hopPJ
	m.hopPJ = m.Node.HopPJPerByte * float64(m.PEsX+m.PEsY) / 2
	m.parameter.readPJ += m.hopPJ
}

// hierarchy returns the chip as the core evaluates a layer on it.
func (m *machine) hierarchy(s *shape) model.Arch {
	var weights, activations, outputs [model.Operands]bool
	weights[model.Weights] = true
	activations[model.Inputs], activations[model.Outputs] = true, true
	outputs[model.Outputs] = true
	return model.Arch{Levels: levelCount, MACPJ: m.Node.MACPJ(s.energy), Level: [model.MaxLevels]model.Level{
		levelIO: {Name: "off-chip memory", Keeps: weights, DoubleBuffered: true, Fanout: 1, ReadRate: m.ioRate, ReadPJ: m.dramPJ},
		levelParameter: {
			Name: "parameter memory", Keeps: weights, DoubleBuffered: true, Fanout: m.PEs(), ReadRate: m.busBytes * milli,
			Capacity: m.ParameterMemory * m.parameterEntryBytes, ReadPJ: m.parameter.readPJ, WritePJ: m.parameter.writePJ,
		},
		levelPE: {
			Name: "PE memory", Keeps: activations, DoubleBuffered: true, Fanout: m.Cores, ReadRate: m.portBytes * milli, WriteRate: m.portBytes * milli,
			ReadPJ: m.pe.readPJ, WritePJ: m.pe.writePJ,
		},
		levelCore: {
			Name: "core memory", Keeps: weights, DoubleBuffered: true, Fanout: m.Lanes,
			Capacity: m.CoreMemory, ReadPJ: m.core.readPJ, WritePJ: m.core.writePJ,
		},
		levelLane: {
			Name: "lane", Keeps: outputs, DoubleBuffered: true, Fanout: simdWidth, ReadPJ: m.Node.RegisterPJPerByte, WritePJ: m.Node.RegisterPJPerByte,
		},
	}}
}
