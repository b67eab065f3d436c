package health

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/client"
)

// Paused is the code of a run that paused itself, beside those of
// events.Waiting: it waits for a person.
const Paused = "paused"

// Waits is what the runs on a bus wait for, from their logs and their ticks.
type Waits struct {
	mu   sync.Mutex // guards runs
	runs map[[2]string]*runWaits
}

// runWaits is one run: whether somebody has to drive it, when it was last
// heard of, and what it and its archiver wait for.
type runWaits struct {
	active  bool
	heard   time.Time
	run     *events.Waiting
	archive *events.ArchiveWaiting
}

// Wait is one cause of one run.
type Wait struct {
	Study, Run string
	events.Waiting
}

// forgetEvery is how often it looks whether the runs that wait are still in the
// log: nothing says there that a run was removed.
const forgetEvery = 10 * time.Second

// NewWaits knows of no run yet.
func NewWaits() *Waits { return &Waits{runs: map[[2]string]*runWaits{}} }

// Follow reads the logs of all runs until ctx ends.
func (w *Waits) Follow(ctx context.Context, bus events.Bus) {
	var filters []string
	for _, kind := range append(events.RunEnds(), "accepted", "waiting", "paused", "resumed", "extended", "stopping") {
		filters = append(filters, events.StudySubject("*", "*", kind))
	}
	var following sync.WaitGroup
	for _, filters := range [][]string{filters, {events.ArchiveSubject("*", "*", "*")}} {
		following.Go(func() {
			for m, err := range bus.Log().Follow(ctx, 0, filters...) {
				if err != nil {
					return
				}
				if _, e, err := events.Decode(m.Data); err == nil {
					w.Fold(e)
				}
			}
		})
	}
	following.Go(func() {
		look := time.NewTicker(forgetEvery)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				w.forget(ctx, bus.Log())
			}
		}
	})
	following.Wait()
}

// forget drops the runs that wait and are not in the log any more.
func (w *Waits) forget(ctx context.Context, log events.Log) {
	for _, r := range w.List() {
		gone := true
		for _, err := range log.Read(ctx, 0, events.StudySubject(r.Study, r.Run, "accepted")) {
			_ = err // then nobody knows
			gone = false
			break
		}
		if gone {
			w.mu.Lock()
			delete(w.runs, [2]string{r.Study, r.Run})
			w.mu.Unlock()
		}
	}
}

// of returns a run's entry; w.mu is held.
func (w *Waits) of(study, run string) *runWaits {
	r := w.runs[[2]string{study, run}]
	if r == nil {
		r = &runWaits{}
		w.runs[[2]string{study, run}] = r
	}
	return r
}

// Fold folds an event of a run.
func (w *Waits) Fold(e events.Payload) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set := func(study, run string, active bool, cause *events.Waiting) {
		r := w.of(study, run)
		if active && !r.active {
			r.heard = time.Now()
		}
		r.active, r.run = active, cause
		w.prune(study, run)
	}
	switch e := e.(type) {
	case events.StudyAccepted:
		set(e.Study, e.Run, true, nil)
	case events.StudyWaiting:
		set(e.Study, e.Run, true, e.Waiting)
	case events.StudyPaused:
		var cause *events.Waiting
		if e.Command == "" {
			cause = &events.Waiting{Code: Paused, Message: e.Reason, Hint: "mend it, then apollo study resume " + e.Study}
		}
		set(e.Study, e.Run, false, cause)
	case events.StudyResumed:
		set(e.Study, e.Run, true, nil)
	case events.StudyExtended:
		if r := w.of(e.Study, e.Run); r.run == nil || r.run.Code != Paused {
			r.active, r.heard = true, time.Now()
		}
	case events.StudyStopping:
		set(e.Study, e.Run, true, nil)
	case events.StudyStopped:
		set(e.Study, e.Run, false, nil)
	case events.StudyCompleted:
		set(e.Study, e.Run, false, nil)
	case events.StudyCancelled:
		set(e.Study, e.Run, false, nil)
	case events.StudyFailed:
		set(e.Study, e.Run, false, nil)
	case events.ArchiveWaiting:
		w.archives(e.Study, e.Run, e)
	case events.ArchivePart:
		w.archives(e.Study, e.Run, e)
	case events.ArchiveFinal:
		w.archives(e.Study, e.Run, e)
	}
}

// archives takes down what an archiver says; w.mu is held.
func (w *Waits) archives(study, run string, e events.Payload) {
	r := w.of(study, run)
	r.archive = events.FoldArchiving(r.archive, e)
	w.prune(study, run)
}

// prune drops a run that nobody has to drive and that waits for nothing; w.mu is
// held.
func (w *Waits) prune(study, run string) {
	if r := w.of(study, run); !r.active && r.run == nil && r.archive == nil {
		delete(w.runs, [2]string{study, run})
	}
}

// Tick takes down what a driver says of a run that the log has.
func (w *Waits) Tick(t events.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[[2]string{t.Study, t.Run}]; r != nil && r.active {
		r.heard, r.run = time.Now(), t.Waiting
	}
}

// List returns what waits, in order.
func (w *Waits) List() []Wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Wait
	for key, r := range w.runs {
		cause := r.run
		if r.active && time.Since(r.heard) > client.SilentAfter {
			nobody := client.NoProposer(key[0])
			cause = &nobody
		}
		if cause != nil {
			out = append(out, Wait{key[0], key[1], *cause})
		}
		if a := r.archive; a != nil && (cause == nil || cause.Code != a.Waiting.Code) {
			out = append(out, Wait{key[0], key[1], *a.Waiting})
		}
	}
	slices.SortFunc(out, func(a, b Wait) int {
		return cmp.Or(cmp.Compare(a.Study, b.Study), cmp.Compare(a.Run, b.Run), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// Write says what waits, one line each, for people who look at /healthz.
func (w *Waits) Write(to io.Writer) {
	for _, r := range w.List() {
		fmt.Fprintf(to, "waits: %s/%s (%s): %s; %s\n", r.Study, r.Run, r.Code, r.Message, r.Hint)
	}
}
