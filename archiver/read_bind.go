package archiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"apollo/archiver/parquetcheck"
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
	how   reading
	r     io.ReaderAt
	// columns are the file's, folders those in the names of its folders.
	columns []*fileColumn
	folders map[string]*folderValue
}

// binding says which column a target reads.
type binding struct {
	name string
	kind Kind
	// col is the file's column; nil when it has none, or nothing but NULL.
	col *fileColumn
	// folder is the value in the name of a folder; nil when there is none.
	folder *folderValue
	// fits is false where the column has another type: it may hold nothing but
	// NULL, as columns do that a tool had no type for.
	fits bool
}

// mismatch says that the column holds values of another type.
func (b *binding) mismatch() error {
	return fmt.Errorf("column %q is %v, want %v", b.name, b.col.kind, b.kind)
}

// reading says how to open a file.
type reading struct {
	// vouched: a checksum says that the content is what was written.
	vouched bool
	// source: the rows teach another study. Columns that say nothing about a
	// trial are left alone, and those in folder names count.
	source bool
	// path is where the file lies; its folders are looked at in a source.
	path string
	// cols are the columns to give rows; nil means the file's own.
	cols *Columns
}

// openLog opens a Parquet file as a trial log.
func openLog(r io.ReaderAt, size int64, how reading) (*logFile, error) {
	pf, err := parquetcheck.OpenGuarded(r, size)
	if err != nil {
		return nil, err
	}
	f := &logFile{pf: pf, how: how, r: r}
	if how.source {
		f.folders = folderValues(how.path)
	}
	err = parquetcheck.Guarded(func() error {
		f.columns = fileColumns(pf.Metadata().Schema)
		if err := f.readMetadata(); err != nil {
			return err
		}
		if how.cols != nil {
			f.cols = how.cols
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
			return parquetcheck.Corrupt("%s is %q", metaVersion, v)
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
		return parquetcheck.Corrupt("%s has %d bytes", metaSpec, len(spec))
	}
	s := &events.Spec{}
	if err := json.Unmarshal([]byte(spec), s); err != nil {
		return parquetcheck.Corrupt("%s: %v", metaSpec, err)
	}
	cols, err := newColumns(s)
	if err != nil {
		return parquetcheck.Corrupt("%s: %v", metaSpec, err)
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
	there := map[string]bool{}
	for _, col := range f.columns {
		there[col.name] = true
		switch {
		case isFixed(col.name) || !isColumnName(col.name) || col.null:
		case (col.unread != "" || !canBe(col.name, col.kind)) && f.allNull(col):
		case col.unread != "":
			c.unread(col.name, col.unread, f.how.path)
		default:
			c.guess(col.name, col.kind, f.how.path)
		}
	}
	for _, name := range folderNames(f.folders) {
		w := f.folders[name]
		if there[name] || isFixed(name) || !isColumnName(name) || w.text == "" {
			continue
		}
		kind := KindWord
		if !strings.HasPrefix(name, paramPrefix) && !math.IsNaN(w.number) {
			kind = KindFloat
		}
		c.guess(name, kind, f.how.path)
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

// guess takes a column as a parameter or a metric, if it can be one.
func (c *Columns) guess(name string, kind Kind, path string) {
	param, isParam := strings.CutPrefix(name, paramPrefix)
	switch {
	case isParam && canBe(name, kind):
		c.Parameters = append(c.Parameters, Parameter{Name: param, Kind: kind})
	case canBe(name, kind):
		name = strings.TrimPrefix(name, metricPrefix)
		if slices.ContainsFunc(c.Metrics, func(m Metric) bool { return m.Name == name }) {
			c.unread(metricPrefix+name, "the same metric as "+name, path)
			return
		}
		c.Metrics = append(c.Metrics, Metric{Name: name})
	default:
		c.unread(name, "of type "+kind.String(), path)
	}
}

// allNull reports whether the file says that a column holds NULL throughout:
// then its type means nothing.
func (f *logFile) allNull(col *fileColumn) bool {
	if col.unread == "nested" || col.unread == "there twice" {
		return false
	}
	for _, g := range f.pf.Metadata().RowGroups {
		if g.NumRows > 0 && g.Columns[col.leaf].MetaData.Statistics.NullCount < g.NumRows {
			return false
		}
	}
	return true
}

// canBe reports whether a column of a kind can be a parameter or a metric.
func canBe(name string, kind Kind) bool {
	if strings.HasPrefix(name, paramPrefix) {
		return kind != KindTime
	}
	return kind == KindFloat || kind == KindInt
}

// unread notes a column that no value is taken from, and why.
func (c *Columns) unread(column, why, path string) {
	c.Unread = append(c.Unread, Unread{Column: column, Why: why + " in " + path})
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
	if f.how.source && f.pf.NumRows() == 0 {
		return nil // its types are what some tool made of nothing
	}
	byName := map[string]*fileColumn{}
	for _, col := range f.columns {
		byName[col.name] = col
	}
	var mistakes []error
	for _, t := range f.cols.targets() {
		b := binding{name: t.name, kind: t.kind}
		var err error
		col := byName[t.name]
		if col == nil && t.kind == KindFloat {
			col = byName[metricPrefix+t.name] // a metric that needed no prefix
		}
		switch {
		case f.how.source && (t.ignored || t.identity && f.cols.Spec == nil):
		case col != nil && !col.null:
			err = b.bindColumn(col)
		case col == nil && f.folders[t.name] != nil:
			b.folder = f.folders[t.name]
		case t.required && (!f.how.source || !t.spare):
			err = fmt.Errorf("column %q is missing", t.name)
		}
		if err != nil {
			mistakes = append(mistakes, err)
		}
		f.bound = append(f.bound, b)
	}
	if len(mistakes) > 0 {
		return parquetcheck.Unfit("%s", strings.ReplaceAll(errors.Join(mistakes...).Error(), "\n", ", "))
	}
	return f.checkChunks()
}

// bindColumn binds a column. Whole numbers serve as numbers and as truths, numbers
// as whole numbers where they are.
func (b *binding) bindColumn(col *fileColumn) error {
	if col.unread != "" {
		return fmt.Errorf("column %q is %s, want %v", b.name, col.unread, b.kind)
	}
	b.col = col
	switch b.kind {
	case KindInt, KindFloat:
		b.fits = col.kind == KindInt || col.kind == KindFloat
	case KindBool:
		b.fits = col.kind == KindBool || col.kind == KindInt
	default:
		b.fits = col.kind == b.kind
	}
	if !b.fits && !col.optional {
		return b.mismatch()
	}
	return nil
}

// checkChunks checks what will be read: its codecs, and, where no checksum
// vouches for it, the claims of every page.
func (f *logFile) checkChunks() error {
	meta := f.pf.Metadata()
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		for _, b := range f.bound {
			if b.col == nil || group.NumRows == 0 {
				continue
			}
			chunk := &group.Columns[b.col.leaf]
			if err := parquetcheck.CheckCodec(chunk, &meta.RowGroups[0].Columns[b.col.leaf]); err != nil {
				return parquetcheck.Unfit("row group %d, column %q: %w", g, b.name, err)
			}
			if f.how.vouched {
				continue
			}
			if err := parquetcheck.CheckChunkPages(f.r, chunk, group.NumRows, b.col.optional); err != nil {
				if errors.Is(err, ErrUnfit) {
					return fmt.Errorf("row group %d, column %q: %w", g, b.name, err)
				}
				return parquetcheck.Corrupt("row group %d, column %q: %v", g, b.name, err)
			}
		}
	}
	return nil
}
