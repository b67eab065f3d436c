package studyfile

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"apollo/events"
)

// Error holds every mistake of one study document. It is what Parse returns
// when the document, or a --set flag, is wrong.
type Error struct {
	// Name is the document's name, as given to Parse.
	Name string
	// Mistakes are in the order of the document; those of flags come last.
	Mistakes []events.Mistake
	// More says that there may be mistakes beyond the first 100, which are
	// here.
	More bool

	shown []shown
}

// shown is the source that a mistake is shown in.
type shown struct {
	place place
	text  string
}

// Error returns one line for each mistake.
func (e *Error) Error() string {
	var b strings.Builder
	for i := range e.Mistakes {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.where(i) + ": " + e.what(i))
	}
	if e.More {
		fmt.Fprintf(&b, "\n%s: these are the first %d mistakes", e.Name, len(e.Mistakes))
	}
	return b.String()
}

// where is "study.yaml:12:40", or the flag that the mistake lies in.
func (e *Error) where(i int) string {
	m := e.Mistakes[i]
	switch {
	case i < len(e.shown) && e.shown[i].place.flag > 0:
		return "--set " + printable(e.shown[i].text)
	case m.Line > 0:
		return fmt.Sprintf("%s:%d:%d", e.Name, m.Line, m.Column)
	}
	return e.Name
}

// what is the path, the message and the hint.
func (e *Error) what(i int) string {
	m := e.Mistakes[i]
	text := printable(m.Message)
	if path := dotted(m.Pointer); path != "" {
		text = printable(path) + ": " + text
	}
	if m.Hint != "" {
		text += ". " + printable(m.Hint)
	}
	return text
}

// Render writes every mistake with its source line and a caret under it.
func (e *Error) Render(w io.Writer, color bool) error {
	red, bold, dim, off := "", "", "", ""
	if color {
		red, bold, dim, off = "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"
	}
	var b strings.Builder
	for i := range e.Mistakes {
		b.WriteString(bold + e.where(i) + ":" + off + " " + e.what(i) + "\n")
		if i >= len(e.shown) || e.shown[i].text == "" {
			continue
		}
		line, caret := excerpt(e.shown[i].text, e.shown[i].place.column, e.shown[i].place.width)
		b.WriteString("    " + dim + line + off + "\n    " + red + caret + off + "\n")
	}
	if e.More {
		fmt.Fprintf(&b, "%s: these are the first %d mistakes\n", e.Name, len(e.Mistakes))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shownWidth is how much of a long line is shown: chosen to fit a terminal of
// 100 columns with its margin.
const shownWidth = 92

// excerpt cuts a long line around the mistake and returns the carets below it.
func excerpt(line string, column, width int) (text, caret string) {
	runes := []rune(line)
	start := max(column-1, 0)
	from := 0
	if start > shownWidth*3/4 {
		from = start - shownWidth/2
	}
	from = min(from, len(runes))
	to := min(from+shownWidth, len(runes))
	text, prefix := printable(string(runes[from:to])), ""
	if from > 0 {
		text, prefix = "…"+text, " "
	}
	if to < len(runes) {
		text += "…"
	}
	width = max(1, min(width, to-start))
	return text, prefix + strings.Repeat(" ", max(0, start-from)) + strings.Repeat("^", width)
}

// printable replaces what would disturb a terminal: a hostile document must
// not send it escape sequences. Every character keeps one column.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, s)
}
