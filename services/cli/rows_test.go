package cli

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
)

// numbered are n rows: a number, the same word in all, and a text that is longer in the last.
func numbered(n int) Rows[int] {
	r := Rows[int]{
		Sheet: []string{"number", "text"}, Table: []string{">NUMBER", "SAME", "TEXT"},
		All: func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
		},
	}
	text := func(i int) string {
		if i == n-1 {
			return "the <last> one, which is long"
		}
		return "one"
	}
	r.Value = func(i int) any { return map[string]any{"number": i, "text": text(i), "list": []int{i, i}} }
	r.Cells = func(i int) []string { return []string{strconv.Itoa(i), text(i)} }
	r.Shown = func(i int) []string { return []string{strconv.Itoa(i), "same", text(i)} }
	return r
}

// What is printed row by row is what is printed at once.
func TestRowsAreAnAnswer(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3} {
		rows := numbered(n)
		values, items := []any{}, []any{}
		sheet, table := &Grid{Header: rows.Sheet}, &Grid{Header: rows.Table}
		for i := range n {
			values, items = append(values, rows.Value(i)), append(items, rows.Value(i))
			sheet.Add(rows.Cells(i)...)
			table.Add(rows.Shown(i)...)
		}
		for _, format := range []string{"json", "jsonl", "yaml", "csv", "table", "wide"} {
			var want, got bytes.Buffer
			a := &Terminal{Output: format, Stdout: &Outlet{Writer: &want}}
			if err := a.Print(Answer{Value: values, Items: items, Sheet: sheet, Text: table.Text}); err != nil {
				t.Fatal(err)
			}
			a.Stdout = &Outlet{Writer: &got}
			if err := PrintRows(a, rows); err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() {
				t.Errorf("%d rows as %s:\n%s\nwant\n%s", n, format, got.String(), want.String())
			}
		}
	}
}

// The head of a long table is made of its first rows, and nothing is said of all rows that
// was only true of those.
func TestLongTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &Terminal{Output: "wide", Stdout: &Outlet{Writer: &out}}
	rows := numbered(layoutRows + 2)
	if err := PrintRows(a, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != layoutRows+3 {
		t.Fatalf("%d lines, want a head and %d rows", len(lines), layoutRows+2)
	}
	for i, want := range map[int]string{0: "NUMBER  SAME  TEXT", 1: "     0  same  one", layoutRows: "  9999  same  one", layoutRows + 1: " 10000  same  one", layoutRows + 2: " 10001  same  the <last> one, which is long"} {
		if lines[i] != want {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	var narrow bytes.Buffer
	if err := rows.table(&narrow, Paint{Width: 14}); err != nil {
		t.Fatal(err)
	}
	if got := narrow.String(); strings.Contains(got, "one") || !strings.HasSuffix(got, " 10001  same\n1 column hidden: -o wide\n") {
		t.Errorf("where there is no room for the last column the table ends with %q", got[len(got)-60:])
	}
}

func TestRowsThatBreakOff(t *testing.T) {
	t.Parallel()
	broken := errors.New("the log breaks off")
	for _, format := range []string{"json", "jsonl", "yaml", "csv", "table"} {
		rows := numbered(0)
		rows.All = func(yield func(int, error) bool) { _ = yield(7, nil) && yield(0, broken) }
		a := &Terminal{Output: format, Stdout: &Outlet{Writer: &bytes.Buffer{}}}
		if err := PrintRows(a, rows); !errors.Is(err, broken) {
			t.Errorf("%s: PrintRows() = %v, want the error of the rows", format, err)
		}
	}
	full := errors.New("the disk is full")
	a := &Terminal{Output: "csv", Stdout: &Outlet{Writer: writer(func() error { return full })}}
	if err := PrintRows(a, numbered(3)); !errors.Is(err, full) {
		t.Errorf("PrintRows() to a full disk = %v", err)
	}
}

type writer func() error

func (w writer) Write([]byte) (int, error) { return 0, w() }
