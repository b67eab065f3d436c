package edge

import (
	"apollo/evaluator/tech"
	"apollo/optimizer/space"
)

// Area is the chip's area by part, in mm². Total is the sum of the others.
type Area struct {
	PEMemory          float64 `json:"pe_memory"`
	CoreMemory        float64 `json:"core_memory"`
	ActivationMemory  float64 `json:"activation_memory"`
	InstructionMemory float64 `json:"instruction_memory"`
	ParameterMemory   float64 `json:"parameter_memory"`
	Arithmetic        float64 `json:"arithmetic"`
	Registers         float64 `json:"registers"`
	PEControl         float64 `json:"pe_control"`
	CoreControl       float64 `json:"core_control"`
	IO                float64 `json:"io"`
	Network           float64 `json:"network_and_control"`
	Total             float64 `json:"total"`
}

// Part is a named number of a breakdown.
type Part struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Parts lists the named parts, without the total.
func (a Area) Parts() []Part {
	return []Part{
		{"pe_memory", a.PEMemory},
		{"core_memory", a.CoreMemory},
		{"activation_memory", a.ActivationMemory},
		{"instruction_memory", a.InstructionMemory},
		{"parameter_memory", a.ParameterMemory},
		{"arithmetic", a.Arithmetic},
		{"registers", a.Registers},
		{"pe_control", a.PEControl},
		{"core_control", a.CoreControl},
		{"io", a.IO},
		{"network_and_control", a.Network},
	}
}

// AreaOf returns the area of a chip at 22 nm. Every memory counts.
func AreaOf(c Chip) Area {
	sizer := newSizer(declared(), nil)
	return sizer.area(&c)
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
		macMM2:    k.node.MultiplyMM2 + k.node.AddMM2,
		laneMM2:   LaneRegisterBits * k.node.RegisterBitMM2,
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

func (s *sizer) area(c *Chip) Area {
	pes, cores := float64(c.PEs()), float64(c.PEs()*c.Cores)
	lanes := cores * float64(c.Lanes)
	a := Area{
		PEMemory:          pes * s.pe.area(&s.constants, c.PEMemory),
		CoreMemory:        cores * s.core.area(&s.constants, c.CoreMemory),
		ActivationMemory:  s.act.area(&s.constants, c.ActivationMemory),
		InstructionMemory: s.instruction.area(&s.constants, c.InstructionMemory),
		ParameterMemory:   s.params.area(&s.constants, c.ParameterMemory),
		Arithmetic:        lanes * SIMDWidth * s.macMM2,
		Registers:         lanes * s.laneMM2,
		PEControl:         pes * s.peControlMM2,
		CoreControl:       cores * s.coreControlMM2,
		IO:                float64(c.IOBandwidth) / giga * s.ioMM2PerGBps,
	}
	rest := a.PEMemory + a.CoreMemory + a.ActivationMemory + a.InstructionMemory + a.ParameterMemory +
		a.Arithmetic + a.Registers + a.PEControl + a.CoreControl + a.IO
	a.Network = s.controlShare * rest
	a.Total = rest + a.Network
	return a
}
