package archiver

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrBehind is what Commit returns when all is on disk but the rows of runs
// whose folders take nothing. Those rows wait for Retry.
var ErrBehind = errors.New("the folders of some runs cannot be written")

// behindRun is a run in the manifest that has results from From on which are
// read, and not on disk.
type behindRun struct {
	Study string `json:"study"`
	Run   string `json:"run"`
	From  uint64 `json:"from"`
}

// behind is the same at work.
type behind struct {
	from uint64
	// err is why its waiting rows cannot be written. Without one its results
	// are read again, at the next ReadAfter or, with reading, now.
	err     error
	reading bool
}

// StuckRun is a run whose rows cannot be written while those of others can.
type StuckRun struct {
	Study, Run string
	// Rows wait in memory; the results after them are read again later.
	Rows int
	Err  error
}

// StuckRuns returns the runs whose rows cannot be written, in order.
func (s *Store) StuckRuns() (list []StuckRun) {
	for k, b := range s.behind {
		if b.err != nil {
			list = append(list, StuckRun{k.study, k.run, s.WaitingOf(k.study, k.run), b.err})
		}
	}
	slices.SortFunc(list, func(a, b StuckRun) int {
		return cmp.Or(cmp.Compare(a.Study, b.Study), cmp.Compare(a.Run, b.Run))
	})
	return list
}

// whyBehind joins the errors of the runs that are stuck.
func (s *Store) whyBehind() error {
	var errs []error
	for _, r := range s.StuckRuns() {
		errs = append(errs, r.Err)
	}
	return errors.Join(errs...)
}

// Stuck reports whether the rows of a run cannot be written: its results are
// not to be appended now.
func (s *Store) Stuck(study, run string) bool { return s.behind[runKey{study, run}].err != nil }

// Behind reports whether a run has results that were read and are not on disk.
func (s *Store) Behind(study, run string) bool {
	_, is := s.behind[runKey{study, run}]
	return is
}

// Misses reports whether a result up to Position is one to append all the same:
// its run was stuck when it was read first.
func (s *Store) Misses(study, run string, sequence uint64) bool {
	b, is := s.behind[runKey{study, run}]
	return is && b.err == nil && sequence >= b.from
}

// ReadAfter returns the result after which to read: Position, or an earlier one
// where runs are behind that are not stuck.
func (s *Store) ReadAfter() uint64 {
	after := s.idx.read.Sequence
	for k, b := range s.behind {
		if b.err == nil {
			b.reading = true
			s.behind[k] = b
			after = min(after, max(b.from, 1)-1)
		}
	}
	s.passed = 0
	return after
}

// Passed notes how far results were read since ReadAfter.
func (s *Store) Passed(sequence uint64) { s.passed = sequence }

// FromStart forgets what runs are behind: all results are read again.
func (s *Store) FromStart() {
	for k, b := range s.behind {
		if o := s.open[k]; o != nil && b.err != nil {
			o.rows, o.seen, o.marks = nil, nil, nil
			o.seen.merge(s.idx.run(k).trials)
		}
	}
	clear(s.behind)
}

// Retry tries to write the rows of the runs that are stuck. It reports whether
// it could for one of them, whose later results are then to be read again. The
// error is of the log as a whole.
func (s *Store) Retry() (wrote bool, err error) {
	if s.dead != nil {
		return false, s.dead
	}
	for _, r := range s.StuckRuns() {
		k := runKey{r.Study, r.Run}
		next := maps.Clone(s.behind)
		f, err := s.writeAlone(k)
		switch {
		case s.dead != nil:
			return wrote, s.dead
		case err != nil:
			next[k] = behind{from: next[k].from, err: err}
		default:
			next[k] = behind{from: f.LastSeq + 1}
			if err := s.record(placed(record{Files: []fileEntry{f}}, s.idx.read, next)); err != nil {
				return wrote, fmt.Errorf("commit trial log: %w", errors.Join(err, s.undo([]fileEntry{f})))
			}
			s.open[k].written()
			wrote = true
		}
		s.behind = next
	}
	return wrote, nil
}

// written drops the rows that are on disk now.
func (o *openRun) written() {
	clear(o.rows)
	o.rows = o.rows[:0]
}

// writeParts writes the rows of all runs that are not stuck. Where that fails
// for some while others could be written beside them, failed says why; err is
// why nothing can be.
func (s *Store) writeParts() (files []fileEntry, failed map[runKey]error, err error) {
	failed = map[runKey]error{}
	for _, k := range s.runsWithRows() {
		if s.behind[k].err != nil {
			continue
		}
		f, err := s.writeAlone(k)
		switch {
		case s.dead != nil:
			return files, nil, s.dead
		case err != nil:
			failed[k] = err
		default:
			files = append(files, f)
		}
	}
	if len(failed) > 0 { // what fails beside the folders of all runs too is not the fault of one
		err = s.files.Probe()
	}
	return files, failed, err
}

// writeAlone writes the rows of one run, after what an attempt that failed left.
func (s *Store) writeAlone(k runKey) (fileEntry, error) {
	if err := s.removeLeftover(k); err != nil {
		return fileEntry{}, err
	}
	f, err := s.writePart(s.open[k])
	if err != nil && f.Path != "" && s.dead == nil {
		s.leave(k, s.name(f.Path))
	}
	return f, err
}

// leave notes a file that may be visible, and that no record is known to speak of.
func (s *Store) leave(k runKey, name string) {
	s.leftover[k] = append(s.leftover[k], name)
	s.doubtful = true
}

// undo takes visible files back that no record speaks of.
func (s *Store) undo(files []fileEntry) error {
	if s.dead != nil {
		return nil
	}
	var errs []error
	for _, f := range files {
		k := runKey{f.Study, f.Run}
		s.leave(k, s.name(f.Path))
		errs = append(errs, s.removeLeftover(k))
	}
	return errors.Join(errs...)
}

// removeLeftover removes them, where it is sure that no record speaks of them.
func (s *Store) removeLeftover(k runKey) error {
	if s.doubtful && s.files.Shared() {
		return nil
	}
	for len(s.leftover[k]) > 0 {
		name := s.leftover[k][0]
		// A later try may have taken the same name.
		if _, listed := s.idx.files[strings.TrimPrefix(name, s.name(""))]; !listed {
			if err := s.files.Remove(name); err != nil {
				return err
			}
		}
		s.leftover[k] = s.leftover[k][1:]
	}
	delete(s.leftover, k)
	return nil
}

// nextBehind returns which runs are behind once everything up to p is on disk
// but the rows of those that failed.
func (s *Store) nextBehind(p Position, failed map[runKey]error) map[runKey]behind {
	next := map[runKey]behind{}
	for k, b := range s.behind {
		if b.reading {
			b.from = max(b.from, s.passed+1)
		}
		if b.err != nil || b.from <= p.Sequence {
			next[k] = b
		}
	}
	for k, err := range failed {
		next[k] = behind{from: firstSeq(s.open[k].rows), err: err}
	}
	return next
}

// placed completes a record with how far the results are on disk. Position is
// what a build goes on from that does not know Behind.
func placed(r record, p Position, runs map[runKey]behind) *record {
	r.Position = &p
	if len(runs) == 0 {
		return &r
	}
	read, low := p, p
	for k, b := range runs {
		r.Behind = append(r.Behind, behindRun{k.study, k.run, b.from})
		if before := max(b.from, 1) - 1; before < low.Sequence {
			low = Position{Created: p.Created, Sequence: before}
		}
	}
	slices.SortFunc(r.Behind, func(a, b behindRun) int {
		return cmp.Or(cmp.Compare(a.Study, b.Study), cmp.Compare(a.Run, b.Run))
	})
	r.Read, r.Position = &read, &low
	return &r
}

// firstSeq returns the first result that some rows come from.
func firstSeq(rows []*Row) uint64 {
	first := rows[0].StreamSeq
	for _, r := range rows {
		first = min(first, r.StreamSeq)
	}
	return first
}
