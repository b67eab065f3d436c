package optimizer

import (
	"slices"
	"strings"
	"testing"

	"apollo/optimizer/space"
)

// tellAll tells the points of the given indexes as trials first, first+1, …
// with the value that value returns.
func tellAll(s Strategy, in space.Space, first int, indexes []uint64, value func(i int) float64) {
	for i, index := range indexes {
		s.Tell(Observation{Point: in.At(index), Values: []float64{value(i)}, Trial: first + i})
	}
}

func parentsOf(t *testing.T, s Strategy, at uint64, n int) (trials []int) {
	t.Helper()
	got, err := s.Ask(at, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got {
		if len(p.Parents) == 0 {
			t.Fatalf("proposal %v has no parent: the population does not breed", p.Point)
		}
		trials = append(trials, p.Parents...)
	}
	slices.Sort(trials)
	return slices.Compact(trials)
}

func indexes(from, to uint64) (all []uint64) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// Real et al. 2019, Algorithm 1: "remove dead from left of population", the
// oldest dies, however good it is.
func TestEvolutionForgetsTheOldest(t *testing.T) {
	t.Parallel()
	s := grid(t, 4, 8)
	e := start(t, Evolution{Population: 10, Sample: 4}, Problem{Space: s, Seed: 1})
	tellAll(e, s, 0, indexes(0, 10), func(i int) float64 { return float64(i) })
	if got := parentsOf(t, e, 10, 200); got[0] != 0 {
		t.Errorf("parents are %v, want trial 0, the best, among them", got)
	}
	tellAll(e, s, 10, indexes(10, 13), func(int) float64 { return 1e9 })
	if got := parentsOf(t, e, 13, 200); got[0] != 3 {
		t.Errorf("parents are %v after three more births, want 3 as the oldest", got)
	}
}

// Algorithm 1: the first P models are random, and from then on every model is
// the mutation of the best of a sample of S.
func TestEvolutionStartsUniformAndThenBreeds(t *testing.T) {
	t.Parallel()
	s := grid(t, 4, 8)
	e := start(t, Evolution{Population: 12, Sample: 12, Crossover: -1}, Problem{Space: s, Seed: 1})
	tellAll(e, s, 0, indexes(0, 8), func(i int) float64 { return float64(i) })
	got, err := e.Ask(9, 6, []space.Point{s.At(4000)})
	if err != nil {
		t.Fatal(err)
	}
	// 8 told and 1 pending: 3 uniform ones are missing.
	for i, p := range got {
		if bred := len(p.Parents) > 0; bred != (i >= 3) {
			t.Errorf("proposal %d has parents %v, want uniform ones up to the third", i, p.Parents)
		}
		if i < 3 {
			continue
		}
		changed := 0
		for k, level := range s.At(uint64(p.Parents[0])) {
			if level != p.Point[k] {
				changed++
			}
		}
		if len(p.Parents) != 1 || changed != 1 {
			t.Errorf("child %v of %v: %d mutations, want one parent and one mutation", p.Point, p.Parents, changed)
		}
	}
}

func TestGAKeepsTheBest(t *testing.T) {
	t.Parallel()
	s := grid(t, 4, 8)
	g := start(t, GA{Population: 6}, Problem{Space: s, Seed: 1})
	values := []float64{50, 3, 60, 1, 70, 2, 80, 4, 90, 5, 0, 1}
	tellAll(g, s, 0, indexes(100, 112), func(i int) float64 { return values[i] })
	// The six best; trials 3 and 11 are equals, and both stay.
	if got, want := parentsOf(t, g, 12, 300), []int{1, 3, 5, 7, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("parents are %v, want the six best, %v", got, want)
	}
}

func TestGAInitial(t *testing.T) {
	t.Parallel()
	s := grid(t, 4, 8)
	g := start(t, GA{Population: 4, Initial: 9}, Problem{Space: s, Seed: 1})
	tellAll(g, s, 0, indexes(0, 7), func(i int) float64 { return float64(i) })
	got, err := g.Ask(7, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got {
		if bred := len(p.Parents) > 0; bred != (i >= 2) {
			t.Errorf("proposal %d has parents %v, want two uniform ones after 7 of 9", i, p.Parents)
		}
	}
}

// Where feasible designs are known the infeasible ones must not be chosen, and
// where none is the smallest violation leads.
func TestInfeasibleOnesRankBehind(t *testing.T) {
	t.Parallel()
	s := grid(t, 4, 8)
	for _, a := range []Algorithm{Evolution{Population: 8, Sample: 200}, GA{Population: 8, Tournament: 200}} {
		strategy := start(t, a, Problem{Space: s, Seed: 1})
		for i := range 8 {
			strategy.Tell(Observation{Point: s.At(uint64(i * 7)), Status: Infeasible, Values: []float64{-9}, Violation: 10 - float64(i), Trial: i})
		}
		if got := parentsOf(t, strategy, 8, 20); !slices.Equal(got, []int{7}) {
			t.Errorf("%T: parents are %v, want 7, the least violation", a, got)
		}
		strategy.Tell(Observation{Point: s.At(300), Values: []float64{1e9}, Trial: 8})
		if got := parentsOf(t, strategy, 9, 20); !slices.Equal(got, []int{8}) {
			t.Errorf("%T: parents are %v, want 8, the only feasible one", a, got)
		}
	}
}

func TestStartNamesTheKnobOutOfRange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a    Algorithm
		want string
	}{
		{Random{MaxChecks: -1}, "maxChecks is -1"},
		{Evolution{Population: 1}, "population is 1"},
		{Evolution{Population: -5}, "population is -5"},
		{Evolution{Sample: -1}, "sample is -1"},
		{Evolution{Crossover: 1.5}, "crossover is 1.5"},
		{Evolution{Mutation: 0.5}, "mutation is 0.5"},
		{Evolution{MaxChecks: -1}, "maxChecks is -1"},
		{GA{Population: 1}, "population is 1"},
		{GA{Initial: -1}, "initial is -1"},
		{GA{Tournament: -2}, "tournament is -2"},
		{GA{Local: 2}, "local is 2"},
		{GA{Mutation: -1}, "mutation is -1"},
	} {
		if _, err := c.a.Start(Problem{Space: grid(t, 2, 3)}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%T.Start() = %v, want an error that starts with %q", c.a, err, c.want)
		}
	}
	for _, a := range []Algorithm{Evolution{}, GA{}} {
		if _, err := a.Start(Problem{Space: grid(t, 2, 3), Objectives: 2}); err == nil || !strings.Contains(err.Error(), "one objective") {
			t.Errorf("%T.Start(two objectives) = %v, want an error that says so", a, err)
		}
	}
}
