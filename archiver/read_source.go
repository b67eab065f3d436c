package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"apollo/archiver/parquetcheck"
	"apollo/events"
	"apollo/optimizer/space"
)

// ErrNoSource is wrapped by the errors of OpenSource and LoadSource when the
// log has no trials that the reference means.
var ErrNoSource = errors.New("no such trials in the log")

// maxSourceRows is as many rows as a study may have trials: a file of some megabytes can
// hold any number of rows that repeat, and each takes a microsecond or two.
const maxSourceRows = events.MaxTrials

// SourceLog is an earlier study in the log, as a stream: it may hold more
// trials than fit into memory.
type SourceLog struct {
	Study string
	Run   string
	// Columns name the numbers of a trial's Design and Values, with the units
	// that the files tell. Columns.Spec is the study as it was accepted; nil
	// when the files, written by another tool, do not carry it.
	Columns *Columns
	// Rename says what columns of parameters, and metrics without their unit, mean
	// under another name. Whoever opened the source sets it.
	Rename map[string]string
	// Use is what a run that began took the source for, "" before it begins. Whoever
	// opened the source sets it.
	Use string
	// Identity is who measures the run by what else is known of it, empty where nothing
	// is: logs of older builds do not tell programs. Whoever opened the source sets it.
	Identity events.Identity
	// Damaged are the files that could not be read, LeftOut those that are sound
	// and hold what is not read here: the error is ErrUnfit or ErrNewer and names
	// it. Both are left out as a whole.
	Damaged, LeftOut []*FileError
	// Empty counts the files without rows, Unkeyed the rows without a study or a
	// run.
	Empty, Unkeyed int
	// Trials yields what the other files hold, in the order of the trials'
	// numbers. A number that several rows have comes several times unless the
	// rows say the same. Nothing is checked but the types: outcomes may be any
	// word, numbers infinite or missing; a number that no double is comes as an
	// infinite one, a trial without a number as -1. It may be called again, and gives the
	// same. An error ends it: a file broke while it was read.
	Trials iter.Seq2[Trial, error]
}

// Source is an earlier study in memory.
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
	// Design holds one value per parameter of the source's columns; NaN where
	// a number is missing.
	Design  []space.Value
	Outcome string
	// Values holds one number per metric of the source's columns; NaN where
	// nothing was measured.
	Values []float64
	// Feasible is the judgement under the source's own constraints.
	Feasible bool
	Reason   *events.Reason
	// Origin says who proposed the design.
	Origin string
	// Identity is who measured; empty where nobody did in this run, and where the
	// row does not say.
	Identity events.Identity
	// DesignHash and WorkloadHash are what the row says they are; "" when it
	// does not.
	DesignHash, WorkloadHash string
}

// OpenSource finds the trials of an earlier study. A reference by study means
// the latest run that ended as completed or stopped with all its trials on
// disk, or the named run; one by Parquet means the latest run in files that all
// belong to one study. Errors: ErrNoSource, and ErrCorrupt, ErrUnfit or ErrNewer
// when no file can be used.
func OpenSource(fsys fs.FS, ref events.Source) (*SourceLog, error) {
	name := ref.Study
	if ref.Parquet != "" {
		name = ref.Parquet
	}
	src, err := openSource(fsys, ref)
	if err != nil {
		return nil, fmt.Errorf("load source %q: %w", name, err)
	}
	return src, nil
}

func openSource(fsys fs.FS, ref events.Source) (*SourceLog, error) {
	q := Query{Study: ref.Study, Run: ref.Run, sourceRows: maxSourceRows}
	switch {
	case (ref.Study == "") == (ref.Parquet == ""):
		return nil, errors.New("exactly one of study and parquet must be set")
	case ref.Parquet != "":
		q.Globs = []string{ref.Parquet}
		if info, err := fs.Stat(fsys, path.Clean(ref.Parquet)); err == nil && info.IsDir() {
			return nil, fmt.Errorf("%w: it is a folder: write %s for all files in it", ErrNoSource, path.Join(ref.Parquet, "**", "*.parquet"))
		}
	case !events.IsName(ref.Study) || ref.Run != "" && !events.IsName(ref.Run):
		return nil, fmt.Errorf("study %q run %q: not a name", ref.Study, ref.Run)
	case ref.Run == "":
		run, err := latestEnded(fsys, ref.Study)
		if err != nil {
			return nil, err
		}
		q.Run = run
	}
	c, err := survey(fsys, q, true)
	if err != nil {
		return nil, err
	}
	log, err := c.source()
	if err == ErrNoSource && ref.Parquet != "" { //nolint:errorlint // the bare one alone says nothing of the files
		err = fmt.Errorf("%w: no file %s", ErrNoSource, unmatched(ref.Parquet))
	}
	return log, err
}

// unmatched says what no file does where a path or a pattern finds none.
func unmatched(pattern string) string {
	switch {
	case strings.ContainsRune(pattern, '['):
		return `matches this pattern: [ begins a set of characters there; write [[] for one of the path`
	case strings.ContainsAny(pattern, `*?\`):
		return "matches this pattern"
	}
	return "has this path"
}

// source makes one source of what a survey found.
func (c *catalogue) source() (*SourceLog, error) {
	if len(c.files) == 0 {
		return nil, c.nothing()
	}
	s := &SourceLog{Empty: c.empty, Unkeyed: c.unkeyed}
	for k := range c.wanted {
		if s.Study != "" {
			return nil, fmt.Errorf("the files hold the studies %q and %q: want one", min(s.Study, k.study), max(s.Study, k.study))
		}
		s.Study, s.Run = k.study, k.run
	}
	if !events.IsName(s.Study) || !events.IsName(s.Run) {
		return nil, parquetcheck.Unfit("study %q run %q: a name has 1 to 63 of a-z, 0-9 and \"-\"", s.Study, s.Run)
	}
	c.cols = c.unite()
	s.Columns = c.cols
	for _, bad := range c.bad {
		if errors.Is(bad, ErrUnfit) || errors.Is(bad, ErrNewer) {
			s.LeftOut = append(s.LeftOut, bad)
		} else {
			s.Damaged = append(s.Damaged, bad)
		}
	}
	s.Trials = func(yield func(Trial, error) bool) {
		c.merge(func(row Row, err error) bool { return yield(trialOf(&row), err) })
	}
	return s, nil
}

// nothing says why there is no file with a trial.
func (c *catalogue) nothing() error {
	switch {
	case len(c.bad) > 0:
		return fmt.Errorf("none of %d files can be used: %w", len(c.bad)+c.empty, c.bad[0])
	case c.unkeyed > 0:
		return parquetcheck.Unfit("%d rows are of no study or no run: the columns study and run are NULL", c.unkeyed)
	case c.empty > 0:
		return fmt.Errorf("%w: the files that match have no rows (%d files)", ErrNoSource, c.empty)
	}
	return ErrNoSource
}

// columnsOf opens a file for its columns.
func columnsOf(fsys fs.FS, path string) (*Columns, error) {
	r, size, closeFile, err := openAt(fsys, path)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	log, err := openLog(r, size, reading{vouched: true})
	if err != nil {
		return nil, &FileError{Path: path, Err: err}
	}
	return log.cols, nil
}

func trialOf(row *Row) Trial {
	return Trial{
		Trial: int(row.Trial), Design: row.Design, Outcome: row.Outcome, Values: row.Values, Feasible: row.Feasible,
		Reason: row.Reason, Origin: row.Origin, Identity: events.Identity{Version: row.EvaluatorVersion, Program: row.EvaluatorProgram}, DesignHash: row.DesignHash, WorkloadHash: row.WorkloadHash,
	}
}

// OpenWhole is OpenSource, all or none: a file that cannot be read, or that does not carry
// the study's specification, is an error, and so are two rows of a trial that say different
// things, which Trials ends with. Errors: those of OpenSource.
func OpenWhole(fsys fs.FS, ref events.Source) (*SourceLog, error) {
	log, err := OpenSource(fsys, ref)
	if err != nil {
		return nil, err
	}
	if left := slices.Concat(log.Damaged, log.LeftOut); len(left) > 0 {
		return nil, fmt.Errorf("load source %q: %w", log.Study, left[0])
	}
	if log.Columns.Spec == nil {
		return nil, fmt.Errorf("load source %q: %w: the files do not carry %s: copy the metadata when you rewrite them", log.Study, ErrCorrupt, metaSpec)
	}
	rows := log.Trials
	log.Trials = func(yield func(Trial, error) bool) {
		last := -1
		for t, err := range rows {
			if err == nil && t.Trial == last {
				err = fmt.Errorf("%w: two rows of trial %d say different things", ErrCorrupt, t.Trial)
			}
			if err != nil {
				yield(Trial{}, fmt.Errorf("load source %q: %w", log.Study, err))
				return
			}
			if last = t.Trial; !yield(t, nil) {
				return
			}
		}
	}
	return log, nil
}

// LoadSource reads the trials of an earlier study into memory, with the errors of OpenWhole.
func LoadSource(fsys fs.FS, ref events.Source) (Source, error) {
	log, err := OpenWhole(fsys, ref)
	if err != nil {
		return Source{}, err
	}
	src := Source{Study: log.Study, Run: log.Run, Spec: log.Columns.Spec}
	hash := events.NewTrialHash()
	for t, err := range log.Trials {
		if err != nil {
			return Source{}, err
		}
		hash.Add(t.Trial, t.Design, t.Outcome, t.Values)
		src.Trials = append(src.Trials, t)
	}
	src.SHA256 = hash.String()
	return src, nil
}

// Log returns the source as a stream.
func (s Source) Log() *SourceLog {
	log := &SourceLog{Study: s.Study, Run: s.Run, Columns: &Columns{Spec: s.Spec}}
	for _, p := range s.Spec.Parameters {
		log.Columns.Parameters = append(log.Columns.Parameters, Parameter{Name: p.Name, Unit: p.Unit, Kind: paramKind(p)})
	}
	for _, m := range s.Spec.Metrics {
		log.Columns.Metrics = append(log.Columns.Metrics, Metric{Name: m.Name, Unit: m.Unit})
	}
	log.Trials = func(yield func(Trial, error) bool) {
		for _, t := range s.Trials {
			if !yield(t, nil) {
				return
			}
		}
	}
	return log
}
