package edge

import (
	"apollo/evaluator/report"
	"apollo/evaluator/tech"
	"apollo/optimizer/space"
)

// areaParts is the number of parts of the area.
const areaParts = 11

// logicMM2 adds the parts that the clock network drives: all but memories and
// interface.
func logicMM2(parts *[areaParts]float64) float64 {
	const arithmetic, io = 5, areaParts - 2
	sum := parts[areaParts-1]
	for _, mm2 := range parts[arithmetic:io] {
		sum += mm2
	}
	return sum
}

// areaOf lists the parts of the area by name, in mm².
func areaOf(parts *[areaParts]float64) report.Breakdown {
	return breakdown(parts[:], "pe_memory", "core_memory", "activation_memory", "instruction_memory", "parameter_memory",
		"arithmetic", "registers", "pe_control", "core_control", "io", "network_and_control")
}

// sizer computes areas. It knows the area of every memory size of the space in
// advance, because a study checks dozens of areas per proposed design.
type sizer struct {
	constants
	macMM2, laneMM2                    float64
	pe, core, act, instruction, params memo
}

// memo holds the memories of the sizes that were named in advance.
type memo struct {
	entryBytes float64
	sizes      []float64
	known      []tech.SRAM
	least      tech.SRAM // what none of the sizes costs less than
}

// newSizer takes the parameters in the template's order, and what the units have to
// be able to do.
func newSizer(k constants, space []space.Param, d *tech.Datapath) *sizer {
	s := &sizer{
		constants: k,
		macMM2:    k.Node.MultiplyMM2*d.Area.Multiply + k.Node.AddMM2*d.Area.Add,
		laneMM2:   float64(laneRegisterBits(d)) * k.Node.RegisterBitMM2,
	}
	s.pe, s.core = newMemo(&k, 1, space[2].Values), newMemo(&k, 1, space[4].Values)
	s.act = newMemo(&k, k.activationEntryBytes, space[6].Values)
	s.instruction = newMemo(&k, k.instructionEntryBytes, space[7].Values)
	s.params = newMemo(&k, k.parameterEntryBytes, space[8].Values)
	return s
}

func newMemo(k *constants, entryBytes int64, sizes []float64) memo {
	m := memo{entryBytes: float64(entryBytes), sizes: sizes, known: make([]tech.SRAM, len(sizes))}
	for i, size := range sizes {
		m.known[i] = k.sram(size * m.entryBytes)
		if i == 0 {
			m.least = m.known[0]
		}
		m.least = m.least.Least(m.known[i])
	}
	return m
}

// between returns what no memory from low to high costs less than, which are one
// size, or the least and the largest that were named in advance.
func (m *memo) between(k *constants, low, high int64) tech.SRAM {
	if low == high {
		return m.sram(k, low)
	}
	return m.least
}

func (m *memo) sram(k *constants, entries int64) tech.SRAM {
	if i := m.find(entries); i >= 0 {
		return m.known[i]
	}
	return k.sram(float64(entries) * m.entryBytes)
}

func (m *memo) area(k *constants, entries int64) float64 {
	if i := m.find(entries); i >= 0 {
		return m.known[i].AreaMM2
	}
	return k.sram(float64(entries) * m.entryBytes).AreaMM2
}

// find returns the index of a size that was named in advance, or -1.
func (m *memo) find(entries int64) int {
	size := float64(entries)
	for i, known := range m.sizes {
		if known == size {
			return i
		}
	}
	return -1
}

// area returns the chip's area in mm² at 22 nm, and its parts in the order of
// areaOf. Every memory counts.
func (s *sizer) area(c *chip, parts *[areaParts]float64) float64 {
	pes, cores := float64(c.PEs()), float64(c.PEs()*c.Cores)
	lanes := cores * float64(c.Lanes)
	*parts = [areaParts]float64{
		pes * s.pe.area(&s.constants, c.PEMemory),
		cores * s.core.area(&s.constants, c.CoreMemory),
		s.act.area(&s.constants, c.ActivationMemory),
		s.instruction.area(&s.constants, c.InstructionMemory),
		s.params.area(&s.constants, c.ParameterMemory),
		lanes * simdWidth * s.macMM2,
		lanes * s.laneMM2,
		pes * s.peControlMM2,
		cores * s.coreControlMM2,
		float64(c.IOBandwidth) / giga * s.IOMM2PerGBps,
	}
	var rest float64
	for _, mm2 := range parts[:areaParts-1] {
		rest += mm2
	}
	parts[areaParts-1] = s.ControlShare * rest
	return rest + parts[areaParts-1]
}
