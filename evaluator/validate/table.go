package validate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// table is a reference file: rows of named columns, and the folder for files
// beside it.
type table struct {
	folder fs.FS
	column map[string]int
	rows   [][]string
}

// maxRows bounds a reference file.
const maxRows = 1 << 20

// readTable reads a CSV file with a header. Lines that start with # are
// comments. A row with more fields than the header has commas in its first
// one, a name that nobody quoted.
func readTable(folder fs.FS, name string) (*table, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	r := csv.NewReader(f)
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
		if err != nil {
			return nil, err
		}
		if len(t.rows) == maxRows {
			return nil, fmt.Errorf("more than %d rows", maxRows)
		}
		surplus := len(row) - len(header)
		if surplus < 0 {
			return nil, fmt.Errorf("row %d has %d fields, the header %d", len(t.rows)+1, len(row), len(header))
		}
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

// text returns a field; a column that the file does not have is a mistake.
func (l *line) text(column string) string {
	i, ok := l.t.column[column]
	if !ok {
		l.fail(fmt.Errorf("there is no column %q", column))
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

func (l *line) fail(err error) {
	if l.err == nil {
		l.err = fmt.Errorf("row %d: %w", l.n+1, err)
	}
}
