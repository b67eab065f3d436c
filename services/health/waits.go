package health

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
)

// Paused is the code of a run that paused itself, beside those of
// events.Waiting: it waits for a person.
const Paused = "paused"

// Waits is what the runs on a bus wait for, from their logs and their ticks.
type Waits struct {
	mu   sync.Mutex // guards what follows
	runs map[[2]string]*runWaits
	// deaf says that drivers cannot be heard, blind that archives cannot be read: this
	// connection has no right to. Then nobody knows that one is missing.
	deaf, blind bool
}

// runWaits is one run: whether somebody has to drive it, when it was last
// heard of, and what it and its archiver wait for.
type runWaits struct {
	active  bool
	heard   time.Time
	ticked  bool // since it is active
	run     *events.Waiting
	archive *events.ArchiveWaiting
	// trials are those that an archiver has to write of a run that has ended, final
	// those that one said to be written; of a run that failed nobody says how many
	// there are.
	ended         bool
	trials, final int
}

// unknown is how many trials a run has that failed, and that are written of a run of
// which no archiver spoke.
const unknown = -1

// isOwed reports whether trials of an ended run are to be written still, and will be; w.mu
// is held.
func (w *Waits) isOwed(r *runWaits) bool {
	lost := r.archive != nil && r.archive.Waiting.Lasting()
	return !w.blind && r.ended && r.trials != 0 && (r.final == unknown || r.final < r.trials) && !lost
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
	fold := func(filters ...string) error {
		for m, err := range bus.Log().Follow(ctx, 0, filters...) {
			if err != nil {
				return err
			}
			if _, e, err := events.Decode(m.Data); err == nil {
				w.Fold(e)
			}
		}
		return nil
	}
	var following sync.WaitGroup
	following.Go(func() { _ = fold(filters...) }) // ctx has ended, or nothing can be told
	following.Go(func() {
		if fold(events.ArchiveSubject("*", "*", "*")) != nil {
			w.doWithoutArchives()
		}
	})
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

// doWithoutArchives forgets the runs that were kept to see them written.
func (w *Waits) doWithoutArchives() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blind = true
	for key := range w.runs {
		w.prune(key[0], key[1])
	}
}

// forget drops the runs that nobody drives and that are not in the log any more.
func (w *Waits) forget(ctx context.Context, log events.Log) {
	for _, key := range w.undriven() {
		gone := true
		for _, err := range log.Read(ctx, 0, events.StudySubject(key[0], key[1], "accepted")) {
			_ = err // then nobody knows
			gone = false
			break
		}
		if gone {
			w.mu.Lock()
			delete(w.runs, key)
			w.mu.Unlock()
		}
	}
}

// undriven are the runs that may be gone: those of which no tick comes.
func (w *Waits) undriven() (keys [][2]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, r := range w.runs {
		if !r.active || r.run != nil || time.Since(r.heard) > client.SilentAfter {
			keys = append(keys, key)
		}
	}
	return keys
}

// of returns a run's entry; w.mu is held.
func (w *Waits) of(study, run string) *runWaits {
	r := w.runs[[2]string{study, run}]
	if r == nil {
		r = &runWaits{final: unknown}
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
			r.heard, r.ticked = time.Now(), false
		}
		r.active, r.run = active, cause
		w.prune(study, run)
	}
	ends := func(study, run string, trials int) {
		r := w.of(study, run)
		r.ended, r.trials = true, trials
		set(study, run, false, nil)
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
		r := w.of(e.Study, e.Run)
		r.ended = false
		if r.run == nil || r.run.Code != Paused {
			r.active, r.heard, r.ticked = true, time.Now(), false
		}
	case events.StudyStopping:
		set(e.Study, e.Run, true, nil)
	case events.StudyStopped:
		ends(e.Study, e.Run, e.Summary.Trials)
	case events.StudyCompleted:
		ends(e.Study, e.Run, e.Summary.Trials)
	case events.StudyCancelled:
		ends(e.Study, e.Run, e.Summary.Trials)
	case events.StudyFailed:
		ends(e.Study, e.Run, unknown)
	case events.ArchiveWaiting:
		w.archives(e.Study, e.Run, e)
	case events.ArchivePart:
		w.archives(e.Study, e.Run, e)
	case events.ArchiveFinal:
		r := w.of(e.Study, e.Run)
		r.final = max(r.final, int(e.Trials))
		w.archives(e.Study, e.Run, e)
	}
}

// archives takes down what an archiver says; w.mu is held.
func (w *Waits) archives(study, run string, e events.Payload) {
	r := w.of(study, run)
	r.archive = events.FoldArchiving(r.archive, e)
	w.prune(study, run)
}

// prune drops a run that nobody has to drive or to archive and that waits for nothing;
// w.mu is held. What an archiver says may be read before the end that it is about.
func (w *Waits) prune(study, run string) {
	if r := w.of(study, run); !r.active && r.run == nil && r.archive == nil && !w.isOwed(r) && (r.ended || r.final == unknown) {
		delete(w.runs, [2]string{study, run})
	}
}

// Tick takes down what a driver says of a run that the log has.
func (w *Waits) Tick(t events.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[[2]string{t.Study, t.Run}]; r != nil && r.active {
		r.heard, r.ticked, r.run = time.Now(), true, t.Waiting
	}
}

// Unwritten counts the runs that need an archiver: those that go on, and those of which
// trials are not on disk.
func (w *Waits) Unwritten() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if r.active || w.isOwed(r) {
			n++
		}
	}
	return n
}

// undecided is how long it still takes until the silence of the runs of which no tick
// came yet tells that nobody drives them.
func (w *Waits) undecided() (left time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if r.active && !r.ticked && !w.deaf {
			left = max(left, client.SilentAfter-time.Since(r.heard)+time.Millisecond)
		}
	}
	return left
}

// Listen takes down what drivers say until ctx ends.
func (w *Waits) Listen(ctx context.Context, bus events.Bus) {
	for m, err := range bus.Notices(ctx, events.ProgressSubject("*", "*")) {
		if err != nil {
			w.mu.Lock()
			w.deaf = true
			w.mu.Unlock()
			return
		}
		var t events.Progress
		if json.Unmarshal(m.Data, &t) == nil {
			w.Tick(t)
		}
	}
}

// List returns what waits, in order.
func (w *Waits) List() []Wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Wait
	for key, r := range w.runs {
		cause := r.run
		if r.active && !w.deaf && time.Since(r.heard) > client.SilentAfter {
			nobody := client.NoProposer(&client.StudyView{Study: key[0]})
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

// IsFault reports whether a cause for which a run waits is one that its user cannot
// mend: while it holds, the service is not well.
func IsFault(code string) bool {
	return slices.Contains([]string{events.WaitsStreamFull, events.WaitsBus, events.WaitsArchiveStuck, events.WaitsNoArchiver, events.WaitsNoProposer}, code)
}

// Findings says what runs wait for, each cause once: one that an operator has to mend
// is a fault.
func (w *Waits) Findings() (out []Finding) {
	count := map[string]int{}
	for _, r := range w.List() {
		if count[r.Code]++; count[r.Code] == 1 {
			fault := IsFault(r.Code)
			out = append(out, Finding{Check: r.Code, OK: !fault, Warning: !fault, Text: r.Study + ": " + r.Message, Hint: r.Hint})
		}
	}
	for i := range out {
		if n := count[out[i].Check] - 1; n > 0 {
			out[i].Text += fmt.Sprintf(", and so %s more", cli.Plural(n, "run"))
		}
	}
	return out
}

// Faults are those of Findings that an operator has to mend.
func (w *Waits) Faults() []Finding {
	return slices.DeleteFunc(w.Findings(), func(f Finding) bool { return f.OK })
}

// Write says what waits, one line each, for people who look at /healthz.
func (w *Waits) Write(to io.Writer) {
	for _, r := range w.List() {
		fmt.Fprintf(to, "waits: %s/%s (%s): %s; %s\n", r.Study, r.Run, r.Code, r.Message, r.Hint)
	}
}
