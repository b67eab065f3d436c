package optimizer

import (
	"slices"

	"apollo/optimizer/pareto"
)

// solution is a design with all of its objectives.
type solution struct {
	individual
	values []float64 // nil unless all were measured
	probe  bool
	cause  int // position in multiObjectiveGP.causes; means nothing where the design is feasible
}

// newSolution copies the observation's slices. ok is false for a failed trial.
func newSolution(o Observation, objectives int) (s solution, ok bool) {
	member, ok := newIndividual(o)
	if !ok {
		return solution{}, false
	}
	m := solution{individual: member, values: measuredValues(o, objectives)}
	if m.class == feasible && m.values == nil {
		m.class, m.score = unknown, 0
	}
	return m, true
}

// measuredValues copies the objectives of a trial, or returns nil when one of
// them is missing or not finite.
func measuredValues(o Observation, objectives int) []float64 {
	if len(o.Values) < objectives || slices.ContainsFunc(o.Values[:objectives], func(x float64) bool { return !finite(x) }) {
		return nil
	}
	return slices.Clone(o.Values[:objectives])
}

// constrainedRank returns positions, best first: the feasible by front and
// crowding, then the others by violation, then by position.
func constrainedRank(members []solution) []int {
	var points [][]float64
	var at, rest []int
	for i := range members {
		if members[i].class == feasible {
			points, at = append(points, members[i].values), append(at, i)
			continue
		}
		rest = append(rest, i)
	}
	order := pareto.Rank(points)
	for k, i := range order {
		order[k] = at[i]
	}
	slices.SortStableFunc(rest, func(a, b int) int { return compareFitness(members[a].individual, members[b].individual) })
	return append(order, rest...)
}
