package optimizer

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/optimizer/space"
)

// What a level is encoded as means that level, whatever the labels are: plain ones,
// sets of one size, and sets of several.
func TestGenesKeepLevels(t *testing.T) {
	t.Parallel()
	for _, p := range []space.Param{
		{Values: []float64{1, 2, 4, 8, 16, 32, 64}},
		{Labels: []string{"idle", "groups"}},
		{Labels: []string{"C+K", "C+P", "K+P"}},
		{Labels: []string{"C", "K", "P", "C+K", "C+P", "K+P", "C+K+P"}},
	} {
		g := newGene(&p, 0)
		for level := range p.Len() {
			x := g.encode(nil, level)
			if len(x) != g.count {
				t.Errorf("%v: %d coordinates, want %d", p, len(x), g.count)
			}
			if got := g.decode(x); got != level {
				t.Errorf("%v: level %d becomes %d", p, level, got)
			}
		}
	}
}

// The most important parts are the set, as many as the first coordinate says.
func TestImportancesChooseASet(t *testing.T) {
	t.Parallel()
	p := space.Param{Labels: []string{"C", "K", "P", "C+K", "C+P", "K+P", "C+K+P"}}
	g := newGene(&p, 0)
	for _, c := range []struct {
		x    []float64
		want string
	}{
		{[]float64{0.1, 0.2, 0.9, 0.5}, "K"},
		{[]float64{0.5, 0.2, 0.9, 0.5}, "K+P"},
		{[]float64{0.5, 0.6, -0.9, 0.5}, "C+P"},
		{[]float64{7, 0.6, -0.9, 0.5}, "C+K+P"},
	} {
		if got := p.Labels[g.decode(c.x)]; got != c.want {
			t.Errorf("%v is %s, want %s", c.x, got, c.want)
		}
	}
}

// On a quadratic without a lattice the distribution finds the optimum and narrows:
// the updates are those of CMA-ES.
func TestNormalFollowsAQuadratic(t *testing.T) {
	t.Parallel()
	const d, population = 6, 12
	at := func(x []float64) (sum float64) {
		for i, v := range x {
			v -= 0.3 + 0.05*float64(i)
			sum += math.Pow(10, float64(i)/2) * v * v
		}
		return sum
	}
	n, rng := newNormal(d, population, 0.3), rand.New(rand.NewPCG(1, 2))
	for range 150 {
		var drawn [][]float64
		for range population {
			x := n.draw(n.step, rng)
			i := 0
			for i < len(drawn) && at(drawn[i]) <= at(x) {
				i++
			}
			drawn = append(drawn[:i], append([][]float64{x}, drawn[i:]...)...)
		}
		n.follow(drawn[:population/2])
	}
	if v := at(n.mean); v > 1e-3 {
		t.Errorf("the mean is at %g after 150 generations, want below 1e-3", v)
	}
}
