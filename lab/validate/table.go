package validate

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// table is a reference file: rows of named columns, and the folder for files
// beside it.
type table struct {
	folder fs.FS
	column map[string]int
	rows   [][]string
	lines  []int // of rows, in the file
	// skipped are the lines that are no rows.
	skipped []badRow
}

// badRow is the error of one row, which says nothing about the others.
type badRow struct {
	row  int // in table.rows, of a row that was read
	line int
	err  error
}

// Error implements error.
func (b *badRow) Error() string { return fmt.Sprintf("line %d: %v", b.line, b.err) }

// bad says that row i cannot be compared.
func (t *table) bad(i int, err error) error { return &badRow{row: i, line: t.lines[i], err: err} }

// without removes a row.
func (t *table) without(i int) {
	t.rows, t.lines = slices.Delete(t.rows, i, i+1), slices.Delete(t.lines, i, i+1)
}

const (
	// maxRows bounds a reference file.
	maxRows = 1 << 20
	// maxFactor bounds sizes and loop factors: 2^24.
	maxFactor = 1 << 24
)

// readTable reads a CSV file with a header, compressed where it ends in .gz. Lines that start with # are
// comments. A row with more fields than the header has commas in its first
// one, a name that nobody quoted.
func readTable(folder fs.FS, name string) (*table, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	r := csv.NewReader(f)
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		r = csv.NewReader(z)
	}
	r.Comment = '#'
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	t := &table{folder: folder, column: map[string]int{}}
	for i, name := range header {
		t.column[name] = i
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			t.skipped = append(t.skipped, badRow{line: parse.StartLine, err: parse.Err})
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(t.rows)+len(t.skipped) >= maxRows {
			return nil, fmt.Errorf("more than %d rows", maxRows)
		}
		at, _ := r.FieldPos(0)
		surplus := len(row) - len(header)
		if surplus < 0 {
			t.skipped = append(t.skipped, badRow{line: at, err: fmt.Errorf("%d fields, the header has %d", len(row), len(header))})
			continue
		}
		t.lines = append(t.lines, at)
		t.rows = append(t.rows, append([]string{strings.Join(row[:surplus+1], ",")}, row[surplus+1:]...))
	}
}

// line reads the fields of one row. The first mistake is kept in err, so that
// a caller reads all fields and checks once.
type line struct {
	t   *table
	n   int
	err error
}

func (t *table) line(n int) *line { return &line{t: t, n: n} }

// text returns a field; a column that the file does not have is a mistake of the
// file.
func (l *line) text(column string) string {
	i, ok := l.t.column[column]
	if !ok {
		if l.err == nil {
			l.err = fmt.Errorf("there is no column %q", column)
		}
		return ""
	}
	return strings.TrimSpace(l.t.rows[l.n][i])
}

// int returns a whole number; "3.0" is one.
func (l *line) int(column string) int64 {
	v := l.float(column)
	if v != float64(int64(v)) {
		l.fail(fmt.Errorf("column %q is %g, want a whole number", column, v))
	}
	return int64(v)
}

func (l *line) float(column string) float64 {
	s := l.text(column)
	if l.err != nil {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v || v > 1e15 || v < -1e15 {
		l.fail(fmt.Errorf("column %q is %q, want a number", column, s))
		return 0
	}
	return v
}

// positive returns a whole number of at least 1.
func (l *line) positive(column string) int64 {
	v := l.int(column)
	if v < 1 {
		l.fail(fmt.Errorf("column %q is %d, want at least 1", column, v))
		return 1
	}
	return v
}

// above returns a number greater than zero: what others are divided by.
func (l *line) above(column string) float64 {
	v := l.float(column)
	if !(v > 0) {
		l.fail(fmt.Errorf("column %q is %g, want more than 0", column, v))
		return 1
	}
	return v
}

// size returns the size of a layer or machine, at most maxFactor as in the loop
// nests of other tools: beyond it products overflow.
func (l *line) size(column string) int64 {
	v := l.positive(column)
	if v > maxFactor {
		l.fail(fmt.Errorf("column %q is %d, want at most 2^24", column, v))
		return 1
	}
	return v
}

func (l *line) fail(err error) {
	if l.err == nil {
		l.err = l.t.bad(l.n, err)
	}
}
