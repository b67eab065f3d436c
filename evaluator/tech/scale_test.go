package tech

import "testing"

// The example of the source's corrigendum has 65 nm at 1.3 V: 2.604. Its rows are
// met, and what lies between two of them lies between their figures.
func TestScalingMeetsItsSource(t *testing.T) {
	t.Parallel()
	within(t, "65 nm at 1.3 V", Switching(65, 1.3), 2.604, 1e-3)
	within(t, "45 nm at 0.9 V", Switching(45, 0.9), 0.84433, 1e-9)
	within(t, "32 nm", Layout(32), 1, 1e-12)
	for _, volts := range []float64{0.7, 0.8, 0.9, 1} {
		for nm := 64.0; nm >= 16; nm-- {
			if a, b := Switching(nm+1, volts), Switching(nm, volts); b >= a {
				t.Errorf("at %g V %g nm needs %g, %g nm %g: want less at the smaller node", volts, nm, b, nm+1, a)
			}
			if a, b := Layout(nm+1), Layout(nm); b >= a {
				t.Errorf("%g nm takes %g, %g nm %g: want less at the smaller node", nm, b, nm+1, a)
			}
		}
	}
	// One node throughout: the factor on Horowitz's 45 nm.
	within(t, "multiplication at 22 nm", Node22().MultiplyPJ/Node45().MultiplyPJ, 0.2265, 1e-3)
}

// What is synthesised for a clock is larger than the operators of the table, by
// two sources' figures of the same operators and one register.
func TestSynthesisedOperatorsAndRegisters(t *testing.T) {
	t.Parallel()
	operators, registers := Synthesised()
	within(t, "Layout of 45 and 40 nm", Layout(45)/Layout(40), 1.3131, 1e-4)
	within(t, "operators", operators, 2.525, 1e-3)
	within(t, "registers", registers, 1.7365, 1e-3)
}
