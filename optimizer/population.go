package optimizer

import (
	"cmp"
	"math"
	"math/rand/v2"

	"apollo/optimizer/space"
)

// individual is a member of a population: a design and how good it is.
type individual struct {
	point space.Point
	class fitnessClass
	// score is the objective of a feasible design or the violation of an
	// infeasible one; less is better. It is 0 where neither is known.
	score float64
	trial int
}

// fitnessClass orders designs before their score does: any feasible one beats
// any infeasible one (K. Deb, An efficient constraint handling method for
// genetic algorithms, CMAME 186, 2000).
type fitnessClass uint8

const (
	feasible fitnessClass = iota
	violating
	unknown // infeasible, and nobody knows by how much
)

// newIndividual copies the point. ok is false for a failed trial, which says
// nothing about its design.
func newIndividual(o Observation) (i individual, ok bool) {
	i = individual{point: o.Point.Clone(), class: unknown, trial: o.Trial}
	switch {
	case o.Status == Failed || o.Status == Withheld:
		return individual{}, false
	case o.Status == Measured && len(o.Values) > 0 && finite(o.Values[0]):
		i.class, i.score = feasible, o.Values[0]
	case o.Violation > 0 && finite(o.Violation):
		i.class, i.score = violating, o.Violation
	}
	return i, true
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// compareFitness is negative when a is the better one and 0 for equals.
func compareFitness(a, b individual) int {
	if c := cmp.Compare(a.class, b.class); c != 0 {
		return c
	}
	return cmp.Compare(a.score, b.score)
}

// tournament returns the position of the best of size draws with replacement;
// among equals the lowest position wins.
func tournament(population []individual, size int, rng *rand.Rand) int {
	best := rng.IntN(len(population))
	for range size - 1 {
		i := rng.IntN(len(population))
		c := compareFitness(population[i], population[best])
		if c < 0 || c == 0 && i < best {
			best = i
		}
	}
	return best
}

// parents lists the trials that a child came from, leaving out what was not a
// trial of this study.
func parents(members ...individual) []int {
	var trials []int
	for i, m := range members {
		if m.trial >= 0 && (i == 0 || m.trial != members[0].trial) {
			trials = append(trials, m.trial)
		}
	}
	return trials
}
