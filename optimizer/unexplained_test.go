package optimizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Values within the range of the others that their neighbours do not explain are no labels, and a
// restart finds the same; a landscape without any, also one with a cliff, keeps all of its own.
func TestUnexplainedAreNoLabels(t *testing.T) {
	t.Parallel()
	problem := Problem{Space: grid(t, 3, 8), Seed: 1}
	bowl := func(p []int) float64 {
		sum := 5.0
		for _, level := range p {
			sum += float64((level - 3) * (level - 3))
		}
		return sum
	}
	for _, c := range []struct {
		name   string
		hit    bool
		answer func(p []int, value float64) float64
	}{
		{"a factor on some", true, func(_ []int, value float64) float64 { return 12 * value }},
		{"one value of some", true, func([]int, float64) float64 { return 40 }},
		{"none", false, func(_ []int, value float64) float64 { return value }},
		{"a cliff", false, func(p []int, value float64) float64 {
			if p[0] > 4 {
				return 12 * value
			}
			return value
		}},
		{"a ceiling", false, func(_ []int, value float64) float64 { return min(value, 30) }},
		{"rough tails", false, func(p []int, value float64) float64 {
			rng := rand.New(rand.NewPCG(uint64(64*p[0]+8*p[1]+p[2]), 3))
			return value * math.Exp(0.1*rng.NormFloat64()/max(0.1, rng.Float64()))
		}},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		s, again := start(t, GP{}, problem).(*gp), start(t, GP{}, problem).(*gp)
		var log []Observation
		var want []int
		for i, at := range rng.Perm(512)[:47] {
			p := problem.Space.At(uint64(at))
			value := bowl(p)
			if !c.hit {
				value = c.answer(p, value)
			} else if rng.IntN(5) == 0 {
				value = c.answer(p, value)
				want = append(want, i)
			}
			log = append(log, Observation{Point: p, Status: Measured, Values: []float64{value}, Trial: i})
		}
		for _, o := range log {
			s.Tell(o)
			if err := s.explain(); err != nil {
				t.Fatal(err)
			}
		}
		again.Tell(log...)
		if err := again.explain(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.odd.rows, again.odd.rows) {
			t.Errorf("%s: trials %v are not explained, and %v after a restart", c.name, s.odd.rows, again.odd.rows)
		}
		if !slices.Equal(s.odd.rows, want) {
			t.Errorf("%s: trials %v are not explained, want %v", c.name, s.odd.rows, want)
		}
	}
}
