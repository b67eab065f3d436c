package dashboard

import (
	"math"
	"testing"
)

// An axis has an end for every pair of values that an evaluator may answer, and
// both have their place on it.
func TestAxisOfAnyValues(t *testing.T) {
	t.Parallel()
	values := []float64{-math.MaxFloat64, -1, 0, 5e-324, 1e-200, 1, math.Nextafter(1, 2), 6.8, math.Nextafter(6.8, 7), 1e200, math.MaxFloat64}
	for i, low := range values {
		for _, high := range values[i:] {
			a := newAxis(low, high, 0, 100)
			if n := len(a.ticks(6)); n > 700 {
				t.Errorf("from %v to %v: %d ticks", low, high, n)
			}
			if from, to := a.at(low), a.at(high); !(from > -1e6 && to < 1e12) {
				t.Errorf("from %v to %v: places %v and %v", low, high, from, to)
			}
		}
	}
}
