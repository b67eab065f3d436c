package optimizer

import (
	"math"
	"reflect"
	"strings"
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
	for _, status := range []Status{Failed, Withheld} {
		o := Observation{Status: status, Cause: "a", Values: []float64{1}}
		if of, by := CellOf(o, 2), (Explore{}).CellOf(o); of != "" || by != "" {
			t.Errorf("a trial of status %d says nothing about its design, but its cell is %q, and %q by the strategy", status, of, by)
		}
	}
	if o := value(3, 5); CellOf(o, Explore{}.withDefaults().Bins) != (Explore{}).CellOf(o) {
		t.Error("the strategy names another cell than the function with its bins")
	}
}

// observed is what a study on the lattice of grid(t, 3, 32) is told: the scale moves what
// is rich in behaviour, the sign says that the values are maximised.
func observed(p space.Point, trial int, scale, sign float64) Observation {
	if p[0] > 24 {
		return Observation{Point: p, Trial: trial, Status: Infeasible, Cause: "large"}
	}
	v := math.Exp2(8*math.Exp(-float64(p[0])/scale) + 8*math.Exp(-float64(31-p[1])/scale))
	return Observation{Point: p, Trial: trial, Values: []float64{sign * v}}
}

// searched runs a search on it, and returns what was told and the number of its cells.
func searched(t *testing.T, a Algorithm, seed uint64, scale, sign float64) (log []Observation, covered int) {
	t.Helper()
	const trials = 150
	strategy, cells := start(t, a, Problem{Space: grid(t, 3, 32), Seed: seed}), map[string]bool{}
	for trial := range trials {
		got, err := strategy.Ask(uint64(trial), 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := observed(got[0].Point, trial, scale, sign)
		strategy.Tell(o)
		log, cells[CellOf(o, 2)] = append(log, o), true
	}
	return log, len(cells)
}

// A policy that learned from random designs and novelty on one problem covers more than
// both on another one.
func TestPolicyLearnsToCover(t *testing.T) {
	t.Parallel()
	lessons := func() *Lessons {
		var l Lessons
		for seed := range uint64(3) {
			for _, a := range []Algorithm{Random{}, Explore{}} {
				log, _ := searched(t, a, 100+seed, 6, 1)
				// A failure teaches nothing, and a repeat neither.
				log = append(log, log[3], Observation{Point: space.Point{1, 2, 3}, Status: Failed})
				if err := l.Add(grid(t, 3, 32), log); err != nil {
					t.Fatal(err)
				}
			}
		}
		return &l
	}
	l := lessons()
	if n, opened := l.Len(); n != 6*140 || opened < 50 || opened > n/2 {
		t.Errorf("%d trials, %d of a new cell, want 840 and some", n, opened)
	}
	learn := func(seed uint64) *Policy {
		p, err := lessons().Learn(seed)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := learn(1)
	if !reflect.DeepEqual(p, learn(1)) || reflect.DeepEqual(p, learn(2)) {
		t.Error("a policy follows from the lessons and the seed alone")
	}
	var sum [3]int
	for seed := range uint64(5) {
		for i, a := range []Algorithm{Explore{Policy: p}, Random{}, Explore{}} {
			_, n := searched(t, a, seed, 3, -1)
			sum[i] += n
		}
	}
	if sum[0] <= sum[1] || sum[0] <= sum[2] {
		t.Errorf("cells of five searches: %d with the policy, random designs %d, novelty %d", sum[0], sum[1], sum[2])
	}
	t.Logf("cells of five searches: %d with the policy, random designs %d, novelty %d", sum[0], sum[1], sum[2])
}

func TestTooFewLessons(t *testing.T) {
	t.Parallel()
	var l Lessons
	if _, err := l.Learn(1); err == nil || !strings.Contains(err.Error(), "there are 0 trials to learn from") {
		t.Error(err)
	}
	if err := l.Add(grid(t, 3, 32), []Observation{{Point: space.Point{99, 0, 0}, Trial: 7}}); err == nil || !strings.Contains(err.Error(), "trial 7 does not belong to the space") {
		t.Error(err)
	}
}
