package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/goccy/go-yaml"
)

// Rows is an answer that is printed while it is read: there may be more rows than fit into
// memory. Each form of a row is made only where it is printed.
type Rows[T any] struct {
	// All yields the rows. An error ends the answer, which is not whole then.
	All iter.Seq2[T, error]
	// Value is a row for json, jsonl and yaml.
	Value func(T) any
	// Sheet names the cells of csv, Cells are those of a row.
	Sheet []string
	Cells func(T) []string
	// Table is the head of the table for people, as of a Grid, and Shown a row of it.
	Table []string
	Shown func(T) []string
}

// layoutRows is how many rows of a table say which columns have room and how wide they are:
// those after them are printed as they come. Chosen: more than people read, and small in memory.
const layoutRows = 10_000

// PrintRows prints rows in the format that was asked for, but for pictures.
func PrintRows[T any](a *Terminal, rows Rows[T]) error {
	w := bufio.NewWriter(a.Stdout)
	err := rows.write(w, a)
	if flush := w.Flush(); err == nil {
		err = flush
	}
	if a.Stdout.Broken != nil {
		return a.Stdout.Broken
	}
	return err
}

func (r *Rows[T]) write(w io.Writer, a *Terminal) error {
	switch a.Output {
	case "json":
		return r.json(w)
	case "jsonl":
		return r.each(func(_ int, row T) error { return WriteJSON(w, r.Value(row), "") })
	case "yaml":
		return r.yaml(w)
	case "csv":
		return r.csv(w)
	}
	return r.table(w, a.Paint())
}

func (r *Rows[T]) each(f func(i int, row T) error) error {
	i := 0
	for row, err := range r.All {
		if err == nil {
			err = f(i, row)
		}
		if err != nil {
			return err
		}
		i++
	}
	return nil
}

// json is a list as WriteJSON writes it.
func (r *Rows[T]) json(w io.Writer) error {
	const indent = "  "
	end := "[]\n"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(indent, indent)
	err := r.each(func(i int, row T) error {
		begin := ",\n" + indent
		if i == 0 {
			begin, end = "[\n"+indent, "\n]\n"
		}
		b.Reset()
		if err := e.Encode(r.Value(row)); err != nil {
			return err
		}
		_, err := io.WriteString(w, begin+string(bytes.TrimSuffix(b.Bytes(), []byte{'\n'})))
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, end)
	return err
}

// yaml is a list: of each row its own, one after the other.
func (r *Rows[T]) yaml(w io.Writer) error {
	end := "[]\n"
	err := r.each(func(_ int, row T) error {
		end = ""
		b, err := json.Marshal([]any{r.Value(row)})
		if err == nil {
			b, err = yaml.JSONToYAML(b)
		}
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, end)
	return err
}

func (r *Rows[T]) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write(r.Sheet) // its error comes again
	if err := r.each(func(_ int, row T) error { return c.Write(r.Cells(row)) }); err != nil {
		return err
	}
	c.Flush()
	return c.Error()
}

// table prints a Grid where the rows are few. Of more the first ones say which columns are
// shown, none of which is left out for being the same in all rows, and how wide they are.
func (r *Rows[T]) table(w io.Writer, p Paint) error {
	g := &Grid{Header: r.Table}
	var columns, widths []int
	hidden := 0
	err := r.each(func(i int, row T) error {
		cells := r.Shown(row)
		if i < layoutRows {
			g.Add(cells...)
			return nil
		}
		if columns == nil {
			columns, widths = g.room(p.Width)
			hidden = len(g.Header) - len(columns)
			shown := g.only(columns)
			shown.lines(w, p)
			g = &Grid{Header: shown.Header}
		}
		shown := make([]string, len(columns))
		for k, c := range columns {
			shown[k] = cells[c]
		}
		_, err := fmt.Fprintln(w, g.line(widths, shown))
		return err
	})
	switch {
	case err != nil:
		return err
	case columns == nil:
		var text bytes.Buffer
		g.Text(&text, p)
		_, err = io.WriteString(w, p.fit(text.String()))
	case hidden > 0:
		_, err = fmt.Fprintf(w, "%s hidden: -o wide\n", Plural(hidden, "column"))
	}
	return err
}

// room returns the columns that a line of the width has room for, and their widths.
func (g *Grid) room(width int) (columns, widths []int) {
	widths = g.widths()
	n := len(widths)
	for n > 2 && width > 0 && total(widths[:n]) > width {
		n--
	}
	for i := range n {
		columns = append(columns, i)
	}
	return columns, widths[:n]
}
