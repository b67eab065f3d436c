package edge

import (
	"fmt"
	"math"

	"apollo/optimizer/space"
)

// Chip is one design: the ten parameters and the clock. Chips need not lie on
// the lattice of the search space. All fields are positive.
type Chip struct {
	// PEsX and PEsY are the columns and rows of the mesh of PEs.
	PEsX int64 `json:"pes_x"`
	PEsY int64 `json:"pes_y"`
	// PEMemory is the activation memory of one PE, in bytes.
	PEMemory int64 `json:"pe_memory"`
	// Cores is the number of cores in one PE.
	Cores int64 `json:"cores"`
	// CoreMemory is the weight memory of one core, in bytes.
	CoreMemory int64 `json:"core_memory"`
	// Lanes is the number of compute lanes of one core; a lane multiplies and
	// accumulates SIMDWidth pairs per cycle.
	Lanes int64 `json:"lanes"`
	// ActivationMemory, InstructionMemory and ParameterMemory are the
	// chip-level memories, in entries of ActivationEntryBytes,
	// InstructionEntryBytes and ParameterEntryBytes.
	ActivationMemory  int64 `json:"activation_memory"`
	InstructionMemory int64 `json:"instruction_memory"`
	ParameterMemory   int64 `json:"parameter_memory"`
	// IOBandwidth is the off-chip bandwidth in bytes per second.
	IOBandwidth int64 `json:"io_bandwidth"`
	// ClockHz is the clock in Hz; 0 means ClockHz, the clock of the space.
	ClockHz int64 `json:"clock_hz"`

	// What follows describes real chips beyond the ten parameters; the designs
	// of the space leave all of it 0.

	// ResidentBytes of parameters stay in the core memories from one inference
	// to the next, the first of the network, where no bus has to bring them; 0
	// means a cold inference.
	ResidentBytes int64 `json:"resident_bytes,omitempty"`
	// IssuePercent is the time of one compute step in percent of a cycle: what
	// the sequencers lose; 0 means 100.
	IssuePercent int64 `json:"issue_percent,omitempty"`
	// PackedDepthwise chips put the columns of a depthwise layer on the lanes
	// and multipliers that its channels leave idle.
	PackedDepthwise bool `json:"packed_depthwise,omitempty"`
	// HostCycles is what the host takes to start an inference and to fetch its
	// result.
	HostCycles int64 `json:"host_cycles,omitempty"`
}

// PEs returns the number of PEs.
func (c Chip) PEs() int64 { return c.PEsX * c.PEsY }

// MACs returns the multiply-accumulates that the chip does per cycle at best.
func (c Chip) MACs() int64 { return c.PEs() * c.Cores * c.Lanes * SIMDWidth }

// PeakTOPS returns the advertised peak: two operations per MAC, in 10^12 per
// second.
func (c Chip) PeakTOPS() float64 { return 2 * float64(c.MACs()) * float64(c.clock()) / 1e12 }

// issued returns the cycles that a number of compute steps takes.
func (c *Chip) issued(steps int64) int64 {
	const percent = 100
	if c.IssuePercent == 0 {
		return steps
	}
	return steps * c.IssuePercent / percent
}

func (c Chip) clock() int64 {
	if c.ClockHz == 0 {
		return ClockHz
	}
	return c.ClockHz
}

// Values returns the chip's ten parameter values in the template's order.
func (c Chip) Values() []space.Value {
	v := make([]space.Value, paramCount)
	for i, field := range c.fields() {
		v[i].Num = float64(*field)
	}
	return v
}

// fields lists the parameters in the template's order.
func (c *Chip) fields() [paramCount]*int64 {
	return [paramCount]*int64{
		&c.PEsX, &c.PEsY, &c.PEMemory, &c.Cores, &c.CoreMemory, &c.Lanes,
		&c.ActivationMemory, &c.InstructionMemory, &c.ParameterMemory, &c.IOBandwidth,
	}
}

// maxValue bounds each parameter so that no product of a model formula can
// overflow 63 bits.
const maxValue = 1 << 40

// ChipOf returns the chip with the given parameter values, in the template's
// order. Values need not be levels of the space; the error names one that is
// not a positive whole number.
func ChipOf(design []space.Value) (Chip, error) {
	var c Chip
	if len(design) != paramCount {
		return c, fmt.Errorf("the design has %d values, the template %s has %d parameters", len(design), Name, paramCount)
	}
	for i, field := range c.fields() {
		v := design[i]
		if v.Label != "" || v.Num != math.Trunc(v.Num) || v.Num < 1 || v.Num > maxValue {
			return c, fmt.Errorf("%s is %s, want a whole number from 1 to 2^40", paramName(i), v)
		}
		*field = int64(v.Num)
	}
	return c, nil
}
