package transfer

import (
	"slices"
	"strings"

	"apollo/optimizer"
)

// referees is how many of the base's own feasible designs what comes from the
// sources is measured against: the first ones, which nothing has improved yet.
// Chosen.
const referees = 3

// listener is the base and what it is told. What came of designs that the
// sources proposed is kept from it until one of them has turned out good: until
// then they are pending for it, all the time. So it proposes none of them, and
// they are among the designs that it wants before its first model, but what
// they are worth steers nothing. A useless source costs its own trials.
//
// What the base knows at an ask is a function of what was told: either all of
// it in order, or all but what the sources proposed.
type listener struct {
	start func() (optimizer.Strategy, error)
	base  optimizer.Strategy
	// hears says that the base was told everything.
	hears bool
	// settled says that it will be told everything from now on.
	settled bool
	// log is all that was told, in order, until that is settled.
	log []optimizer.Observation
}

// borrowed reports whether a trial was proposed because of the sources.
func borrowed(origin string) bool {
	return strings.HasPrefix(origin, "seed:") || strings.HasPrefix(origin, "transfer:")
}

func (l *listener) tell(o optimizer.Observation) {
	if !l.settled {
		o.Point, o.Values = o.Point.Clone(), slices.Clone(o.Values)
		l.log = append(l.log, o)
	}
	if l.hears || !borrowed(o.Origin) {
		l.base.Tell(o)
	}
}

// listen makes the base one that knows everything, or nothing of the sources'
// trials. settled says that this is for good.
func (l *listener) listen(everything, settled bool) error {
	if everything != l.hears {
		base, err := l.start()
		if err != nil {
			return err
		}
		for _, o := range l.log {
			if everything || !borrowed(o.Origin) {
				base.Tell(o)
			}
		}
		l.base, l.hears = base, everything
	}
	if l.settled = settled; settled {
		l.log = nil
	}
	return nil
}

// ask hands an ask on, after designs of the draft.
func (l *listener) ask(d *draft, n int) ([]optimizer.Proposal, error) {
	pending := slices.Clip(d.pending)
	if !l.hears {
		for _, o := range l.log {
			if borrowed(o.Origin) {
				pending = append(pending, o.Point)
			}
		}
	}
	return l.base.Ask(d.at+uint64(len(d.out)), n, pending)
}

// reference is the label that a good design of the sources is at most: the
// median of the base's first feasible designs. ok is false before the first one.
func (s *strategy) reference() (value float64, ok bool) {
	if len(s.own) == 0 {
		return 0, false
	}
	values := slices.Sorted(slices.Values(s.own))
	return values[len(values)/2], true
}

// earned reports whether a design that the sources proposed was good, and
// whether no later trial can change a yes.
func (s *strategy) earned() (yes, settled bool) {
	if s.problem.Objectives > 1 {
		return s.lends, s.lends
	}
	value, ok := s.reference()
	yes = s.lends && (!ok || s.lent <= value)
	return yes, yes && len(s.own) == referees
}
