package transfer

import (
	"slices"

	"apollo/optimizer"
)

// referenceDesigns is how many of the base's own feasible designs what comes from
// the sources is measured against: the first ones, which nothing has improved yet.
// Chosen.
const referenceDesigns = 3

// gate stands between the base and the results of designs that the sources
// proposed. It is closed until one of these results is good. While it is closed
// the base is told that those designs are withheld: it proposes none of them, and
// neither learns a value nor counts them as its own. So a useless source costs
// its own trials: those of the base are the ones of a search without sources. Once
// the gate opens the base is told all.
//
// What the base knows at an ask is a function of what was told: all of it in
// order, with or without the results of what the sources proposed.
type gate struct {
	start func() (optimizer.Strategy, error)
	base  optimizer.Strategy
	// open says that the base was told everything.
	open bool
	// final says that it stays open.
	final bool
	// log is all that was told, in order, until the gate is final.
	log []optimizer.Observation
}

func (g *gate) tell(o optimizer.Observation) {
	if !g.final {
		o.Point, o.Values = o.Point.Clone(), slices.Clone(o.Values)
		g.log = append(g.log, o)
	}
	g.base.Tell(g.seen(o, g.open))
}

// seen is what the base may see of a trial.
func (g *gate) seen(o optimizer.Observation, open bool) optimizer.Observation {
	if open || !optimizer.FromSource(o.Origin) {
		return o
	}
	return optimizer.Observation{Point: o.Point, Status: optimizer.Withheld, Trial: o.Trial, Origin: o.Origin}
}

// set opens or closes the gate: where that changes, a new base is started and
// told what it may know. final says that no later trial changes it.
func (g *gate) set(open, final bool) error {
	if open != g.open {
		base, err := g.start()
		if err != nil {
			return err
		}
		for _, o := range g.log {
			base.Tell(g.seen(o, open))
		}
		g.base, g.open = base, open
	}
	if g.final = final; final {
		g.log = nil
	}
	return nil
}

// ask asks the base for n designs that follow those of the draft. It counts the base's
// own trials only, so that its random streams are those of a search without sources.
func (g *gate) ask(d *draft, n int) ([]optimizer.Proposal, error) {
	fromSources := min(d.at, uint64(d.strategy.sourceTrials))
	return g.base.Ask(d.at-fromSources, n, slices.Clip(d.pending))
}

// medianOfBase is the label that a good design of the sources is at most: the
// median of the base's first feasible designs, of two the better one: the first is
// the baseline, and a model's second design may be anything. ok is false before the
// first one.
func (s *strategy) medianOfBase() (value float64, ok bool) {
	if len(s.baseFeasible) == 0 {
		return 0, false
	}
	values := slices.Sorted(slices.Values(s.baseFeasible))
	return values[(len(values)-1)/2], true
}

// gateState reports whether a design that the sources proposed was good, and
// whether no later trial can change a yes.
func (s *strategy) gateState() (open, final bool) {
	if s.problem.Objectives > 1 {
		return s.sourceFeasible, s.sourceFeasible
	}
	value, ok := s.medianOfBase()
	open = s.sourceFeasible && (!ok || s.sourceBest <= value)
	return open, open && len(s.baseFeasible) == referenceDesigns
}
