package template

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
)

// The tilings that the search tries hold the best of all, or nearly: all numbers
// of tiles over M, N and K in all orders on all halves of the array.
func TestMarchingSearchAgainstAllTilings(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	spec := systolicSpec()
	rng := rand.New(rand.NewPCG(6, 0))
	var gaps []float64
	for i := range 300 {
		p := model.Problem{
			Bound:  [model.Dims]int64{1, 1, 1 + rng.Int64N(40), 1 + rng.Int64N(40), 1 + rng.Int64N(8), 1 + rng.Int64N(8), 1 + rng.Int64N(3), 1 + rng.Int64N(3)},
			Stride: [2]int64{1 + rng.Int64N(2), 1}, Dilation: [2]int64{1, 1}, Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
		}
		v := []int64{1 << (1 + rng.Int64N(4)), 1 << (1 + rng.Int64N(4)), int64(i % 3), 64 << rng.Int64N(8), 64 << rng.Int64N(8), 64 << rng.Int64N(8), 1e9 << rng.Int64N(6)}
		m := declared(&spec).machine(v)
		f := m.Flow.(*marching)
		var found model.Mapping
		c, _ := f.Find(&p, leastTime(), &found)
		all := leastOfTilings(f, &p)
		gaps = append(gaps, float64(c.Cycles)/float64(all.Cycles)-1)
		if c.Cycles < all.Cycles {
			t.Errorf("%v on %v: %d cycles are found, no tiling has fewer than %d", p.Bound, v, c.Cycles, all.Cycles)
		}
	}
	slices.Sort(gaps)
	t.Logf("above the best of all tilings: median %.2f %%, 95 of 100 %.2f %%, worst %.2f %%", 100*gaps[len(gaps)/2], 100*gaps[len(gaps)*95/100], 100*gaps[len(gaps)-1])
	if gaps[len(gaps)*9/10] > 0.001 || gaps[len(gaps)-1] > 0.1 {
		t.Errorf("the search is up to %.1f %% above the best of all tilings, a tenth of the layers %.2f %%", 100*gaps[len(gaps)-1], 100*gaps[len(gaps)*9/10])
	}
}

func leastOfTilings(f *marching, p *model.Problem) (best Cost) {
	s := marchingSearch{f: f, p: p, goal: leastTime(), least: math.Inf(1)}
	s.o, s.groups = systolic.OperandsOf(p)
	s.size = [3]int64{s.o.M, s.o.N, s.o.K}
	s.rowsDim, s.colsDim, s.timeDim = f.array.Dataflow.Roles()
	var parts [maxParts]arrayPart
	for _, x := range parts[:s.list(&parts)] {
		s.on(x.down, x.across)
		for m := int64(1); m > 0; m = model.NextParts(s.total[systolic.M], m) {
			for n := int64(1); n > 0; n = model.NextParts(s.total[systolic.N], n) {
				for k := int64(1); k > 0; k = model.NextParts(s.total[systolic.K], k) {
					s.cut(systolic.M, m)
					s.cut(systolic.N, n)
					s.cut(systolic.K, k)
					for _, s.t.Order = range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
						s.try()
					}
				}
			}
		}
	}
	return s.best
}
