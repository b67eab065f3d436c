package messages

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"apollo/events"
)

// Workers are those of evaluators that said lately that they are there. The
// zero value knows of none.
type Workers struct {
	mu   sync.Mutex // guards what follows
	seen map[workerKey]seenWorker
}

// workerKey tells workers apart: a name may be that of several.
type workerKey struct{ evaluator, worker, process string }

type seenWorker struct {
	events.Presence
	at time.Time
	// free is since when it has said at each notice that it has room.
	free time.Time
}

// forgetAfter is how long a worker that is gone is remembered: what it held is
// handed to others by then.
const forgetAfter = 3 * events.AckWait

// Note takes a notice of presence down and returns whose it is. What cannot be
// read, or speaks for another evaluator than its subject, is nobody.
func (w *Workers) Note(m events.Message) (evaluator string, ok bool) {
	evaluator, ok = strings.CutPrefix(m.Subject, events.PresenceSubject(""))
	var p events.Presence
	if !ok || json.Unmarshal(m.Data, &p) != nil || p.Evaluator != evaluator {
		return "", false
	}
	p.Slots = min(max(p.Slots, 0), events.MaxParallelism)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = map[workerKey]seenWorker{}
	}
	key, now := workerKey{evaluator, p.Worker, p.Process}, time.Now()
	before := w.seen[key]
	is := seenWorker{Presence: p, at: now}
	if len(p.Items) < p.Slots {
		is.free = now
		if !before.free.IsZero() && now.Sub(before.at) < events.AbsentAfter {
			is.free = before.free
		}
	}
	w.seen[key] = is
	return evaluator, true
}

// Follow listens to the notices of presence until ctx ends.
func (w *Workers) Follow(ctx context.Context, bus events.Bus) {
	for m, err := range bus.Notices(ctx, events.PresenceSubject("*")) {
		if err != nil {
			return
		}
		w.Note(m)
	}
}

// FreeFor returns for how long after a moment the notices of a worker say that
// it has room. What it does after the last of them is not known: it may be gone.
func (w *Workers) FreeFor(p *events.Presence, after time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	is := w.seen[workerKey{p.Evaluator, p.Worker, p.Process}]
	if is.free.IsZero() {
		return 0
	}
	if is.free.After(after) {
		after = is.free
	}
	return max(is.at.Sub(after), 0)
}

// Of returns the workers of an evaluator, "" for all, that are there, in order,
// and those that were lately.
func (w *Workers) Of(evaluator string, now time.Time) (there, gone []events.Presence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, p := range w.seen {
		silent := now.Sub(p.at)
		switch {
		case silent > forgetAfter:
			delete(w.seen, key)
		case evaluator != "" && key.evaluator != evaluator:
		case silent >= events.AbsentAfter:
			gone = append(gone, p.Presence)
		default:
			there = append(there, p.Presence)
		}
	}
	slices.SortFunc(there, func(a, b events.Presence) int {
		return cmp.Or(cmp.Compare(a.Evaluator, b.Evaluator), cmp.Compare(a.Worker, b.Worker))
	})
	return there, gone
}
