package optimizer_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
)

func TestGPFindsFronts(t *testing.T) {
	t.Parallel()
	o := small()
	if !testing.Short() {
		// With fewer nothing can be told from random search on "load and cost".
		o.Trials, o.Seeds = 50, 3
	}
	optimizertest.RunFronts(t, optimizer.GP{Limit: 60, Pool: 48}, o)
}

// One search among several objectives finds more than many designs at random:
// 40 trials against 160.
func TestGPIsWorthFourTimesTheTrials(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("studies of 160 trials")
	}
	for _, p := range optimizertest.Fronts()[:2] {
		got, err := optimizertest.MedianHypervolume(optimizer.GP{Pool: 24}, p, 3, 40)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := optimizertest.MedianHypervolume(optimizer.Random{}, p, 3, 160)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.6g after 40 trials, random %.6g after 160", p.Name, got, reference)
		if !(got > reference) {
			t.Errorf("%s: hypervolume %v after 40 trials, random search has %v after 160", p.Name, got, reference)
		}
	}
}

// corner has a first objective that is the first parameter, and a second one
// that the other parameters spoil; its front runs along the first parameter with
// the others at 0 (ZDT1: E. Zitzler, K. Deb, L. Thiele, Evolutionary Computation
// 8, 2000).
func corner(t *testing.T) (p optimizertest.Problem, volume float64) {
	t.Helper()
	const along, others, levels = 101, 7, 11
	var params []space.Param
	for i := range 1 + others {
		param := space.Param{Name: fmt.Sprint("x", i)}
		for level := range map[bool]int{true: along, false: levels}[i == 0] {
			param.Values = append(param.Values, float64(level))
		}
		params = append(params, param)
	}
	sp, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	measure := func(p space.Point) optimizer.Observation {
		first, g := float64(p[0])/(along-1), 1.0
		for _, level := range p[1:] {
			g += 9 * float64(level) / (levels - 1) / others
		}
		return optimizer.Observation{Values: []float64{first, g * (1 - math.Sqrt(first/g))}}
	}
	reference := []float64{1.1, 4}
	var front [][]float64
	for level := range along {
		front = append(front, measure(append(space.Point{level}, make(space.Point, others)...)).Values)
	}
	return optimizertest.Problem{Name: "corner", Space: sp, Reference: reference, Measure: measure}, pareto.Hypervolume(front, reference)
}

// A search that has met one end of the front goes on to the other. By a
// reference just behind the front so far it stayed where it was.
func TestGPLeavesTheCorner(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("studies of 60 trials")
	}
	p, volume := corner(t)
	got, err := optimizertest.MedianHypervolume(optimizer.GP{Pool: 60}, p, 3, 60)
	if err != nil {
		t.Fatal(err)
	}
	missing := 1 - got/volume
	t.Logf("%.3g of the hypervolume is missing", missing)
	if missing > 0.05 {
		t.Errorf("%.3g of the hypervolume is missing", missing)
	}
}

// While no trial says where feasible designs might be, the search covers the
// space as it does with one objective.
func TestGPIsBlindWithSeveralObjectives(t *testing.T) {
	t.Parallel()
	p, _ := corner(t)
	const trials = 15 // Initial and some more
	one, many := p.Start(1), p.Start(1)
	one.Objectives = 1
	var points [2][]space.Point
	for i, problem := range []optimizer.Problem{one, many} {
		s, err := optimizer.GP{}.Start(problem)
		if err != nil {
			t.Fatal(err)
		}
		for at := range uint64(trials) {
			proposals, err := s.Ask(at, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			points[i] = append(points[i], proposals[0].Point)
			s.Tell(optimizer.Observation{Point: proposals[0].Point, Status: optimizer.Infeasible, Trial: int(at)})
		}
	}
	if diff := cmp.Diff(points[0], points[1]); diff != "" {
		t.Errorf("with two objectives it is another search (-one +two):\n%s", diff)
	}
}
