package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// outlet is stdout. It keeps the first write that failed, as on a full disk, and
// writes nothing after it, so that whoever prints line by line need not look.
type outlet struct {
	io.Writer
	broken error
}

// Write implements io.Writer.
func (o *outlet) Write(b []byte) (int, error) {
	if o.broken != nil {
		return 0, o.broken
	}
	n, err := o.Writer.Write(b)
	if err != nil {
		o.broken = hinted(exitError, "make room, or write it elsewhere: what was stored is there still", fmt.Errorf("the answer was not written whole: %w", err))
	}
	return n, o.broken
}

// answer is what a command prints on stdout.
type answer struct {
	// value is the whole answer, for json and yaml.
	value any
	// items are the lines of jsonl; nil means value on one line.
	items []any
	// text prints the answer for people.
	text func(w io.Writer, p paint)
	// grid is the answer as rows, for csv, and for people when text is nil.
	grid *grid
	// draw writes the answer as a picture; nil means that it has none.
	draw func(w io.Writer, format string) error
}

// print writes the answer in the format that was asked for. Its error is for
// an answer that was not written whole.
func (a *terminal) print(ans answer) error {
	if err := a.write(ans); err != nil {
		return err
	}
	return a.stdout.broken
}

func (a *terminal) write(ans answer) error {
	switch a.output {
	case "json":
		return writeJSON(a.stdout, ans.value, "  ")
	case "jsonl":
		if ans.items == nil {
			return writeJSON(a.stdout, ans.value, "")
		}
		for _, item := range ans.items {
			if err := writeJSON(a.stdout, item, ""); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		b, err := json.Marshal(ans.value)
		if err != nil {
			return err
		}
		if b, err = yaml.JSONToYAML(b); err != nil {
			return err
		}
		_, err = a.stdout.Write(b)
		return err
	case "csv":
		if ans.grid == nil {
			return usageErrorf("this answer is no table of rows: use -o json, jsonl or yaml instead of csv")
		}
		return ans.grid.csv(a.stdout)
	case "svg", "png":
		if ans.draw == nil {
			return usageErrorf("this answer is no picture: use -o table, json, jsonl or yaml instead of %s", a.output)
		}
		return ans.draw(a.stdout, a.output)
	}
	if ans.text != nil {
		ans.text(a.stdout, paint(a.color()))
		return nil
	}
	ans.grid.text(a.stdout, paint(a.color()))
	return nil
}

func writeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

// paint adds colour when it is true.
type paint bool

func (p paint) code(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) bold(s string) string  { return p.code("1", s) }
func (p paint) green(s string) string { return p.code("32", s) }
func (p paint) red(s string) string   { return p.code("31", s) }

// grid is a table of cells. Columns whose header starts with ">" are aligned
// to the right.
type grid struct {
	header []string
	rows   [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	head := make([]string, len(g.header))
	for i, h := range g.header {
		head[i] = strings.TrimPrefix(h, ">")
	}
	_ = c.Write(head)
	_ = c.WriteAll(g.rows)
	return c.Error()
}

func (g *grid) text(w io.Writer, p paint) {
	width := make([]int, len(g.header))
	for i, h := range g.header {
		width[i] = utf8.RuneCountInString(strings.TrimPrefix(h, ">"))
	}
	for _, row := range g.rows {
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
			case strings.HasPrefix(g.header[i], ">"):
				b.WriteString(pad + cell)
			case i == len(cells)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, style(strings.TrimRight(b.String(), " ")))
	}
	head := make([]string, len(g.header))
	for i, h := range g.header {
		head[i] = strings.TrimPrefix(h, ">")
	}
	if strings.Join(head, "") != "" {
		line(head, p.bold)
	}
	for _, row := range g.rows {
		line(row, func(s string) string { return s })
	}
}
