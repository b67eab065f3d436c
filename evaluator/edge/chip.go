package edge

import (
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
)

// chip is one design: the ten parameters and the clock. Chips need not lie on
// the lattice of the search space. All fields are positive.
type chip struct {
	// PEsX and PEsY are the columns and rows of the mesh of PEs.
	PEsX, PEsY int64
	// PEMemory is the activation memory of one PE, in bytes.
	PEMemory int64
	// Cores is the number of cores in one PE.
	Cores int64
	// CoreMemory is the weight memory of one core, in bytes.
	CoreMemory int64
	// Lanes is the number of compute lanes of one core; a lane multiplies and
	// accumulates simdWidth pairs per cycle.
	Lanes int64
	// ActivationMemory, InstructionMemory and ParameterMemory are the
	// chip-level memories, in entries.
	ActivationMemory, InstructionMemory, ParameterMemory int64
	// IOBandwidth is the off-chip bandwidth in bytes per second.
	IOBandwidth int64
	// ClockHz is the clock in Hz; 0 means clockHz, the clock of the space.
	ClockHz int64

	// What follows describes real chips beyond the ten parameters; the designs
	// of the space leave all of it 0.

	// ResidentBytes of parameters stay in the core memories from one inference
	// to the next, the first of the network, where no bus has to bring them; 0
	// means a cold inference.
	ResidentBytes int64
	// IssuePercent is the time of one compute step in percent of a cycle: what
	// the sequencers lose; 0 means 100.
	IssuePercent int64
	// PackedDepthwise chips put the columns of a depthwise layer on the lanes
	// and multipliers that its channels leave idle.
	PackedDepthwise bool
	// HostCycles is what the host takes to start an inference and to fetch its
	// result.
	HostCycles int64
}

// PEs returns the number of PEs.
func (c chip) PEs() int64 { return c.PEsX * c.PEsY }

// MACs returns the multiply-accumulates that the chip does per cycle at best.
func (c chip) MACs() int64 { return c.PEs() * c.Cores * c.Lanes * simdWidth }

// issued returns the cycles that a number of compute steps takes.
func (c *chip) issued(steps int64) int64 {
	const percent = 100
	if c.IssuePercent == 0 {
		return steps
	}
	return steps * c.IssuePercent / percent
}

func (c chip) clock() int64 {
	if c.ClockHz == 0 {
		return clockHz
	}
	return c.ClockHz
}

// fields lists the parameters in the template's order.
func (c *chip) fields() [paramCount]*int64 {
	return [paramCount]*int64{
		&c.PEsX, &c.PEsY, &c.PEMemory, &c.Cores, &c.CoreMemory, &c.Lanes,
		&c.ActivationMemory, &c.InstructionMemory, &c.ParameterMemory, &c.IOBandwidth,
	}
}

// beyond lists what a chip has beyond the ten parameters.
func (c *chip) beyond() report.Fields {
	f := report.Fields{{Name: "clock_hz", Value: c.clock()}}
	for _, x := range (report.Fields{
		{Name: "resident_bytes", Value: c.ResidentBytes},
		{Name: "issue_percent", Value: c.IssuePercent},
		{Name: "packed_depthwise", Value: c.PackedDepthwise},
		{Name: "host_cycles", Value: c.HostCycles},
	}) {
		if x.Value != int64(0) && x.Value != false {
			f = append(f, x)
		}
	}
	return f
}

// chip returns a design as a chip: its parameters, and what its preset has
// beyond them, a clock for one.
func (b *taskModel) chip(d *frame.Design) chip {
	var c chip
	if d.Preset != "" {
		c, _ = presetNamed(d.Preset)
	}
	c.PEsX, c.PEsY, c.PEMemory, c.Cores, c.CoreMemory, c.Lanes = d.Values[0], d.Values[1], d.Values[2], d.Values[3], d.Values[4], d.Values[5]
	c.ActivationMemory, c.InstructionMemory, c.ParameterMemory, c.IOBandwidth = d.Values[6], d.Values[7], d.Values[8], d.Values[9]
	if c.ClockHz == 0 {
		c.ClockHz = b.sizer.clockHz
	}
	return c
}

// machine returns what the frame asks of a chip.
func (b *taskModel) machine(c *chip) frame.Machine {
	var parts [areaParts]float64
	return frame.Machine{ClockHz: c.clock(), MACsPerCycle: c.MACs(), IOBandwidth: c.IOBandwidth, AreaMM2: b.sizer.area(c, &parts)}
}
