package template

import (
	"math"
	"sync"

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
	// datapath is what the units of every design can do.
	datapath tech.Datapath
	layout
	wires
	frame.Technology
}

// layout says how much of a chip its parts take once they are placed, relative to
// the node's tables. The template edge does without: see
// docs/decisions/0023-areas-of-silicon.md.
type layout struct {
	// operators and registers are those of synthesis for a clock over those of
	// the tables, utilisation the share of placed logic that is cells.
	operators, registers, utilisation float64
	// engines is what a chip has beside the template's units and memories, as a
	// share of these.
	engines float64
}

// utilisation is the share of the area of placed logic that is cells; chosen: the
// middle of the 60 to 80 % that routable designs have.
const utilisation = 0.7

// sramLayout is the area of a memory in a chip over that of CACTI, set from the
// scratchpad of Gemmini (see docs/validation.md#area): a cell of 0.092 µm² where
// CACTI takes 0.071, banks, their periphery, and channels between them.
const sramLayout = 2.6

func declared(s *Spec) *constants {
	k := &constants{s, float64(s.ClockHz), s.NetworkBytes, s.datapath(), layout{utilisation: utilisation, engines: s.Engines}, declaredWires(), frame.Declared()}
	k.operators, k.registers = tech.Synthesised()
	k.SRAMArea = sramLayout
	return k
}

// Rows implements frame.Constants.
func (k *constants) Rows() []frame.Constant {
	rows := []frame.Constant{{Name: "clock", Unit: "Hz", At: &k.clock}}
	if k.network > 0 {
		rows = append(rows, frame.Constant{Name: "network_bandwidth", Unit: "B/cycle", At: &k.network})
	}
	rows = append(rows, frame.Constant{Name: "operator_layout", At: &k.operators}, frame.Constant{Name: "register_layout", At: &k.registers},
		frame.Constant{Name: "utilisation", At: &k.utilisation})
	if k.engines > 0 {
		rows = append(rows, frame.Constant{Name: "engines", At: &k.engines})
	}
	if k.spec.Wires {
		rows = append(rows, frame.Constant{Name: "wire_pitch", Unit: "mm", At: &k.trackMM}, frame.Constant{Name: "wire_reach", Unit: "mm/cycle", At: &k.reachMM})
	}
	return append(rows, k.Technology.Rows()...)
}

// chip collects the parts of a machine.
type chip struct {
	constants
	area     report.Breakdown
	leakageW float64
	// bareMM2 is the area of memories and logic by the node's tables, memoryMM2
	// that of the memories, arrayMM2 that of the units. Clock and wires are
	// charged for these: their constants were set so.
	bareMM2, memoryMM2, arrayMM2 float64
	view
	// outline: nobody asks for what a mapper needs, which may be left out.
	outline bool
	// axes are those of the array of the template spatial.
	axes [maxAxes]arrayAxis
}

// machine builds a design's machine as layers of the default formats see it.
func (k *constants) machine(design []int64) Machine { return k.seen(design, defaultView()) }

// seen builds a design's machine as some layers see it.
func (k *constants) seen(design []int64, v view) Machine {
	return k.build(design, &chip{constants: *k, view: v})
}

// outlined returns what the free checks need of a design's machine. A search checks
// a thousand designs for each that it proposes, so that the lists are kept for the next one.
func (k *constants) outlined(design []int64) frame.Machine {
	c := outlines.Get().(*chip)
	defer outlines.Put(c)
	*c = chip{constants: *k, view: defaultView(), outline: true, area: c.area[:0], axes: c.axes}
	m := k.build(design, c)
	return m.known()
}

var outlines = sync.Pool{New: func() any { return new(chip) }}

func (k *constants) build(design []int64, c *chip) Machine {
	m := k.spec.Build(c, design)
	m.Units = model.CeilDiv(m.Units*c.block.Of, c.block.Keep)
	return m
}

// memory adds instances of a memory and returns one of them.
func (c *chip) memory(name string, size, instances int64) tech.SRAM {
	const wattsPerMilliwatt = 1e-3
	m := c.Node.SRAM(float64(size))
	m.ReadPJPerByte *= c.SRAMEnergy / float64(c.perByte)
	m.WritePJPerByte *= c.SRAMEnergy / float64(c.perByte)
	mm2 := m.AreaMM2 * float64(instances)
	c.memoryMM2 += mm2
	c.bareMM2 += mm2
	c.part(name, mm2*c.SRAMArea)
	c.leakageW += m.LeakageMW * wattsPerMilliwatt * float64(instances) * c.SRAMLeakage
	return m
}

// logic adds operators and bits of registers under one name.
func (c *chip) logic(name string, operatorsMM2 float64, registerBits int64) {
	registersMM2 := float64(registerBits) * c.Node.RegisterBitMM2
	c.bareMM2 += operatorsMM2 + registersMM2
	c.arrayMM2 += operatorsMM2 + registersMM2
	c.part(name, (operatorsMM2*c.operators+registersMM2*c.layout.registers)/c.utilisation)
}

// part adds another part, in mm².
func (c *chip) part(name string, mm2 float64) {
	c.area = append(c.area, report.Part{Name: name, Value: mm2})
}

// units adds multiply-accumulate units of the datapath with the registers of one,
// in bits.
func (c *chip) units(n, registerBits int64) { c.array(n, registerBits, c.datapath.Area.Multiply) }

// array adds units whose multiplier has some area, relative to one of 8 bits.
func (c *chip) array(n, registerBits int64, multiply float64) {
	c.logic("arithmetic", float64(n)*(c.Node.MultiplyMM2*multiply+c.Node.AddMM2*c.datapath.Area.Add), 0)
	c.logic("registers", 0, n*registerBits)
	if c.datapath.Choices > 0 {
		c.logic("selectors", float64(n*c.datapath.Choices*c.datapath.Activations)*c.Node.SelectBitMM2, 0)
	}
}

// acrossPJ is the energy of a byte that crosses the array of units from side to
// side, in pJ.
func (c *chip) acrossPJ() float64 {
	return c.Node.HopPJPerByte * math.Sqrt(c.arrayMM2) / tech.HopMM / float64(c.perByte)
}

// rate returns the bytes per 1000 cycles of a port as wide as the network's
// constant times n.
func (c *chip) rate(n int64) int64 {
	const milli = 1000
	return max(int64(math.Round(c.network*float64(n)*milli)), 1) * c.perByte
}

// blockRate is the rate of a port of inputs, which are wide enough for the blocks
// that units choose from.
func (c *chip) blockRate(n int64) int64 {
	return model.CeilDiv(c.rate(n)*c.block.Of, c.block.Keep)
}

// machine completes the collection.
func (c *chip) machine(ioBytesPerSecond, units int64) Machine {
	const giga = 1e9
	io := float64(ioBytesPerSecond) / giga * c.IOMM2PerGBps
	core := c.area.Total()
	c.part("io", io)
	if c.engines > 0 {
		c.part("engines", c.engines*core)
	}
	c.part("network_and_control", c.ControlShare*c.area.Total())
	const milli = 1000
	clock := int64(math.Round(c.clock))
	return Machine{
		ClockHz: clock, IORate: max(ioBytesPerSecond/(clock/milli), 1) * c.perByte, Units: units,
		Area: c.area, LeakageW: c.leakageW, ClockW: c.ClockW((1+c.ControlShare)*(c.bareMM2+io)-c.memoryMM2-io, clock),
		AddPJ: c.Node.AddPJ * c.energy.Add, DRAMPJPerByte: c.Node.DRAMPJPerByte / float64(c.perByte),
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
	return buffer(name, 0, fanout, &tech.SRAM{ReadPJPerByte: c.Node.RegisterPJPerByte / float64(c.perByte), WritePJPerByte: c.Node.RegisterPJPerByte / float64(c.perByte)}, operands...)
}

// hierarchy lists the levels, outermost first.
func (c *chip) hierarchy(levels ...model.Level) model.Arch {
	a := model.Arch{Levels: len(levels), MACPJ: c.Node.MACPJ(c.energy)}
	copy(a.Level[:], levels)
	for i := range levels {
		a.Level[i].Capacity *= c.perByte
	}
	return a
}
