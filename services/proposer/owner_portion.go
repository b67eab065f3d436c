package proposer

import (
	"context"
	"time"

	"apollo/events"
)

const (
	// itemsPerSlot is how many work items a run has published for each slot of
	// its workers: one in hand, and one that is there when that is answered.
	itemsPerSlot = 2
	// unknownSlots counts for workers that do not say how many they have.
	unknownSlots = 32
	// portionLasts is for how long published work should last.
	portionLasts = 5 * time.Second
)

// portion is how many work items a run may have published at a time. The queue
// is first come, first served: a study with long evaluations that published all
// of its parallelism would keep those that come later from the workers. Quick
// ones are bounded by what is answered in portionLasts.
func (o *owner) portion() int {
	if o.spec.Evaluator.Manual {
		return events.MaxParallelism // there is no queue
	}
	slots := o.slots + o.strangers
	if o.slots == 0 {
		slots = max(unknownSlots, o.strangers)
	}
	return max(itemsPerSlot*slots, o.answered.count(time.Now()))
}

// countSlots looks how many items the workers take that serve the run.
func (o *owner) countSlots(ctx context.Context, now time.Time) {
	before := o.slots
	defer func() {
		if before == 0 && o.slots > 0 {
			o.servedSince = now
			o.hasten()
		}
	}()
	o.slots = 0
	there, _ := o.proposer.roster.workers.Of(o.spec.Evaluator.Name, now)
	for _, p := range there {
		if o.served(p) && o.fits(p) {
			o.slots += p.Slots
		}
	}
	if o.curbed || o.strangers > 0 {
		o.countStrangers(ctx, there)
	}
	o.curbed = false
}

// countStrangers looks how many items those take who do not say that they are
// there: what is asked for and what is held beyond the slots that are known.
func (o *owner) countStrangers(ctx context.Context, known []events.Presence) {
	limited, cancel := context.WithTimeout(ctx, lookForCauseEvery)
	defer cancel()
	queue, err := o.proposer.Bus.QueueInfo(limited, "work."+o.spec.Evaluator.Name)
	if err != nil {
		o.log.Debug("look at the queue", "error", err)
		return
	}
	o.strangers = queue.Asking + queue.Held
	for _, p := range known {
		o.strangers -= p.Slots + len(p.Returned) // those that come again are held until then
	}
	o.strangers = min(max(o.strangers, 0), events.MaxParallelism)
}

// recentCount counts what happened in the last one to two times portionLasts.
type recentCount struct {
	since     time.Time
	last, now int
}

func (l *recentCount) rotate(now time.Time) {
	switch gone := now.Sub(l.since); {
	case gone >= 2*portionLasts:
		l.since, l.last, l.now = now, 0, 0
	case gone >= portionLasts:
		l.since, l.last, l.now = now, l.now, 0
	}
}

func (l *recentCount) increment(now time.Time) {
	l.rotate(now)
	l.now++
}

func (l *recentCount) count(now time.Time) int {
	l.rotate(now)
	return l.last + l.now
}
