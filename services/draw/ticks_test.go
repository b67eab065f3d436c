package draw_test

import (
	"math"
	"slices"
	"testing"

	"apollo/services/draw"
)

func TestTicks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		low, high float64
		want      []float64
	}{
		{0, 10, []float64{0, 2, 4, 6, 8, 10}},
		{-1, 1, []float64{-1, -0.5, 0, 0.5, 1}},
		{93, 407, []float64{100, 200, 300, 400}},
	} {
		if got := draw.Ticks(test.low, test.high, 6); !slices.Equal(got, test.want) {
			t.Errorf("from %v to %v: %v, want %v", test.low, test.high, got, test.want)
		}
	}
	if got, want := draw.Decades(1.5, 60), []float64{2, 5, 10, 20, 50}; !slices.Equal(got, want) {
		t.Errorf("decades %v, want %v", got, want)
	}
}

// Whatever the span, ticks end, and lie in it.
func TestTicksEnd(t *testing.T) {
	t.Parallel()
	values := []float64{
		math.Inf(-1), -math.MaxFloat64, -1e200, -1, -5e-324, 0, 5e-324, 1e-200, 1, math.Nextafter(1, 2), 1.000000001, 6.8, math.Nextafter(6.8, 7),
		1e15, math.Nextafter(1e15, 2e15), 1e200, math.MaxFloat64, math.Inf(1), math.NaN(),
	}
	for _, low := range values {
		for _, high := range values {
			for _, ticks := range [][]float64{draw.Ticks(low, high, 6), draw.Decades(low, high)} {
				if len(ticks) > 700 {
					t.Errorf("from %v to %v: %d ticks", low, high, len(ticks))
				}
				for _, v := range ticks {
					if !(v >= low && v <= high) {
						t.Errorf("from %v to %v: a tick at %v", low, high, v)
					}
				}
			}
		}
	}
}
