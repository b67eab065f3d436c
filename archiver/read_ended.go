package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"apollo/archiver/parquetcheck"
	"apollo/events"
)

// EndedRun is a run that ended and whose trials are all in the log.
type EndedRun struct {
	Study, Run string
	// State is how it ended, one of the states in which a run is closed.
	State  string
	Trials int64
	Files  int
	Bytes  int64
	// Ended is when the log had all of it; zero where nobody knows.
	Ended time.Time

	path string // of one of its files
}

// EndedRuns lists the closed runs that have files with all of their trials, in the
// order in which they came into the log. It reads the manifest, and the times of the files of runs that an
// older build closed without one.
func EndedRuns(fsys fs.FS) ([]EndedRun, error) {
	x, err := readIndex(fsys)
	if err != nil {
		return nil, fmt.Errorf("list the ended runs of the log: %w", err)
	}
	var out []EndedRun
	for _, k := range x.order {
		run := x.runs[k]
		if !run.isWhole() || len(run.files) == 0 {
			continue
		}
		r := EndedRun{
			Study: k.study, Run: k.run, State: run.closed.State, Trials: run.trials.count(),
			Files: len(run.files), Ended: run.closed.At, path: currentPath(run.files[0]),
		}
		for _, path := range run.files {
			r.Bytes += x.files[path].Bytes
			if !run.closed.At.IsZero() {
				continue
			}
			if info, err := fs.Stat(fsys, currentPath(path)); err == nil && info.ModTime().After(r.Ended) {
				r.Ended = info.ModTime()
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// Spec reads the study of a run as it was accepted.
func (r *EndedRun) Spec(fsys fs.FS) (*events.Spec, error) {
	cols, err := columnsOf(fsys, r.path)
	switch {
	case err != nil:
		return nil, err
	case cols.Spec == nil:
		return nil, parquetcheck.Corrupt("%s does not carry %s", r.path, metaSpec)
	}
	return cols.Spec, nil
}

// Inventory says of which trials the files are there, not only in the manifest.
type Inventory struct {
	fsys fs.FS
	x    *index
}

// TakeInventory reads the manifest. The error is for one that is damaged or cannot
// be read, and fs.ErrNotExist where there is none.
func TakeInventory(fsys fs.FS) (*Inventory, error) {
	if _, err := fs.Stat(fsys, ManifestName); err != nil {
		return nil, err
	}
	x, err := readIndex(fsys)
	if err != nil {
		return nil, err
	}
	return &Inventory{fsys, x}, nil
}

// Trials counts the trials of a run in files that are there, each as long as the
// manifest says.
func (v *Inventory) Trials(study, run string) (int64, error) {
	r := v.x.runs[runKey{study, run}]
	if r == nil {
		return 0, nil
	}
	var there spans
	for _, path := range r.files {
		info, err := fs.Stat(v.fsys, currentPath(path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return 0, err
		case info.Size() == v.x.files[path].Bytes:
			there.merge(v.x.files[path].Trials)
		}
	}
	return there.count(), nil
}
