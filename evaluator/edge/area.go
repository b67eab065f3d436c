package edge

import (
	"apollo/evaluator/report"
	"apollo/evaluator/tech"
	"apollo/optimizer/space"
)

// Parts of the area.
const (
	areaPEMemory = iota
	areaCoreMemory
	areaActivationMemory
	areaInstructionMemory
	areaParameterMemory
	areaArithmetic
	areaRegisters
	areaPEControl
	areaCoreControl
	areaIO
	areaNetwork
	areaParts
)

// area is the chip's area by part, in mm² at 22 nm. Every memory counts.
type area [areaParts]float64

func (a *area) total() float64 {
	var sum float64
	for _, v := range a {
		sum += v
	}
	return sum
}

// parts lists the parts by name.
func (a *area) parts() report.Breakdown {
	return breakdown(a[:], "pe_memory", "core_memory", "activation_memory", "instruction_memory", "parameter_memory",
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
}

func newSizer(k constants, space []space.Param) *sizer {
	s := &sizer{
		constants: k,
		macMM2:    k.Node.MultiplyMM2 + k.Node.AddMM2,
		laneMM2:   laneRegisterBits * k.Node.RegisterBitMM2,
	}
	s.pe = newMemo(&k, 1, levels(space, "pe_memory"))
	s.core = newMemo(&k, 1, levels(space, "core_memory"))
	s.act = newMemo(&k, k.activationEntryBytes, levels(space, "activation_memory"))
	s.instruction = newMemo(&k, k.instructionEntryBytes, levels(space, "instruction_memory"))
	s.params = newMemo(&k, k.parameterEntryBytes, levels(space, "parameter_memory"))
	return s
}

func levels(space []space.Param, name string) []float64 {
	for _, p := range space {
		if p.Name == name {
			return p.Values
		}
	}
	return nil
}

func newMemo(k *constants, entryBytes int64, sizes []float64) memo {
	m := memo{entryBytes: float64(entryBytes), sizes: sizes, known: make([]tech.SRAM, len(sizes))}
	for i, size := range sizes {
		m.known[i] = k.sram(size * m.entryBytes)
	}
	return m
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

func (s *sizer) area(c *chip) area {
	pes, cores := float64(c.PEs()), float64(c.PEs()*c.Cores)
	lanes := cores * float64(c.Lanes)
	a := area{
		areaPEMemory:          pes * s.pe.area(&s.constants, c.PEMemory),
		areaCoreMemory:        cores * s.core.area(&s.constants, c.CoreMemory),
		areaActivationMemory:  s.act.area(&s.constants, c.ActivationMemory),
		areaInstructionMemory: s.instruction.area(&s.constants, c.InstructionMemory),
		areaParameterMemory:   s.params.area(&s.constants, c.ParameterMemory),
		areaArithmetic:        lanes * simdWidth * s.macMM2,
		areaRegisters:         lanes * s.laneMM2,
		areaPEControl:         pes * s.peControlMM2,
		areaCoreControl:       cores * s.coreControlMM2,
		areaIO:                float64(c.IOBandwidth) / giga * s.IOMM2PerGBps,
	}
	a[areaNetwork] = s.ControlShare * a.total() // of the rest
	return a
}
