package client

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// ListenFor is how long silence has to last before nobody counts as there:
// drivers tell of a run every second, archivers of themselves every two.
const ListenFor = 2500 * time.Millisecond

// SilentAfter is how long a run that somebody should drive may be silent: its
// driver tells of it every second.
const SilentAfter = 5 * time.Second

// GoesOnBy is the command with which somebody goes on with a study that nobody drives.
func GoesOnBy(view *StudyView) string {
	if view.Spec != nil && view.Spec.Evaluator.Manual {
		return "`apollo trial ask " + view.Study + "`"
	}
	return "`apollo run` with the file of " + view.Study
}

// NoProposer is the cause of a run that nobody drives.
func NoProposer(view *StudyView) events.Waiting {
	return events.Waiting{
		Code: events.WaitsNoProposer, Message: "nobody drives the study: no proposer is there",
		Hint: GoesOnBy(view) + " goes on with it; so do `apollo up` and `apollo serve proposer`",
	}
}

// wait replaces what a view says that its run waits for; nil is nothing.
func (v *StudyView) wait(w *events.Waiting) {
	v.Waiting = nil
	if w != nil {
		v.Waiting = []events.Waiting{*w}
	}
}

// alsoWaits adds a cause that the view does not have yet.
func (v *StudyView) alsoWaits(w *events.Waiting) {
	if w != nil && !slices.ContainsFunc(v.Waiting, func(have events.Waiting) bool { return have.Code == w.Code }) {
		v.Waiting = append(v.Waiting, *w)
	}
}

// active reports whether somebody has to drive the run.
func (v *StudyView) active() bool { return v.State == study.Running || v.State == study.Stopping }

// ReadArchiveWaits adds what archivers say about the runs: whose trials are not
// on disk yet, and why.
func ReadArchiveWaits(ctx context.Context, log events.Log, views ...*StudyView) error {
	byRun := map[messages.RunKey]*StudyView{}
	for _, v := range views {
		byRun[messages.RunKey{Study: v.Study, Run: v.Run}] = v
	}
	name := "*"
	if len(views) == 1 {
		name = views[0].Study
	}
	last := map[messages.RunKey]*events.ArchiveWaiting{}
	for m, err := range log.Read(ctx, 0, events.ArchiveSubject(name, "*", "*")) {
		if err != nil {
			return fmt.Errorf("read what archivers say: %w", err)
		}
		study, run, _, ok := events.ParseArchiveSubject(m.Subject)
		if !ok {
			continue
		}
		key, e := messages.RunKey{Study: study, Run: run}, decoded(m)
		last[key] = events.FoldArchiving(last[key], e)
		if f, ok := e.(events.ArchiveFinal); ok {
			if v := byRun[key]; v != nil && v.Summary != nil && f.Trials >= int64(v.Summary.Trials) {
				v.archived = true
			}
		}
	}
	for _, v := range views {
		if e := last[messages.RunKey{Study: v.Study, Run: v.Run}]; e != nil {
			v.alsoWaits(archiveCause(e))
		}
	}
	return nil
}

// NotArchived returns why a run is not written to the Parquet log, and will not
// be; nil where it is.
func NotArchived(ctx context.Context, log events.Log, name, run string) (*events.Waiting, error) {
	v := &StudyView{Study: name, Run: run}
	if err := ReadArchiveWaits(ctx, log, v); err != nil || len(v.Waiting) == 0 || !v.Waiting[0].Lasting() {
		return nil, err
	}
	return &v.Waiting[0], nil
}

// archiveCause is what an archiver says about a run, for people.
func archiveCause(e *events.ArchiveWaiting) *events.Waiting {
	w := *e.Waiting
	if w.Code == events.WaitsArchiveDiffers {
		w.Message = "the trials are not written to the Parquet log any more: " + w.Message
	} else {
		w.Message = fmt.Sprintf("%d trials are not on disk yet: %s", e.Trials, w.Message)
	}
	return &w
}

// decoded returns the payload of a stored event, nil when it cannot be read.
func decoded(m events.Message) events.Payload {
	_, e, err := events.Decode(m.Data)
	if err != nil {
		return nil
	}
	return e
}

// LookAt completes a view with what can only be heard: what its driver says at
// this moment, that nobody drives it, and what archivers say. It takes up to
// ListenFor where somebody should be there and is not. With alone nobody else
// can be on the bus: it does not listen.
func LookAt(ctx context.Context, bus events.Bus, view *StudyView, alone bool) error {
	var tick *events.Progress
	var archiving *events.Archiving
	heard := false
	if view.active() && !alone {
		tick, heard = FoldWaiting[events.Progress](ctx, bus, events.ProgressSubject(view.Study, view.Run))
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case heard:
		view.wait(tick.Waiting)
		view.Idle = tick.Idle
	case view.active():
		nobody := NoProposer(view)
		view.wait(&nobody)
	}
	if err := ReadArchiveWaits(ctx, bus.Log(), view); err != nil {
		return err
	}
	if view.archived || view.Summary == nil || view.Summary.Trials == 0 || len(view.Waiting) > 0 {
		return nil
	}
	if !alone {
		archiving, heard = FoldWaiting[events.Archiving](ctx, bus, events.ArchivingSubject)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case heard:
		view.alsoWaits(archiving.WaitingOf(view.Study, view.Run))
	default:
		nobody := NoArchiver()
		if alone {
			nobody.Hint = "`apollo up` on the data directory writes what is missing"
		}
		view.alsoWaits(&nobody)
	}
	return nil
}

// NoArchiver is the cause of trials that nobody writes to disk.
func NoArchiver() events.Waiting {
	return events.Waiting{
		Code: events.WaitsNoArchiver, Message: "no archiver is there: trials are measured, and not written to the Parquet log",
		Hint: "start one on the data directory: `apollo serve archiver`; it writes what is missing",
	}
}

// FoldWaiting waits up to ListenFor for one notice.
func FoldWaiting[T events.Payload](ctx context.Context, bus events.Bus, subject string) (*T, bool) {
	limited, cancel := context.WithTimeout(ctx, ListenFor)
	defer cancel()
	for m, err := range bus.Notices(limited, subject) {
		if err != nil {
			return nil, false
		}
		var v T
		if json.Unmarshal(m.Data, &v) == nil {
			return &v, true
		}
	}
	return nil, false
}
