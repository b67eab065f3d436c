package proposer

import (
	"fmt"
	"time"

	"apollo/events"
)

// idleCause says why workers that measure for the run have nothing to do, nil when
// they have: the study itself allows no more. A template's evaluator answers in
// microseconds, and a person is no worker.
func (o *owner) idleCause(now time.Time) *events.Waiting {
	e, b := o.spec.Evaluator, o.spec.Budget
	if o.brief || e.Version != "" || e.Manual {
		return nil
	}
	slots, busy := 0, 0
	there, _ := o.proposer.roster.workers.Of(e.Name, now)
	for _, p := range there {
		if o.served(p) && o.fits(p) {
			slots, busy = slots+p.Slots, busy+min(len(p.Items), p.Slots)
		}
	}
	outstanding := 0
	for range o.machine.Outstanding {
		outstanding++
	}
	idle := slots - max(busy, outstanding)
	if idle <= 0 || outstanding == 0 {
		return nil
	}
	w := &events.Waiting{Message: fmt.Sprintf("%d of %d workers of evaluator %s have nothing to do: ", idle, slots, e.Name)}
	code, batch := o.machine.Held()
	switch w.Code = code; code {
	case events.IdleParallelism:
		w.Message += fmt.Sprintf("%d work items are in flight at most (spec.budget.parallelism)", b.Parallelism)
		w.Hint = fmt.Sprintf("a run keeps its parallelism; for the next one, or --fresh, write spec.budget.parallelism: auto, or %d", slots)
	case events.IdleOrder:
		w.Message += fmt.Sprintf("in strict order the next ask waits for batch %d (spec.budget.lag %d)", batch, b.Lag)
		w.Hint = fmt.Sprintf("a run keeps its order; for the next one, or --fresh, write lag: %d or more, or order: relaxed; a search that learns needs more trials then", 2*max(slots, b.Lag))
	default:
		return nil
	}
	return w
}

// noteIdle looks whether workers are idle, which has to last before it is said. Two
// reasons may take turns with every answer: the first is said, as long as they do.
func (o *owner) noteIdle(now time.Time) {
	w := o.idleCause(now)
	switch {
	case w == nil || o.idle == nil:
		o.idle, o.idleSince, o.idleNamed = w, now, now
	case w.Code == o.idle.Code:
		o.idle, o.idleNamed = w, now
	case now.Sub(o.idleNamed) >= quietBefore:
		o.idle, o.idleNamed = w, now
	}
}

// lastingIdle is why workers are idle, once they have been for a while.
func (o *owner) lastingIdle(now time.Time) *events.Waiting {
	if o.idle == nil || now.Sub(o.idleSince) < quietBefore {
		return nil
	}
	return o.idle
}

// slotsOf is how many designs the workers of an evaluator measure at a time.
func (p *Proposer) slotsOf(evaluator string, _ bool) (n int) {
	there, _ := p.roster.workers.Of(evaluator, time.Now())
	for i := range there {
		n += there[i].Slots
	}
	return n
}
