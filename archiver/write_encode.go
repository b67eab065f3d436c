package archiver

import (
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"

	"apollo/events"
)

// rowGroupRows is the largest row group: docs/trial-log.md.
const rowGroupRows = 65536

// ordered is a group whose fields keep their order; parquet.Group sorts them.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

// Fields returns the columns in the order in which they were declared.
func (o *ordered) Fields() []parquet.Field { return o.fields }

func newOrdered(names []string, group parquet.Group) *ordered {
	byName := map[string]parquet.Field{}
	for _, f := range group.Fields() {
		byName[f.Name()] = f
	}
	o := &ordered{Group: group}
	for _, n := range names {
		o.fields = append(o.fields, byName[n])
	}
	return o
}

// schema returns the Parquet schema of the columns.
func (c *Columns) schema(codec compress.Codec) *parquet.Schema {
	var names []string
	group := parquet.Group{}
	add := func(name string, kind Kind, required bool) {
		names = append(names, name)
		group[name] = leaf(name, kind, required, codec)
	}
	for i, f := range fixedColumns() {
		if i == fixedBefore {
			for _, p := range c.Parameters {
				add(paramPrefix+p.Name, p.Kind, false)
			}
			for _, m := range c.Metrics {
				add(metricColumn(m.Name), KindFloat, false)
			}
		}
		add(f.name, f.kind, f.required)
	}
	return parquet.NewSchema("trial", newOrdered(names, group))
}

func leaf(name string, kind Kind, required bool, codec compress.Codec) parquet.Node {
	var n parquet.Node
	switch kind {
	case KindInt:
		n = parquet.Encoded(parquet.Int(64), intEncoding(name))
	case KindFloat:
		n = parquet.Leaf(parquet.DoubleType)
	case KindBool:
		n = parquet.Leaf(parquet.BooleanType)
	case KindTime:
		n = parquet.Encoded(parquet.Timestamp(parquet.Microsecond), &parquet.DeltaBinaryPacked)
	case KindString:
		// A hash differs in every row: a dictionary would only add its indexes.
		n = parquet.String()
		if name != "design_hash" && name != "extra" {
			n = parquet.Encoded(n, &parquet.RLEDictionary)
		}
	}
	n = parquet.Compressed(n, codec)
	if !required {
		n = parquet.Optional(n)
	}
	return n
}

// intEncoding packs what ascends as differences; levels of parameters repeat.
func intEncoding(name string) encoding.Encoding {
	switch name {
	case "trial", "batch", "stream_seq", "observed_through":
		return &parquet.DeltaBinaryPacked
	}
	return &parquet.RLEDictionary
}

// writeFile writes the rows as one Parquet file.
func writeFile(w io.Writer, c *Columns, meta map[string]string, codec compress.Codec, rows []*Row) error {
	f := newFileWriter(w, c, meta, codec)
	if err := f.write(rows); err != nil {
		return err
	}
	return f.parquet.Close()
}

// WriteRun writes the trials of a run as one Parquet file with the columns and the
// metadata that the log's own files have, without a data directory. A row group of
// rows is held at a time.
func WriteRun(w io.Writer, r Run, rows iter.Seq2[Row, error]) error {
	c, err := newColumns(r.Spec)
	if err != nil {
		return fmt.Errorf("study %q: %w", r.Spec.Study, err)
	}
	c.Accepted = r.Accepted
	meta, err := c.metadata(r)
	if err != nil {
		return fmt.Errorf("study %q: %w", r.Spec.Study, err)
	}
	f := newFileWriter(w, c, meta, newCodec())
	for row, err := range rows {
		if err == nil {
			err = c.check(&row)
		}
		if err == nil {
			err = f.write([]*Row{&row})
		}
		if err != nil {
			return err
		}
	}
	return f.parquet.Close()
}

// fileWriter writes rows into a Parquet file.
type fileWriter struct {
	columns *Columns
	parquet *parquet.GenericWriter[any]
	encoder encoder
	// grouped is the number of rows in the row group that is being written.
	grouped int
}

func newFileWriter(w io.Writer, c *Columns, meta map[string]string, codec compress.Codec) *fileWriter {
	options := []parquet.WriterOption{
		c.schema(codec), parquet.CreatedBy("apollo", strconv.Itoa(SchemaVersion), "trial-log"),
		parquet.DataPageStatistics(false),
	}
	for _, k := range slices.Sorted(mapKeys(meta)) {
		options = append(options, parquet.KeyValueMetadata(k, meta[k]))
	}
	f := &fileWriter{columns: c, parquet: parquet.NewGenericWriter[any](w, options...)}
	f.encoder.columns = f.parquet.ColumnWriters()
	return f
}

func (f *fileWriter) write(rows []*Row) error {
	for _, r := range rows {
		if err := f.columns.check(r); err != nil {
			return fmt.Errorf("trial %d: %w", r.Trial, err)
		}
	}
	for len(rows) > 0 {
		if f.grouped == rowGroupRows {
			if err := f.parquet.Flush(); err != nil {
				return fmt.Errorf("trials before %d: %w", rows[0].Trial, err)
			}
			f.grouped = 0
		}
		n := min(batchRows, len(rows), rowGroupRows-f.grouped)
		f.encoder.begin(rows[:n])
		if f.columns.encode(&f.encoder); f.encoder.err != nil {
			return fmt.Errorf("trials from %d: %w", rows[0].Trial, f.encoder.err)
		}
		f.grouped += n
		rows = rows[n:]
	}
	return nil
}

// batchRows is how many rows are handed to the writer at a time: enough that
// its call costs nothing, few enough to stay in the cache.
const batchRows = 64

func mapKeys(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// encoder writes some rows' values, one column after the other. Definition levels
// are set explicitly: through maps or pointers a zero in an optional column would
// become NULL.
type encoder struct {
	columns []*parquet.ColumnWriter
	rows    []*Row
	next    int             // column
	values  []parquet.Value // of that column
	text    []byte          // of the strings in values
	err     error
}

func (e *encoder) begin(rows []*Row) {
	e.rows, e.next = rows, 0
	e.values = slices.Grow(e.values[:0], len(rows))[:len(rows)]
}

// write writes values as the next column.
func (e *encoder) write() {
	if e.err == nil {
		_, e.err = e.columns[e.next].WriteRowValues(e.values)
	}
	e.next++
}

// set sets a row's value.
func (e *encoder) set(i int, v parquet.Value, definition int) {
	e.values[i] = v
	e.values[i].SetDefinitionLevel(definition)
}

// strings writes a column of strings; where it is optional "" is NULL. What is equal
// to the row before costs nothing more: most of them are few words.
func (e *encoder) strings(definition int, of func(*Row) string) {
	e.text = e.text[:0]
	last := ""
	for i, r := range e.rows {
		s := of(r)
		switch {
		case s == last && i > 0:
			e.values[i] = e.values[i-1]
			continue
		case s == "" && definition > 0:
			e.values[i] = parquet.Value{}
		default:
			from := len(e.text)
			e.text = append(e.text, s...)
			e.set(i, parquet.ByteArrayValue(e.text[from:]), definition)
		}
		last = s
	}
	e.write()
}

func (e *encoder) required(of func(*Row) string) { e.strings(0, of) }
func (e *encoder) optional(of func(*Row) string) { e.strings(1, of) }

// numbers writes an optional column of numbers; NaN is NULL.
func (e *encoder) numbers(of func(*Row) float64) {
	for i, r := range e.rows {
		if f := of(r); math.IsNaN(f) {
			e.values[i] = parquet.Value{}
		} else {
			e.set(i, parquet.DoubleValue(f), 1)
		}
	}
	e.write()
}

// ints writes a column of whole numbers; where it is optional, missing ones are NULL.
func (e *encoder) ints(definition int, of func(*Row) (n int64, there bool)) {
	for i, r := range e.rows {
		if n, there := of(r); !there {
			e.values[i] = parquet.Value{}
		} else {
			e.set(i, parquet.Int64Value(n), definition)
		}
	}
	e.write()
}

func micros(t time.Time) (n int64, there bool) {
	if t.IsZero() {
		return 0, false
	}
	return t.UnixMicro(), true
}

// reason writes the columns of why a trial is not feasible.
func (e *encoder) reason() {
	var none events.Reason
	of := func(r *Row) *events.Reason {
		if r.Reason == nil {
			return &none
		}
		return r.Reason
	}
	amount := func(n float64, why *events.Reason) float64 {
		if why.Need == 0 && why.Have == 0 && why.Unit == "" {
			return math.NaN()
		}
		return n
	}
	e.optional(func(r *Row) string { return of(r).Code })
	e.optional(func(r *Row) string { return of(r).Layer })
	e.numbers(func(r *Row) float64 { return amount(of(r).Need, of(r)) })
	e.numbers(func(r *Row) float64 { return amount(of(r).Have, of(r)) })
	e.optional(func(r *Row) string { return of(r).Unit })
	e.optional(func(r *Row) string { return of(r).Message })
}

// check reports a row that does not fit the columns.
func (c *Columns) check(r *Row) error {
	if len(r.Design) != len(c.Parameters) || len(r.Values) > len(c.Metrics) {
		return fmt.Errorf("the row has %d parameters and %d metrics, the study %d and %d",
			len(r.Design), len(r.Values), len(c.Parameters), len(c.Metrics))
	}
	for i, p := range c.Parameters {
		v := r.Design[i]
		switch {
		case p.Kind == KindString, p.Kind == KindFloat && v.Label == "", math.IsNaN(v.Num):
		case v.Label != "":
			return fmt.Errorf("parameter %q is a number, not %q", p.Name, v.Label)
		case v.Num != math.Trunc(v.Num) || math.Abs(v.Num) > maxExactInt:
			return fmt.Errorf("parameter %q has whole numbers, not %v", p.Name, v.Num)
		}
	}
	return nil
}

// encode writes the rows' values in the order of the schema.
func (c *Columns) encode(e *encoder) {
	always := func(n int64) (int64, bool) { return n, true }
	e.required(func(r *Row) string { return r.Study })
	e.required(func(r *Row) string { return r.Run })
	e.ints(0, func(r *Row) (int64, bool) { return always(r.Trial) })
	e.ints(0, func(r *Row) (int64, bool) { return always(r.Batch) })
	for i, p := range c.Parameters {
		switch p.Kind {
		case KindString:
			e.optional(func(r *Row) string { return r.Design[i].Label })
		case KindFloat:
			e.numbers(func(r *Row) float64 { return r.Design[i].Num })
		default:
			e.ints(1, func(r *Row) (int64, bool) { n := r.Design[i].Num; return int64(n), !math.IsNaN(n) })
		}
	}
	for i := range c.Metrics {
		e.numbers(func(r *Row) float64 {
			if i < len(r.Values) {
				return r.Values[i]
			}
			return math.NaN()
		})
	}
	e.required(func(r *Row) string { return r.Outcome })
	for i, r := range e.rows {
		e.values[i] = parquet.BooleanValue(r.Feasible)
	}
	e.write()
	e.reason()
	e.ints(1, func(r *Row) (int64, bool) { return always(r.Attempts) })
	e.optional(func(r *Row) string { return r.LastError.Code })
	e.optional(func(r *Row) string { return r.LastError.Message })
	e.optional(func(r *Row) string { return r.Origin })
	e.optional(func(r *Row) string { return joinParents(r.Parents) })
	e.ints(1, func(r *Row) (int64, bool) { return int64(r.ObservedThrough), r.ObservedThrough != 0 })
	e.optional(func(r *Row) string { return r.Evaluator })
	e.optional(func(r *Row) string { return r.EvaluatorVersion })
	e.optional(func(r *Row) string { return r.EvaluatorProgram })
	e.optional(func(r *Row) string { return r.Worker })
	e.optional(func(r *Row) string { return r.DesignHash })
	e.optional(func(r *Row) string { return r.WorkloadHash })
	e.ints(1, func(r *Row) (int64, bool) { return micros(r.Start) })
	e.ints(1, func(r *Row) (int64, bool) { return micros(r.End) })
	e.numbers(func(r *Row) float64 { return r.Seconds })
	e.ints(1, func(r *Row) (int64, bool) { return always(int64(r.StreamSeq)) })
	e.optional(func(r *Row) string { return r.TraceID })
	e.optional(func(r *Row) string { return r.Extra })
	e.optional(func(r *Row) string { return r.Intermediate })
}

// joinParents writes trial numbers as a list with commas: a nested column
// would keep flat readers from the whole file.
func joinParents(parents []int64) string {
	if len(parents) == 0 {
		return ""
	}
	var b []byte
	for i, p := range parents {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, p, 10)
	}
	return string(b)
}
