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
	batch   []parquet.Row
}

func newFileWriter(w io.Writer, c *Columns, meta map[string]string, codec compress.Codec) *fileWriter {
	options := []parquet.WriterOption{
		c.schema(codec), parquet.MaxRowsPerRowGroup(rowGroupRows),
		parquet.CreatedBy("apollo", strconv.Itoa(SchemaVersion), "trial-log"),
		parquet.DataPageStatistics(false),
	}
	for _, k := range slices.Sorted(mapKeys(meta)) {
		options = append(options, parquet.KeyValueMetadata(k, meta[k]))
	}
	return &fileWriter{columns: c, parquet: parquet.NewGenericWriter[any](w, options...), batch: make([]parquet.Row, 0, batchRows)}
}

func (f *fileWriter) write(rows []*Row) error {
	for len(rows) > 0 {
		n := min(batchRows, len(rows))
		e := &f.encoder
		e.dst, e.text, f.batch = e.dst[:0], e.text[:0], f.batch[:0]
		for i := range n {
			if err := f.columns.encode(e, rows[i]); err != nil {
				return fmt.Errorf("trial %d: %w", rows[i].Trial, err)
			}
		}
		width := len(e.dst) / n
		for i := range n {
			f.batch = append(f.batch, e.dst[i*width:(i+1)*width])
		}
		if _, err := f.parquet.WriteRows(f.batch); err != nil {
			return fmt.Errorf("trials from %d: %w", rows[0].Trial, err)
		}
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

// encoder appends rows' values column by column. Definition levels are set
// explicitly: through maps or pointers a zero in an optional column would
// become NULL.
type encoder struct {
	dst []parquet.Value
	// text holds the bytes of the strings in dst.
	text []byte
	// column is the index of the next value in its row.
	column int
}

func (e *encoder) append(v parquet.Value, definition int) {
	e.dst = append(e.dst, v.Level(0, definition, e.column))
	e.column++
}

func (e *encoder) null()                    { e.append(parquet.Value{}, 0) }
func (e *encoder) required(v parquet.Value) { e.append(v, 0) }
func (e *encoder) optional(v parquet.Value) { e.append(v, 1) }

func (e *encoder) bytes(s string) parquet.Value {
	from := len(e.text)
	e.text = append(e.text, s...)
	return parquet.ByteArrayValue(e.text[from:])
}

// string writes a string; "" is NULL.
func (e *encoder) string(s string) {
	if s == "" {
		e.null()
		return
	}
	e.optional(e.bytes(s))
}

// number writes a number; NaN is NULL.
func (e *encoder) number(f float64) {
	if math.IsNaN(f) {
		e.null()
		return
	}
	e.optional(parquet.DoubleValue(f))
}

func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.null()
		return
	}
	e.optional(parquet.Int64Value(t.UnixMicro()))
}

func (e *encoder) reason(r *events.Reason) {
	if r == nil {
		for range 6 {
			e.null()
		}
		return
	}
	e.string(r.Code)
	e.string(r.Layer)
	if r.Need == 0 && r.Have == 0 && r.Unit == "" {
		e.null()
		e.null()
	} else {
		e.number(r.Need)
		e.number(r.Have)
	}
	e.string(r.Unit)
	e.string(r.Message)
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

// encode appends the row's values in the order of the schema.
func (c *Columns) encode(e *encoder, r *Row) error {
	if err := c.check(r); err != nil {
		return err
	}
	e.column = 0
	e.required(e.bytes(r.Study))
	e.required(e.bytes(r.Run))
	e.required(parquet.Int64Value(r.Trial))
	e.required(parquet.Int64Value(r.Batch))
	for i, p := range c.Parameters {
		switch v := r.Design[i]; {
		case p.Kind == KindString:
			e.string(v.Label)
		case p.Kind == KindFloat || math.IsNaN(v.Num):
			e.number(v.Num)
		default:
			e.optional(parquet.Int64Value(int64(v.Num)))
		}
	}
	for i := range c.Metrics {
		if i < len(r.Values) {
			e.number(r.Values[i])
		} else {
			e.null()
		}
	}
	e.required(e.bytes(r.Outcome))
	e.required(parquet.BooleanValue(r.Feasible))
	e.reason(r.Reason)
	e.optional(parquet.Int64Value(r.Attempts))
	e.string(r.LastError.Code)
	e.string(r.LastError.Message)
	e.string(r.Origin)
	e.string(joinParents(r.Parents))
	if r.ObservedThrough == 0 {
		e.null()
	} else {
		e.optional(parquet.Int64Value(int64(r.ObservedThrough)))
	}
	e.string(r.Evaluator)
	e.string(r.EvaluatorVersion)
	e.string(r.Worker)
	e.string(r.DesignHash)
	e.string(r.WorkloadHash)
	e.time(r.Start)
	e.time(r.End)
	e.number(r.Seconds)
	e.optional(parquet.Int64Value(int64(r.StreamSeq)))
	e.string(r.TraceID)
	e.string(r.Extra)
	return nil
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
