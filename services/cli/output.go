package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// Outlet is stdout. It keeps the first write that failed, as on a full disk, and
// writes nothing after it, so that whoever prints line by line need not look.
type Outlet struct {
	io.Writer
	Broken error
}

// Write implements io.Writer.
func (o *Outlet) Write(b []byte) (int, error) {
	if o.Broken != nil {
		return 0, o.Broken
	}
	n, err := o.Writer.Write(b)
	if err != nil {
		o.Broken = Hinted(ExitError, "make room, or write it elsewhere: what was stored is there still", fmt.Errorf("the answer was not written whole: %w", err))
	}
	return n, o.Broken
}

// Answer is what a command prints on stdout.
type Answer struct {
	// Value is the whole answer, for json and yaml.
	Value any
	// Items are the lines of jsonl; nil means value on one line.
	Items []any
	// Text prints the answer for people.
	Text func(w io.Writer, p Paint)
	// Grid is the answer as rows, for csv, and for people when text is nil.
	Grid *Grid
	// Draw writes the answer as a picture; nil means that it has none.
	Draw func(w io.Writer, format string) error
}

// Print writes the answer in the format that was asked for. Its error is for
// an answer that was not written whole.
func (a *Terminal) Print(ans Answer) error {
	if err := a.write(ans); err != nil {
		return err
	}
	return a.Stdout.Broken
}

func (a *Terminal) write(ans Answer) error {
	switch a.Output {
	case "json":
		return WriteJSON(a.Stdout, ans.Value, "  ")
	case "jsonl":
		if ans.Items == nil {
			return WriteJSON(a.Stdout, ans.Value, "")
		}
		for _, item := range ans.Items {
			if err := WriteJSON(a.Stdout, item, ""); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		b, err := json.Marshal(ans.Value)
		if err != nil {
			return err
		}
		if b, err = yaml.JSONToYAML(b); err != nil {
			return err
		}
		_, err = a.Stdout.Write(b)
		return err
	case "csv":
		if ans.Grid == nil {
			return Usagef("this answer is no table of rows: use -o json, jsonl or yaml instead of csv")
		}
		return ans.Grid.csv(a.Stdout)
	case "svg", "png":
		if ans.Draw == nil {
			return Usagef("this answer is no picture: use -o table, json, jsonl or yaml instead of %s", a.Output)
		}
		return ans.Draw(a.Stdout, a.Output)
	}
	if ans.Text != nil {
		ans.Text(a.Stdout, Paint(a.color()))
		return nil
	}
	ans.Grid.Text(a.Stdout, Paint(a.color()))
	return nil
}

// WriteJSON writes a value as one JSON object and a line feed.
func WriteJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

// Paint adds colour when it is true.
type Paint bool

func (p Paint) code(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Bold paints s bold.
func (p Paint) Bold(s string) string { return p.code("1", s) }

// Green paints s green.
func (p Paint) Green(s string) string { return p.code("32", s) }

// Red paints s red.
func (p Paint) Red(s string) string { return p.code("31", s) }

// Grid is a table of cells. Columns whose header starts with ">" are aligned
// to the right.
type Grid struct {
	Header []string
	Rows   [][]string
}

// Add appends a row.
func (g *Grid) Add(cells ...string) { g.Rows = append(g.Rows, cells) }

func (g *Grid) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	head := make([]string, len(g.Header))
	for i, h := range g.Header {
		head[i] = strings.TrimPrefix(h, ">")
	}
	_ = c.Write(head)
	_ = c.WriteAll(g.Rows)
	return c.Error()
}

// Text prints the table for people.
func (g *Grid) Text(w io.Writer, p Paint) {
	width := make([]int, len(g.Header))
	for i, h := range g.Header {
		width[i] = utf8.RuneCountInString(strings.TrimPrefix(h, ">"))
	}
	for _, row := range g.Rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(cells []string, style func(string) string) {
		var b strings.Builder
		for i, cell := range cells {
			if i > 0 {
				b.WriteString("  ")
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case strings.HasPrefix(g.Header[i], ">"):
				b.WriteString(pad + cell)
			case i == len(cells)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, style(strings.TrimRight(b.String(), " ")))
	}
	head := make([]string, len(g.Header))
	for i, h := range g.Header {
		head[i] = strings.TrimPrefix(h, ">")
	}
	if strings.Join(head, "") != "" {
		line(head, p.Bold)
	}
	for _, row := range g.Rows {
		line(row, func(s string) string { return s })
	}
}
