package optimizer

import (
	"math"
	"testing"

	"apollo/optimizer/space"
)

// On a lattice whose corner holds most of the behaviour, novelty finds more of it than
// random designs and than a walk do.
func TestExploreCoversMore(t *testing.T) {
	t.Parallel()
	const trials, seeds = 200, 5
	s := grid(t, 3, 32)
	observe := func(p space.Point, trial int) Observation {
		if p[0] > 24 {
			return Observation{Point: p, Trial: trial, Status: Infeasible, Cause: "large"}
		}
		// Eight doublings in the first levels of one parameter, next to nothing in the rest.
		v := math.Exp2(8*math.Exp(-float64(p[0])/3) + 8*math.Exp(-float64(p[1])/3))
		return Observation{Point: p, Trial: trial, Values: []float64{v}}
	}
	covered := func(a Algorithm, seed uint64) int {
		strategy, cells := start(t, a, Problem{Space: s, Seed: seed}), map[string]bool{}
		for trial := range trials {
			got, err := strategy.Ask(uint64(trial), 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			o := observe(got[0].Point, trial)
			strategy.Tell(o)
			cells[CellOf(o, 2)] = true
		}
		return len(cells)
	}
	var sum [3]int
	for seed := range uint64(seeds) {
		for i, a := range []Algorithm{Explore{}, Random{}, Explore{Walk: true}} {
			sum[i] += covered(a, seed)
		}
	}
	if sum[0] <= sum[1] || sum[0] <= sum[2] {
		t.Errorf("cells of %d searches: %d, random designs %d, a walk %d", seeds, sum[0], sum[1], sum[2])
	}
	t.Logf("cells of %d searches: %d, random designs %d, a walk %d", seeds, sum[0], sum[1], sum[2])
}

func TestCells(t *testing.T) {
	t.Parallel()
	same := func(a, b Observation) bool { return CellOf(a, 2) == CellOf(b, 2) }
	value := func(v ...float64) Observation { return Observation{Values: v} }
	if !same(value(1, 5), value(1.1, 5)) || same(value(1, 5), value(2, 5)) || same(value(1), value(-1)) || same(value(0), value(1)) {
		t.Error("values in one bin are one cell, others are not")
	}
	if same(Observation{Status: Infeasible, Cause: "a"}, Observation{Status: Infeasible, Cause: "b"}) ||
		same(Observation{Status: Infeasible, Values: []float64{1}}, value(1)) {
		t.Error("causes and feasibility tell cells apart")
	}
}
