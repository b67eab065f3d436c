package tech

// Node is one manufacturing technology. Nodes are made by the functions of
// this package, for example Node22.
type Node struct {
	// Name is "22nm".
	Name string
	// NM is the feature size in nm, Volts the supply of its logic.
	NM, Volts float64
	// LeakageKelvin is the temperature of every leakage figure, in K.
	LeakageKelvin float64

	// MultiplyPJ and AddPJ are the energies of one 8-bit multiplication and
	// one accumulation in 32 bits, in pJ.
	MultiplyPJ, AddPJ float64
	// MultiplyMM2 and AddMM2 are the areas of an 8-bit multiplier and of an
	// accumulating adder, in mm².
	MultiplyMM2, AddMM2 float64
	// RegisterBitMM2 is the area of one flip-flop, in mm².
	RegisterBitMM2 float64
	// SelectBitMM2 is the area of a multiplexer of two bits, in mm².
	SelectBitMM2 float64
	// RegisterPJPerByte is the energy of reading or writing a byte of a register,
	// without its clock, in pJ; ClockPJPerMM2 that of the clock network of a mm²
	// of logic in a cycle, whatever the logic does.
	RegisterPJPerByte, ClockPJPerMM2 float64
	// HopPJPerByte is the energy of moving one byte over one hop of an on-chip
	// network, in pJ.
	HopPJPerByte float64
	// DRAMPJPerByte is the energy of moving one byte from or to off-chip
	// memory, in pJ.
	DRAMPJPerByte float64

	sram, wide []sramPoint // ascending; ports of 64 and 128 bits
}

// HopMM is the length of a hop of HopPJPerByte, in mm.
const HopMM = 0.6

// Logic figures that both nodes are scaled from.
const (
	// 8-bit integer multiplication and 32-bit addition, 45 nm, 0.9 V: M. Horowitz,
	// "Computing's energy problem (and what we can do about it)", ISSCC 2014.
	multiplyPJ = 0.2
	addPJ      = 0.1
	// A byte of a 32-bit register at about the energy of an 8-bit addition (0.03
	// pJ in the same table); chosen: see docs/model.md#energy.
	registerPJPerByte = 0.01
	// Area of the same multiplier and of a 32-bit adder, 45 nm, in µm²: the
	// table of the same talk as printed in V. Sze et al., "Efficient
	// Processing of Deep Neural Networks: A Tutorial and Survey", Proc. IEEE
	// 105(12), 2017.
	multiplyUM2 = 282
	addUM2      = 137
	// DFF_X1 of the NanGate 45 nm open cell library, in µm².
	registerUM2 = 4.522
	// MUX2_X1 of the same library, in µm².
	selectUM2 = 1.862
	// LPDDR4 at 8 pJ per bit with its interface: the order of M. Horowitz
	// (ISSCC 2014) for LPDDR2 (about 40 pJ/bit) and of LPDDR4 data sheets (4
	// to 8 pJ/bit); chosen: see docs/model.md#energy.
	lpddr4PJPerByte = 64
	// One mesh hop of HopMM at 0.1 pJ per bit and mm, without the router;
	// chosen: see docs/model.md#energy.
	hopPJPerByte = 0.5

	um2PerMM2  = 1e6
	logicNM    = 45 // node and supply of the figures above
	logicVolts = 0.9
)

// The clock network of a published chip, Eyeriss (Y.-H. Chen et al., IEEE JSSC
// 52(1), 2017): 65 nm, 1 V, 200 MHz.
const (
	clockNM    = 65
	clockVolts = 1.0
	// 32.9 % of 332 mW in CONV1 and 45.0 % of 236 mW in CONV5 (Fig. 16 and Table V)
	// are 109 and 106 mW, though CONV5 works less: the network does not rest. The
	// mean is spent every 5 ns.
	clockPJ = 5 * (0.329*332 + 0.450*236) / 2
	// Logic of that chip in this model at 22 nm: the area of the template eyeriss
	// without memories and interface; a test computes it again.
	clockLogicMM2 = 0.22052
	clockLogicNM  = 22
)

// logic fills the figures that follow from the tables at other nodes: areas
// scale with the square of the feature size, energies as Switching says. A wire
// of a length has the same capacitance at any node, so its energy follows the
// square of the voltage.
func logic(n Node) Node {
	shrink := n.NM / logicNM * n.NM / logicNM / um2PerMM2
	here := Switching(n.NM, n.Volts)
	scale := here / Switching(logicNM, logicVolts)
	swing := n.Volts / logicVolts * n.Volts / logicVolts
	n.MultiplyPJ, n.AddPJ, n.RegisterPJPerByte = multiplyPJ*scale, addPJ*scale, registerPJPerByte*scale
	n.MultiplyMM2, n.AddMM2 = multiplyUM2*shrink, addUM2*shrink
	n.RegisterBitMM2, n.SelectBitMM2 = registerUM2*shrink, selectUM2*shrink
	logicMM2 := clockLogicMM2 * n.NM / clockLogicNM * n.NM / clockLogicNM
	n.ClockPJPerMM2 = clockPJ * here / Switching(clockNM, clockVolts) / logicMM2
	n.HopPJPerByte, n.DRAMPJPerByte = hopPJPerByte*swing, lpddr4PJPerByte
	n.LeakageKelvin = 350 // temperature of the CACTI runs
	return n
}
