package transfer

import (
	"slices"
	"strings"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// referees is how many of the base's own feasible designs what comes from the
// sources is measured against: the first ones, which nothing has improved yet.
// Chosen.
const referees = 3

// listener is the base and what it is told. Designs that the sources proposed
// are kept from it until one of them has turned out good. Until then useless
// ones cost their own trials and steer nothing: asked for one design at a time
// the base proposes what it would propose without sources, except for a design
// that they have tried already. In batches it is asked for fewer at once, and
// sees pending designs of models.
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
	// foreign counts trials that the sources proposed.
	foreign int
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
	if borrowed(o.Origin) {
		l.foreign++
		if !l.hears {
			return
		}
	}
	l.base.Tell(o)
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

// ask hands an ask on, after designs of the draft. The base counts without the
// sources' trials. One that does not hear of them is asked again when it
// proposes one of their designs.
func (l *listener) ask(d *draft, n int) ([]optimizer.Proposal, error) {
	own := slices.DeleteFunc(slices.Clone(d.pending), d.strategy.isSeed)
	at := d.at + uint64(len(d.out))
	at -= min(at, uint64(l.foreign+len(d.pending)-len(own)))
	if l.hears {
		return l.base.Ask(at, n, d.pending)
	}
	out, err := l.base.Ask(at, n, own)
	if err != nil || !slices.ContainsFunc(out, func(p optimizer.Proposal) bool { return !d.fresh(d.strategy.problem.Space.Index(p.Point)) }) {
		return out, err
	}
	known := slices.Clone(d.pending)
	for _, o := range l.log {
		if borrowed(o.Origin) && d.strategy.problem.Space.Contains(o.Point) {
			known = append(known, o.Point)
		}
	}
	return l.base.Ask(at, n, known)
}

// isSeed reports whether a design is one of the seeds.
func (s *strategy) isSeed(p space.Point) bool {
	index, ok := s.problem.Space.IndexOf(p)
	_, seed := s.seedOf[index]
	return ok && seed
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
