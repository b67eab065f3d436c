package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/study"
)

// follower waits for the end of a run and shows its progress.
type follower struct {
	app      *app
	session  *session
	progress *progress
	// paused decides what a pause means; command is the request that asked for
	// it, "" when the run paused itself. A non-nil error ends the waiting.
	paused func(ctx context.Context, view *client.StudyView, command string) error
	// after is the last event of the log that is no news; nil is the last one when it begins
	// to wait.
	after *uint64
	// isPaused: the run is paused as far as the log was read.
	isPaused atomic.Bool
}

// wait follows a run until it has ended, and returns its view then.
func (f *follower) wait(ctx context.Context, view *client.StudyView) (*client.StudyView, error) {
	if view.State.Terminal() {
		return view, nil
	}
	// Ticks stop with this context, before the answer is printed.
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.ticks(ctx, view)
	}()
	defer func() {
		cancel()
		<-done
		f.app.Console.Clear()
	}()
	after := f.after
	if after == nil {
		info, err := f.session.bus.Log().Info(ctx, events.RunFilter(view.Study, view.Run))
		if err != nil {
			return nil, err
		}
		after = &info.Last
	}
	// The run may have ended between the view and here: follow what there is of the run
	// from the first event on, and let what was stored before count for the state only.
	for m, err := range f.session.bus.Log().Follow(ctx, 0, statesOf(view)...) {
		if err != nil {
			return nil, err
		}
		if ended, err := f.event(ctx, view, m, m.Seq > *after); ended != nil || err != nil {
			return ended, err
		}
	}
	return nil, context.Cause(ctx)
}

// statesOf returns the subjects of what changes the state of a run. Most of its log are
// its designs, which say nothing about that.
func statesOf(view *client.StudyView) (filters []string) {
	for _, kind := range append(events.RunEnds(), "paused", "resumed", "extended", "stopping") {
		filters = append(filters, events.StudySubject(view.Study, view.Run, kind))
	}
	return filters
}

// event handles one event of the run's log; it returns the view when the run
// has ended.
func (f *follower) event(ctx context.Context, view *client.StudyView, m events.Message, isNew bool) (*client.StudyView, error) {
	_, _, kind, ok := events.ParseStudySubject(m.Subject)
	if !ok {
		return nil, nil
	}
	switch kind {
	case "resumed", "extended", "stopping":
		f.isPaused.Store(false)
	case "paused":
		f.isPaused.Store(true)
		if _, e, err := events.DecodeAs[events.StudyPaused](m.Data); err == nil && isNew && !e.Already && f.paused != nil {
			return nil, f.paused(ctx, view, e.Command)
		}
	}
	if events.EndsRun(kind) {
		now, err := client.ReadStudy(ctx, f.session.bus.Log(), view.Study, view.Run)
		if err != nil {
			return nil, err
		}
		if now.State.Terminal() {
			return now, nil
		}
	}
	return nil, nil
}

// finalTimeout is how long the archiver may take for the rest of a run's
// files, when it is not this process that writes them.
const finalTimeout = 60 * time.Second

// archived waits until all trials of an ended run are on disk.
func (f *follower) archived(ctx context.Context, view *client.StudyView) error {
	if view.Summary == nil || view.Summary.Trials == 0 || view.State == study.Failed {
		return nil
	}
	info, err := f.session.bus.Log().Info(ctx, events.ArchiveSubject(view.Study, view.Run, "*"))
	if err != nil {
		return err
	}
	if never, err := client.NotArchived(ctx, f.session.bus.Log(), view.Study, view.Run); err != nil || never != nil {
		return errors.Join(err, notArchived(view, never))
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var listening sync.WaitGroup
	defer listening.Wait()
	defer cancel(nil)
	listening.Go(func() { f.archivers(limited, cancel, view) })
	for m, err := range f.session.bus.Log().Follow(limited, 0, events.ArchiveSubject(view.Study, view.Run, "*")) {
		if err != nil {
			return err
		}
		_, said, _ := events.Decode(m.Data) // what cannot be read says nothing
		switch e := said.(type) {
		case events.ArchiveFinal:
			if isFinal(view, &e) {
				return nil
			}
		case events.ArchiveWaiting:
			if m.Seq > info.Last && e.Waiting.Lasting() {
				return notArchived(view, e.Waiting)
			}
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return cli.Hinted(cli.ExitError, "is an archiver running? `apollo serve archiver` writes what is missing",
		fmt.Errorf("the trials of %s are not all in the Parquet log after %s", view.Study, finalTimeout))
}

// notArchived is the error of an ended run that no archiver writes any more; nil
// without a cause.
func notArchived(view *client.StudyView, cause *events.Waiting) error {
	if cause == nil {
		return nil
	}
	return cli.Hinted(cli.ExitError, cause.Hint, fmt.Errorf("the trials of %s are not all in the Parquet log: %s", view.Study, cause.Message))
}

// archivers says why the trials of an ended run are not on disk, until ctx
// ends. It cancels the waiting when there was no sign of an archiver, or one
// without a cause, for finalTimeout.
func (f *follower) archivers(ctx context.Context, cancel context.CancelCauseFunc, view *client.StudyView) {
	code, seen := "", seenArchivers{}
	hopeless := time.AfterFunc(finalTimeout, func() { cancel(context.DeadlineExceeded) })
	defer hopeless.Stop()
	absent := time.AfterFunc(client.SilentAfter, func() {
		nobody := client.NoArchiver()
		f.app.sayWaiting(view.Study, &nobody)
	})
	defer absent.Stop()
	for m, err := range f.session.bus.Notices(ctx, events.ArchivingSubject) {
		var a events.Archiving
		if err != nil || json.Unmarshal(m.Data, &a) != nil {
			continue
		}
		absent.Stop()
		now, cause := "", seen.waiting(&a, view, time.Now())
		if cause != nil {
			now = cause.Code
			hopeless.Reset(finalTimeout)
		}
		if now != code {
			f.app.sayWaiting(view.Study, cause)
		}
		code = now
	}
}

// seenArchivers are the archivers that were heard of, by worker, process and
// directory.
type seenArchivers map[[3]string]seenArchiver

type seenArchiver struct {
	at    time.Time
	cause *events.Waiting
}

// waiting notes what an archiver says, and returns why none of those that are
// there writes the trials of a run.
func (s seenArchivers) waiting(a *events.Archiving, view *client.StudyView, now time.Time) *events.Waiting {
	cause := a.WaitingOf(view.Study, view.Run)
	s[[3]string{a.Worker, a.Process, a.Dir}] = seenArchiver{now, cause}
	for key, other := range s {
		switch {
		case now.Sub(other.at) >= events.AbsentAfter:
			delete(s, key)
		case other.cause == nil:
			cause = nil
		}
	}
	return cause
}
