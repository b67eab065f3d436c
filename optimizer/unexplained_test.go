package optimizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A value of many designs within the range of the others that their neighbours contradict is no
// label, and a restart finds the same; a landscape without one keeps all of its own.
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
		{"a factor on some", false, func(p []int, value float64) float64 {
			if rng := rand.New(rand.NewPCG(uint64(64*p[0]+8*p[1]+p[2]), 5)); rng.IntN(5) == 0 {
				return 12 * value
			}
			return value
		}},
		{"one value of some", true, func([]int, float64) float64 { return 40 }},
		{"none", false, func(_ []int, value float64) float64 { return value }},
		{"a cliff", false, func(p []int, value float64) float64 {
			if p[0] > 4 {
				return 12 * value
			}
			return value
		}},
		{"few values", false, func(_ []int, value float64) float64 { return math.Ceil(value / 12) }},
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
		if s.odd != again.odd {
			t.Errorf("%s: %+v is not explained, and %+v after a restart", c.name, s.odd, again.odd)
		}
		var rows []int
		for i := range s.records {
			if s.odd.is(&s.records[i]) {
				rows = append(rows, i)
			}
		}
		if !slices.Equal(rows, want) {
			t.Errorf("%s: trials %v are not explained, want %v", c.name, rows, want)
		}
	}
}
