package template

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

// The search leaves nothing out that could be better: on small layers it is as
// good as every number of tiles over every dimension, on layers of networks as
// every even cut.
func TestSquareSearchAgainstAllTilings(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	spec := gemminiSpec()
	rng := rand.New(rand.NewPCG(3, 0))
	for range 300 {
		p := model.Problem{
			Bound:  [model.Dims]int64{1 + rng.Int64N(2), 1 + rng.Int64N(3), 1 + rng.Int64N(40), 1 + rng.Int64N(40), 1 + rng.Int64N(9), 1 + rng.Int64N(9), 1 + rng.Int64N(3), 1 + rng.Int64N(3)},
			Stride: [2]int64{1 + rng.Int64N(3), 1 + rng.Int64N(3)}, Dilation: [2]int64{1, 1 + rng.Int64N(2)},
			Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
		}
		v := []int64{1 << (1 + rng.Int64N(4)), 128 << rng.Int64N(7), 64 << rng.Int64N(6), 1e9 << rng.Int64N(5)}
		sameAsAll(t, &spec, v, &p, func(n, parts int64) int64 { return (parts + 1) % (n + 1) })
	}
	list := some(distinct(layers(t, "mobilenet_v2", "resnet50_v1")), 5)
	for i := range list {
		sameAsAll(t, &spec, draw(rng, &spec), &list[i], model.NextParts)
	}
}

// sameAsAll compares with every combination of the numbers of parts that next
// walks through.
func sameAsAll(t *testing.T, spec *Spec, v []int64, p *model.Problem, next func(n, parts int64) int64) {
	t.Helper()
	m := declared(spec).machine(v)
	f := m.Flow.(*squareArray)
	var found model.Mapping
	c, misfit := f.Find(p, leastTime(), &found)
	least := math.Inf(1)
	parts := p.Bound
	parts[model.R], parts[model.S] = 1, 1
	var walk func(dims []model.Dim)
	walk = func(dims []model.Dim) {
		if len(dims) > 0 {
			d := dims[0]
			for parts[d] = 1; parts[d] > 0; parts[d] = next(p.Bound[d], parts[d]) {
				walk(dims[1:])
			}
			return
		}
		tiling := f.tiling(p, &parts)
		load, sums := f.needs(p, &tiling)
		if 2*load <= f.arch.Level[squarePad].Capacity && 2*sums <= f.arch.Level[squareAcc].Capacity {
			x := f.cost(p, &tiling)
			least = min(least, leastTime().of(&x))
		}
	}
	walk([]model.Dim{model.N, model.K, model.C, model.P, model.Q})
	if misfit != nil {
		if !math.IsInf(least, 1) {
			t.Errorf("%v on %v: none is found (%s), one of all has %g", p.Bound, v, misfit.What, least)
		}
		return
	}
	if got := leastTime().of(&c); got != least {
		t.Errorf("%v on %v: %g is found, all have %g", p.Bound, v, got, least)
	}
}
