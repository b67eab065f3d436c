package archiver

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/zstd"
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

// newCodec returns a codec for one writer. The library's own is shared by the
// whole process: its encoders hold channels, which must not wander between
// the bubbles of testing/synctest.
func newCodec() compress.Codec { return &zstd.Codec{Level: zstd.DefaultLevel, Concurrency: 1} }

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
func writeFile(w io.Writer, c *Columns, meta map[string]string, codec compress.Codec, rows []Row) error {
	options := []parquet.WriterOption{
		c.schema(codec), parquet.MaxRowsPerRowGroup(rowGroupRows),
		parquet.CreatedBy("apollo", strconv.Itoa(SchemaVersion), "trial-log"),
		parquet.DataPageStatistics(false),
	}
	for _, k := range slices.Sorted(mapKeys(meta)) {
		options = append(options, parquet.KeyValueMetadata(k, meta[k]))
	}
	pw := parquet.NewGenericWriter[any](w, options...)
	var values []parquet.Value
	one := make([]parquet.Row, 1)
	for i := range rows {
		var err error
		if values, err = c.appendValues(values[:0], &rows[i]); err != nil {
			return fmt.Errorf("trial %d: %w", rows[i].Trial, err)
		}
		one[0] = values
		if _, err = pw.WriteRows(one); err != nil {
			return fmt.Errorf("trial %d: %w", rows[i].Trial, err)
		}
	}
	return pw.Close()
}

func mapKeys(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// encoder appends a row's values column by column. Definition levels are set
// explicitly: through maps or pointers a zero in an optional column would
// become NULL.
type encoder struct {
	dst []parquet.Value
}

func (e *encoder) null() {
	e.dst = append(e.dst, parquet.Value{}.Level(0, 0, len(e.dst)))
}

func (e *encoder) required(v parquet.Value) { e.dst = append(e.dst, v.Level(0, 0, len(e.dst))) }

func (e *encoder) optional(v parquet.Value) { e.dst = append(e.dst, v.Level(0, 1, len(e.dst))) }

// text writes a string; "" is NULL.
func (e *encoder) text(s string) {
	if s == "" {
		e.null()
		return
	}
	e.optional(parquet.ByteArrayValue([]byte(s)))
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
	e.text(r.Code)
	e.text(r.Layer)
	if r.Need == 0 && r.Have == 0 && r.Unit == "" {
		e.null()
		e.null()
	} else {
		e.number(r.Need)
		e.number(r.Have)
	}
	e.text(r.Unit)
	e.text(r.Message)
}

// appendValues appends the row's values in the order of the schema.
func (c *Columns) appendValues(dst []parquet.Value, r *Row) ([]parquet.Value, error) {
	if len(r.Design) != len(c.Parameters) || len(r.Values) > len(c.Metrics) {
		return nil, fmt.Errorf("the row has %d parameters and %d metrics, the study %d and %d",
			len(r.Design), len(r.Values), len(c.Parameters), len(c.Metrics))
	}
	e := encoder{dst: dst}
	e.required(parquet.ByteArrayValue([]byte(r.Study)))
	e.required(parquet.ByteArrayValue([]byte(r.Run)))
	e.required(parquet.Int64Value(r.Trial))
	e.required(parquet.Int64Value(r.Batch))
	for i, p := range c.Parameters {
		v := r.Design[i]
		switch {
		case p.Kind == KindString:
			e.text(v.Label)
		case v.Label != "":
			return nil, fmt.Errorf("parameter %q is a number, not %q", p.Name, v.Label)
		case p.Kind == KindFloat || math.IsNaN(v.Num):
			e.number(v.Num)
		case v.Num != math.Trunc(v.Num) || math.Abs(v.Num) > maxExactInt:
			return nil, fmt.Errorf("parameter %q has whole numbers, not %v", p.Name, v.Num)
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
	e.required(parquet.ByteArrayValue([]byte(r.Outcome)))
	e.required(parquet.BooleanValue(r.Feasible))
	e.reason(r.Reason)
	e.optional(parquet.Int64Value(r.Attempts))
	e.text(r.Origin)
	e.text(joinParents(r.Parents))
	if r.ObservedThrough == 0 {
		e.null()
	} else {
		e.optional(parquet.Int64Value(int64(r.ObservedThrough)))
	}
	e.text(r.Evaluator)
	e.text(r.EvaluatorVersion)
	e.text(r.DesignHash)
	e.text(r.WorkloadHash)
	e.time(r.Start)
	e.time(r.End)
	e.number(r.Seconds)
	e.optional(parquet.Int64Value(int64(r.StreamSeq)))
	e.text(r.TraceID)
	e.text(r.Extra)
	return e.dst, nil
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
