package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"apollo/services/draw"
)

// formats are the values of --output; pictures are those of answers that can be
// drawn.
var (
	formats  = []string{"table", "json", "jsonl", "yaml", "csv"}
	pictures = draw.Formats()
)

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

// print writes the answer in the format that was asked for.
func (a *app) print(ans answer) error {
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
			return usageErrorf("this answer is no picture: `apollo design eval` draws one; use -o %s", strings.Join(formats, ", "))
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
