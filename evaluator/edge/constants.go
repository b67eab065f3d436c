package edge

// Constants of the template. The published space gives ten numbers and no
// machine; what a machine needs beyond them is declared here, each with its
// reason, and described in docs/model.md.
const (
	// ClockHz is the clock of the search space: published runtimes of the
	// space are of designs without a clock parameter; chosen: see
	// docs/model.md#clock.
	ClockHz int64 = 1e9

	// SIMDWidth is the number of multiply-accumulate units of a lane: 4x4 PEs
	// of 64 lanes are then 4.096 TOPS at 500 MHz, as advertised for the Coral
	// chip.
	SIMDWidth = 4

	// ActivationEntryBytes, InstructionEntryBytes and ParameterEntryBytes are
	// the widths of the chip-level memories, which the source gives as counts
	// of entries; chosen: see docs/model.md#entries.
	ActivationEntryBytes  = 16
	InstructionEntryBytes = 16
	ParameterEntryBytes   = 64

	// PortBytes is what the memory of a PE delivers to its cores, in bytes per
	// cycle; chosen: see docs/model.md#port.
	PortBytes = 512

	// BusBytes is the width of the bus that distributes weights from the
	// parameter memory, in bytes per cycle: one parameter entry.
	BusBytes = ParameterEntryBytes

	// LinkBytes is the width of a mesh link into a PE, in bytes per cycle;
	// chosen: see docs/model.md#mesh.
	LinkBytes = 64

	// AccumulatorBytes is the width of a partial sum.
	AccumulatorBytes = 4

	// LayerCycles is the serial cost of starting a layer: dispatch and a
	// barrier over the mesh; chosen: see docs/model.md#serial.
	LayerCycles = 1000

	// HopCycles is the latency of one mesh hop; a layer's fill and drain cross
	// the mesh once each. One cycle for the router, one for the wire.
	HopCycles = 2

	// BandCycles is the cost of handing one band of input rows from the
	// activation memory to the mesh; chosen: see docs/model.md#serial.
	BandCycles = 32

	// TileCycles is the cost of switching the lanes to the next weight tile;
	// chosen: see docs/model.md#serial.
	TileCycles = 8

	// LoopCycles is the cost of issuing a tile from a loop of the program
	// instead of from its own unrolled entries; chosen: see
	// docs/model.md#program.
	LoopCycles = 32
)

// RegisterPJPerByte is the energy of reading or writing one byte of a lane's
// accumulator, in pJ: a 32-bit register at about the energy of an 8-bit
// addition; chosen: see docs/model.md#energy.
const RegisterPJPerByte = 0.01

// Program size in instruction entries; chosen: see docs/model.md#program.
const (
	// LayerEntries configures a layer.
	LayerEntries = 16
	// PEEntries describes the data exchange of one PE in one layer.
	PEEntries = 1
	// BandEntries describes one band of input rows.
	BandEntries = 4
	// TileEntries issues one output tile, a band of rows by one step of the
	// lanes over output channels: a configuration like a layer's, four entries
	// each for inputs, weights, outputs and the loop. The published maximum
	// runtimes say that designs with few lanes do not run at all: their program
	// has too many tiles.
	TileEntries = 16
	// UnrolledEntries is what an output tile takes more when it has a
	// configuration of its own instead of the loop's.
	UnrolledEntries = LayerEntries
)

// Area beyond memories and arithmetic, in mm² at 22 nm; chosen: see
// docs/model.md#area.
const (
	// PEControlMM2 is the router, the port and the sequencer of one PE.
	PEControlMM2 = 0.03
	// CoreControlMM2 is the sequencer and the address generators of one core.
	CoreControlMM2 = 0.004
	// IOMM2PerGBps is the off-chip interface, per 10^9 bytes per second.
	IOMM2PerGBps = 0.012
	// ControlShare is clock tree, network wiring and global control as a share
	// of everything else: the middle of the 15 to 30 % that layouts report.
	ControlShare = 0.20
	// LaneRegisterBits is the state of a lane: SIMDWidth weights and
	// activations of 8 bits, and two 32-bit accumulators, one of which drains.
	LaneRegisterBits = 2*8*SIMDWidth + 2*32
)

// Constants of the Coral chip beyond its memories and its array.
const (
	// CoralIssuePercent is the time of a compute step: fitted, the one global
	// factor, on the six estimates of the chip's own compiler, to the least
	// worst error; measured utilisation of 16 to 23 % asks for 3 to 5. See
	// docs/validation.md#coral.
	CoralIssuePercent = 355
	coralClockHz      = 500e6
	// coralStreamRate is the rate at which parameters reach the chip, in B/s:
	// the published latencies of networks whose parameters exceed 8 MB grow by
	// about 2.5 ms per MB; chosen: see docs/validation.md#coral.
	coralStreamRate = 400e6
	// coralHostMicros is the host's part of an inference: what remains of the
	// published latencies of the smallest networks; chosen: see
	// docs/validation.md#coral.
	coralHostMicros = 1100
)
