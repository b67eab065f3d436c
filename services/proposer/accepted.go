package proposer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

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

const (
	// keptRuns bounds how many of them are kept: half a kilobyte each at most, most of it
	// the id of the command.
	keptRuns = 1 << 16
	// readOneByOne is how many runs are named in one read; of more, all of the study are read.
	readOneByOne = 16
)

// acceptedRuns keeps those that were read. The name of a run is never another one's
// (runID), so that what is kept holds as long as the run is there. Commands are carried
// out one after the other, and beside them runs are removed.
type acceptedRuns struct {
	mu    sync.Mutex // guards what follows
	known map[string]map[string]acceptedRun
	n     int // runs in it
	drops int // how often a run was removed: what was read before is not kept after it
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
	all := events.StudySubject(study, "*", "accepted")
	subjects, err := bus.Subjects(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("list the runs of %s: %w", study, err)
	}
	a.mu.Lock()
	before, drops := a.known[study], a.drops
	a.mu.Unlock()
	is, unknown := map[string]acceptedRun{}, []string(nil)
	for _, subject := range subjects {
		_, run, _, ok := events.ParseStudySubject(subject)
		if r, known := before[run]; known {
			is[run] = r
		} else if ok {
			unknown = append(unknown, subject)
		}
	}
	if len(unknown) > readOneByOne {
		unknown = []string{all}
	}
	if len(unknown) > 0 {
		for m, err := range bus.Log().Read(ctx, 0, unknown...) {
			if err != nil {
				return nil, fmt.Errorf("read the log: %w", err)
			}
			_, run, _, _ := events.ParseStudySubject(m.Subject)
			if _, known := is[run]; known {
				continue
			}
			r := acceptedRun{key: messages.RunKey{Study: study, Run: run}, seq: m.Seq}
			e, err := decodeAccepted(m)
			switch {
			case err != nil:
				r.unreadable = err
			case e == nil:
				continue
			default:
				r.owner, r.command, r.sum = e.Owner, e.Command, e.SpecSHA256
			}
			is[run] = r
		}
	}
	runs = slices.SortedFunc(maps.Values(is), func(x, y acceptedRun) int { return cmp.Compare(x.seq, y.seq) })
	a.keep(study, runs, drops)
	return runs, nil
}

// keep takes the runs of a study down, oldest first, in place of those that were kept of
// it. They were read when drops runs had been removed.
func (a *acceptedRuns) keep(study string, runs []acceptedRun, drops int) {
	kept := map[string]acceptedRun{}
	for _, r := range runs[max(0, len(runs)-keptRuns):] {
		if r.unreadable == nil {
			kept[r.key.Run] = r
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if drops != a.drops {
		return
	}
	a.n -= len(a.known[study])
	delete(a.known, study)
	if a.known == nil || a.n+len(kept) > keptRuns {
		a.known, a.n = map[string]map[string]acceptedRun{}, 0
	}
	if len(kept) > 0 {
		a.known[study] = kept
		a.n += len(kept)
	}
}

// drop forgets a run that is removed.
func (a *acceptedRuns) drop(key messages.RunKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drops++
	before := a.known[key.Study]
	if _, known := before[key.Run]; !known {
		return
	}
	a.n--
	if len(before) == 1 {
		delete(a.known, key.Study)
		return
	}
	kept := maps.Clone(before) // list reads the other one
	delete(kept, key.Run)
	a.known[key.Study] = kept
}

// readAccepted reads the accepted event of one run, nil where there is none. An error with
// a sequence is of an event that cannot be read.
func readAccepted(ctx context.Context, bus events.Bus, subject string) (e *events.StudyAccepted, seq uint64, err error) {
	for m, err := range bus.Log().Read(ctx, 0, subject) {
		if err != nil {
			return nil, 0, fmt.Errorf("read the log: %w", err)
		}
		if e, err := decodeAccepted(m); e != nil || err != nil {
			return e, m.Seq, err
		}
	}
	return nil, 0, nil
}

// decodeAccepted is nil for another event.
func decodeAccepted(m events.Message) (*events.StudyAccepted, error) {
	_, payload, err := events.Decode(m.Data)
	if err != nil {
		return nil, fmt.Errorf("%s at %d: %w", m.Subject, m.Seq, err)
	}
	if accepted, ok := payload.(events.StudyAccepted); ok {
		return &accepted, nil
	}
	return nil, nil //nolint:nilnil // it is another event
}
