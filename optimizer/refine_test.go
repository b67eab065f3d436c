package optimizer

import (
	"math/rand/v2"
	"testing"

	"apollo/optimizer/space"
)

// Where numbers have many levels, every second proposal lies around the best designs once
// enough are feasible; a search that goes on from the log proposes the same.
func TestRefinesAroundTheBest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		levels     int
		infeasible int // of the first designs
		refines    bool
	}{
		{"many levels", 41, 0, true},
		{"few levels", 9, 0, false},
		{"few feasible designs", 41, 8, false},
	} {
		problem := Problem{Space: grid(t, 4, c.levels), Seed: 1}
		g := start(t, GP{}, problem).(*gp)
		log := slope(problem.Space, nearby+6, c.infeasible)
		g.Tell(log...)
		if got := g.refinable(); got != c.refines {
			t.Errorf("%s: refines is %v, want %v", c.name, got, c.refines)
		}
		if !c.refines {
			continue
		}
		around := boxAround(problem.Space, g.elitePoints(corners))
		// Turns 47 and 49: every fifth is bred while nothing is better.
		for at := uint64(len(log)); at < uint64(len(log))+3; at += 2 {
			got, again := ask(t, g, at), ask(t, start(t, GP{}, problem), at, log...)
			if !around.holds(got) {
				t.Errorf("%s: proposal %d is %v, not in the box %v of the best designs", c.name, at, got, *around)
			}
			if problem.Space.Key(got) != problem.Space.Key(again) {
				t.Errorf("%s: proposal %d is %v, after a restart %v", c.name, at, got, again)
			}
		}
	}
}

// A box takes a level more than its points on each side, and any label.
func TestBox(t *testing.T) {
	t.Parallel()
	s, err := space.New(
		space.Param{Name: "n", Values: []float64{0, 1, 2, 3, 4, 5, 6}},
		space.Param{Name: "l", Labels: []string{"a", "b", "c"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	b := boxAround(s, []space.Point{{3, 1}, {4, 1}})
	for level, want := range []bool{false, false, true, true, true, true, false} {
		for label := range 3 {
			if got := b.holds(space.Point{level, label}); got != want {
				t.Errorf("level %d with label %d is in the box: %v, want %v", level, label, got, want)
			}
		}
	}
}

// slope is trials of drawn designs, the better the nearer to the last levels.
func slope(s space.Space, n, infeasible int) (log []Observation) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		o := Observation{Point: s.Draw(nil, rng), Trial: i, Values: []float64{1}}
		for k, level := range o.Point {
			gap := float64(s.Param(k).Len() - level)
			o.Values[0] += gap * gap
		}
		if i < infeasible {
			o.Status = Infeasible
		}
		log = append(log, o)
	}
	return log
}

func ask(t *testing.T, s Strategy, at uint64, told ...Observation) space.Point {
	t.Helper()
	s.Tell(told...)
	got, err := s.Ask(at, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got[0].Point
}
