package optimizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

func TestFitnessOrder(t *testing.T) {
	t.Parallel()
	// From best to worst; neighbours with the same rank are equals.
	ladder := []struct {
		rank int
		obs  Observation
	}{
		{0, Observation{Values: []float64{-1e300}}},
		{1, Observation{Values: []float64{-2}}},
		{2, Observation{Values: []float64{5}}},
		{2, Observation{Values: []float64{5}, Violation: 3}}, // feasible: the violation means nothing
		{3, Observation{Values: []float64{math.MaxFloat64}}},
		{4, Observation{Status: Infeasible, Violation: 0.1}},
		{4, Observation{Status: Infeasible, Violation: 0.1, Values: []float64{-9}}},
		{5, Observation{Status: Infeasible, Violation: 2}},
		{6, Observation{Status: Infeasible}},
		{6, Observation{Status: Infeasible, Values: []float64{-9}}},
		{6, Observation{Status: Infeasible, Violation: math.NaN()}},
		{6, Observation{Values: []float64{math.Inf(-1)}}}, // breaks the contract: never the best
		{6, Observation{Values: []float64{math.NaN()}}},
		{6, Observation{}},
	}
	for _, a := range ladder {
		for _, b := range ladder {
			one, _ := newIndividual(a.obs)
			two, _ := newIndividual(b.obs)
			if got, want := compareFitness(one, two), sign(a.rank-b.rank); got != want {
				t.Errorf("compareFitness(%+v, %+v) = %d, want %d", a.obs, b.obs, got, want)
			}
		}
	}
	if _, ok := newIndividual(Observation{Status: Failed, Values: []float64{1}}); ok {
		t.Error("a failed trial became an individual")
	}
}

func sign(x int) int { return max(-1, min(1, x)) }

func TestTournamentPressure(t *testing.T) {
	t.Parallel()
	var members []individual
	for i := range 10 {
		members = append(members, individual{score: float64(9 - i/2)}) // pairs of equals, best last
	}
	rng := rand.New(rand.NewPCG(1, 2))
	counts := make([]float64, len(members))
	for range 20_000 {
		counts[tournament(members, 1, rng)]++
	}
	checkUniform(t, counts, 20_000)
	for range 100 {
		if got := tournament(members, 200, rng); got != 8 {
			t.Fatalf("tournament of nearly all = %d, want 8, the first of the best pair", got)
		}
	}
}

func TestParents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mother, father int
		want           []int
	}{{3, 5, []int{3, 5}}, {3, 3, []int{3}}, {-1, 5, []int{5}}, {3, -1, []int{3}}, {-1, -1, nil}} {
		if got := parents(individual{trial: c.mother}, individual{trial: c.father}); !slices.Equal(got, c.want) {
			t.Errorf("parents(%d, %d) = %v, want %v", c.mother, c.father, got, c.want)
		}
	}
}

func TestMutationChangesAsManyAsAsked(t *testing.T) {
	t.Parallel()
	s, err := space.New(
		space.Param{Name: "a", Values: []float64{1, 2, 3, 4, 5, 6}},
		space.Param{Name: "fixed", Values: []float64{1}},
		space.Param{Name: "b", Labels: []string{"x", "y", "z"}},
		space.Param{Name: "c", Values: []float64{1, 2}},
		space.Param{Name: "d", Values: []float64{1, 2, 3}},
	)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for _, mean := range []float64{1, 1.5, 3, 4} {
		m, changed := newMutation(&Problem{Space: s}, 0.7), 0
		const rounds = 20_000
		for i := range uint64(rounds) {
			p := s.At(i % s.Size())
			child := p.Clone()
			m.apply(child, mean, rng)
			if !s.Contains(child) || slices.Equal(child, p) {
				t.Fatalf("mutation of %v is %v", p, child)
			}
			for k := range p {
				if p[k] != child[k] {
					changed++
				}
			}
		}
		// Four deviations of a mean of 20,000 draws of at most 3 binary extras.
		if got := float64(changed) / rounds; math.Abs(got-mean) > 4*math.Sqrt(0.75/rounds) {
			t.Errorf("%v parameters changed on average, want %v", got, mean)
		}
	}
}

func TestStepIsNearAndInside(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{2, 3, 10} {
		for level := range n {
			counts := make([]int, n)
			for range 4000 {
				counts[step(level, n, rng)]++
			}
			if counts[level] > 0 {
				t.Errorf("step(%d, %d) stayed %d times", level, n, counts[level])
			}
			for other, got := range counts {
				if other != level && got == 0 && max(other-level, level-other) < 6 {
					t.Errorf("step(%d, %d) never reached %d", level, n, other)
				}
			}
			if level > 0 && level < n-1 && counts[level-1]+counts[level+1] < 1700 {
				t.Errorf("step(%d, %d) went to a neighbour %d times of 4000, want about half", level, n, counts[level-1]+counts[level+1])
			}
		}
	}
}
