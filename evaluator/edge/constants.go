package edge

import (
	"apollo/evaluator/frame"
	"apollo/evaluator/tech"
)

// Structure of the template, which no sensitivity study moves.
const (
	// clockHz is the clock of the search space: published runtimes of the
	// space are of designs without a clock parameter; chosen: see
	// docs/model.md#clock.
	clockHz int64 = 1e9

	// simdWidth is the number of multiply-accumulate units of a lane: 4x4 PEs
	// of 64 lanes are then 4.096 TOPS at 500 MHz, as advertised for the Coral
	// chip.
	simdWidth = 4

	// Widths of the chip-level memories, which the source gives as counts of
	// entries; chosen: see docs/model.md#entries.
	activationEntryBytes, instructionEntryBytes, parameterEntryBytes = 16, 16, 64
)

// laneRegisterBits is the state of a lane: simdWidth weights and activations, and
// two accumulators, one of which drains.
func laneRegisterBits(d *tech.Datapath) int64 { return (d.Weights+d.Activations)*simdWidth + 2*d.Sums }

// constants are what a machine needs beyond the ten numbers that the published
// space gives, each with its reason, and described in docs/model.md.
type constants struct {
	clockHz                                                          int64
	activationEntryBytes, instructionEntryBytes, parameterEntryBytes int64
	// portBytes is what the memory of a PE delivers to its cores, busBytes the
	// width of the bus that distributes weights from the parameter memory,
	// linkBytes that of a mesh link into a PE, in bytes per cycle.
	portBytes, busBytes, linkBytes int64
	// layerCycles is the serial cost of starting a layer: dispatch and a barrier
	// over the mesh. hopCycles is the latency of one mesh hop; a layer's fill and
	// drain cross the mesh once each.
	layerCycles, hopCycles int64
	// bandCycles is the cost of handing one band of input rows from the activation
	// memory to the mesh, tileCycles of switching the lanes to the next weight
	// tile, loopCycles of issuing a tile from a loop of the program instead of
	// from its own unrolled entries.
	bandCycles, tileCycles, loopCycles int64
	// Entries of the program: layerEntries configure a layer, peEntries describe
	// the data exchange of one PE in one layer, bandEntries one band of input
	// rows. tileEntries issue one output tile, a band of rows by one step of the
	// lanes over output channels; the published maximum runtimes say that designs
	// with few lanes do not run at all: their program has too many tiles.
	// unrolledEntries is what a tile takes more when it has a configuration of its
	// own instead of the loop's.
	layerEntries, peEntries, bandEntries, tileEntries, unrolledEntries int64
	// peControlMM2 is the router, the port and the sequencer of one PE,
	// coreControlMM2 the sequencer and the address generators of one core.
	peControlMM2, coreControlMM2 float64
	frame.Technology
}

// declared returns the constants as they are declared.
func declared() *constants {
	return &constants{
		clockHz:              clockHz,
		activationEntryBytes: activationEntryBytes, instructionEntryBytes: instructionEntryBytes, parameterEntryBytes: parameterEntryBytes,
		portBytes:    512,                 // chosen: see docs/model.md#port
		busBytes:     parameterEntryBytes, // one parameter entry
		linkBytes:    64,                  // chosen: see docs/model.md#mesh
		layerCycles:  1000,                // chosen: see docs/model.md#serial
		hopCycles:    2,                   // one for the router, one for the wire
		bandCycles:   32,                  // chosen: see docs/model.md#serial
		tileCycles:   8,                   // chosen: see docs/model.md#serial
		loopCycles:   32,                  // chosen: see docs/model.md#program, as are all entries
		layerEntries: 16, peEntries: 1, bandEntries: 4,
		tileEntries:     16,                          // a configuration like a layer's: four each for inputs, weights, outputs and the loop
		unrolledEntries: 16,                          // a layer's
		peControlMM2:    0.03, coreControlMM2: 0.004, // at 22 nm; chosen: see docs/model.md#area
		Technology: frame.Declared(),
	}
}

// Rows implements frame.Constants.
func (k *constants) Rows() []frame.Constant {
	return append([]frame.Constant{
		{Name: "clock", Unit: "Hz", At: &k.clockHz},
		{Name: "activation_entry", Unit: "B", At: &k.activationEntryBytes},
		{Name: "instruction_entry", Unit: "B", At: &k.instructionEntryBytes},
		{Name: "parameter_entry", Unit: "B", At: &k.parameterEntryBytes},
		{Name: "port", Unit: "B/cycle", At: &k.portBytes},
		{Name: "bus", Unit: "B/cycle", At: &k.busBytes},
		{Name: "link", Unit: "B/cycle", At: &k.linkBytes},
		{Name: "layer_cycles", Unit: "cycles", At: &k.layerCycles},
		{Name: "hop_cycles", Unit: "cycles", At: &k.hopCycles},
		{Name: "band_cycles", Unit: "cycles", At: &k.bandCycles},
		{Name: "tile_cycles", Unit: "cycles", At: &k.tileCycles},
		{Name: "loop_cycles", Unit: "cycles", At: &k.loopCycles},
		{Name: "layer_entries", Unit: "entries", At: &k.layerEntries},
		{Name: "pe_entries", Unit: "entries", At: &k.peEntries},
		{Name: "band_entries", Unit: "entries", At: &k.bandEntries},
		{Name: "tile_entries", Unit: "entries", At: &k.tileEntries},
		{Name: "unrolled_entries", Unit: "entries", At: &k.unrolledEntries},
		{Name: "pe_control", Unit: "mm2", At: &k.peControlMM2},
		{Name: "core_control", Unit: "mm2", At: &k.coreControlMM2},
	}, k.Technology.Rows()...)
}

// sram returns a memory of the node.
func (k *constants) sram(bytes float64) tech.SRAM {
	m := k.Node.SRAM(bytes)
	m.AreaMM2 *= k.SRAMArea
	m.ReadPJPerByte *= k.SRAMEnergy
	m.WritePJPerByte *= k.SRAMEnergy
	m.LeakageMW *= k.SRAMLeakage
	return m
}
