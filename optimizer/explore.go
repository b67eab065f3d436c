package optimizer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"apollo/optimizer/space"
)

// Explore covers what designs do instead of looking for the best one: logs that it makes
// are samples for models. It walks the graph of designs, whose edges change one parameter, and is
// led by novelty: it goes on from a design of a cell of behaviour that few trials fell into. A cell
// is why a design did not run or which limit it broke, and the objectives where they are measured, each
// on a logarithmic scale in bins.
//
// References: J. Lehman, K. O. Stanley, Abandoning Objectives: Evolution Through the
// Search for Novelty Alone, Evolutionary Computation 19(2), 2011; A. Ecoffet et al., First return, then
// explore, Nature 590, 2021 (cells, and a return to those that few visits fell into); H. Dai
// et al., Learning Transferable Graph Exploration, arXiv 1910.12980 (the task, and that a policy is
// learned on other graphs; theirs is a recurrent network over the whole graph, trained for the reward of a walk).
//
// It takes any number of objectives and uses neither Features nor Prior. The first Initial designs are
// uniform. A failed trial is no node. An ask takes O(n·cells) time, a tell O(parameters); with
// a Policy an ask O(n·candidates·trials·parameters), a tell O(trials·parameters).
type Explore struct {
	// Initial is the number of uniform designs before the first step. 0 means 10.
	Initial int `json:"initial"`
	// Bins is the number of bins in a doubling of an objective, above 0. 0 means 2.
	Bins float64 `json:"bins"`
	// Walk is a walk without a lead, to compare with: on from the last design.
	Walk bool `json:"walk"`
	// Policy leads in place of novelty: of Candidates edges that novelty would take, and some
	// uniform designs, it chooses the one that most likely opens a cell. Lessons make one.
	Policy *Policy `json:"policy"`
	// Candidates is the number of edges that a Policy chooses from; 0 means 32.
	Candidates int `json:"candidates"`
	// MaxChecks bounds the search for a uniform legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*explore)(nil)

func (e Explore) validate() error {
	switch {
	case e.Initial < 0:
		return fmt.Errorf("initial is %d, but must be at least 1", e.Initial)
	case !(e.Bins >= 0 && e.Bins <= 1000):
		return fmt.Errorf("bins is %v, but must be above 0 and at most 1000", e.Bins)
	case e.Candidates < 0 || e.Candidates > 10000:
		return fmt.Errorf("candidates is %d, but must be 1 to 10000", e.Candidates)
	case e.Policy != nil && e.Walk:
		return errors.New("walk is a walk without a lead: remove it, or the policy")
	case e.Policy != nil:
		if err := e.Policy.validate(); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	return Random{MaxChecks: e.MaxChecks}.validate()
}

// Start implements Algorithm.
func (e Explore) Start(p Problem) (Strategy, error) {
	if err := e.validate(); err != nil {
		return nil, err
	}
	return e.withDefaults().start(p), nil
}

func (e Explore) withDefaults() Explore {
	if e.Initial == 0 {
		e.Initial = 10
	}
	if e.Bins == 0 {
		e.Bins = 2
	}
	if e.Candidates == 0 {
		e.Candidates = 32
	}
	return e
}

func (e Explore) start(p Problem) *explore {
	x := &explore{knobs: e, sampler: newSampler(p, e.MaxChecks), mutation: newMutation(&p, 0), numbers: map[string]int{}}
	if e.Policy != nil {
		x.frontier = newFrontier(p.Space)
	}
	return x
}

type explore struct {
	sampler
	knobs    Explore
	mutation mutation
	numbers  map[string]int // of the cells by what they are
	cells    [][]node       // in the order in which they were found
	last     *node
	frontier *frontier // nil without a policy
}

// node is a design that was measured, or that says why not.
type node struct {
	point space.Point
	trial int
}

// Tell implements Strategy.
func (e *explore) Tell(obs ...Observation) {
	for _, o := range obs {
		if !e.markTold(o.Point) {
			continue
		}
		name := e.knobs.CellOf(o)
		if name == "" {
			continue
		}
		at, ok := e.numbers[name]
		if !ok {
			at = len(e.cells)
			e.numbers[name] = at
			e.cells = append(e.cells, nil)
		}
		e.cells[at] = append(e.cells[at], node{o.Point.Clone(), o.Trial})
		e.last = &e.cells[at][len(e.cells[at])-1]
		if e.frontier != nil {
			e.frontier.tell(&o, at, !ok, e.knobs.Bins)
		}
	}
}

// CellOf is the function with the bins of the strategy.
func (e Explore) CellOf(o Observation) string { return CellOf(o, e.withDefaults().Bins) }

// CellOf names the cell of behaviour that a trial fell into, with so many bins in a
// doubling of each objective. A trial that failed, or whose end is withheld, says nothing
// about its design and is in none: its name is "".
func CellOf(o Observation, bins float64) string {
	if o.Status == Failed || o.Status == Withheld {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", o.Status, o.Cause)
	for _, v := range o.Values {
		switch {
		case !finite(v) || v == 0:
			fmt.Fprintf(&b, " %g", v)
		default:
			fmt.Fprintf(&b, " %t%.0f", v > 0, math.Floor(math.Log2(math.Abs(v))*bins))
		}
	}
	return b.String()
}

// ownShare is the part of the steps that novelty takes beside a policy: where hardly any design
// runs, a policy that saw no such space may stay among those that do not. Chosen.
const ownShare = 0.1

// Ask implements Strategy.
func (e *explore) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := e.open(at, n, pending, "explore")
	if err != nil {
		return nil, err
	}
	b.fill(min(n, e.knobs.Initial-len(e.order)-len(b.pending)))
	for len(b.out) < n && len(e.cells) > 0 && (e.frontier != nil && b.rng.Float64() >= ownShare && e.lead(b, pending) || e.step(b)) {
	}
	b.fill(n)
	return b.close()
}

// lead proposes what the policy ranks highest among new legal neighbours of designs that
// novelty would go on from, of any design, and uniform designs; false when there was none.
func (e *explore) lead(b *batch, pending []space.Point) bool {
	const everyUniform, everyAny = 4, 4 // of the candidates; chosen
	others := slices.Clone(pending)
	for _, p := range b.out {
		others = append(others, p.Point)
	}
	others = slices.DeleteFunc(others, func(p space.Point) bool { return !e.problem.Space.Contains(p) })
	var best Proposal
	most := math.Inf(-1)
	consider := func(p space.Point, from *node) {
		rank := e.knobs.Policy.rank(e.frontier.describe(p, others, e.knobs.Bins, e.numbers))
		if rank <= most {
			return
		}
		most, best = rank, Proposal{Point: p.Clone()}
		if from != nil {
			best.Parents = parents(individual{trial: from.trial})
		}
	}
	for i := range e.knobs.Candidates {
		if i%everyUniform == 0 {
			if _, ok := b.uniform(); ok {
				consider(b.point, nil)
			}
		}
		from := e.choose(b.rng)
		if i%everyAny == 0 {
			c := e.cells[e.frontier.nodes[b.rng.IntN(len(e.frontier.nodes))].cell]
			from = &c[b.rng.IntN(len(c))]
		}
		b.point = append(b.point[:0], from.point...)
		e.mutation.apply(b.point, 1, b.rng)
		e.problem.Settle(b.point)
		if b.fresh(e.problem.Space.Key(b.point)) && e.problem.Legal(b.point) {
			consider(b.point, from)
		}
	}
	if best.Point == nil {
		return false
	}
	b.propose(e.problem.Space.Key(best.Point), best.Point)
	b.out[len(b.out)-1].Parents = best.Parents
	return true
}

// step proposes a new legal neighbour of a design, or returns false when none turned
// up.
func (e *explore) step(b *batch) bool {
	for attempt := range breedAttempts {
		from := e.choose(b.rng)
		b.point = append(b.point[:0], from.point...)
		e.mutation.apply(b.point, 1+float64(attempt/escalation), b.rng)
		e.problem.Settle(b.point)
		if b.offer(e.problem.Space.Key(b.point), b.point) {
			b.out[len(b.out)-1].Parents = parents(individual{trial: from.trial})
			return true
		}
	}
	return false
}

// choose returns the design to go on from: any of a cell that is drawn with a weight
// of one over its visits.
func (e *explore) choose(rng *rand.Rand) *node {
	if e.knobs.Walk {
		return e.last
	}
	total := 0.0
	for _, c := range e.cells {
		total += 1 / float64(len(c))
	}
	left, at := rng.Float64()*total, 0
	for at < len(e.cells)-1 && left >= 1/float64(len(e.cells[at])) {
		left -= 1 / float64(len(e.cells[at]))
		at++
	}
	return &e.cells[at][rng.IntN(len(e.cells[at]))]
}
