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

	"apollo/events"
	"apollo/optimizer/space"
)

// cursor reads one column chunk value by value.
type cursor struct {
	b      binding
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

// text reads a string; repeated values share their memory.
func (c *cursor) text() (string, error) {
	if c.b.leaf < 0 {
		return "", nil
	}
	v, err := c.next()
	if err != nil || v.IsNull() {
		return "", err
	}
	if b := v.ByteArray(); string(b) != c.last {
		c.last = string(b)
	}
	return c.last, nil
}

// number reads a number; NULL is NaN.
func (c *cursor) number() (float64, error) {
	if c.b.leaf < 0 {
		return math.NaN(), nil
	}
	v, err := c.next()
	if err != nil || v.IsNull() {
		return math.NaN(), err
	}
	switch c.b.from {
	case parquet.Double:
		return v.Double(), nil
	case parquet.Float:
		return float64(v.Float()), nil
	case parquet.Int32:
		return float64(v.Int32()), nil
	}
	return float64(v.Int64()), nil
}

// integer reads a whole number; NULL is 0.
func (c *cursor) integer() (int64, error) {
	if c.b.leaf < 0 {
		return 0, nil
	}
	v, err := c.next()
	if err != nil || v.IsNull() {
		return 0, err
	}
	switch c.b.from {
	case parquet.Int64:
		return v.Int64(), nil
	case parquet.Int32:
		return int64(v.Int32()), nil
	}
	f := v.Double()
	if c.b.from == parquet.Float {
		f = float64(v.Float())
	}
	if f != math.Trunc(f) || math.Abs(f) > maxExactInt {
		return 0, fmt.Errorf("column %q holds %v, want whole numbers", c.b.name, f)
	}
	return int64(f), nil
}

func (c *cursor) boolean() (bool, error) {
	v, err := c.next()
	if err != nil || v.IsNull() {
		return false, err
	}
	return v.Boolean(), nil
}

func (c *cursor) time() (time.Time, error) {
	if c.b.leaf < 0 {
		return time.Time{}, nil
	}
	v, err := c.next()
	if err != nil || v.IsNull() {
		return time.Time{}, err
	}
	us := v.Int64()
	switch {
	case c.b.divide:
		us = floorDiv(us, c.b.scale)
	case us > math.MaxInt64/c.b.scale || us < math.MinInt64/c.b.scale:
		return time.Time{}, fmt.Errorf("column %q: time %d is out of range", c.b.name, us)
	default:
		us *= c.b.scale
	}
	return time.UnixMicro(us).UTC(), nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
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
	err error
}

func (f *logFile) rows(keysOnly bool) *rowReader { return &rowReader{f: f, only: keysOnly, group: -1} }

// The targets that make up a key, in the order of fixedColumns.
const (
	targetStudy = 0
	targetRun   = 1
	targetTrial = 2
)

func (r *rowReader) close() {
	for i := range r.cursors {
		r.cursors[i].close()
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
		r.cursors[i].b = b
		if b.leaf >= 0 && (!r.only || i <= targetTrial) {
			r.cursors[i].pages = chunks[b.leaf].Pages()
		}
	}
	return true
}

// next decodes the next row into row. It returns io.EOF after the last one.
func (r *rowReader) next(row *Row) error {
	if r.err != nil {
		return r.err
	}
	r.err = guarded(func() error {
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
		if !errors.Is(r.err, io.EOF) && !errors.Is(r.err, ErrCorrupt) {
			r.err = corrupt("%v", r.err)
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
	row.Trial = d.integer()
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
	row.Origin = d.text()
	row.Parents = d.parents()
	row.ObservedThrough = d.sequence()
	row.Evaluator = d.text()
	row.EvaluatorVersion = d.text()
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
	row.Design = make([]space.Value, len(cols.Parameters))
	for i, p := range cols.Parameters {
		if p.Kind == KindString {
			row.Design[i].Label = d.text()
		} else {
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
	switch row.Outcome {
	case events.OutcomeMeasured, events.OutcomeInfeasible, events.OutcomeFailed:
	default:
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
