package optimizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// autoregression is n errors with correlation rho, of which a share are
// stragglers, a hundred times too large.
func autoregression(seed uint64, n int, rho, stragglers float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]float64, n)
	last := rng.NormFloat64()
	for i := range out {
		last = rho*last + math.Sqrt(1-rho*rho)*rng.NormFloat64()
		out[i] = last
		if rng.Float64() < stragglers {
			out[i] += 100
		}
	}
	return out
}

func TestSignedSerial(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rho, stragglers float64
		least, most     int // of 200 series of 100 errors
	}{{0, 0, 0, 15}, {0, 0.05, 0, 15}, {0.5, 0, 150, 200}, {0.5, 0.05, 130, 200}} {
		found := 0
		for seed := range uint64(200) {
			if signedSerial(autoregression(seed, 100, c.rho, c.stragglers), slices.Repeat([]bool{true}, 100)).Follows() {
				found++
			}
		}
		if found < c.least || found > c.most {
			t.Errorf("rho %v, stragglers %v: found in %d of 200, want %d to %d", c.rho, c.stragglers, found, c.least, c.most)
		}
	}
	long := autoregression(1, 20_000, 0.5, 0)
	if s := signedSerial(long, slices.Repeat([]bool{true}, len(long))); math.Abs(s.Rho-0.5) > 0.03 || s.Low > 0.5 || s.High < 0.5 {
		t.Errorf("rho is %+v, want 0.5", s)
	}
	if s := signedSerial(long[:40], slices.Repeat([]bool{true}, 40)); s != (Serial{Pairs: 39}) {
		t.Errorf("39 pairs say %+v, want nothing", s)
	}
}
