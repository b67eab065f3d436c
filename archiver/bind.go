package archiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"apollo/events"
)

// maxSpecBytes bounds the specification in a file's metadata: the largest
// request that the bus takes is 1 MiB.
const maxSpecBytes = 4 << 20

// logFile is an open Parquet file whose columns are known.
type logFile struct {
	pf   *parquet.File
	cols *Columns
	// bound[i] is where the target i of a row comes from; targets are in the
	// order of targets().
	bound []binding
	logID string
	run   string
	// vouched is true when a checksum vouches for the content.
	vouched bool
	r       io.ReaderAt
}

// binding says which leaf column a target reads, and how.
type binding struct {
	name string
	kind Kind
	// leaf is the index of the file's leaf column, or -1 when it is absent.
	leaf int
	// from is the type in the file, which may be narrower than kind.
	from parquet.Kind
	// scale turns the file's timestamps into microseconds, by multiplication
	// or, when divide is set, by division.
	scale    int64
	divide   bool
	optional bool
}

// openLog opens a Parquet file as a trial log.
func openLog(r io.ReaderAt, size int64, vouched bool) (*logFile, error) {
	pf, err := openGuarded(r, size)
	if err != nil {
		return nil, err
	}
	f := &logFile{pf: pf, vouched: vouched, r: r}
	err = guarded(func() error {
		if err := f.readMetadata(); err != nil {
			return err
		}
		return f.bind()
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *logFile) readMetadata() error {
	if v, ok := f.pf.Lookup(metaVersion); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return corrupt("%s is %q", metaVersion, v)
		}
		if n > SchemaVersion {
			return fmt.Errorf("%w: its format is version %d, this build reads up to %d", ErrNewer, n, SchemaVersion)
		}
	}
	f.logID, _ = f.pf.Lookup(metaLog)
	f.run, _ = f.pf.Lookup(metaRun)
	spec, ok := f.pf.Lookup(metaSpec)
	if !ok {
		f.cols = f.guessColumns()
		return nil
	}
	if len(spec) > maxSpecBytes {
		return corrupt("%s has %d bytes", metaSpec, len(spec))
	}
	s := &events.Spec{}
	if err := json.Unmarshal([]byte(spec), s); err != nil {
		return corrupt("%s: %v", metaSpec, err)
	}
	cols, err := newColumns(s)
	if err != nil {
		return corrupt("%s: %v", metaSpec, err)
	}
	if v, ok := f.pf.Lookup(metaAccepted); ok {
		if us, err := strconv.ParseInt(v, 10, 64); err == nil {
			cols.Accepted = time.UnixMicro(us).UTC()
		}
	}
	f.cols = cols
	return nil
}

// guessColumns derives parameters and metrics from the columns of a file that
// carries no specification: p_<name>, and numbers that no fixed column is.
func (f *logFile) guessColumns() *Columns {
	c := &Columns{}
	for _, col := range f.pf.Root().Columns() {
		if !col.Leaf() || col.Repeated() || isFixed(col.Name()) || !isColumnName(col.Name()) {
			continue
		}
		kind, ok := kindOf(col.Type())
		name := col.Name()
		param, isParam := strings.CutPrefix(name, paramPrefix)
		switch {
		case isParam && ok && (kind == KindInt || kind == KindFloat || kind == KindString):
			c.Parameters = append(c.Parameters, Parameter{Name: param, Kind: kind})
		case ok && (kind == KindFloat || kind == KindInt):
			c.Metrics = append(c.Metrics, Metric{Name: strings.TrimPrefix(name, metricPrefix)})
		}
	}
	if units, ok := f.pf.Lookup(metaUnits); ok && len(units) < maxSpecBytes {
		var unit map[string]string
		if json.Unmarshal([]byte(units), &unit) == nil {
			for i := range c.Parameters {
				c.Parameters[i].Unit = unit[paramPrefix+c.Parameters[i].Name]
			}
			for i := range c.Metrics {
				c.Metrics[i].Unit = unit[metricColumn(c.Metrics[i].Name)]
			}
		}
	}
	return c
}

// kindOf maps a Parquet type to a column's kind, or false for one that no
// column of the format has.
func kindOf(t parquet.Type) (Kind, bool) {
	logical := t.LogicalType()
	switch t.Kind() {
	case parquet.Boolean:
		return KindBool, true
	case parquet.Float, parquet.Double:
		return KindFloat, true
	case parquet.ByteArray:
		if logical == nil || isLogical[*format.StringType](logical) || isLogical[*format.EnumType](logical) {
			return KindString, true
		}
	case parquet.Int32, parquet.Int64:
		switch {
		case isLogical[*format.TimestampType](logical):
			return KindTime, true
		case logical == nil || isLogical[*format.IntType](logical):
			return KindInt, true
		}
	}
	return 0, false
}

func isLogical[T any](l *format.LogicalType) bool {
	if l == nil {
		return false
	}
	_, ok := l.Value.(T)
	return ok
}

// targets lists what a row is made of: fixed columns, then parameters, then
// metrics.
func (c *Columns) targets() []fixed {
	t := fixedColumns()
	for _, p := range c.Parameters {
		t = append(t, fixed{name: paramPrefix + p.Name, kind: p.Kind})
	}
	for _, m := range c.Metrics {
		t = append(t, fixed{name: metricColumn(m.Name), kind: KindFloat})
	}
	return t
}

func (f *logFile) bind() error {
	byName := map[string]*parquet.Column{}
	for _, col := range f.pf.Root().Columns() {
		byName[col.Name()] = col
	}
	var mistakes []error
	for _, t := range f.cols.targets() {
		col := byName[t.name]
		if col == nil {
			if t.required {
				mistakes = append(mistakes, fmt.Errorf("column %q is missing", t.name))
			}
			f.bound = append(f.bound, binding{name: t.name, kind: t.kind, leaf: -1})
			continue
		}
		b, err := bindColumn(col, t)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		f.bound = append(f.bound, b)
	}
	if len(mistakes) > 0 {
		return corrupt("%v", errors.Join(mistakes...))
	}
	if f.vouched {
		return nil
	}
	return f.checkPages()
}

func bindColumn(col *parquet.Column, t fixed) (binding, error) {
	b := binding{name: t.name, kind: t.kind, leaf: -1, scale: 1}
	if !col.Leaf() || col.Repeated() {
		return b, fmt.Errorf("column %q is nested, want %v", t.name, t.kind)
	}
	typ := col.Type()
	kind, ok := kindOf(typ)
	// A number may be stored narrower: whole numbers as metrics, 32 bits.
	fits := ok && (kind == t.kind || t.kind == KindFloat && kind == KindInt || t.kind == KindInt && kind == KindFloat)
	if !fits {
		return b, fmt.Errorf("column %q is %v, want %v", t.name, typ, t.kind)
	}
	b.leaf, b.from, b.optional = col.Index(), typ.Kind(), col.Optional()
	if kind == KindTime {
		ts := typ.LogicalType().Value.(*format.TimestampType)
		switch ts.Unit.Value.(type) {
		case *format.MilliSeconds:
			b.scale = 1000
		case *format.NanoSeconds:
			b.scale, b.divide = 1000, true
		}
	}
	return b, nil
}

// checkPages follows the claims of every page that will be read.
func (f *logFile) checkPages() error {
	meta := f.pf.Metadata()
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		for _, b := range f.bound {
			if b.leaf < 0 {
				continue
			}
			if err := checkChunkPages(f.r, &group.Columns[b.leaf], group.NumRows, b.optional); err != nil {
				return corrupt("row group %d, column %q: %v", g, b.name, err)
			}
		}
	}
	return nil
}
