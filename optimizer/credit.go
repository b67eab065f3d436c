package optimizer

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	// roundSize is the number of told trials in a round of P3BO. Chosen: rounds
	// must not depend on batches, which a restart may cut differently.
	roundSize = 8
	// quantileWeight is the part of a reward that is not improvement. Chosen.
	quantileWeight = 0.1
)

// ledger is what rewards are measured against.
type ledger struct {
	best  individual // of earlier rounds
	any   bool
	round int
}

// settle ends a round: it pays rewards and, when it is time, changes the
// population. It depends on the records alone.
func (s *p3bo) settle() {
	last := s.records[len(s.records)-roundSize:]
	for _, m := range s.members {
		m.credit = s.reward(m, last) + s.knobs.Decay*m.credit
	}
	for _, r := range last {
		if !s.ledger.any || compareFitness(r.individual, s.ledger.best) < 0 {
			s.ledger.best, s.ledger.any = r.individual, true
		}
	}
	s.ledger.round++
	if s.generation > 0 && s.ledger.round%s.generation == 0 {
		s.adapt()
	}
}

// reward is that of one member for one round.
func (s *p3bo) reward(m *member, round []record) float64 {
	own := -1
	for i, r := range round {
		name, ok := strings.CutPrefix(r.origin, originPrefix)
		if ok && name == m.name && (own < 0 || compareFitness(r.individual, round[own].individual) < 0) {
			own = i
		}
	}
	if own < 0 || round[own].class != feasible {
		return 0
	}
	// The share of the records that are no better.
	beats, _ := slices.BinarySearchFunc(s.ranked, round[own].individual, func(i int, best individual) int {
		if compareFitness(s.records[i].individual, best) < 0 {
			return -1
		}
		return 1
	})
	share := 1 - float64(beats)/float64(len(s.ranked))
	return improvement(s.ledger, round[own].individual) + quantileWeight*share
}

// improvement is by how much of itself the best of earlier rounds was beaten,
// at most 1; the first feasible design counts 1.
func improvement(l ledger, i individual) float64 {
	switch {
	case !l.any:
		return 0 // the first round has nothing to improve on
	case l.best.class != feasible:
		return 1
	case !(i.score < l.best.score):
		return 0
	}
	return min(1, (l.best.score-i.score)/max(math.Abs(l.best.score), math.SmallestNonzeroFloat64))
}

// probabilities is softmax(credit/τ) over a floor.
func (s *p3bo) probabilities() []float64 {
	mass := make([]float64, len(s.members))
	most := math.Inf(-1)
	for _, m := range s.members {
		most = max(most, m.credit)
	}
	for i, m := range s.members {
		mass[i] = math.Exp((m.credit - most) / s.knobs.Temperature)
	}
	normalize(mass)
	rest := 1 - s.knobs.Floor*float64(len(mass))
	for i := range mass {
		mass[i] = s.knobs.Floor + rest*mass[i]
	}
	return mass
}

// adapt keeps the better half and replaces the others by perturbed winners of
// tournaments of two.
func (s *p3bo) adapt() {
	rng := newStream(s.problem.Seed, uint64(len(s.records)))
	order := slices.Clone(s.members)
	slices.SortStableFunc(order, func(a, b *member) int { return cmp.Compare(b.credit, a.credit) })
	survivors := (len(order) + 1) / 2
	for k := survivors; k < len(order); k++ {
		// Positions are ranks: the lower of two draws wins.
		parent := order[min(rng.IntN(survivors), rng.IntN(survivors))]
		child := s.newMember(fmt.Sprintf("%s~%d", parent.kind, s.born+1), parent.kind, perturb(parent.setup, rng))
		child.credit = parent.credit
		order[k] = child
	}
	s.members = order
}

// perturb returns the algorithm with each number that matters scaled by a
// factor of 1/2 to 2; a kind without such knobs stays as it is.
func perturb(a Algorithm, rng *rand.Rand) Algorithm {
	factor := func() float64 { return math.Exp2(2*rng.Float64() - 1) }
	count := func(n, least int) int { return max(least, int(math.Round(float64(n)*factor()))) }
	switch a := a.(type) {
	case Evolution:
		a = a.withDefaults()
		a.Population = count(a.Population, 4)
		a.Sample = max(2, a.Population/4)
		a.Mutation = max(1, a.Mutation*factor())
		return a
	case GA:
		a = a.withDefaults()
		a.Population = count(a.Population, 4)
		a.Tournament = count(a.Tournament, 2)
		a.Mutation = max(1, a.Mutation*factor())
		return a
	case TPE:
		a = a.withDefaults()
		a.Candidates = count(a.Candidates, 4)
		a.Good = min(0.5, a.Good*factor())
		return a
	case GPBandit:
		a = a.withDefaults()
		a.UCB *= factor()
		return a
	case GP:
		a = a.withDefaults()
		a.Breed = count(max(a.Breed, 2), 2)
		return a
	case MBO:
		a = a.withDefaults()
		a.Spread *= factor()
		a.Threshold = min(0.9, a.Threshold*factor())
		return a
	}
	return a
}
