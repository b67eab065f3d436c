package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"apollo/events"
	"apollo/optimizer/space"
)

// ErrNoSource is wrapped by LoadSource's errors when the log has no trials
// that the reference means.
var ErrNoSource = errors.New("no such trials in the log")

// Source is an earlier study as a later one learns from it.
type Source struct {
	Study string
	Run   string
	// Spec is the study as it was accepted.
	Spec *events.Spec
	// Trials are in the order of their numbers.
	Trials []Trial
	// SHA256 is the events.TrialHash of the trials. It does not depend on how
	// they lie in files.
	SHA256 string
}

// Trial is a finished trial of a source.
type Trial struct {
	Trial int
	// Design holds one value per parameter of the source's Spec.
	Design  []space.Value
	Outcome string
	// Values holds one number per metric of the source's Spec; NaN where
	// nothing was measured.
	Values []float64
	// Feasible is the judgement under the source's own constraints.
	Feasible bool
	Reason   *events.Reason
}

// LoadSource reads the trials of an earlier study, all or none: a file that
// cannot be read is an error here. A reference by study means the latest run
// that ended as completed or stopped with all its trials on disk, or the named
// run; one by Parquet means the latest run in files that all belong to one
// study. Errors: ErrNoSource, ErrCorrupt, ErrNewer.
func LoadSource(fsys fs.FS, ref events.Source) (Source, error) {
	name := ref.Study
	if ref.Parquet != "" {
		name = ref.Parquet
	}
	src, err := loadSource(fsys, ref)
	if err != nil {
		return Source{}, fmt.Errorf("load source %q: %w", name, err)
	}
	return src, nil
}

func loadSource(fsys fs.FS, ref events.Source) (Source, error) {
	q := Query{Study: ref.Study, Run: ref.Run}
	switch {
	case (ref.Study == "") == (ref.Parquet == ""):
		return Source{}, errors.New("exactly one of study and parquet must be set")
	case ref.Parquet != "":
		q.Globs = []string{ref.Parquet}
	case !events.IsName(ref.Study) || ref.Run != "" && !events.IsName(ref.Run):
		return Source{}, fmt.Errorf("study %q run %q: not a name", ref.Study, ref.Run)
	case ref.Run == "":
		run, err := latestEnded(fsys, ref.Study)
		if err != nil {
			return Source{}, err
		}
		q.Run = run
	}
	var src Source
	hash := events.NewTrialHash()
	for row, err := range Scan(fsys, q) {
		if err != nil {
			return Source{}, err
		}
		if src.Study == "" {
			src.Study, src.Run, src.Spec = row.Study, row.Run, row.Columns.Spec
		}
		if err := src.take(&row, hash); err != nil {
			return Source{}, err
		}
	}
	if len(src.Trials) == 0 {
		return Source{}, ErrNoSource
	}
	src.SHA256 = hash.String()
	return src, nil
}

func (s *Source) take(row *Row, hash *events.TrialHash) error {
	switch {
	case row.Study != s.Study:
		return fmt.Errorf("the files hold the studies %q and %q: want one", s.Study, row.Study)
	case row.Columns.Spec == nil || s.Spec == nil:
		return fmt.Errorf("%w: the files do not carry %s: copy the metadata when you rewrite them", ErrCorrupt, metaSpec)
	case len(row.Design) != len(s.Spec.Parameters) || len(row.Values) != len(s.Spec.Metrics):
		return fmt.Errorf("%w: trial %d has other parameters or metrics than trial %d", ErrCorrupt, row.Trial, s.Trials[0].Trial)
	}
	for i, p := range s.Spec.Parameters {
		if v := row.Design[i]; v.Label == "" && v.Num != v.Num || len(p.Labels) > 0 && v.Label == "" {
			return fmt.Errorf("%w: trial %d has no value for %q", ErrCorrupt, row.Trial, p.Name)
		}
	}
	hash.Add(int(row.Trial), row.Design, row.Outcome, row.Values)
	s.Trials = append(s.Trials, Trial{
		Trial: int(row.Trial), Design: row.Design, Outcome: row.Outcome,
		Values: row.Values, Feasible: row.Feasible, Reason: row.Reason,
	})
	return nil
}

// latestEnded returns the run of a study that was closed last with an answer.
// Without a manifest, or with one that was rebuilt, the files decide.
func latestEnded(fsys fs.FS, study string) (string, error) {
	b, err := fs.ReadFile(fsys, ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	x := newIndex()
	if _, err := readRecords(b, x.apply); err != nil {
		return "", err
	}
	var open []string
	run := ""
	for _, k := range x.order {
		if k.study != study {
			continue
		}
		switch c := x.runs[k].closed; {
		case c != nil && (c.State == StateCompleted || c.State == StateStopped):
			run = k.run
		default:
			open = append(open, k.run)
		}
	}
	switch {
	case run != "":
		return run, nil
	case len(open) > 0:
		return "", fmt.Errorf("%w: study %q has no run that is completed (name one of %s to use what it has)",
			ErrNoSource, study, strings.Join(open, ", "))
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
