package proposer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

const (
	// tickEvery is the shortest time between two progress ticks of a run, and
	// beatEvery the longest while it is open: who hears nothing knows that
	// nobody drives it.
	tickEvery = 100 * time.Millisecond
	beatEvery = time.Second
	// stuckBefore is how long the bus may keep an owner before that counts as a
	// wait: elections and restarts of a server take less.
	stuckBefore = 3 * time.Second
)

// teller tells people who watch how far a run is and what it waits for, also
// while the owner itself hangs on the bus.
type teller struct {
	mu       sync.Mutex // guards what follows
	progress events.Progress
	// cause is what the owner found last, calm what is logged of it.
	cause, calm *events.Waiting
	last        time.Time // of the last tick
	// told is the code that a tick said last, logged that of the last line.
	told, logged string
}

// update takes down what the owner knows.
func (t *teller) update(p events.Progress, cause, calm *events.Waiting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress, t.cause, t.calm = p, cause, calm
}

// loading makes the ticks say that the run is being loaded, which takes a while
// where its log or its sources are large; not where they say why it failed.
func (t *teller) loading(key messages.RunKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.progress.State != "" {
		return
	}
	t.progress = events.Progress{Study: key.Study, Run: key.Run, State: string(study.Running)}
	t.cause = &events.Waiting{
		Code: events.WaitsLoading, Message: "the proposer reads the study's log, results and sources", Hint: "it goes on by itself",
	}
	t.calm = t.cause
}

// tick tells people who watch how far the run is.
func (o *owner) tick(ctx context.Context) {
	p, cause, calm := o.machine.Progress(), o.found, o.calm(time.Now())
	if p.State != string(study.Running) && p.State != string(study.Stopping) {
		cause, calm = nil, nil
	}
	p.Idle = o.lastingIdle(time.Now())
	o.teller.update(p, cause, calm)
	o.report(ctx, tickEvery)
}

// report sends a tick unless the last one is younger than every. An end and a new
// cause are told at once.
func (o *owner) report(ctx context.Context, every time.Duration) {
	t := &o.teller
	t.mu.Lock()
	p, calm := t.progress, t.calm
	p.Waiting = t.cause
	if w := o.stuckCause(time.Now()); w != nil {
		p.Waiting, calm = w, w
	}
	state, code := study.State(p.State), codeOf(p.Waiting)
	if state == "" || time.Since(t.last) < every && !state.Terminal() && code == t.told && codeOf(calm) == t.logged {
		t.mu.Unlock()
		return
	}
	changed := codeOf(calm) != t.logged
	t.last, t.told, t.logged = time.Now(), code, codeOf(calm)
	t.mu.Unlock()
	if changed {
		o.logCause(ctx, calm)
	}
	data, err := json.Marshal(p)
	if err == nil {
		err = o.proposer.Bus.Notify(ctx, events.ProgressSubject(o.key.Study, o.key.Run), data)
	}
	if err != nil {
		o.log.Debug("progress tick", "error", err)
	}
}

// logCause logs what the run waits for, nil that it goes on.
func (o *owner) logCause(ctx context.Context, w *events.Waiting) {
	if w == nil {
		o.log.Info("the study goes on")
		return
	}
	level := slog.LevelWarn
	if o.proposer.Only != "" || w.Code == events.WaitsLoading {
		level = slog.LevelInfo // whoever runs this one study tells it by itself
	}
	o.log.Log(ctx, level, "the study waits", "code", w.Code, "cause", w.Message, "hint", w.Hint)
}

func codeOf(w *events.Waiting) string {
	if w == nil {
		return ""
	}
	return w.Code
}

// beat tells that the run is driven, until ctx ends.
func (o *owner) beat(ctx context.Context) {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			o.report(ctx, beatEvery)
		}
	}
}

// stuckCause is what keeps the owner on the bus, nil while nothing does.
func (o *owner) stuckCause(now time.Time) *events.Waiting {
	if s := o.stuck.Load(); s != nil && now.Sub(s.since) >= stuckBefore {
		return stuckWaiting(s.err)
	}
	if a := o.asking.Load(); a != nil && now.Sub(a.since) >= stuckBefore {
		return stuckWaiting(a.err)
	}
	return nil
}

// stuckWaiting is an error of the bus as a cause.
func stuckWaiting(err error) *events.Waiting {
	if errors.Is(err, events.ErrFull) {
		return &events.Waiting{Code: events.WaitsStreamFull, Message: err.Error(), Hint: messages.FullHint + "; it goes on by itself"}
	}
	return &events.Waiting{
		Code: events.WaitsBus, Message: err.Error(), Hint: "start the NATS server again, or look at the network; it goes on by itself",
	}
}

// asks notes that the owner waits for the bus, until the function that it
// returns is called.
func (o *owner) asks(what string) (answered func()) {
	a := &stuck{time.Now(), fmt.Errorf("%s: the bus does not answer", what)}
	o.asking.Store(a)
	return func() { o.asking.CompareAndSwap(a, nil) }
}

// look finds out what the run waits for, and says so in its log when that has
// changed.
func (o *owner) look(ctx context.Context) error {
	now := time.Now()
	o.countSlots(ctx, now)
	cause := o.cause(ctx, now)
	if !sameCause(o.found, cause) {
		o.foundSince = now
	}
	o.found = cause
	o.noteIdle(now)
	return o.appendWaiting(ctx, o.calm(now))
}

// appendWaiting appends what the run waits for when it is not what the log says already.
// It is no reason to wait, or to stop: when it cannot be said now it is said
// later. An error means that the log contradicts itself.
func (o *owner) appendWaiting(ctx context.Context, w *events.Waiting) error {
	if o.brief || o.machine == nil || !o.machine.Started() || sameCause(o.said, w) {
		return nil
	}
	if state, _ := o.machine.State(); state != study.Running && state != study.Stopping {
		return nil
	}
	o.appended++
	id := fmt.Sprintf("%s.waiting.%s.%d", o.key.Run, o.session, o.appended)
	e := events.StudyWaiting{Study: o.key.Study, Run: o.key.Run, Waiting: w}
	data, err := events.Encode(id, "proposer", o.key.Study, time.Now(), e)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, stuckBefore)
	defer cancel()
	m := events.Message{Subject: events.StudySubject(o.key.Study, o.key.Run, kindOf(e)), ID: id, Header: o.header, Data: data}
	seq, err := o.proposer.Bus.Log().Append(limited, m, events.Fence{Filter: events.RunFilter(o.key.Study, o.key.Run), Last: o.logSeq})
	switch {
	case errors.Is(err, events.ErrFenced):
		return o.refresh(ctx)
	case err != nil:
		o.log.Debug("say what the study waits for", "error", err)
		return nil
	}
	o.logSeq = seq
	o.foldWaiting(&e)
	return nil
}

// foldWaiting folds what the log says about the cause.
func (o *owner) foldWaiting(e *events.StudyWaiting) {
	if !sameCause(o.said, e.Waiting) {
		o.changes++
	}
	o.said = e.Waiting
}

func sameCause(a, b *events.Waiting) bool { return codeOf(a) == codeOf(b) }
