package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"apollo/archiver/parquetcheck"
	"apollo/events"
)

// LoggedStudy is an ended study in the log: the run that was closed last as
// completed or stopped.
type LoggedStudy struct {
	Study, Run string
	// Spec is the study as it was accepted; nil when Err is set.
	Spec *events.Spec
	// Trials is the number of its trials on disk.
	Trials int64
	// Accepted is when the run was accepted.
	Accepted time.Time
	// Err says why its files tell nothing: ErrCorrupt, ErrNewer or an error of
	// the file system.
	Err error
}

// Studies lists the ended studies of a data directory in the order of their
// names. It reads the manifest and one footer a study, no rows. A study that
// cannot be read says so itself: it does not hide the others.
func Studies(fsys fs.FS) ([]LoggedStudy, error) {
	x, err := readIndex(fsys)
	if err != nil {
		return nil, fmt.Errorf("list the studies of the log: %w", err)
	}
	latest := map[string]runKey{}
	for _, k := range x.order {
		if c := x.runs[k].closed; c != nil && answered(c.State) && len(x.runs[k].files) > 0 {
			latest[k.study] = k
		}
	}
	var out []LoggedStudy
	for _, k := range latest {
		s := LoggedStudy{Study: k.study, Run: k.run, Trials: x.runs[k].trials.count()}
		cols, err := columnsOf(fsys, currentPath(x.sortedFiles(k)[0].Path))
		switch {
		case err != nil:
			s.Err = err
		case cols.Spec == nil:
			s.Err = parquetcheck.Corrupt("the files do not carry %s", metaSpec)
		default:
			s.Spec, s.Accepted = cols.Spec, cols.Accepted
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b LoggedStudy) int { return strings.Compare(a.Study, b.Study) })
	return out, nil
}

// answered reports whether a run that was closed in a state has an answer.
func answered(state string) bool { return state == StateCompleted || state == StateStopped }

// readIndex reads the manifest; a folder without one has an empty index.
func readIndex(fsys fs.FS) (*index, error) {
	x := newIndex()
	b, err := fs.ReadFile(fsys, ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err = readRecords(b, x.apply); err == nil {
		err = x.lacksBegin()
	}
	return x, err
}

// latestEnded returns the run of a study that was closed last with an answer.
// Without a manifest, or with one that was rebuilt, the files decide.
func latestEnded(fsys fs.FS, study string) (string, error) {
	x, err := readIndex(fsys)
	if err != nil {
		return "", err
	}
	if x.records == 0 {
		return "", nil
	}
	var open []string
	run := ""
	for _, k := range x.order {
		if k.study != study {
			continue
		}
		if c := x.runs[k].closed; c != nil && answered(c.State) {
			run = k.run
			continue
		}
		open = append(open, k.run)
	}
	switch {
	case run != "":
		return run, nil
	case len(open) > 0:
		return "", fmt.Errorf("%w: study %q has no run that is completed (name one of %s to use what it has)",
			ErrNoSource, study, strings.Join(open, ", "))
	}
	if at := x.expiredAt(study); !at.IsZero() {
		return "", fmt.Errorf("%w: study %q was archived, and its archive expired on %s", ErrNoSource, study, at.Format(time.DateOnly))
	}
	return "", fmt.Errorf("%w: study %q", ErrNoSource, study)
}

// The states in which a run is closed.
const (
	StateCompleted = "completed"
	StateStopped   = "stopped"
	StateCancelled = "cancelled"
	StateFailed    = "failed"
)
