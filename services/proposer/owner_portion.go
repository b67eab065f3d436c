package proposer

import (
	"context"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/messages"
)

const (
	// itemsPerSlot is how many work items a run has published for each slot of
	// its workers: one in hand, and one that is there when that is answered.
	itemsPerSlot = 2
	// unknownSlots counts for workers that do not say how many they have.
	unknownSlots = 32
	// quickPerSlot is the same for quick evaluations, which would leave the
	// workers idle until the next items come: as many as are answered while one
	// goes to and fro. More would only delay the studies that come later.
	quickPerSlot = 4
	// portionLasts is for how long published work should last at most.
	portionLasts = 5 * time.Second
	// sharedFor is for how long after its last item a study counts as one that
	// shares its evaluator with others.
	sharedFor = 2 * time.Second
)

// portion is how many work items a run may have published at a time. The queue
// is first come, first served: a study with long evaluations that published all
// of its parallelism would keep those that come later from the workers. Studies
// side by side have one item for each slot, so that the next item of another one
// waits for one turn of the workers.
func (o *owner) portion() int {
	if o.spec.Evaluator.Manual {
		return events.MaxParallelism // there is no queue
	}
	slots := o.slots + o.strangers
	if o.slots == 0 {
		slots = max(unknownSlots, o.strangers)
	}
	now := time.Now()
	if o.proposer.turns.shared(o.spec.Evaluator.Name, o.key, now) {
		return slots
	}
	return max(itemsPerSlot*slots, min(quickPerSlot*slots, o.answered.count(now)))
}

// turns knows which runs published work for an evaluator lately: the last one, and
// the last other one.
type turns struct {
	mu   sync.Mutex // guards last
	last map[string][2]turn
}

type turn struct {
	run messages.RunKey
	at  time.Time
}

// take notes that a run published work.
func (t *turns) take(evaluator string, run messages.RunKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = map[string][2]turn{}
	}
	two := t.last[evaluator]
	if two[0].run != run {
		two[1] = two[0]
	}
	two[0] = turn{run, now}
	t.last[evaluator] = two
}

// shared reports whether another run has published work lately.
func (t *turns) shared(evaluator string, run messages.RunKey, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.last[evaluator] {
		if one.run != run && now.Sub(one.at) < sharedFor {
			return true
		}
	}
	return false
}

// leave forgets a run that has ended.
func (t *turns) leave(evaluator string, run messages.RunKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	two := t.last[evaluator]
	if two[0].run == run {
		two[0], two[1] = two[1], turn{}
	}
	if two[1].run == run {
		two[1] = turn{}
	}
	if two[0].at.IsZero() {
		delete(t.last, evaluator)
		return
	}
	t.last[evaluator] = two
}

// countSlots looks how many items the workers take that serve the run.
func (o *owner) countSlots(ctx context.Context, now time.Time) {
	before := o.slots
	defer func() {
		if before == 0 && o.slots > 0 {
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
	queue, err := o.proposer.queues.look(ctx, o.proposer.Bus, o.spec.Evaluator.Name)
	if err != nil {
		o.log.Debug("look at the queue", "error", err)
		return
	}
	o.strangers = queue.Asking + queue.Held - o.comeAgain(known)
	for _, p := range known {
		o.strangers -= p.Slots
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
