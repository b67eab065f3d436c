package archiver

import (
	"container/heap"
	"errors"
	"io"
	"slices"

	"apollo/optimizer/space"
)

// stream gives the wanted rows of one file in the order of their keys.
type stream struct {
	file *scanFile
	row  Row
	rows *rowReader
	// windows are what is left of a file that was not in order; nil when it is.
	windows   *windows
	closeFile func()
}

// streams is a heap by key, and by path among equal keys.
type streams []*stream

func (s streams) Len() int { return len(s) }
func (s streams) Less(i, j int) bool {
	c := s[i].row.Key().Compare(s[j].row.Key())
	return c < 0 || c == 0 && s[i].file.path < s[j].file.path
}
func (s streams) Swap(i, j int) { s[i], s[j] = s[j], s[i] }
func (s *streams) Push(x any)   { *s = append(*s, x.(*stream)) }
func (s *streams) Pop() any {
	old := *s
	last := old[len(old)-1]
	*s = old[:len(old)-1]
	return last
}

// merge yields the rows of all files in the order of their keys. Files are
// opened when their first row is due, so that only those that overlap are open
// at a time.
func (c *catalogue) merge(yield func(Row, error) bool) {
	slices.SortFunc(c.files, func(a, b *scanFile) int { return a.min.Compare(b.min) })
	var open streams
	defer func() {
		for _, s := range open {
			s.close()
		}
	}()
	waiting := c.files
	var last Row
	for any := false; len(open) > 0 || len(waiting) > 0; {
		if len(waiting) > 0 && (len(open) == 0 || waiting[0].min.Compare(open[0].row.Key()) <= 0) {
			s, err := c.openStream(waiting[0])
			waiting = waiting[1:]
			if !c.push(&open, s, err, yield) {
				return
			}
			continue
		}
		s := heap.Pop(&open).(*stream)
		row := s.row
		if !any || row.Key() != last.Key() || c.raw && !sameTrial(&row, &last) {
			any, last = true, row
			if !yield(row, nil) {
				s.close()
				return
			}
		}
		if !c.push(&open, s, s.advance(c.wanted), yield) {
			return
		}
	}
}

// sameTrial reports whether two rows say the same about a trial.
func sameTrial(a, b *Row) bool {
	sameNumber := func(x, y float64) bool { return x == y || x != x && y != y }
	sameValue := func(x, y space.Value) bool { return x.Label == y.Label && sameNumber(x.Num, y.Num) }
	return a.Outcome == b.Outcome && slices.EqualFunc(a.Design, b.Design, sameValue) && slices.EqualFunc(a.Values, b.Values, sameNumber)
}

// push puts a stream that stands at a row into the heap, and closes one that
// has no more or broke. It reports false when the reader wants no more.
func (c *catalogue) push(open *streams, s *stream, err error, yield func(Row, error) bool) bool {
	if err == nil {
		heap.Push(open, s)
		return true
	}
	s.close()
	return errors.Is(err, io.EOF) || yield(Row{}, &FileError{Path: s.file.path, Err: err})
}

// openStream opens a file that the survey has checked and goes to its first
// wanted row.
func (c *catalogue) openStream(f *scanFile) (*stream, error) {
	s := &stream{file: f}
	r, size, closeFile, err := openAt(c.fsys, f.path)
	if err != nil {
		return s, err
	}
	s.closeFile = closeFile
	log, err := openLog(r, size, reading{vouched: true, source: c.raw, path: f.path, cols: c.cols})
	if err != nil {
		return s, err
	}
	s.rows = log.rows(false)
	if !f.sorted {
		s.rows = nil
		if s.windows, err = newWindows(log, c.wanted, windowRows); err != nil {
			return s, err
		}
	}
	return s, s.advance(c.wanted)
}

// advance goes to the next wanted row, or returns io.EOF.
func (s *stream) advance(wanted map[runKey]bool) error {
	if s.rows == nil {
		if s.windows == nil {
			return io.EOF // it broke before its first row
		}
		return s.windows.next(&s.row)
	}
	for {
		row := Row{}
		if err := s.rows.next(&row); err != nil {
			return err
		}
		if wanted[runKey{row.Study, row.Run}] {
			s.row = row
			return nil
		}
	}
}

func (s *stream) close() {
	if s.rows != nil {
		s.rows.close()
	}
	if s.closeFile != nil {
		s.closeFile()
		s.closeFile = nil
	}
}
