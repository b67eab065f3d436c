package optimizer

import (
	"fmt"

	"apollo/optimizer/space"
)

// Evolution is regularised (aging) evolution: a population of the newest
// individuals, parents by tournament, a child by crossover and mutation, and
// death by age instead of by rank.
//
// References: E. Real, A. Aggarwal, Y. Huang, Q. V. Le, Regularized Evolution
// for Image Classifier Architecture Search, AAAI 2019, Algorithm 1 (population
// 100, sample 25, one mutation a child, the first population uniform);
// A. Yazdanbakhsh et al., Apollo: Transferable Architecture Exploration,
// arXiv 2102.01723 (the Evolutionary baseline, which adds crossover).
//
// It searches one objective. Feasible individuals rank before infeasible ones,
// those by their violation, and those whose violation nobody knows last. Failed
// trials join no population. The first Population designs are uniform. A child
// that is not legal or not new is bred again, up to 256 times with growing
// mutation, and then replaced by a uniform design. Features and Prior are not
// used. An ask takes O(n·(Sample + parameters)) time, a tell O(parameters), and
// the memory is that of Random plus Population points.
type Evolution struct {
	// Population is the number of individuals alive, at least 2. Smaller ones
	// start to evolve sooner and converge sooner. 0 means 100.
	Population int `json:"population"`
	// Sample is the number of individuals in a tournament, 1 to any. Larger is
	// greedier. 0 means a quarter of Population, at least 2.
	Sample int `json:"sample"`
	// Crossover is the probability, up to 1, that a child has a second parent,
	// from which it takes half of its levels. 0 means 0.5, chosen; a negative
	// number means never, as in Real et al.
	Crossover float64 `json:"crossover"`
	// Mutation is the mean number of parameters that a mutation changes, at
	// least 1. 0 means 1.
	Mutation float64 `json:"mutation"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*evolution)(nil)

// Start implements Algorithm. A problem with several objectives is an error.
func (e Evolution) Start(p Problem) (Strategy, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	e = e.withDefaults()
	b, err := newBreeder(p, "evolution", breederKnobs{
		initial: e.Population, tournament: e.Sample, crossover: e.Crossover,
		mutation: e.Mutation, maxChecks: e.MaxChecks,
	})
	if err != nil {
		return nil, err
	}
	return &evolution{breeder: b, size: e.Population}, nil
}

func (e Evolution) withDefaults() Evolution {
	if e.Population == 0 {
		e.Population = 100
	}
	if e.Sample == 0 {
		e.Sample = max(2, e.Population/4)
	}
	e.Crossover = probability(e.Crossover, 0.5)
	if e.Mutation == 0 {
		e.Mutation = 1
	}
	return e
}

func (e Evolution) validate() error {
	if e.Population < 0 || e.Population == 1 {
		return fmt.Errorf("population is %d, but must be at least 2", e.Population)
	}
	if e.Sample < 0 {
		return fmt.Errorf("sample is %d, but must be at least 1", e.Sample)
	}
	return validateVariation(e.Crossover, e.Mutation, e.MaxChecks)
}

type evolution struct {
	breeder
	size int
	// oldest is the position in members of the next to die, once there are
	// size of them.
	oldest int
}

func (e *evolution) Tell(obs ...Observation) {
	for _, o := range obs {
		member, ok := e.join(o)
		switch {
		case !ok:
		case len(e.members) < e.size:
			e.members = append(e.members, member)
		default:
			e.members[e.oldest] = member
			e.oldest = (e.oldest + 1) % e.size
		}
	}
}

func (e *evolution) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	return e.ask(at, n, pending)
}
