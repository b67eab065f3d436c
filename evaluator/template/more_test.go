package template

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

// arrays are the templates whose searches take an array and memories as they come.
func arrays() []Spec { return []Spec{systolicSpec(), gemminiSpec(), eyerissSpec()} }

// Twice of a parameter is not slower, up to what the mapper calls equal: at most in
// one of a hundred cases, by at most 5 %. TestTwiceIsNotSlower asks the tile search
// (docs/model.md#more).
func TestMoreIsNotSlower(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	nets := [][]model.Problem{layers(t, "mobilenet_v2"), layers(t, "resnet18_v1"), layers(t, "squeezenet"), layers(t, "bert_base")}
	for _, s := range arrays() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(12, 0))
			cases, slower, worst := 0, 0, 0.0
			for i, p := range s.Params {
				if p.Categorical() {
					continue
				}
				before := slower
				for range 10 {
					v := draw(rng, &s)
					more := append([]int64(nil), v...)
					more[i] *= 2
					for _, list := range nets {
						once, ok := cyclesOf(&s, v, list)
						if !ok {
							continue
						}
						cases++
						twice, ok := cyclesOf(&s, more, list)
						if !ok {
							t.Errorf("%v fits, with twice the %s nothing does", v, p.Name)
						}
						if float64(twice) > (1+equalTime)*float64(once) {
							slower++
							worst = max(worst, float64(twice)/float64(once)-1)
						}
					}
				}
				if slower > before {
					t.Logf("%s: twice the %s is slower in %d cases", s.Name, p.Name, slower-before)
				}
			}
			t.Logf("%s: twice of a parameter is slower in %d of %d cases, by up to %.2f %%", s.Name, slower, cases, 100*worst)
			if cases < 100 || slower*100 > cases || worst > 0.05 {
				t.Errorf("%s: twice of a parameter is slower in %d of %d cases, by up to %.2f %%", s.Name, slower, cases, 100*worst)
			}
		})
	}
}

// cyclesOf returns the time of layers, false when one has no mapping.
func cyclesOf(s *Spec, v []int64, list []model.Problem) (cycles int64, ok bool) {
	m := declared(s).machine(v)
	var found model.Mapping
	for i := range list {
		c, misfit := m.Flow.Find(&list[i], leastTime(), &found)
		if misfit != nil {
			return 0, false
		}
		cycles += c.Cycles
	}
	return cycles, true
}
