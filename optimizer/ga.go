package optimizer

import (
	"fmt"
	"slices"

	"apollo/optimizer/space"
)

// GA is an elitist steady-state genetic algorithm: the population is the best
// individuals of all that were told, and every child that is better than the
// worst of them takes its place. It converges faster than Evolution, which
// pays in studies of a few hundred trials.
//
// References: D. Whitley, The GENITOR Algorithm and Selection Pressure, ICGA
// 1989 (steady state, the worst is replaced); G. Syswerda, Uniform Crossover
// in Genetic Algorithms, ICGA 1989; K. Deb, An efficient constraint handling
// method for genetic algorithms, CMAME 186, 2000 (feasible first, then by
// violation). The numbers are chosen on the named problems of optimizertest.
//
// It searches one objective and uses neither Features nor Prior. Failed trials
// join no population. The first Initial designs are uniform; children are bred
// as in Evolution. An ask takes O(n·(Tournament + parameters)) time, a tell
// O(Population + parameters), and the memory is that of Random plus Population
// points.
type GA struct {
	// Population is the number of individuals kept, at least 2. A smaller one
	// converges sooner. 0 means 16.
	Population int `json:"population"`
	// Initial is the number of uniform designs before the first child.
	// 0 means Population.
	Initial int `json:"initial"`
	// Tournament is the number of individuals that compete to be a parent, at
	// least 1. Larger is greedier. 0 means 3.
	Tournament int `json:"tournament"`
	// Crossover is the probability, up to 1, that a child has a second parent,
	// from which it takes half of its levels. 0 means 0.7; a negative number
	// means never.
	Crossover float64 `json:"crossover"`
	// Mutation is the mean number of parameters that a mutation changes, at
	// least 1. 0 means 1.5.
	Mutation float64 `json:"mutation"`
	// Local is the probability, up to 1, that a mutation moves a numeric
	// parameter to a near level instead of a uniform one. 0 means 0.7; a
	// negative number means never.
	Local float64 `json:"local"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*ga)(nil)

// Start implements Algorithm. A problem with several objectives is an error.
func (g GA) Start(p Problem) (Strategy, error) {
	if err := g.validate(); err != nil {
		return nil, err
	}
	g = g.withDefaults()
	b, err := newBreeder(p, "ga", breederKnobs{
		initial: g.Initial, tournament: g.Tournament, crossover: g.Crossover,
		mutation: g.Mutation, local: g.Local, maxChecks: g.MaxChecks,
	})
	if err != nil {
		return nil, err
	}
	return &ga{breeder: b, size: g.Population}, nil
}

func (g GA) withDefaults() GA {
	if g.Population == 0 {
		g.Population = 16
	}
	if g.Initial == 0 {
		g.Initial = g.Population
	}
	if g.Tournament == 0 {
		g.Tournament = 3
	}
	if g.Mutation == 0 {
		g.Mutation = 1.5
	}
	g.Crossover = probability(g.Crossover, 0.7)
	g.Local = probability(g.Local, 0.7)
	return g
}

func (g GA) validate() error {
	switch {
	case g.Population < 0 || g.Population == 1:
		return fmt.Errorf("population is %d, but must be at least 2", g.Population)
	case g.Initial < 0:
		return fmt.Errorf("initial is %d, but must be at least 1", g.Initial)
	case g.Tournament < 0:
		return fmt.Errorf("tournament is %d, but must be at least 1", g.Tournament)
	case !(g.Local <= 1):
		return fmt.Errorf("local is %v, but must be at most 1", g.Local)
	}
	return validateVariation(g.Crossover, g.Mutation, g.MaxChecks)
}

type ga struct {
	breeder
	size int
}

// Tell keeps members sorted by fitness, and by age among equals.
func (g *ga) Tell(obs ...Observation) {
	for _, o := range obs {
		member, ok := g.join(o)
		if !ok {
			continue
		}
		// A newcomer goes behind its equals, so that the order is that of
		// telling however the telling was cut up.
		at, _ := slices.BinarySearchFunc(g.members, member, func(old, new individual) int {
			if compareFitness(old, new) <= 0 {
				return -1
			}
			return 1
		})
		if at >= g.size {
			continue
		}
		if len(g.members) == g.size {
			g.members = g.members[:g.size-1]
		}
		g.members = slices.Insert(g.members, at, member)
	}
}

func (g *ga) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	return g.ask(at, n, pending)
}
