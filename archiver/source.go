package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

	"apollo/events"
	"apollo/optimizer/space"
)

// ErrNoSource is wrapped by the errors of OpenSource and LoadSource when the
// log has no trials that the reference means.
var ErrNoSource = errors.New("no such trials in the log")

// SourceLog is an earlier study in the log, as a stream: it may hold more
// trials than fit into memory.
type SourceLog struct {
	Study string
	Run   string
	// Columns name the numbers of a trial's Design and Values, with the units
	// that the files tell. Columns.Spec is the study as it was accepted; nil
	// when the files, written by another tool, do not carry it.
	Columns *Columns
	// Damaged are the files that could not be read. They are left out as a
	// whole.
	Damaged []*FileError
	// Trials yields what the other files hold, in the order of the trials'
	// numbers. A number that several rows have comes several times unless the
	// rows say the same. Nothing is checked but the types: outcomes may be any
	// word, numbers infinite or missing. It may be called again, and gives the
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
	// DesignHash and WorkloadHash are what the row says they are; "" when it
	// does not.
	DesignHash, WorkloadHash string
}

// OpenSource finds the trials of an earlier study. A reference by study means
// the latest run that ended as completed or stopped with all its trials on
// disk, or the named run; one by Parquet means the latest run in files that all
// belong to one study. Errors: ErrNoSource, and ErrCorrupt or ErrNewer when no
// file is readable.
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
	q := Query{Study: ref.Study, Run: ref.Run}
	switch {
	case (ref.Study == "") == (ref.Parquet == ""):
		return nil, errors.New("exactly one of study and parquet must be set")
	case ref.Parquet != "":
		q.Globs = []string{ref.Parquet}
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
	return c.source()
}

// source makes one source of what a survey found.
func (c *catalogue) source() (*SourceLog, error) {
	if len(c.files) == 0 {
		if len(c.bad) > 0 {
			return nil, fmt.Errorf("none of %d files is readable: %w", len(c.bad), c.bad[0])
		}
		return nil, ErrNoSource
	}
	s := &SourceLog{}
	for k := range c.wanted {
		if s.Study != "" {
			return nil, fmt.Errorf("the files hold the studies %q and %q: want one", min(s.Study, k.study), max(s.Study, k.study))
		}
		s.Study, s.Run = k.study, k.run
	}
	if !events.IsName(s.Study) || !events.IsName(s.Run) {
		return nil, corrupt("study %q run %q: a name has 1 to 63 of a-z, 0-9 and \"-\"", s.Study, s.Run)
	}
	first := c.files[0]
	for _, f := range c.files[1:] {
		if f.path < first.path {
			first = f
		}
	}
	kept := c.files[:0]
	for _, f := range c.files {
		if f.signature == first.signature {
			kept = append(kept, f)
			continue
		}
		c.bad = append(c.bad, &FileError{Path: f.path, Err: corrupt("it has other parameters, metrics or units than %s", first.path)})
	}
	c.files = kept
	var err error
	if s.Columns, err = c.columnsOf(first); err != nil {
		return nil, err
	}
	s.Damaged = c.bad
	s.Trials = func(yield func(Trial, error) bool) {
		c.merge(func(row Row, err error) bool { return yield(trialOf(&row), err) })
	}
	return s, nil
}

// columnsOf opens a file again for its columns.
func (c *catalogue) columnsOf(f *scanFile) (*Columns, error) {
	r, size, closeFile, err := openAt(c.fsys, f.path)
	if err != nil {
		return nil, err
	}
	defer closeFile()
	log, err := openLog(r, size, true)
	if err != nil {
		return nil, &FileError{Path: f.path, Err: err}
	}
	return log.cols, nil
}

// signature tells files apart whose rows mean different numbers.
func (c *Columns) signature() string {
	var b strings.Builder
	for _, p := range c.Parameters {
		fmt.Fprintf(&b, "%s %s %d\n", p.Name, p.Unit, p.Kind)
	}
	for _, m := range c.Metrics {
		fmt.Fprintf(&b, "%s %s\n", m.Name, m.Unit)
	}
	return b.String()
}

func trialOf(row *Row) Trial {
	return Trial{
		Trial: int(row.Trial), Design: row.Design, Outcome: row.Outcome, Values: row.Values, Feasible: row.Feasible,
		Reason: row.Reason, Origin: row.Origin, DesignHash: row.DesignHash, WorkloadHash: row.WorkloadHash,
	}
}

// LoadSource reads the trials of an earlier study into memory, all or none: a
// file that cannot be read, or that does not carry the study's specification,
// is an error here. Errors: those of OpenSource.
func LoadSource(fsys fs.FS, ref events.Source) (Source, error) {
	log, err := OpenSource(fsys, ref)
	if err != nil {
		return Source{}, err
	}
	if len(log.Damaged) > 0 {
		return Source{}, fmt.Errorf("load source %q: %w", log.Study, log.Damaged[0])
	}
	if log.Columns.Spec == nil {
		return Source{}, fmt.Errorf("load source %q: %w: the files do not carry %s: copy the metadata when you rewrite them", log.Study, ErrCorrupt, metaSpec)
	}
	src := Source{Study: log.Study, Run: log.Run, Spec: log.Columns.Spec}
	hash := events.NewTrialHash()
	for t, err := range log.Trials {
		if err != nil {
			return Source{}, fmt.Errorf("load source %q: %w", log.Study, err)
		}
		if n := len(src.Trials); n > 0 && src.Trials[n-1].Trial == t.Trial {
			return Source{}, fmt.Errorf("load source %q: %w: two rows of trial %d say different things", log.Study, ErrCorrupt, t.Trial)
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
