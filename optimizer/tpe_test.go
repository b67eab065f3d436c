package optimizer

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/optimizer/space"
)

// One kernel and the prior on three levels, by hand: the bandwidth is
// max(0.2·1^(−1/6)·3, 3/3) = 1 and the prior's deviation 3 about level 1.
func TestParzen(t *testing.T) {
	t.Parallel()
	s, err := space.New(space.Param{Name: "a", Values: []float64{1, 2, 3}}, space.Param{Name: "b", Labels: []string{"x", "y"}})
	if err != nil {
		t.Fatal(err)
	}
	p := newParzen(s, 1)
	p.addKernel(space.Point{0, 1}, 1)
	cdf := func(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
	total := cdf(2.5) - cdf(-0.5)
	kernel := (cdf(1.5) - cdf(0.5)) / total * (0.5 / 2) // level 1; "x" where "y" was seen: share 1/2 of 1 + 2·1/2
	prior := (cdf(0.5/3) - cdf(-0.5/3)) / (cdf(0.5) - cdf(-0.5)) / 2
	if got, want := p.log(space.Point{1, 0}), math.Log((kernel+prior)/2); math.Abs(got-want) > 1e-12 {
		t.Errorf("log density = %v, want %v", got, want)
	}
	// The density is one, and sampling follows it.
	const draws = 20000
	rng := rand.New(rand.NewPCG(1, 2))
	counts := make([]float64, 6)
	var point space.Point
	for range draws {
		point = p.sample(point, rng)
		counts[s.Index(point)]++
	}
	sum := 0.0
	for i, q := range s.All() {
		mass := math.Exp(p.log(q))
		sum += mass
		if d := counts[i] - draws*mass; math.Abs(d) > 5*math.Sqrt(draws*mass) {
			t.Errorf("%v was drawn %v times, expected %v", q, counts[i], draws*mass)
		}
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("the density sums to %v", sum)
	}
}

// Optuna's default_weights of 30 observations: 1/30 to 1 over the first 5,
// then 25 ones.
func TestRamp(t *testing.T) {
	t.Parallel()
	for i, want := range map[int]float64{0: 1.0 / 30, 2: (1.0/30 + 1) / 2, 4: 1, 5: 1, 29: 1} {
		if got := ramp(i, 30); math.Abs(got-want) > 1e-15 {
			t.Errorf("ramp(%d, 30) = %v, want %v", i, got, want)
		}
	}
	if got := ramp(0, 26); got != 1.0/26 {
		t.Errorf("ramp(0, 26) = %v, want 1/26", got)
	}
}
