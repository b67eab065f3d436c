package edge

import (
	"fmt"
	"math"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/tech"
)

// constants are the numbers that the model declares beyond the ten parameters,
// as data, so that a sensitivity study can move them. The multipliers of a lane
// and the widths of operands are left out: they are structure.
type constants struct {
	clockHz                                                            int64
	activationEntryBytes, instructionEntryBytes, parameterEntryBytes   int64
	portBytes, busBytes, linkBytes                                     int64
	layerCycles, hopCycles, bandCycles, tileCycles, loopCycles         int64
	layerEntries, peEntries, bandEntries, tileEntries, unrolledEntries int64
	registerPJ                                                         float64
	peControlMM2, coreControlMM2, ioMM2PerGBps, controlShare           float64
	node                                                               tech.Node
	// Factors on the figures of the memories' table.
	sramArea, sramEnergy, sramLeakage float64
}

// declared returns the constants as they are declared.
func declared() constants {
	return constants{
		clockHz:              ClockHz,
		activationEntryBytes: ActivationEntryBytes, instructionEntryBytes: InstructionEntryBytes, parameterEntryBytes: ParameterEntryBytes,
		portBytes: PortBytes, busBytes: BusBytes, linkBytes: LinkBytes,
		layerCycles: LayerCycles, hopCycles: HopCycles, bandCycles: BandCycles, tileCycles: TileCycles, loopCycles: LoopCycles,
		layerEntries: LayerEntries, peEntries: PEEntries, bandEntries: BandEntries, tileEntries: TileEntries, unrolledEntries: UnrolledEntries,
		registerPJ:   RegisterPJPerByte,
		peControlMM2: PEControlMM2, coreControlMM2: CoreControlMM2, ioMM2PerGBps: IOMM2PerGBps, controlShare: ControlShare,
		node:     tech.Node22(),
		sramArea: 1, sramEnergy: 1, sramLeakage: 1,
	}
}

// sram returns a memory of the node.
func (k *constants) sram(bytes float64) tech.SRAM {
	m := k.node.SRAM(bytes)
	m.AreaMM2 *= k.sramArea
	m.ReadPJPerByte *= k.sramEnergy
	m.WritePJPerByte *= k.sramEnergy
	m.LeakageMW *= k.sramLeakage
	return m
}

// Constant is a declared number of the model.
type Constant struct {
	// Name is snake_case, Unit as in the declaration; factors have none.
	Name, Unit string
	// Value is the declared one.
	Value float64
	// Whole constants take whole numbers only.
	Whole bool
	// Doc says what it is.
	Doc string
}

// variable is a constant with the place where it lives.
type variable struct {
	name, unit, doc string
	whole           func(*constants) *int64
	real            func(*constants) *float64
}

// variables lists what can be moved, in the order of the model's page.
func variables() []variable {
	return []variable{
		{"clock", "Hz", "clock of designs that name none", func(k *constants) *int64 { return &k.clockHz }, nil},
		{"activation_entry", "B", "width of the activation memory", func(k *constants) *int64 { return &k.activationEntryBytes }, nil},
		{"instruction_entry", "B", "width of the instruction memory", func(k *constants) *int64 { return &k.instructionEntryBytes }, nil},
		{"parameter_entry", "B", "width of the parameter memory", func(k *constants) *int64 { return &k.parameterEntryBytes }, nil},
		{"port", "B/cycle", "port of a PE memory to its cores", func(k *constants) *int64 { return &k.portBytes }, nil},
		{"bus", "B/cycle", "bus that distributes weights", func(k *constants) *int64 { return &k.busBytes }, nil},
		{"link", "B/cycle", "mesh link into a PE", func(k *constants) *int64 { return &k.linkBytes }, nil},
		{"layer_cycles", "cycles", "starting a layer", func(k *constants) *int64 { return &k.layerCycles }, nil},
		{"hop_cycles", "cycles", "one mesh hop", func(k *constants) *int64 { return &k.hopCycles }, nil},
		{"band_cycles", "cycles", "handing a band of rows to the mesh", func(k *constants) *int64 { return &k.bandCycles }, nil},
		{"tile_cycles", "cycles", "switching to the next weight tile", func(k *constants) *int64 { return &k.tileCycles }, nil},
		{"loop_cycles", "cycles", "issuing a tile from a loop", func(k *constants) *int64 { return &k.loopCycles }, nil},
		{"layer_entries", "entries", "program of a layer", func(k *constants) *int64 { return &k.layerEntries }, nil},
		{"pe_entries", "entries", "program of a PE in a layer", func(k *constants) *int64 { return &k.peEntries }, nil},
		{"band_entries", "entries", "program of a band of rows", func(k *constants) *int64 { return &k.bandEntries }, nil},
		{"tile_entries", "entries", "program of an output tile", func(k *constants) *int64 { return &k.tileEntries }, nil},
		{"unrolled_entries", "entries", "program of an unrolled tile beyond that", func(k *constants) *int64 { return &k.unrolledEntries }, nil},
		{"pe_control", "mm2", "router, port and sequencer of a PE", nil, func(k *constants) *float64 { return &k.peControlMM2 }},
		{"core_control", "mm2", "sequencer of a core", nil, func(k *constants) *float64 { return &k.coreControlMM2 }},
		{"io_area", "mm2 per GB/s", "off-chip interface", nil, func(k *constants) *float64 { return &k.ioMM2PerGBps }},
		{"control_share", "", "clock tree, wiring and control as a share of the rest", nil, func(k *constants) *float64 { return &k.controlShare }},
		{"multiply_area", "mm2", "8-bit multiplier", nil, func(k *constants) *float64 { return &k.node.MultiplyMM2 }},
		{"add_area", "mm2", "accumulating adder", nil, func(k *constants) *float64 { return &k.node.AddMM2 }},
		{"register_area", "mm2", "flip-flop", nil, func(k *constants) *float64 { return &k.node.RegisterBitMM2 }},
		{"sram_area", "", "factor on the area of every memory", nil, func(k *constants) *float64 { return &k.sramArea }},
		{"multiply_energy", "pJ", "8-bit multiplication", nil, func(k *constants) *float64 { return &k.node.MultiplyPJ }},
		{"add_energy", "pJ", "accumulation", nil, func(k *constants) *float64 { return &k.node.AddPJ }},
		{"register_energy", "pJ/B", "accumulator of a lane", nil, func(k *constants) *float64 { return &k.registerPJ }},
		{"hop_energy", "pJ/B", "one mesh hop", nil, func(k *constants) *float64 { return &k.node.HopPJPerByte }},
		{"off_chip_energy", "pJ/B", "off-chip memory", nil, func(k *constants) *float64 { return &k.node.DRAMPJPerByte }},
		{"sram_energy", "", "factor on the energy of every memory access", nil, func(k *constants) *float64 { return &k.sramEnergy }},
		{"sram_leakage", "", "factor on the leakage of every memory", nil, func(k *constants) *float64 { return &k.sramLeakage }},
	}
}

// Constants lists the declared constants that a Model can be made with.
func Constants() []Constant {
	k := declared()
	var out []Constant
	for _, v := range variables() {
		out = append(out, Constant{Name: v.name, Unit: v.unit, Value: v.value(&k), Whole: v.whole != nil, Doc: v.doc})
	}
	return out
}

func (v *variable) value(k *constants) float64 {
	if v.whole != nil {
		return float64(*v.whole(k))
	}
	return *v.real(k)
}

// scale multiplies the constant. Whole ones move by at least one and stay
// positive.
func (v *variable) scale(k *constants, factor float64) {
	if v.real != nil {
		*v.real(k) *= factor
		return
	}
	n := v.whole(k)
	to := int64(math.Round(float64(*n) * factor))
	switch {
	case factor > 1:
		to = max(to, *n+1)
	case factor < 1:
		to = min(to, *n-1)
	}
	*n = max(to, 1)
}

// Model is the cost model of some networks, perhaps with a constant moved. It
// is safe for concurrent use.
type Model struct{ b *bound }

// NewModel returns the model with the named constant multiplied by factor, and
// the value that the constant has then: whole constants move by at least one. A
// name of "" leaves all constants as declared. The error names an unknown
// constant, a factor that is not positive, or what is wrong with the networks.
func NewModel(networks []evaluator.Network, constant string, factor float64) (*Model, float64, error) {
	k, value := declared(), 0.0
	if constant != "" {
		if !(factor > 0) || math.IsInf(factor, 0) {
			return nil, 0, fmt.Errorf("constant %s: the factor is %g, want a positive number", constant, factor)
		}
		var names []string
		for _, v := range variables() {
			names = append(names, v.name)
			if v.name == constant {
				v.scale(&k, factor)
				value = v.value(&k)
			}
		}
		if value == 0 {
			return nil, 0, fmt.Errorf("there is no constant %q; there are: %s", constant, strings.Join(names, ", "))
		}
	}
	b, err := bind(evaluator.Task{Params: params(), Networks: networks})
	if err != nil {
		return nil, 0, err
	}
	b.sizer = newSizer(k, params())
	return &Model{b}, value, nil
}

// Measure returns the metrics of a chip; the reason is nil where it is
// feasible, and the metrics then complete. The error is for a chip that is
// malformed.
func (m *Model) Measure(c Chip) (MetricsReport, *evaluator.Reason, error) {
	var out MetricsReport
	if err := checkChip(c); err != nil {
		return out, nil, err
	}
	if c.ClockHz == 0 {
		c.ClockHz = m.b.sizer.clockHz
	}
	out.AreaMM2 = new(m.b.sizer.area(&c).Total)
	s := m.b.get()
	defer m.b.put(s)
	if why := m.b.measure(&c, s); why != nil {
		return out, why, nil
	}
	out.LatencySeconds = new(m.b.mean(s.totals, func(t *totals) float64 { return t.latencySeconds }))
	out.EnergyJ = new(m.b.mean(s.totals, func(t *totals) float64 { return t.energyJ }))
	return out, nil, nil
}
