package optimizer

import (
	"fmt"

	"apollo/optimizer/space"
)

// breeder is what the evolutionary strategies share: uniform designs until the
// population has a size, then children. They differ in who stays alive.
type breeder struct {
	sampler
	origin   string
	knobs    breederKnobs
	mutation mutation
	members  []individual
	joined   int // individuals that ever were members
}

type breederKnobs struct {
	initial, tournament        int
	crossover, mutation, local float64
	maxChecks                  int
}

func newBreeder(p Problem, origin string, k breederKnobs) (breeder, error) {
	if p.Objectives > 1 {
		return breeder{}, fmt.Errorf("%s searches one objective, but the problem has %d", origin, p.Objectives)
	}
	return breeder{
		sampler:  newSampler(p, k.maxChecks),
		origin:   origin,
		knobs:    k,
		mutation: newMutation(&p, k.local),
	}, nil
}

// join notes a told point and returns its individual, or false when it does
// not take part in the search: a repeat, a failed trial, or a foreign point.
func (b *breeder) join(o Observation) (individual, bool) {
	if !b.markTold(o.Point) {
		return individual{}, false
	}
	member, ok := newIndividual(o)
	if ok {
		b.joined++
	}
	return member, ok
}

func (b *breeder) ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	batch, err := b.open(at, n, pending, b.origin)
	if err != nil {
		return nil, err
	}
	// Pending designs count: they will have joined before their children would.
	batch.fill(min(n, b.knobs.initial-b.joined-len(batch.pending)))
	for len(batch.out) < n && len(b.members) > 0 && b.breed(batch) {
	}
	batch.fill(n)
	return batch.close()
}

// breed proposes one new legal child, or returns false when none turned up.
func (b *breeder) breed(to *batch) bool {
	for attempt := range breedAttempts {
		mother := b.members[tournament(b.members, b.knobs.tournament, to.rng)]
		father := mother
		to.point = append(to.point[:0], mother.point...)
		child := to.point
		if to.rng.Float64() < b.knobs.crossover {
			father = b.members[tournament(b.members, b.knobs.tournament, to.rng)]
			crossUniform(child, father.point, to.rng)
		}
		b.mutation.apply(child, b.knobs.mutation+float64(attempt/escalation), to.rng)
		b.problem.Settle(child)
		if to.offer(b.problem.Space.Key(child), child) {
			to.out[len(to.out)-1].Parents = parents(mother, father)
			return true
		}
	}
	return false
}

// probability reads a knob where 0 means the default and a negative number 0.
func probability(knob, standard float64) float64 {
	if knob == 0 {
		return standard
	}
	return max(0, knob)
}

// The comparisons are written so that a NaN is out of range.
func validateVariation(crossover, mutation float64, maxChecks int) error {
	switch {
	case !(crossover <= 1):
		return fmt.Errorf("crossover is %v, but must be at most 1", crossover)
	case mutation != 0 && !(mutation >= 1):
		return fmt.Errorf("mutation is %v, but must be at least 1", mutation)
	}
	return Random{MaxChecks: maxChecks}.validate()
}
