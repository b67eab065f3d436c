package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"apollo/events"
	"apollo/services/client"
)

// waitsPaused is the code of a run that paused itself, beside those of
// events.Waiting: it waits for a person.
const waitsPaused = "paused"

// waits is what the runs on a bus wait for, from their logs and their ticks.
// It is a Prometheus collector.
type waits struct {
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

// runWait is one cause of one run.
type runWait struct {
	study, run string
	events.Waiting
}

// forgetEvery is how often it looks whether the runs that wait are still in the
// log: nothing says there that a run was removed.
const forgetEvery = 10 * time.Second

func newWaits() *waits { return &waits{runs: map[[2]string]*runWaits{}} }

// follow reads the logs of all runs until ctx ends.
func (w *waits) follow(ctx context.Context, bus events.Bus) {
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
					w.fold(e)
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
func (w *waits) forget(ctx context.Context, log events.Log) {
	for _, r := range w.list() {
		gone := true
		for _, err := range log.Read(ctx, 0, events.StudySubject(r.study, r.run, "accepted")) {
			_ = err // then nobody knows
			gone = false
			break
		}
		if gone {
			w.mu.Lock()
			delete(w.runs, [2]string{r.study, r.run})
			w.mu.Unlock()
		}
	}
}

// of returns a run's entry; w.mu is held.
func (w *waits) of(study, run string) *runWaits {
	r := w.runs[[2]string{study, run}]
	if r == nil {
		r = &runWaits{}
		w.runs[[2]string{study, run}] = r
	}
	return r
}

func (w *waits) fold(e events.Payload) {
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
			cause = &events.Waiting{Code: waitsPaused, Message: e.Reason, Hint: "mend it, then apollo study resume " + e.Study}
		}
		set(e.Study, e.Run, false, cause)
	case events.StudyResumed:
		set(e.Study, e.Run, true, nil)
	case events.StudyExtended:
		if r := w.of(e.Study, e.Run); r.run == nil || r.run.Code != waitsPaused {
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
func (w *waits) archives(study, run string, e events.Payload) {
	r := w.of(study, run)
	r.archive = events.FoldArchiving(r.archive, e)
	w.prune(study, run)
}

// prune drops a run that nobody has to drive and that waits for nothing; w.mu is
// held.
func (w *waits) prune(study, run string) {
	if r := w.of(study, run); !r.active && r.run == nil && r.archive == nil {
		delete(w.runs, [2]string{study, run})
	}
}

// tick takes down what a driver says of a run that the log has.
func (w *waits) tick(t events.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[[2]string{t.Study, t.Run}]; r != nil && r.active {
		r.heard, r.run = time.Now(), t.Waiting
	}
}

// list returns what waits, in order.
func (w *waits) list() []runWait {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []runWait
	for key, r := range w.runs {
		cause := r.run
		if r.active && time.Since(r.heard) > silentAfter {
			nobody := client.NoProposer(key[0])
			cause = &nobody
		}
		if cause != nil {
			out = append(out, runWait{key[0], key[1], *cause})
		}
		if a := r.archive; a != nil && (cause == nil || cause.Code != a.Waiting.Code) {
			out = append(out, runWait{key[0], key[1], *a.Waiting})
		}
	}
	slices.SortFunc(out, func(a, b runWait) int {
		return cmp.Or(cmp.Compare(a.study, b.study), cmp.Compare(a.run, b.run), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// write says what waits, one line each, for people who look at /healthz.
func (w *waits) write(to io.Writer) {
	for _, r := range w.list() {
		fmt.Fprintf(to, "waits: %s/%s (%s): %s; %s\n", r.study, r.run, r.Code, r.Message, r.Hint)
	}
}

func waitsDesc() *prometheus.Desc {
	return prometheus.NewDesc("apollo_study_waiting", "1 for every cause for which a run waits.", []string{"study", "run", "code"}, nil)
}

// Describe implements prometheus.Collector.
func (w *waits) Describe(ch chan<- *prometheus.Desc) { ch <- waitsDesc() }

// Collect implements prometheus.Collector.
func (w *waits) Collect(ch chan<- prometheus.Metric) {
	for _, r := range w.list() {
		ch <- prometheus.MustNewConstMetric(waitsDesc(), prometheus.GaugeValue, 1, r.study, r.run, r.Code)
	}
}
