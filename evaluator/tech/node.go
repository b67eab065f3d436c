package tech

// Node is one manufacturing technology. Nodes are made by the functions of
// this package, for example Node22.
type Node struct {
	// Name is "22nm".
	Name string
	// NM is the feature size in nm.
	NM float64
	// LeakageKelvin is the temperature of every leakage figure, in K.
	LeakageKelvin float64

	// MultiplyPJ and AddPJ are the energies of one 8-bit multiplication and
	// one accumulation, in pJ.
	MultiplyPJ, AddPJ float64
	// MultiplyMM2 and AddMM2 are the areas of an 8-bit multiplier and of an
	// accumulating adder, in mm².
	MultiplyMM2, AddMM2 float64
	// RegisterBitMM2 is the area of one flip-flop, in mm².
	RegisterBitMM2 float64
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

// MACPJ returns the energy of one 8-bit multiply-accumulate in pJ.
func (n Node) MACPJ() float64 { return n.MultiplyPJ + n.AddPJ }

// Logic figures that both nodes share, at 45 nm.
const (
	// 8-bit integer multiplication and addition, 45 nm, 0.9 V: M. Horowitz,
	// "Computing's energy problem (and what we can do about it)", ISSCC 2014.
	multiplyPJ = 0.2
	addPJ      = 0.03
	// Area of the same multiplier and of a 32-bit adder, 45 nm, in µm²: the
	// table of the same talk as printed in V. Sze et al., "Efficient
	// Processing of Deep Neural Networks: A Tutorial and Survey", Proc. IEEE
	// 105(12), 2017.
	multiplyUM2 = 282
	addUM2      = 137
	// DFF_X1 of the NanGate 45 nm open cell library, in µm².
	registerUM2 = 4.522
	// LPDDR4 at 8 pJ per bit with its interface: the order of M. Horowitz
	// (ISSCC 2014) for LPDDR2 (about 40 pJ/bit) and of LPDDR4 data sheets (4
	// to 8 pJ/bit); chosen: see docs/model.md#energy.
	lpddr4PJPerByte = 64
	// One mesh hop of HopMM at 0.1 pJ per bit and mm, without the router;
	// chosen: see docs/model.md#energy.
	hopPJPerByte = 0.5

	um2PerMM2 = 1e6
	logicNM   = 45 // node of the figures above
)

// logic fills the figures that follow from the tables at 45 nm: areas scale
// with the square of the feature size, energies are kept, because published
// scaling of energy between these nodes is contradictory.
func logic(n Node) Node {
	shrink := n.NM / logicNM * n.NM / logicNM / um2PerMM2
	n.MultiplyPJ, n.AddPJ = multiplyPJ, addPJ
	n.MultiplyMM2, n.AddMM2 = multiplyUM2*shrink, addUM2*shrink
	n.RegisterBitMM2 = registerUM2 * shrink
	n.HopPJPerByte, n.DRAMPJPerByte = hopPJPerByte, lpddr4PJPerByte
	n.LeakageKelvin = 350 // temperature of the CACTI runs
	return n
}
