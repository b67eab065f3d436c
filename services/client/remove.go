package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/study"
)

// Removal is a study that may leave the bus, or why it must stay.
type Removal struct {
	Study string
	Runs  int
	// State and Ended are those of the latest run; Ended is zero while it has not.
	State  study.State
	Ended  time.Time
	Labels map[string]string
	// Archived: an archiver said that every trial of every run is on disk.
	Archived bool
	// Keep is why it must stay, and Hint what to do about that; nil when it may go.
	Keep error
	Hint string
	// Begun: an earlier removal was interrupted, and parts of it are gone.
	Begun bool
	// runs are those that were looked at.
	runs []*removalRun
}

// removalRun is what the log says of a run.
type removalRun struct {
	key     messages.RunKey
	state   study.State
	ended   time.Time
	labels  map[string]string
	trials  int // -1 where the end does not say: that of a failed run
	unread  error
	isFinal bool
	// archived is how many trials an archiver said to be on disk, last the sequence
	// of the last event that was looked at.
	archived  int64
	last      uint64
	isRemoved bool
}

// Removals looks at studies, all or the named one: they may go when every run has
// ended, and its trials are on disk or never will be. It reads the beginnings and
// ends of runs alone, not their trials.
func Removals(ctx context.Context, log events.Log, name string) ([]Removal, error) {
	switch {
	case name == "":
		name = "*"
	case !events.IsName(name):
		return nil, nil // it is part of filters, where a wildcard would mean every study
	}
	runs, err := removalRuns(ctx, log, name)
	if err != nil {
		return nil, err
	}
	var out []Removal
	byStudy := map[string]int{}
	for _, r := range runs {
		i, known := byStudy[r.key.Study]
		if !known {
			i = len(out)
			byStudy[r.key.Study], out = i, append(out, Removal{Study: r.key.Study, Archived: true})
		}
		s := &out[i]
		s.Runs, s.runs = s.Runs+1, append(s.runs, r)
		s.State, s.Ended, s.Labels = r.state, r.ended, r.labels
		s.Archived = s.Archived && (r.isFinal || r.trials == 0 || r.isRemoved)
		s.Begun = s.Begun || r.isRemoved
		if s.Keep == nil {
			if s.Keep, s.Hint, err = r.keep(ctx, log); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// removalRuns folds the beginnings and ends of runs, in order.
func removalRuns(ctx context.Context, log events.Log, name string) ([]*removalRun, error) {
	var runs []*removalRun
	of := map[messages.RunKey]*removalRun{}
	for m, err := range log.Read(ctx, 0, events.BoundsOfRuns(name, "*")...) {
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		s, run, kind, ok := events.ParseStudySubject(m.Subject)
		if !ok {
			continue
		}
		key := messages.RunKey{Study: s, Run: run}
		r := of[key]
		if r == nil {
			r = &removalRun{key: key, state: study.Running}
			of[key], runs = r, append(runs, r)
		}
		r.last = m.Seq
		_, payload, err := events.Decode(m.Data)
		if err != nil {
			r.unread = err
			continue
		}
		r.fold(m.Time, kind, payload)
	}
	for m, err := range log.Read(ctx, 0, events.ArchiveSubject(name, "*", "final")) {
		if err != nil {
			return nil, fmt.Errorf("read the archive events: %w", err)
		}
		if _, e, err := events.DecodeAs[events.ArchiveFinal](m.Data); err == nil {
			if r := of[messages.RunKey{Study: e.Study, Run: e.Run}]; r != nil {
				r.isFinal = e.Trials >= int64(r.trials) // one that was extended has an earlier one, too
				r.archived = max(r.archived, e.Trials)
			}
		}
	}
	return runs, nil
}

func (r *removalRun) fold(at time.Time, kind string, e events.Payload) {
	ends := func(summary *events.Summary) {
		r.state, r.ended, r.trials = study.State(kind), at, -1
		if summary != nil {
			r.trials = summary.Trials
		}
	}
	switch e := e.(type) {
	case events.StudyAccepted:
		r.labels = e.Spec.Labels
	case events.StudyExtended:
		r.state, r.ended = study.Running, time.Time{}
	case events.StudyStopped:
		ends(&e.Summary)
	case events.StudyCompleted:
		ends(&e.Summary)
	case events.StudyCancelled:
		ends(&e.Summary)
	case events.StudyFailed:
		ends(nil)
	case events.StudyRemoved:
		r.isRemoved = true
	}
}

// keep says why the run must stay.
func (r *removalRun) keep(ctx context.Context, log events.Log) (why error, hint string, err error) {
	switch {
	case r.isRemoved:
		return nil, "", nil
	case r.unread != nil:
		return fmt.Errorf("run %s of %s cannot be read, so that nobody knows whether it has ended: %w", r.key.Run, r.key.Study, r.unread), "", nil
	case r.ended.IsZero():
		view, err := ReadStudy(ctx, log, r.key.Study, r.key.Run)
		if err != nil {
			return nil, "", err
		}
		return fmt.Errorf("run %s of %s is %s", r.key.Run, r.key.Study, view.State), "apollo study cancel " + r.key.Study + " ends it", nil
	case r.isFinal, r.trials == 0:
		return nil, "", nil
	}
	never, err := NotArchived(ctx, log, r.key.Study, r.key.Run)
	if err != nil || never != nil {
		return nil, "", err
	}
	return fmt.Errorf("run %s of %s is not archived yet", r.key.Run, r.key.Study), "let an archiver run until it is: `apollo up`", nil
}

// Selector chooses studies to remove.
type Selector struct {
	// States are those of the latest run, Labels what a study must have, OlderThan
	// how long ago its last run must have ended. Zero values choose all.
	States    []string
	Labels    map[string]string
	OlderThan time.Duration
}

// Chooses reports whether a study is among those that are meant.
func (s *Selector) Chooses(r *Removal, now time.Time) bool {
	if len(s.States) > 0 && !slices.ContainsFunc(s.States, func(state string) bool { return strings.EqualFold(state, string(r.State)) }) {
		return false
	}
	for key, want := range s.Labels {
		if have, ok := r.Labels[key]; !ok || have != want {
			return false
		}
	}
	return s.OlderThan == 0 || !r.Ended.IsZero() && now.Sub(r.Ended) >= s.OlderThan
}

// Retention removes studies from the bus that ended long ago.
type Retention struct {
	Bus events.Bus
	// After is how long after its end a study stays; 0 means for ever.
	After time.Duration
	// Fill is the share of a stream of the bus above which the studies that ended
	// first go before their time, though not before fillAge; 0 means never.
	Fill float64
	// Stored looks whether the files of what goes are there: a look is made for each
	// sweep that needs one.
	Stored func() (Stored, error)
	// Removed is told what was removed, and why, and Kept what is due and stays; nil
	// for nobody.
	Removed, Kept func(r *Removal, why string)

	stored Stored
}

// fillAge is how long a study stays after its end, however little room there is: who
// waits for its answer reads it from the bus.
const fillAge = 30 * time.Minute

// Sweep removes what is due, and what an interrupted removal left. What must stay does,
// and so does what is not archived, or whose files are not there.
func (r *Retention) Sweep(ctx context.Context) error {
	all, err := Removals(ctx, r.Bus.Log(), "")
	if err != nil {
		return err
	}
	r.stored = nil
	if err := r.goOn(ctx, all); err != nil || r.After == 0 && r.Fill == 0 {
		return err
	}
	all = slices.DeleteFunc(all, func(s Removal) bool { return s.Begun || s.Keep != nil || !s.Archived || s.Ended.IsZero() })
	slices.SortStableFunc(all, func(a, b Removal) int { return a.Ended.Compare(b.Ended) })
	for i := range all {
		s := &all[i]
		why := ""
		if r.After > 0 && time.Since(s.Ended) >= r.After {
			why = "it ended more than " + r.After.String() + " ago"
		} else if time.Since(s.Ended) < fillAge {
			return nil
		} else if stream, err := r.full(ctx); err != nil {
			return err
		} else if stream != "" {
			why = "stream " + stream + " is nearly full"
		}
		if why == "" {
			return nil // nor are those that ended later
		}
		if err := r.remove(ctx, s, why); err != nil {
			return err
		}
	}
	return nil
}

// goOn ends the removals that were interrupted.
func (r *Retention) goOn(ctx context.Context, all []Removal) error {
	for _, s := range all {
		if !s.Begun {
			continue
		}
		// Of the runs that were claimed alone: a later one may go on.
		s.runs = slices.DeleteFunc(slices.Clone(s.runs), func(run *removalRun) bool { return !run.isRemoved })
		s.Keep, s.Runs = nil, len(s.runs)
		if err := r.remove(ctx, &s, "its removal was interrupted"); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a study whose files are there, unless it goes on meanwhile.
func (r *Retention) remove(ctx context.Context, s *Removal, why string) error {
	if r.stored == nil {
		var err error
		if r.stored, err = r.Stored(); err != nil {
			r.stored = func(string, string) (int64, error) { return 0, err }
		}
	}
	if s.CheckStored(r.stored); s.Keep != nil {
		if r.Kept != nil {
			r.Kept(s, s.Keep.Error())
		}
		return nil
	}
	err := Remove(ctx, r.Bus, s)
	if errors.Is(err, ErrMoved) {
		return nil
	}
	if err == nil && r.Removed != nil {
		r.Removed(s, why)
	}
	return err
}

// full returns the stream of studies that is fuller than it may be; "" for none.
func (r *Retention) full(ctx context.Context) (string, error) {
	if r.Fill == 0 {
		return "", nil
	}
	for _, filter := range []string{events.RunFilter("*", "*"), "result.>"} {
		info, err := r.Bus.Log().Info(ctx, filter)
		if err != nil {
			return "", err
		}
		if info.MaxBytes > 0 && float64(info.Bytes) > r.Fill*float64(info.MaxBytes) {
			s, _ := events.StreamOf(events.Topology(), filter)
			return s.Name, nil
		}
	}
	return "", nil
}
