package archiver

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"apollo/archiver/parquetcheck"
	"apollo/events"
	"apollo/optimizer/space"
)

// cursor reads one column chunk value by value.
type cursor struct {
	b binding
	// raw is the row reader's.
	raw bool
	// valued says that a value came that was not NULL.
	valued bool
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value
	at, n  int
	last   string
}

const cursorValues = 512

func (c *cursor) next() (parquet.Value, error) {
	for c.at == c.n {
		if err := c.fill(); err != nil {
			return parquet.Value{}, err
		}
	}
	c.at++
	return c.buf[c.at-1], nil
}

func (c *cursor) fill() error {
	if c.values == nil {
		page, err := c.pages.ReadPage()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("column %q ends early", c.b.name)
			}
			return fmt.Errorf("column %q: %w", c.b.name, err)
		}
		c.page, c.values = page, page.Values()
	}
	if c.buf == nil {
		c.buf = make([]parquet.Value, cursorValues)
	}
	n, err := c.values.ReadValues(c.buf)
	c.at, c.n = 0, n
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("column %q: %w", c.b.name, err)
	}
	if n == 0 {
		parquet.Release(c.page)
		c.page, c.values = nil, nil
	}
	return nil
}

func (c *cursor) close() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	if c.pages != nil {
		c.pages.Close()
	}
}

// rowReader decodes the rows of a file, one row group after the other.
type rowReader struct {
	f       *logFile
	group   int
	left    int64
	cursors []cursor
	// only restricts reading to the key columns.
	only bool
	// raw does without the checks of words: see catalogue.
	raw bool
	// valued are the targets that were not NULL in every row so far.
	valued []bool
	err    error
}

func (f *logFile) rows(keysOnly bool) *rowReader {
	return &rowReader{f: f, only: keysOnly, raw: f.how.source, group: -1}
}

// The targets that make up a key, in the order of fixedColumns.
const (
	targetStudy = 0
	targetRun   = 1
	targetTrial = 2
)

func (r *rowReader) close() {
	if r.cursors != nil && r.valued == nil {
		r.valued = make([]bool, len(r.cursors))
	}
	for i := range r.cursors {
		r.cursors[i].close()
		r.valued[i] = r.valued[i] || r.cursors[i].valued
	}
	r.cursors = nil
}

func (r *rowReader) openGroup() bool {
	groups := r.f.pf.RowGroups()
	for r.left == 0 {
		r.close()
		r.group++
		if r.group >= len(groups) {
			return false
		}
		r.left = groups[r.group].NumRows()
	}
	if r.cursors != nil {
		return true
	}
	chunks := groups[r.group].ColumnChunks()
	r.cursors = make([]cursor, len(r.f.bound))
	for i, b := range r.f.bound {
		r.cursors[i].b, r.cursors[i].raw = b, r.raw
		r.cursors[i].valued = b.folder != nil && b.folder.text != ""
		if b.col != nil && (!r.only || i <= targetTrial) {
			r.cursors[i].pages = chunks[b.col.leaf].Pages()
		}
	}
	return true
}

// next decodes the next row into row. It returns io.EOF after the last one.
func (r *rowReader) next(row *Row) error {
	if r.err != nil {
		return r.err
	}
	r.err = parquetcheck.Guarded(func() error {
		if !r.openGroup() {
			return io.EOF
		}
		r.left--
		d := rowDecoder{c: r.cursors, raw: r.raw}
		d.key(row)
		if !r.only {
			d.rest(row, r.f.cols)
		}
		return d.err
	})
	if r.err != nil {
		r.close()
		if !errors.Is(r.err, io.EOF) && !errors.Is(r.err, ErrCorrupt) && !errors.Is(r.err, ErrUnfit) {
			r.err = parquetcheck.Corrupt("%v", r.err)
		}
	}
	return r.err
}

// rowDecoder takes one value from each cursor; the first error sticks.
type rowDecoder struct {
	c   []cursor
	i   int
	raw bool
	err error
}

func take[T any](d *rowDecoder, read func(*cursor) (T, error)) T {
	var zero T
	c := &d.c[d.i]
	d.i++
	if d.err != nil {
		return zero
	}
	v, err := read(c)
	if err != nil {
		d.err = err
	}
	return v
}

func (d *rowDecoder) text() string     { return take(d, (*cursor).text) }
func (d *rowDecoder) number() float64  { return take(d, (*cursor).number) }
func (d *rowDecoder) integer() int64   { return take(d, (*cursor).integer) }
func (d *rowDecoder) boolean() bool    { return take(d, (*cursor).boolean) }
func (d *rowDecoder) time() time.Time  { return take(d, (*cursor).time) }
func (d *rowDecoder) fail(err error)   { d.err = errors.Join(d.err, err) }
func (d *rowDecoder) sequence() uint64 { return uint64(max(d.integer(), 0)) }

func (d *rowDecoder) key(row *Row) {
	row.Study = d.text()
	row.Run = d.text()
	row.Trial = take(d, (*cursor).trial)
	if d.err == nil && row.Trial < 0 && !d.raw {
		d.fail(fmt.Errorf("trial %d", row.Trial))
	}
}

func (d *rowDecoder) rest(row *Row, cols *Columns) {
	row.Columns = cols
	row.Batch = d.integer()
	row.Outcome = d.text()
	row.Feasible = d.boolean()
	row.Reason = d.reason()
	row.Attempts = d.integer()
	row.LastError = events.LastError{Code: d.text(), Message: d.text()}
	row.Origin = d.text()
	row.Parents = d.parents()
	row.ObservedThrough = d.sequence()
	row.Evaluator = d.text()
	row.EvaluatorVersion = d.text()
	row.EvaluatorProgram = d.text()
	row.Worker = d.text()
	row.DesignHash = d.text()
	row.WorkloadHash = d.text()
	row.Start = d.time()
	row.End = d.time()
	if row.Seconds = d.number(); math.IsNaN(row.Seconds) {
		row.Seconds = 0
	}
	row.StreamSeq = d.sequence()
	row.TraceID = d.text()
	row.Extra = d.text()
	row.Intermediate = d.text()
	row.Design = make([]space.Value, len(cols.Parameters))
	for i, p := range cols.Parameters {
		switch p.Kind {
		case KindString:
			row.Design[i].Label = d.text()
		case KindBool, KindWord:
			row.Design[i] = take(d, (*cursor).either)
		default:
			row.Design[i].Num = d.number()
		}
	}
	row.Values = make([]float64, len(cols.Metrics))
	for i := range row.Values {
		row.Values[i] = d.number()
	}
	if d.err != nil || d.raw {
		return
	}
	if !events.IsOutcome(row.Outcome) {
		d.fail(fmt.Errorf("outcome %q of trial %d is not a word of the format", row.Outcome, row.Trial))
	}
}

func (d *rowDecoder) reason() *events.Reason {
	r := events.Reason{Code: d.text(), Layer: d.text()}
	need, have := d.number(), d.number()
	r.Unit, r.Message = d.text(), d.text()
	if r.Code == "" && r.Message == "" {
		return nil
	}
	if !math.IsNaN(need) {
		r.Need = need
	}
	if !math.IsNaN(have) {
		r.Have = have
	}
	return &r
}

func (d *rowDecoder) parents() []int64 {
	s := d.text()
	if s == "" {
		return nil
	}
	var list []int64
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil && d.raw {
			return nil
		}
		if err != nil {
			d.fail(fmt.Errorf("parents %q: want trial numbers with commas", s))
			return nil
		}
		list = append(list, n)
	}
	return list
}
