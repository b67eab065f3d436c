package surrogate_test

import (
	"math"
	"testing"

	"apollo/optimizer/surrogate"
)

// shortfall integrates max(0, level − g(f)) over the normal density of f.
func shortfall(level, mean, deviation float64, g func(float64) float64) float64 {
	const reach, steps = 12, 200_000 // deviations, and midpoints
	var sum float64
	for i := range steps {
		z := -reach + 2*reach*(float64(i)+0.5)/steps
		sum += max(0, level-g(mean+deviation*z)) * math.Exp(-z*z/2)
	}
	return sum * 2 * reach / steps / math.Sqrt(2*math.Pi)
}

func TestShortfall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ level, mean, deviation float64 }{
		{1, 0.5, 0.3}, {0.2, 0.5, 0.3}, {2, -1, 1}, {0.5, 0.5, 0.01}, {3, 0, 0.05}, {0.1, 1, 0.5},
	} {
		for name, pair := range map[string][2]float64{
			"Shortfall":    {surrogate.Shortfall(c.level, c.mean, c.deviation), shortfall(c.level, c.mean, c.deviation, func(f float64) float64 { return f })},
			"LogShortfall": {surrogate.LogShortfall(c.level, c.mean, c.deviation), shortfall(c.level, c.mean, c.deviation, math.Exp)},
		} {
			// The integral is good to the square of its step.
			if got, want := pair[0], pair[1]; math.Abs(got-want) > 1e-7 {
				t.Errorf("%s(%v, %v, %v) = %v, want %v", name, c.level, c.mean, c.deviation, got, want)
			}
		}
	}
	for _, level := range []float64{math.Inf(-1), -1e9, 0} {
		if got := surrogate.LogShortfall(level, 0, 1); got != 0 {
			t.Errorf("LogShortfall(%v, 0, 1) = %v, want 0", level, got)
		}
	}
	if got := surrogate.Shortfall(math.Inf(-1), 0, 1); got != 0 {
		t.Errorf("Shortfall(-Inf, 0, 1) = %v, want 0", got)
	}
}
