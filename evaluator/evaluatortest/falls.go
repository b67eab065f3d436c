package evaluatortest

import (
	"cmp"
	"slices"

	"apollo/evaluator/tech"
)

// Falls returns pairs of memory sizes, in units of some bytes from low to high, of
// which the larger costs less to read, or to write, per byte than the smaller just
// below: the pairs with the largest falls of each kind, at most so many.
func Falls(n tech.Node, unit, low, high float64, most int) (pairs [][2]float64) {
	type fall struct {
		pair  [2]float64
		ratio float64
	}
	const step = 1.006 // a little more than lies between both sides of a step
	for _, energy := range []func(tech.SRAM) float64{
		func(m tech.SRAM) float64 { return m.ReadPJPerByte },
		func(m tech.SRAM) float64 { return m.WritePJPerByte },
	} {
		var falls []fall
		for before := low; before < high; {
			after := min(max(float64(int64(before*step)), before+1), high)
			if r := energy(n.SRAM(after*unit)) / energy(n.SRAM(before*unit)); r < 1 {
				falls = append(falls, fall{[2]float64{before, after}, r})
			}
			before = after
		}
		slices.SortFunc(falls, func(a, b fall) int { return cmp.Compare(a.ratio, b.ratio) })
		for _, f := range falls[:min(most, len(falls))] {
			pairs = append(pairs, f.pair)
		}
	}
	return pairs
}
