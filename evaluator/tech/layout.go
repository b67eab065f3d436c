package tech

// Areas of operators and registers that were synthesised for a clock of 1 GHz in
// a 40 nm library, in µm²: Y. Shao et al., "Aladdin", ISCA 2014, the tool's table
// for a cycle of 1 ns. The multiplier and the adder have 32 bits, the register
// one.
const (
	synthesisNM          = 40
	synthesisMultiplyUM2 = 6350
	synthesisAddUM2      = 278
	synthesisRegisterUM2 = 5.98
	// The same operators in the source of multiplyUM2 and addUM2, 45 nm, where
	// no clock is held.
	bareMultiplyUM2 = 3495
	bareAddUM2      = 137
)

// Synthesised says how much larger operators and registers are when they are
// synthesised for 1 GHz than in the tables of a node: what meets a clock has
// larger gates and scan chains.
func Synthesised() (operators, registers float64) {
	shrink := Layout(logicNM) / Layout(synthesisNM)
	operators = shrink * (synthesisMultiplyUM2/float64(bareMultiplyUM2) + synthesisAddUM2/float64(bareAddUM2)) / 2
	return operators, shrink * synthesisRegisterUM2 / registerUM2
}
