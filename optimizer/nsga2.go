package optimizer

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"apollo/optimizer/space"
)

// NSGA2 is the non-dominated sorting genetic algorithm for several objectives:
// parents by binary tournament, the better front first, then the less crowded
// design; the population is the best Population designs of all that were told.
//
// References: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, A Fast and Elitist
// Multiobjective Genetic Algorithm: NSGA-II, IEEE Trans. Evolutionary
// Computation 6, 2002 (sorting, crowding, constrained domination; population
// 100, crossover 0.9, one mutated variable in the mean); J. J. Durillo et al.,
// On the Effect of the Steady-State Selection Scheme in Multi-Objective Genetic
// Algorithms, EMO 2009 (a child joins at once, without generations, which also
// suits results that arrive one by one). The lattice takes the place of the real
// line: uniform crossover for SBX, and a step to a near level or a uniform one
// for polynomial mutation.
//
// It takes any number of objectives, one too, and uses neither Features nor
// Prior. A feasible design is better than an infeasible one, which is judged by
// its violation; one whose violation nobody knows is last. Failed trials join no
// population. The first Population designs are uniform. A child that is not
// legal or not new is bred again, up to 256 times with growing mutation, and
// then replaced by a uniform design. A tell takes O(Population²) time, an ask
// O(n·parameters); memory is that of Random plus Population points.
type NSGA2 struct {
	// Population is the number of designs kept, at least 4. Smaller ones start
	// to evolve sooner and leave a coarser front. 0 means 100.
	Population int `json:"population"`
	// Crossover is the probability, up to 1, that a child has a second parent,
	// from which it takes half of its levels. 0 means 0.9; a negative number
	// means never.
	Crossover float64 `json:"crossover"`
	// Mutation is the mean number of parameters that a mutation changes, at
	// least 1. 0 means 1.
	Mutation float64 `json:"mutation"`
	// Local is the probability, up to 1, that a mutation moves a numeric
	// parameter to a near level instead of a uniform one. 0 means 0.7, as GA; a
	// negative number means never.
	Local float64 `json:"local"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*nsga2)(nil)

// Start implements Algorithm.
func (a NSGA2) Start(p Problem) (Strategy, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	a = a.withDefaults()
	return &nsga2{
		sampler: newSampler(p, a.MaxChecks), knobs: a, mutation: newMutation(&p, a.Local),
		objectives: max(1, p.Objectives),
	}, nil
}

func (a NSGA2) withDefaults() NSGA2 {
	if a.Population == 0 {
		a.Population = 100
	}
	if a.Mutation == 0 {
		a.Mutation = 1
	}
	a.Crossover = probability(a.Crossover, 0.9)
	a.Local = probability(a.Local, 0.7)
	return a
}

func (a NSGA2) validate() error {
	switch {
	case a.Population != 0 && a.Population < 4:
		return fmt.Errorf("population is %d, but must be at least 4", a.Population)
	case !(a.Local <= 1):
		return fmt.Errorf("local is %v, but must be at most 1", a.Local)
	}
	return validateVariation(a.Crossover, a.Mutation, a.MaxChecks)
}

type nsga2 struct {
	sampler
	knobs      NSGA2
	mutation   mutation
	objectives int
	members    []solution // in the order they joined
	joined     int        // designs that ever were members
	best       []int      // cache: positions in members, best first; nil when they changed
	standing   []int      // cache: by position in members, its place in best
}

func (s *nsga2) Tell(obs ...Observation) {
	for _, o := range obs {
		if !s.markTold(o.Point) {
			continue
		}
		member, ok := newSolution(o, s.objectives)
		if !ok {
			continue
		}
		s.joined++
		s.members = append(s.members, member)
		s.best = nil
		if len(s.members) > s.knobs.Population {
			s.dismiss()
		}
	}
}

// dismiss drops the worst member.
func (s *nsga2) dismiss() {
	order := constrainedRank(s.members)
	worst := order[len(order)-1]
	s.members = slices.Delete(s.members, worst, worst+1)
}

func (s *nsga2) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := s.open(at, n, pending, "nsga2")
	if err != nil {
		return nil, err
	}
	// Pending designs count: they will have joined before their children would.
	b.fill(min(n, s.knobs.Population-s.joined-len(b.pending)))
	s.rank()
	for len(b.out) < n && len(s.members) > 0 && s.breed(b) {
	}
	b.fill(n)
	return b.close()
}

func (s *nsga2) rank() {
	if s.best != nil || len(s.members) == 0 {
		return
	}
	s.best = constrainedRank(s.members)
	s.standing = slices.Grow(s.standing[:0], len(s.best))[:len(s.best)]
	for place, i := range s.best {
		s.standing[i] = place
	}
}

// breed proposes one new legal child, or returns false when none turned up.
func (s *nsga2) breed(to *batch) bool {
	for attempt := range breedAttempts {
		mother := &s.members[s.parent(to.rng)]
		father := mother
		to.point = append(to.point[:0], mother.point...)
		child := to.point
		if to.rng.Float64() < s.knobs.Crossover {
			father = &s.members[s.parent(to.rng)]
			crossUniform(child, father.point, to.rng)
		}
		s.mutation.apply(child, s.knobs.Mutation+float64(attempt/escalation), to.rng)
		s.problem.Settle(child)
		if to.offer(s.problem.Space.Key(child), child) {
			to.out[len(to.out)-1].Parents = parents(mother.individual, father.individual)
			return true
		}
	}
	return false
}

// parent is the better of two draws.
func (s *nsga2) parent(rng *rand.Rand) int {
	a, b := rng.IntN(len(s.members)), rng.IntN(len(s.members))
	if s.standing[b] < s.standing[a] {
		return b
	}
	return a
}
