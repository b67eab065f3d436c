package template

import (
	"math"

	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/evaluator/tech"
)

// constants are what machines are made with beyond their parameters. What is
// structure stays: widths of operands, states of a unit, and the fitted times of
// evaluator/gemmini.
type constants struct {
	spec  *Spec
	clock float64
	// network is what the buffers give the array in a cycle, see
	// Spec.NetworkBytes.
	network float64
	frame.Technology
}

func declared(s *Spec) *constants {
	return &constants{s, float64(s.ClockHz), s.NetworkBytes, frame.Declared()}
}

// Rows implements frame.Constants.
func (k *constants) Rows() []frame.Constant {
	rows := []frame.Constant{{Name: "clock", Unit: "Hz", At: &k.clock}}
	if k.network > 0 {
		rows = append(rows, frame.Constant{Name: "network_bandwidth", Unit: "B/cycle", At: &k.network})
	}
	return append(rows, k.Technology.Rows()...)
}

// chip collects the parts of a machine.
type chip struct {
	constants
	area     report.Breakdown
	leakageW float64
	// memoryMM2 is the area of the memories.
	memoryMM2 float64
	// arrayMM2 is the area of the units.
	arrayMM2 float64
}

// machine builds a design's machine.
func (k *constants) machine(design []int64) Machine {
	return k.spec.Build(&chip{constants: *k}, design)
}

// memory adds instances of a memory and returns one of them.
func (c *chip) memory(name string, size, instances int64) tech.SRAM {
	const wattsPerMilliwatt = 1e-3
	m := c.Node.SRAM(float64(size))
	m.ReadPJPerByte *= c.SRAMEnergy
	m.WritePJPerByte *= c.SRAMEnergy
	mm2 := m.AreaMM2 * float64(instances) * c.SRAMArea
	c.memoryMM2 += mm2
	c.part(name, mm2)
	c.leakageW += m.LeakageMW * wattsPerMilliwatt * float64(instances) * c.SRAMLeakage
	return m
}

// part adds another part, in mm².
func (c *chip) part(name string, mm2 float64) {
	c.area = append(c.area, report.Part{Name: name, Value: mm2})
}

// units adds multiply-accumulate units with the registers of one, in bits.
func (c *chip) units(n, registerBits int64) {
	logic, registers := float64(n)*(c.Node.MultiplyMM2+c.Node.AddMM2), float64(n)*float64(registerBits)*c.Node.RegisterBitMM2
	c.part("arithmetic", logic)
	c.part("registers", registers)
	c.arrayMM2 += logic + registers
}

// acrossPJ is the energy of a byte that crosses the array of units from side to
// side, in pJ.
func (c *chip) acrossPJ() float64 { return c.Node.HopPJPerByte * math.Sqrt(c.arrayMM2) / tech.HopMM }

// rate returns the bytes per 1000 cycles of a port as wide as the network's
// constant times n.
func (c *chip) rate(n int64) int64 {
	const milli = 1000
	return max(int64(math.Round(c.network*float64(n)*milli)), 1)
}

// machine completes the collection.
func (c *chip) machine(ioBytesPerSecond, units int64) Machine {
	const giga = 1e9
	io := float64(ioBytesPerSecond) / giga * c.IOMM2PerGBps
	c.part("io", io)
	c.part("network_and_control", c.ControlShare*c.area.Total())
	const milli = 1000
	clock := int64(math.Round(c.clock))
	return Machine{
		ClockHz: clock, IORate: max(ioBytesPerSecond/(clock/milli), 1), Units: units,
		Area: c.area, LeakageW: c.leakageW, ClockW: c.ClockW(c.area.Total()-c.memoryMM2-io, clock), AddPJ: c.Node.AddPJ, DRAMPJPerByte: c.Node.DRAMPJPerByte,
	}
}

// offChip is the outermost level of every hierarchy. Reads and writes share the
// interface, as they share the pins of a DRAM channel.
func offChip(m *Machine) model.Level {
	return model.Level{
		Name: "off-chip memory", Keeps: keeps(model.Weights, model.Inputs, model.Outputs), DoubleBuffered: true, Fanout: 1,
		ReadRate: m.IORate, WriteRate: m.IORate, Shared: true, ReadPJ: m.DRAMPJPerByte, WritePJ: m.DRAMPJPerByte,
	}
}

func keeps(list ...model.Operand) (k [model.Operands]bool) {
	for _, o := range list {
		k[o] = true
	}
	return k
}

// buffer is a double-buffered level of the hierarchy in an on-chip memory.
func buffer(name string, size, fanout int64, m *tech.SRAM, operands ...model.Operand) model.Level {
	return model.Level{
		Name: name, Keeps: keeps(operands...), Capacity: size, DoubleBuffered: true, Fanout: fanout,
		ReadPJ: m.ReadPJPerByte, WritePJ: m.WritePJPerByte,
	}
}

// ported returns a level whose read and write port have a rate, in bytes per 1000
// cycles, and whose bytes cost more to read by the wires to the array, in pJ.
func ported(l model.Level, rate int64, wirePJ float64) model.Level {
	l.ReadRate, l.WriteRate = rate, rate
	l.ReadPJ += wirePJ
	return l
}

// registers is a level in the units, without a limit of its own.
func (c *chip) registers(name string, fanout int64, operands ...model.Operand) model.Level {
	return buffer(name, 0, fanout, &tech.SRAM{ReadPJPerByte: c.Node.RegisterPJPerByte, WritePJPerByte: c.Node.RegisterPJPerByte}, operands...)
}

// hierarchy lists the levels, outermost first.
func (c *chip) hierarchy(levels ...model.Level) model.Arch {
	a := model.Arch{Levels: len(levels), MACPJ: c.Node.MACPJ()}
	copy(a.Level[:], levels)
	return a
}
