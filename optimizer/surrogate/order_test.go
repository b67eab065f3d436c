package surrogate_test

import (
	"math/rand/v2"
	"testing"

	"apollo/optimizer/surrogate"
)

// Noise looks ordered as often as the test says, and values that depend on their
// inputs always: by one coordinate with as much noise, or by two together and by
// neither alone.
func TestChanceIsThatOfNoise(t *testing.T) {
	t.Parallel()
	const sources, n, d = 200, 60, 4
	for name, c := range map[string]struct {
		label     func(x []float64, rng *rand.Rand) float64
		low, high int // how many of the sources have a chance of at most 5 %
	}{
		// A binomial of 200 draws with 5 % is in this range in 99.8 % of all cases.
		"noise":             {func(_ []float64, rng *rand.Rand) float64 { return rng.NormFloat64() }, 2, 20},
		"noise, heavy tail": {func(_ []float64, rng *rand.Rand) float64 { return 1 / rng.Float64() }, 2, 20},
		"line and noise":    {func(x []float64, rng *rand.Rand) float64 { return x[0] + 0.3*rng.NormFloat64() }, 190, 200},
		"pair":              {func(x []float64, _ *rand.Rand) float64 { return (x[0] - 0.5) * (x[1] - 0.5) }, 190, 200},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		found := 0
		for range sources {
			x, y := make([]float64, n*d), make([]float64, n)
			for i := range x {
				x[i] = float64(rng.IntN(9)) / 8
			}
			for i := range y {
				y[i] = c.label(x[i*d:], rng)
			}
			chance, err := surrogate.Chance(make([]bool, d), x, y)
			if err != nil {
				t.Fatal(err)
			}
			if chance <= 0.05 {
				found++
			}
		}
		if found < c.low || found > c.high {
			t.Errorf("%s: %d of %d sources look ordered, want %d to %d", name, found, sources, c.low, c.high)
		}
	}
}
