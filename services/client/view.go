package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// ErrNoStudy says that the log holds no study, or no run, of that name.
var ErrNoStudy = errors.New("no such study")

// StudyView is a run as its log tells it, for people and programs who look.
type StudyView struct {
	Study, Run string
	State      study.State
	// Reason says why it is paused, stopping or ended.
	Reason   string
	Accepted time.Time
	Updated  time.Time
	Spec     *events.Spec
	SHA256   string // of the specification
	Command  string // the request that was accepted
	Owner    string // of the owners, only this one may change it; "" is nobody's
	Sources  []events.SourcePin
	// Identity is who measures; nil while nobody is chosen. Program is the user's
	// program, where the request named it. Refused counts the answers of others.
	Identity *events.Identity
	Program  *events.Program
	Refused  int
	// Budget is the number of trials, as extended.
	Budget int
	// Proposed counts the trials that were proposed.
	Proposed int
	// LowFidelity is how many of those are of a fidelity that does not count, without the
	// voided ones.
	LowFidelity int
	// Voided counts the trials that are measured anew, VoidedBy says by which.
	Voided   int
	VoidedBy map[int]int
	// Best is the best feasible trial that the log names; nil with several
	// objectives.
	Best *events.BestTrial
	// Front, with several objectives, is the feasible trials that the log names
	// and no other dominates, in order; Hypervolume and Reference are as in
	// events.Summary.
	Front       []events.BestTrial
	Hypervolume *float64
	Reference   map[string]float64
	// Summary is set when the run has ended.
	Summary *events.Summary
	// Waiting is what the run waits for, as its log says; LookAt says what is so
	// now.
	Waiting []events.Waiting
	// Idle is why workers have nothing to do; only LookAt hears it.
	Idle *events.Waiting
	// Err is why the run's log cannot be read to its end; State is Unreadable
	// then, and Spec is empty where it was not even accepted.
	Err error

	front    *study.Front // nil with one objective
	pausedBy string       // the request that paused it
	archived bool         // an archiver said that all trials are on disk
}

// Unreadable is the state of a run whose log holds what this build does not
// understand: a later version's event, or no event at all.
const Unreadable study.State = "unreadable"

// unreadable ends the view of a run at an event that cannot be read.
func (v *StudyView) unreadable(err error) {
	v.State, v.Reason, v.Err = Unreadable, err.Error(), err
}

func (v *StudyView) fold(m events.Message, e events.Payload) {
	if _, first := e.(events.StudyAccepted); v.State == "" && !first {
		v.unreadable(fmt.Errorf("%s at sequence %d: the run was never accepted", m.Subject, m.Seq))
		return
	}
	v.Updated = m.Time
	switch e := e.(type) {
	case events.StudyAccepted:
		*v = StudyView{
			Study: e.Study, Run: e.Run, State: study.Running, Accepted: m.Time, Updated: m.Time, Spec: &e.Spec,
			SHA256: e.SpecSHA256, Command: e.Command, Owner: e.Owner, Budget: e.Spec.Budget.Trials, Identity: e.Pin(), Program: e.Program.WithoutSecrets(),
		}
		if len(e.Spec.Objectives) > 1 {
			v.front = study.NewFront(v.Spec)
		}
	case events.StudyStarted:
		v.Sources = e.Sources
	case events.StudyBound:
		v.Identity = &e.Identity
	case events.BatchRefused:
		v.Refused++
	case events.TrialsProposed:
		for ; v.Spec.Fidelity != nil && v.Proposed >= e.FirstTrial && v.Proposed < e.FirstTrial+len(e.Designs); v.Proposed++ {
			if !v.Spec.Full(e.Designs[v.Proposed-e.FirstTrial]) {
				v.LowFidelity++
			}
		}
		v.Proposed = max(v.Proposed, e.FirstTrial+len(e.Designs))
		if e.Added {
			v.Budget += len(e.Designs)
		}
		v.void(&e)
	case events.StudyImproved:
		v.improve(&e)
	case events.StudyWaiting:
		v.wait(e.Waiting)
	case events.StudyPaused:
		v.State, v.Reason, v.Waiting, v.pausedBy = study.Paused, e.Reason, nil, e.Command
	case events.StudyResumed:
		v.State, v.Reason = study.Running, ""
	case events.StudyExtended:
		if v.Budget = max(v.Budget, e.Trials); v.State != study.Paused {
			v.State, v.Reason, v.Summary = study.Running, "", nil
		}
	case events.StudyStopping:
		v.State, v.Reason = study.Stopping, e.Reason
	case events.StudyStopped:
		v.end(study.Stopped, e.Reason, &e.Summary)
	case events.StudyCompleted:
		v.end(study.Completed, e.Reason, &e.Summary)
	case events.StudyCancelled:
		v.end(study.Cancelled, "", &e.Summary)
	case events.StudyFailed:
		v.end(study.Failed, e.Reason, nil)
	}
}

// void leaves trials out of the answer that are measured anew; what is left of it
// is said again.
func (v *StudyView) void(e *events.TrialsProposed) {
	trials := e.Voids
	if v.Voided += len(trials); len(trials) == 0 {
		return
	}
	if v.VoidedBy == nil {
		v.VoidedBy = map[int]int{}
	}
	for i := range trials {
		trial, ok := e.Voided(i)
		if !ok {
			continue
		}
		if _, before := v.VoidedBy[trial]; !before && i < len(e.Designs) && v.Spec.Fidelity != nil && !v.Spec.Full(e.Designs[i]) {
			v.LowFidelity-- // the design of both
		}
		v.VoidedBy[trial] = e.FirstTrial + i
	}
	if v.Best != nil && slices.Contains(trials, v.Best.Trial) {
		v.Best = nil
	}
	if v.front != nil {
		left := v.front.Trials()
		v.front = study.NewFront(v.Spec)
		for _, b := range left {
			if !slices.Contains(trials, b.Trial) {
				v.front.Join(b)
			}
		}
	}
}

// Fold is fold of what may not be readable.
func (v *StudyView) Fold(m events.Message) {
	decode := events.DecodeOutline
	if v.Spec != nil && v.Spec.Fidelity != nil {
		decode = events.Decode // the designs say of which fidelity they are
	}
	_, payload, err := decode(m.Data)
	v.foldDecoded(m, payload, err)
}

func (v *StudyView) foldDecoded(m events.Message, payload events.Payload, err error) {
	if err != nil {
		v.unreadable(fmt.Errorf("%s at sequence %d: %w", m.Subject, m.Seq, err))
		return
	}
	v.fold(m, payload)
}

// FoldRead is Fold of an event that the caller has read already.
func (v *StudyView) FoldRead(m events.Message, payload events.Payload) { v.fold(m, payload) }

func (v *StudyView) improve(e *events.StudyImproved) {
	if v.front == nil {
		v.Best = &e.Best
		return
	}
	v.front.Join(e.Best)
	v.Hypervolume, v.Reference = e.Hypervolume, e.Reference
}

func (v *StudyView) end(s study.State, reason string, summary *events.Summary) {
	v.State, v.Reason, v.Summary, v.Waiting = s, reason, summary, nil
	if summary == nil {
		return
	}
	if summary.Best != nil {
		v.Best = summary.Best
	}
	if v.front != nil {
		for _, b := range summary.Front {
			v.front.Join(b)
		}
		v.Hypervolume, v.Reference = summary.Hypervolume, summary.Reference
	}
}

// Answer returns what the log names so far: the best trial, or with several
// objectives the front.
func (v *StudyView) Answer() []events.BestTrial {
	switch {
	case v.front != nil:
		return v.front.Trials()
	case v.Best != nil:
		return []events.BestTrial{*v.Best}
	}
	return v.Front
}

// PausedByArchiver reports whether the run is paused because its archiver has
// other trials of it: going on would measure what nobody keeps.
func (v *StudyView) PausedByArchiver() bool {
	return v.State == study.Paused && strings.HasPrefix(v.pausedBy, events.ArchivePause)
}

// ReadStudy returns the view of a study's named run, or of its latest one when
// run is "". Errors: ErrNoStudy, and those of the bus.
func ReadStudy(ctx context.Context, log events.Log, name, run string) (*StudyView, error) {
	filter := events.RunFilter(name, "*")
	if run != "" {
		filter = events.RunFilter(name, run)
	}
	var runs views
	if err := runs.fold(log.Read(ctx, 0, filter)); err != nil {
		return nil, err
	}
	return runs.latest(name)
}

// ListStudies returns the views of all runs, in the order they were accepted.
// One that cannot be read says so itself: it does not hide the others.
func ListStudies(ctx context.Context, log events.Log) ([]*StudyView, error) {
	return foldViews(log.Read(ctx, 0, events.RunFilter("*", "*")))
}

func foldViews(log iter.Seq2[events.Message, error]) ([]*StudyView, error) {
	var runs views
	if err := runs.fold(log); err != nil {
		return nil, err
	}
	return runs.all(), nil
}

// views are those of several runs, in the order they were accepted.
type views struct {
	order []*StudyView
	byRun map[messages.RunKey]*StudyView
}

func (r *views) fold(log iter.Seq2[events.Message, error]) error {
	for m, err := range log {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if view := r.of(m); view != nil {
			view.Fold(m)
		}
	}
	return nil
}

// of is the view that an event belongs to, a new one where it is the first of its run; nil
// where it is none of a run, or of one that cannot be read.
func (r *views) of(m events.Message) *StudyView {
	name, run, _, ok := events.ParseStudySubject(m.Subject)
	if !ok {
		return nil
	}
	key := messages.RunKey{Study: name, Run: run}
	view := r.byRun[key]
	if view == nil {
		if r.byRun == nil {
			r.byRun = map[messages.RunKey]*StudyView{}
		}
		view = &StudyView{Study: name, Run: run, Accepted: m.Time, Updated: m.Time, Spec: &events.Spec{}}
		r.byRun[key] = view
		r.order = append(r.order, view)
	}
	if view.Err != nil {
		return nil
	}
	return view
}

// all are the views once the log is read.
func (r *views) all() []*StudyView {
	for _, v := range r.order {
		if v.front != nil {
			v.Front = v.front.Trials()
		}
	}
	return r.order
}

// latest is that of a study's latest run.
func (r *views) latest(name string) (*StudyView, error) {
	all := r.all()
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoStudy, name)
	}
	view := all[len(all)-1]
	if view.Err != nil {
		return nil, view.Err
	}
	return view, nil
}
