package template

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"apollo/evaluator/model"
)

// TestSearchLeavesNothingOut compares the tile search with itself when no bound leaves
// anything out, and when it begins with the value that it will find: bounds then leave
// out the most that they can in any order. With APOLLO_EXHAUSTIVE_LAYERS=30 it takes that many layers of
// three networks on the baselines, and as many random ones with strides, dilations and images.
// Some random layers have many channels, as the last ones of networks do.
func TestSearchLeavesNothingOut(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	n, _ := strconv.Atoi(os.Getenv("APOLLO_EXHAUSTIVE_LAYERS"))
	list := distinct(layers(t, "mobilenet_v2", "resnet50_v1", "bert_base"))
	for _, s := range Specs() {
		if m := declared(&s).machine(baselineOf(&s)); len(tileSearches(&m)) == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			rng, baseline := rand.New(rand.NewPCG(3, 0)), baselineOf(&s)
			var all order
			for _, p := range append(some(list, n), random(rng, list[0], n)...) {
				all.add(t, &s, baseline, &p, true)
			}
			for _, c := range unruly[s.Name] {
				p := list[0]
				p.Bound, p.Stride, p.Dilation = c.bound, c.stride, c.dilation
				all.add(t, &s, c.design, &p, false)
			}
			wide := []int64{1280, 678, 2455, 1880}
			for n := range 8 {
				design := draw(rng, &s)
				for i, p := range random(rng, list[0], 6) {
					if i == 0 {
						p.Bound[[...]model.Dim{model.K, model.C}[n%2]] = wide[n/2%len(wide)]
						p.Bound[model.N], p.Bound[model.P], p.Bound[model.Q] = 1, 1+p.Bound[model.P]%3, 1+p.Bound[model.Q]%3
					}
					all.add(t, &s, design, &p, false)
				}
				for _, p := range random(rng, list[0], 3) {
					for d := range p.Bound {
						p.Bound[d] = 1 + p.Bound[d]%7
					}
					all.add(t, &s, design, &p, true)
				}
			}
			t.Logf("%d searches, of which %d are compared with one that leaves nothing out", all.cases, all.exhaustive)
			if all.exhaustive < 50 || all.cases < 200 {
				t.Errorf("too few")
			}
		})
	}
}

// unruly are layers whose values depended on the order of the search: channels of which some
// numbers of tiles were tried only while nothing was found, and a dilated window that local
// memories have a part of.
var unruly = map[string][]struct {
	design           []int64
	bound            [model.Dims]int64
	stride, dilation [2]int64
}{
	"nvdla": {
		{[]int64{8, 4, 131072, 262144, 1e9}, [model.Dims]int64{8, 2, 1280, 12, 1, 1, 1, 5}, [2]int64{4, 2}, [2]int64{2, 3}},
		{[]int64{32, 16, 1048576, 131072, 4e9}, [model.Dims]int64{2, 1, 2455, 33, 1, 5, 1, 1}, [2]int64{2, 4}, [2]int64{2, 1}},
	},
	"shidiannao": {
		{[]int64{8, 24, 16384, 131072, 2e9}, [model.Dims]int64{1, 1, 2455, 281, 6, 9, 1, 3}, [2]int64{1, 1}, [2]int64{1, 1}},
		{[]int64{16, 8, 16384, 1048576, 8e9}, [model.Dims]int64{1, 1, 3, 1280, 12, 16, 1, 5}, [2]int64{4, 1}, [2]int64{2, 3}},
	},
	"spatial": {
		{[]int64{8, 20, 96, 16, 0, 0, 32, 524288, 256, 4e9}, [model.Dims]int64{1, 1, 38, 135, 1, 1, 3, 5}, [2]int64{4, 1}, [2]int64{2, 1}},
	},
}

// order counts searches that are compared with others in another order.
type order struct{ cases, exhaustive int }

func (x *order) add(t *testing.T, s *Spec, design []int64, p *model.Problem, exhaustive bool) {
	t.Helper()
	m := declared(s).machine(design)
	for _, l := range tileSearches(&m) {
		for _, g := range []goal{leastTime(), leastEnergy(), {cyclesPerPJ: 1e-3}} {
			usual := search{state: state{l: l, p: p, goal: g.on(p, &l.arch), limit: math.Inf(1)}}
			known, all := usual, usual
			if usual.run(); exhaustive {
				all.exhaustive = true
				all.run()
				x.exhaustive++
				same(t, s, design, p, g, &usual.best, &all.best)
			}
			if usual.best.any {
				known.limit = usual.best.value * (2 - margin)
				known.run()
				x.cases++
				same(t, s, design, p, g, &usual.best, &known.best)
			}
		}
	}
}

func same(t *testing.T, s *Spec, design []int64, p *model.Problem, g goal, usual, other *found) {
	t.Helper()
	if usual.any != other.any || math.Abs(usual.value-other.value) > 2*(1-margin)*usual.value {
		t.Errorf("%s %v, %v stride %v dilation %v, goal %v: %+v, in another order %+v", s.Name, design, p.Bound, p.Stride, p.Dilation, g, usual.cost, other.cost)
	}
}

// tileSearches returns the flows of a machine that the tile search maps.
func tileSearches(m *Machine) (list []*loops) {
	switch f := m.Flow.(type) {
	case *loops:
		return []*loops{f}
	case *free:
		for i := range f.flows {
			list = append(list, &f.flows[i])
		}
	}
	return list
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
