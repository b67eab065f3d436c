package tech

import (
	"testing"

	"apollo/evaluator/number"
)

func named(t *testing.T, name string) number.Format {
	t.Helper()
	f, ok := number.Named(name)
	if !ok {
		t.Fatalf("no format is called %s", name)
	}
	return f
}

// M. Horowitz, ISSCC 2014: the rows of the table are met, in pJ and µm².
func TestArithmeticMeetsItsSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		pj, um2      float64
		addPJ, addU2 float64
	}{{"int8", 0.2, 282, 0.03, 36}, {"int32", 3.1, 3495, 0.1, 137}, {"fp16", 1.1, 1640, 0.4, 1360}, {"fp32", 3.7, 7700, 0.9, 4184}} {
		f := named(t, c.name)
		m, a := multiplier(f, f), adder(f)
		within(t, c.name+" multiply", m.pj, c.pj, 1e-12)
		within(t, c.name+" multiplier", m.um2, c.um2, 1e-12)
		within(t, c.name+" add", a.pj, c.addPJ, 1e-12)
		within(t, c.name+" adder", a.um2, c.addU2, 1e-12)
	}
	// The 16-bit integer between them: four times 8 bits, to 15 %.
	f := named(t, "int16")
	within(t, "int16", multiplier(f, f).pj, 4*0.2, 0.15)
	within(t, "int16", multiplier(f, f).um2, 4*282, 0.15)
}

// Formats in the order of what their products take; of two operands the wider one
// decides, and a floating-point number makes the product one.
func TestOrderOfFormats(t *testing.T) {
	t.Parallel()
	order := []string{"int4", "int8", "fp8", "bf16", "fp16", "fp32"}
	for i, name := range order {
		f := named(t, name)
		for _, other := range order[:i] {
			o := named(t, other)
			if a, b, c := multiplier(o, o), multiplier(o, f), multiplier(f, f); !(a.pj < c.pj && a.um2 < c.um2 && a.pj < b.pj && b.pj <= c.pj && b.um2 <= c.um2) {
				t.Errorf("%s %+v, %s x %s %+v, %s %+v: want them in this order", other, a, other, name, b, name, c)
			}
			if a, b := multiplier(o, f), multiplier(f, o); a != b {
				t.Errorf("%s x %s is %+v, the other way round %+v", other, name, a, b)
			}
		}
	}
	if p := number.Product(named(t, "bf16"), named(t, "fp16")); p != named(t, "fp16") {
		t.Errorf("bf16 x fp16 is %+v", p)
	}
}

// M. van Baalen et al., arXiv 2303.17951: a unit of 8-bit floating-point numbers
// takes 1.5 to 2.8 times the area and energy of one of integers, with sums of 16
// bits.
func TestFloatOfEightBits(t *testing.T) {
	t.Parallel()
	whole, float := Default(), Work{named(t, "fp8"), named(t, "fp8"), named(t, "fp16")}
	n := Node22()
	if r := n.MACPJ(float.Energy()) / n.MACPJ(whole.Energy()); r < 1.5 || r > 2.8 {
		t.Errorf("the energy is %.2f times that of int8", r)
	}
	if e := whole.Energy(); e != (Effort{1, 1}) || whole.area() != (Effort{1, 1}) {
		t.Errorf("8 bits are %+v, want the unit of the scale", e)
	}
}
