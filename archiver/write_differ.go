package archiver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"strings"

	"apollo/events"
)

// A DifferError says that a trial comes again and says something else than what
// the log has under its number: the bus and the log are of different
// histories. Nothing of the row is stored.
type DifferError struct {
	Study, Run string
	Trial      int64
	// Have is what the log says about the trial, Got what came now.
	Have, Got string
}

// Error names both.
func (e *DifferError) Error() string {
	return fmt.Sprintf("trial %d of %s/%s is in the trial log as %s, and comes again as %s: the bus and the log are from different moments",
		e.Trial, e.Study, e.Run, e.Have, e.Got)
}

// difference is a DifferError in the manifest. Whoever starts later knows that
// the run is not to be gone on with.
type difference struct {
	Study  string `json:"study"`
	Run    string `json:"run"`
	Trial  int64  `json:"trial"`
	Reason string `json:"reason"`
}

// marks are fingerprints of the trials that a run has in the log, by number; 0
// is none. They are made when a trial comes a second time, which is rare.
type marks []uint64

// mark is a fingerprint of what a row says about its trial: what the hash of a
// study covers.
func (o *openRun) mark(r *Row) uint64 {
	h := fnv.New64a()
	var buf [8]byte
	number := func(f float64) {
		if math.IsNaN(f) {
			f = math.NaN() // one of them
		}
		binary.LittleEndian.PutUint64(buf[:], math.Float64bits(f))
		h.Write(buf[:])
	}
	h.Write(append([]byte(r.Outcome), 0))
	for _, v := range r.Design {
		h.Write(append([]byte(v.Label), 0))
		number(v.Num)
	}
	for i := range o.cols.Metrics {
		v := math.NaN()
		if i < len(r.Values) {
			v = r.Values[i]
		}
		number(v)
	}
	return max(1, h.Sum64())
}

func (m *marks) set(trial int64, mark uint64) {
	if trial < 0 || trial >= events.MaxTrials {
		return
	}
	for int64(len(*m)) <= trial {
		*m = append(*m, make([]uint64, 1+trial-int64(len(*m)))...)
	}
	(*m)[trial] = mark
}

func (m marks) of(trial int64) uint64 {
	if trial < 0 || trial >= int64(len(m)) {
		return 0
	}
	return m[trial]
}

// again compares a row with what the log has under its number.
func (s *Store) again(o *openRun, r *Row) error {
	if o.marks == nil {
		o.marks = marks{}
		err := s.eachRow(o, func(old *Row) bool {
			o.marks.set(old.Trial, o.mark(old))
			return true
		})
		if err != nil {
			o.marks = nil
			return err
		}
	}
	if have := o.marks.of(r.Trial); have == 0 || have == o.mark(r) {
		return nil
	}
	differs := &DifferError{Study: r.Study, Run: r.Run, Trial: r.Trial, Got: o.text(r)}
	err := s.eachRow(o, func(old *Row) bool {
		if old.Trial == r.Trial {
			differs.Have = o.text(old)
		}
		return differs.Have == ""
	})
	return errors.Join(err, differs)
}

// text is what a row says about its trial, for people.
func (o *openRun) text(r *Row) string {
	parts := []string{r.Outcome}
	for i, m := range o.cols.Metrics {
		if i < len(r.Values) && !math.IsNaN(r.Values[i]) {
			parts = append(parts, fmt.Sprintf("%s %v", m.Name, r.Values[i]))
		}
	}
	for i, p := range o.cols.Parameters {
		if i < len(r.Design) {
			parts = append(parts, fmt.Sprintf("%s %s", p.Name, r.Design[i]))
		}
	}
	const enough = 8
	if len(parts) > enough {
		parts = append(parts[:enough], "…")
	}
	return "«" + strings.Join(parts, ", ") + "»"
}

// eachRow calls f for the rows that a run has, on disk and waiting, until it
// returns false.
func (s *Store) eachRow(o *openRun, f func(*Row) bool) error {
	for _, e := range s.idx.sortedFiles(runKey{o.run.Spec.Study, o.run.ID}) {
		more, err := s.eachRowOf(e, f)
		if err != nil {
			return fmt.Errorf("read %s again: %w", e.Path, err)
		}
		if !more {
			return nil
		}
	}
	for _, r := range o.rows {
		if !f(r) {
			return nil
		}
	}
	return nil
}

func (s *Store) eachRowOf(e fileEntry, f func(*Row) bool) (more bool, err error) {
	file, size, closeFile, err := openAt(s.files.Files(), s.name(e.Path))
	if err != nil {
		return false, err
	}
	defer closeFile()
	log, err := openLog(file, size, reading{vouched: true})
	if err != nil {
		return false, err
	}
	rows := log.rows(false)
	defer rows.close()
	for {
		row := Row{}
		err := rows.next(&row)
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if !f(&row) {
			return false, nil
		}
	}
}

// Differ records that a run's trials on the bus are not those of the log:
// nothing of it is stored any more, and it has no end here.
func (s *Store) Differ(e *DifferError) error {
	if s.dead != nil {
		return s.dead
	}
	k := runKey{e.Study, e.Run}
	if s.idx.run(k).differs != "" {
		return nil
	}
	err := s.record(&record{Differs: &difference{Study: e.Study, Run: e.Run, Trial: e.Trial, Reason: e.Error()}})
	if err != nil {
		return fmt.Errorf("note in the trial log that %s/%s differs: %w", e.Study, e.Run, err)
	}
	return nil
}

// Differs returns why a run is not gone on with, "" when it is.
func (s *Store) Differs(study, run string) string {
	if r := s.idx.runs[runKey{study, run}]; r != nil {
		return r.differs
	}
	return ""
}

// Retell makes Unannounced tell again of the files and the end of a run: the bus has
// forgotten what it was told.
func (s *Store) Retell(study, run string) {
	k := runKey{study, run}
	r := s.idx.runs[k]
	if r == nil {
		return
	}
	s.idx.pending = append(s.idx.pending, pendingAnnouncement{record: s.idx.records, files: s.idx.sortedFiles(k), closed: r.closed})
}

// Runs returns the studies and runs that the log has trials of.
func (s *Store) Runs() (list [][2]string) {
	for _, k := range s.idx.order {
		if len(s.idx.runs[k].files) > 0 {
			list = append(list, [2]string{k.study, k.run})
		}
	}
	return list
}
