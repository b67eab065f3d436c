package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Paint says how text is shown to people.
type Paint struct {
	// Color adds colour.
	Color bool
	// Width is the number of columns that a table has; 0 means any.
	Width int
	// known says that Width is the reader's, and not only that of tables.
	known bool
}

// plainWidth is the width of a table where nobody says how wide a line can be.
const plainWidth = 80

// Paint is how answers are shown here: on a terminal in its width, elsewhere in
// COLUMNS, in any width with -o wide.
func (a *Terminal) Paint() Paint {
	p := Paint{Color: a.color(), Width: plainWidth}
	columns, err := strconv.Atoi(os.Getenv("COLUMNS"))
	switch {
	case a.Output == wide:
		p.Width = 0
	case IsTerminal(a.Stdout.Writer):
		p.Width, p.known = terminalWidth(a.Stdout.Writer), true
	case err == nil && columns > 0:
		p.Width, p.known = columns, true
	}
	return p
}

func (p Paint) code(code, s string) string {
	if !p.Color || s == "" {
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

// Wrap breaks text into lines of the width, those after the first indented.
func (p Paint) Wrap(text, indent string) string {
	if p.Width == 0 || utf8.RuneCountInString(text) <= p.Width {
		return text
	}
	lines := wrapWords(text, p.Width)
	rest := wrapWords(strings.Join(lines[1:], " "), max(p.Width-len(indent), 1))
	return strings.Join(append(lines[:1], rest...), "\n"+indent)
}

// fit breaks the lines of an answer that are wider than there is room, between words;
// what follows is indented under its line. Lines that are there to be copied stay, and all
// where nobody says how much room there is, as in a pipe: programs read lines.
func (p Paint) fit(text string) string {
	if p.Width == 0 || !p.known {
		return text
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.TrimSuffix(line, "\n"), strings.HasSuffix(line, "\n")
		body := strings.TrimLeft(line, " ")
		indent := strings.Repeat(" ", min(len(line)-len(body)+len(gap), p.Width/2))
		for utf8.RuneCountInString(line) > p.Width && visible(line) > p.Width && !copied(body) {
			head, rest := cut(line, p.Width)
			if rest == "" {
				break
			}
			out.WriteString(head + "\n")
			line = indent + rest
		}
		out.WriteString(line)
		if end {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// copied reports whether a line is there to be copied whole: a command, a path, a hash.
func copied(line string) bool {
	return slices.ContainsFunc([]string{"duckdb -c", "log ", "next: ", "hash "}, func(start string) bool { return strings.HasPrefix(line, start) })
}

// visible is the width of a line without its colours.
func visible(line string) (n int) {
	for i, inside := 0, false; i < len(line); i++ {
		switch {
		case line[i] == '\x1b':
			inside = true
		case inside:
			inside = line[i] != 'm'
		case line[i]&0xc0 != 0x80: // the first byte of a rune
			n++
		}
	}
	return n
}

// cut breaks a line at the last space within the width, or at the first behind it; rest is
// "" where there is none.
func cut(line string, width int) (head, rest string) {
	at := -1
	for i := len(line) - len(strings.TrimLeft(line, " ")); i < len(line); i++ {
		if line[i] != ' ' {
			continue
		}
		if at >= 0 && visible(line[:i]) > width {
			break
		}
		at = i
	}
	if at < 0 {
		return line, ""
	}
	return strings.TrimRight(line[:at], " "), strings.TrimLeft(line[at:], " ")
}

// wrapWords breaks text between words into lines of at most width, but for words
// that are longer.
func wrapWords(text string, width int) (lines []string) {
	var line string
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Grid is a table of cells. Columns whose header starts with ">" are aligned
// to the right.
type Grid struct {
	Header []string
	Rows   [][]string
	// Fold shows the columns that a line has no room for in further tables below;
	// without it they are hidden, and counted.
	Fold bool
}

// Add appends a row.
func (g *Grid) Add(cells ...string) { g.Rows = append(g.Rows, cells) }

func title(header string) string { return strings.TrimPrefix(header, ">") }

func (g *Grid) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	head := make([]string, len(g.Header))
	for i, h := range g.Header {
		head[i] = title(h)
	}
	_ = c.Write(head)
	_ = c.WriteAll(g.Rows)
	return c.Error()
}

// gap stands between two columns.
const gap = "  "

// leastText is the least width of a column whose text is broken into lines.
const leastText = 24

// Text prints the table for people. Where a line has no room for it, columns that
// are the same in all rows are named once below, long text is broken into lines, and
// what is left over is hidden and counted.
func (g *Grid) Text(w io.Writer, p Paint) {
	if p.Width == 0 || g.width() <= p.Width {
		g.lines(w, p)
		return
	}
	shown, same := g.withoutConstants()
	if shown.width() > p.Width {
		shown = shown.broken(p.Width)
	}
	first, rest := shown.split(p.Width)
	first.lines(w, p)
	if len(same) > 0 {
		fmt.Fprintln(w, p.Wrap("in all rows: "+strings.Join(same, ", "), gap))
	}
	switch {
	case rest != nil && g.Fold:
		fmt.Fprintln(w)
		rest.Text(w, p)
	case rest != nil:
		fmt.Fprintf(w, "%s hidden: -o wide\n", Plural(len(rest.Header)-1, "column"))
	}
}

// widths are those of the columns.
func (g *Grid) widths() []int {
	width := make([]int, len(g.Header))
	for i, h := range g.Header {
		width[i] = utf8.RuneCountInString(title(h))
	}
	for _, row := range g.Rows {
		for i, cell := range row {
			for line := range strings.SplitSeq(cell, "\n") {
				width[i] = max(width[i], utf8.RuneCountInString(line))
			}
		}
	}
	return width
}

func (g *Grid) width() int { return total(g.widths()) }

func total(widths []int) (sum int) {
	for i, w := range widths {
		if i > 0 {
			sum += len(gap)
		}
		sum += w
	}
	return sum
}

// withoutConstants leaves out columns that are the same in all rows, and says what
// they are. The first and the last column stay.
func (g *Grid) withoutConstants() (*Grid, []string) {
	if len(g.Rows) < 2 || len(g.Header) < 3 {
		return g, nil
	}
	keep, same := []int{0}, []string(nil)
	for i := 1; i < len(g.Header)-1; i++ {
		if !g.constant(i) {
			keep = append(keep, i)
		} else if cell := g.Rows[0][i]; cell != "" && cell != "-" {
			same = append(same, title(g.Header[i])+" "+cell)
		}
	}
	return g.only(append(keep, len(g.Header)-1)), same
}

func (g *Grid) constant(column int) bool {
	for _, row := range g.Rows {
		if column >= len(row) || row[column] != g.Rows[0][column] {
			return false
		}
	}
	return true
}

// only is the table with some of its columns.
func (g *Grid) only(columns []int) *Grid {
	out := &Grid{Fold: g.Fold}
	for _, c := range columns {
		out.Header = append(out.Header, g.Header[c])
	}
	for _, row := range g.Rows {
		var cells []string
		for _, c := range columns {
			if c < len(row) {
				cells = append(cells, row[c])
			}
		}
		out.Add(cells...)
	}
	return out
}

// broken breaks the text of the widest columns into lines, as far as they need it.
func (g *Grid) broken(width int) *Grid {
	out := &Grid{Header: g.Header, Fold: g.Fold}
	for _, row := range g.Rows {
		out.Add(append([]string(nil), row...)...)
	}
	for {
		widths := out.widths()
		over := total(widths) - width
		widest := -1
		for i, h := range out.Header {
			if w := widths[i]; !strings.HasPrefix(h, ">") && w > leastText && (widest < 0 || w >= widths[widest]) {
				widest = i
			}
		}
		if over <= 0 || widest < 0 {
			return out
		}
		room := max(widths[widest]-over, leastText)
		for _, row := range out.Rows {
			if widest < len(row) {
				row[widest] = strings.Join(wrapWords(row[widest], room), "\n")
			}
		}
		if out.widths()[widest] >= widths[widest] {
			return out // one long word
		}
	}
}

// split is the table as far as there is room, and the first column with the rest.
func (g *Grid) split(width int) (first, rest *Grid) {
	widths := g.widths()
	n := len(widths)
	for n > 1 && total(widths[:n]) > width {
		n--
	}
	if n == len(widths) || len(widths) < 2 {
		return g, nil
	}
	n = max(n, 2) // one column alone says nothing
	if n == len(widths) {
		return g, nil
	}
	var before, after []int
	for i := range widths {
		if i < n {
			before = append(before, i)
		} else {
			after = append(after, i)
		}
	}
	return g.only(before), g.only(append([]int{0}, after...))
}

// lines prints the table as it is.
func (g *Grid) lines(w io.Writer, p Paint) {
	widths := g.widths()
	head := make([]string, len(g.Header))
	for i, h := range g.Header {
		head[i] = title(h)
	}
	if strings.Join(head, "") != "" {
		fmt.Fprintln(w, p.Bold(g.line(widths, head)))
	}
	for _, row := range g.Rows {
		for _, line := range physical(row) {
			fmt.Fprintln(w, g.line(widths, line))
		}
	}
}

// physical are the lines of a row whose cells have several.
func physical(row []string) [][]string {
	var lines [][]string
	for i, cell := range row {
		for k, text := range strings.Split(cell, "\n") {
			if k == len(lines) {
				lines = append(lines, make([]string, len(row)))
			}
			lines[k][i] = text
		}
	}
	return lines
}

func (g *Grid) line(widths []int, cells []string) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(gap)
		}
		pad := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
		if strings.HasPrefix(g.Header[i], ">") {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}
