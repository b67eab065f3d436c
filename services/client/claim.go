package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"apollo/events"
	"apollo/services/messages"
)

// ErrMoved is returned by Remove when somebody extended the run, or removed it, after
// Removals looked.
var ErrMoved = errors.New("the run went on meanwhile")

// Stored counts the trials of a run whose Parquet files are there.
type Stored func(study, run string) (int64, error)

// CheckStored sets Keep where files of an archived run are not there: what is on the
// bus is the only copy then. Runs that never will be archived are no matter of files.
func (r *Removal) CheckStored(stored Stored) {
	if r.Keep != nil {
		return
	}
	for _, run := range r.runs {
		if run.isRemoved || run.archived == 0 {
			continue
		}
		n, err := stored(r.Study, run.key.Run)
		switch {
		case err != nil:
			r.Keep = fmt.Errorf("nobody knows whether the files of run %s of %s are there: %w", run.key.Run, r.Study, err)
		case n < run.archived:
			r.Keep = fmt.Errorf("run %s of %s was archived with %d trials, and the files that are there have %d", run.key.Run, r.Study, run.archived, n)
		default:
			continue
		}
		r.Hint = "--archive or --data names the trial log; an archiver that starts writes files again that are lost"
		return
	}
}

// Remove takes the runs of a study off the bus that Removals found, and no later one;
// Removals says whether it may go. The Parquet files stay. Each run is claimed first,
// behind the fence of its log, so that nobody extends what is going: ErrMoved says that
// somebody was first, and nothing was removed of that run and those before it; it names
// the later ones that are claimed. A removal that was interrupted is gone on with by
// the next one.
func Remove(ctx context.Context, bus events.Bus, r *Removal) error {
	var claimed []string
	for _, run := range slices.Backward(r.runs) { // the latest first: it is the one that is extended
		isClaimed, err := run.claim(ctx, bus.Log())
		switch {
		case err != nil && len(claimed) > 0:
			return fmt.Errorf("run %s of %s: %w; claimed before it, and removed by the proposer's next look: %s", run.key.Run, r.Study, err, strings.Join(claimed, ", "))
		case err != nil:
			return err
		case isClaimed:
			claimed = append(claimed, run.key.Run)
		}
	}
	var filters []string
	for _, run := range r.runs {
		of := r.Study + "." + run.key.Run
		// The work first: nobody shall answer what is gone. The log last: it has the claim.
		filters = append(filters, "work.*."+of+".*", "result.*."+of+".*", events.ArchiveSubject(r.Study, run.key.Run, "*"), events.RunFilter(r.Study, run.key.Run))
	}
	if err := purge(ctx, bus, filters...); err != nil {
		return err
	}
	for _, err := range bus.Log().Read(ctx, 0, events.StudySubject(r.Study, "*", "accepted")) {
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		return nil // dead letters and rejections are of the study: a later run may have some
	}
	return purge(ctx, bus, events.DeadLetterSubject("*", r.Study), events.RejectedSubject(r.Study))
}

func purge(ctx context.Context, bus events.Bus, filters ...string) error {
	for _, filter := range filters {
		if err := bus.Purge(ctx, filter); err != nil {
			return fmt.Errorf("purge %s: %w", filter, err)
		}
	}
	return nil
}

// claim appends the last event of a run, unless something happened to it since it was
// looked at. Who may purge and not append (the role operator) removes without: nobody
// may append to a stream that it makes consumers on.
func (r *removalRun) claim(ctx context.Context, log events.Log) (isClaimed bool, err error) {
	if r.isRemoved {
		return true, nil
	}
	last := r.last
	for m, err := range log.Read(ctx, r.last, events.RunFilter(r.key.Study, r.key.Run)) {
		if err != nil {
			return false, fmt.Errorf("read the log: %w", err)
		}
		_, _, kind, _ := events.ParseStudySubject(m.Subject)
		if m.Seq > r.last && events.BoundsRun(kind) {
			return false, fmt.Errorf("%w: it was %s", ErrMoved, kind)
		}
		last = m.Seq
	}
	id := r.key.Run + ".removed." + rand.Text()
	m := events.Message{Subject: events.StudySubject(r.key.Study, r.key.Run, "removed"), ID: id}
	err = messages.Append(ctx, log, m, "proposer", events.StudyRemoved{Study: r.key.Study, Run: r.key.Run}, events.Fence{Filter: events.RunFilter(r.key.Study, r.key.Run), Last: last})
	switch {
	case errors.Is(err, events.ErrFenced):
		return false, fmt.Errorf("%w: it has a new event", ErrMoved)
	case err != nil && !errors.Is(err, events.ErrDenied):
		return false, fmt.Errorf("claim run %s of %s: %w", r.key.Run, r.key.Study, err)
	}
	return err == nil, nil
}
