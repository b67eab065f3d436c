package template

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"apollo/evaluator/model"
)

// missed is how much worse than a search that leaves nothing out the search may be on
// layers of networks: bounds count numbers of tiles as they are asked for, of which
// rounding leaves fewer. The worst that is known is 0.35 %.
const missed = 0.005

// TestSearchLeavesNothingOut compares the tile search with itself when no bound leaves
// anything out. With APOLLO_EXHAUSTIVE_LAYERS=30 it takes that many layers of three
// networks, and as many random ones with strides, dilations and images, of which it
// only tells; docs/model.md#templates has the figures.
func TestSearchLeavesNothingOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	n, _ := strconv.Atoi(os.Getenv("APOLLO_EXHAUSTIVE_LAYERS"))
	list := distinct(layers(t, "mobilenet_v2", "resnet50_v1", "bert_base"))
	small := list[:0:0]
	for _, p := range list {
		if p.MACs() < 3e6 {
			small = append(small, p)
		}
	}
	list = some(list, n)
	if n == 0 {
		list = some(small, 6)
	}
	for _, s := range Specs() {
		m := declared(&s).machine(baselineOf(&s))
		if l := tileSearch(&m); l != nil {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				against(t, "layers of networks", l, list, missed)
				against(t, "random layers", l, random(rand.New(rand.NewPCG(3, 0)), list[0], n), math.Inf(1))
			})
		}
	}
}

// tileSearch returns the flow of a machine that the tile search maps, the first of
// several, else nil.
func tileSearch(m *Machine) *loops {
	switch f := m.Flow.(type) {
	case *loops:
		return f
	case *free:
		return &f.flows[0]
	}
	return nil
}

func against(t *testing.T, what string, l *loops, list []model.Problem, most float64) {
	t.Helper()
	cases, worse, worst := 0, 0, 0.0
	for i := range list {
		for _, g := range []goal{leastTime(), leastEnergy()} {
			s := search{l: l, p: &list[i], goal: g.on(&list[i], &l.arch), limit: math.Inf(1)}
			all := s
			all.exhaustive = true
			s.run()
			all.run()
			cases++
			if over := s.best.value/all.best.value - 1; over > 1e-9 {
				worse, worst = worse+1, max(worst, over)
				if over > most {
					t.Errorf("%v stride %v: %.6g, %.6g where nothing is left out", list[i].Bound, list[i].Stride, s.best.value, all.best.value)
				}
			}
		}
	}
	t.Logf("%s: %d of %d worse, by up to %.2f %%", what, worse, cases, 100*worst)
}

// random returns layers of any shape with the formats of another.
func random(rng *rand.Rand, p model.Problem, n int) (list []model.Problem) {
	pick := func(v ...int64) int64 { return v[rng.IntN(len(v))] }
	for range n {
		p.Bound = [model.Dims]int64{
			pick(1, 1, 1, 2, 8), pick(1, 1, 1, 1, 2, 3), 1 + rng.Int64N(pick(4, 64, 200)), 1 + rng.Int64N(pick(4, 64, 200)),
			1 + rng.Int64N(pick(3, 20, 40)), 1 + rng.Int64N(pick(3, 20, 40)), pick(1, 1, 3, 5), pick(1, 1, 3, 5),
		}
		p.Stride = [2]int64{pick(1, 1, 2, 4), pick(1, 1, 2, 4)}
		p.Dilation = [2]int64{pick(1, 1, 2), pick(1, 1, 3)}
		list = append(list, p)
	}
	return list
}
