package proposer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"apollo/events"
	"apollo/services/messages"
)

// acceptedRun is what the accepted event of a run says besides its study, which may be a
// megabyte: commands about a study ask for all its runs.
type acceptedRun struct {
	key        messages.RunKey
	seq        uint64
	owner      string
	command    string
	sum        string // of its specification
	unreadable error
}

// keptRuns bounds how many of them are kept: 200 bytes each.
const keptRuns = 1 << 16

// acceptedRuns keeps those that were read. The name of a run is never another one's
// (runID), so that what is kept holds as long as the run is there. Commands are carried
// out one after the other: nothing here is locked.
type acceptedRuns struct {
	known map[messages.RunKey]acceptedRun
}

// of returns the runs of a study, oldest first. The error says which of them cannot be read.
func (a *acceptedRuns) of(ctx context.Context, bus events.Bus, study string) ([]acceptedRun, error) {
	runs, err := a.list(ctx, bus, study)
	for _, r := range runs {
		if r.unreadable != nil {
			return nil, r.unreadable
		}
	}
	return runs, err
}

// list is of with those that cannot be read.
func (a *acceptedRuns) list(ctx context.Context, bus events.Bus, study string) (runs []acceptedRun, err error) {
	subjects, err := bus.Subjects(ctx, events.StudySubject(study, "*", "accepted"))
	if err != nil {
		return nil, fmt.Errorf("list the runs of %s: %w", study, err)
	}
	if a.known == nil || len(a.known) >= keptRuns {
		a.known = map[messages.RunKey]acceptedRun{}
	}
	for _, subject := range subjects {
		name, run, _, ok := events.ParseStudySubject(subject)
		if !ok {
			continue
		}
		key := messages.RunKey{Study: name, Run: run}
		r, known := a.known[key]
		if !known {
			e, seq, err := readAccepted(ctx, bus, subject)
			switch {
			case err != nil && seq == 0:
				return nil, err
			case err != nil:
				r = acceptedRun{key: key, seq: seq, unreadable: err}
			case e == nil:
				continue // it was removed just now
			default:
				r = acceptedRun{key: key, seq: seq, owner: e.Owner, command: e.Command, sum: e.SpecSHA256}
				a.known[key] = r
			}
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(x, y acceptedRun) int { return cmp.Compare(x.seq, y.seq) })
	return runs, nil
}

// readAccepted reads the accepted event of one run, nil where there is none. An error with
// a sequence is of an event that cannot be read.
func readAccepted(ctx context.Context, bus events.Bus, subject string) (e *events.StudyAccepted, seq uint64, err error) {
	for m, err := range bus.Log().Read(ctx, 0, subject) {
		if err != nil {
			return nil, 0, fmt.Errorf("read the log: %w", err)
		}
		_, payload, err := events.Decode(m.Data)
		if err != nil {
			return nil, m.Seq, fmt.Errorf("%s at %d: %w", m.Subject, m.Seq, err)
		}
		if accepted, ok := payload.(events.StudyAccepted); ok {
			return &accepted, m.Seq, nil
		}
	}
	return nil, 0, nil
}
