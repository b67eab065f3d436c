package studyfile

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"apollo/events"
)

// Codes of mistakes, stable words for programs.
const (
	codeSyntax       = "syntax"
	codeTooLarge     = "too_large"
	codeTooDeep      = "too_deep"
	codeUnsupported  = "unsupported"
	codeUnknownField = "unknown_field"
	codeDuplicate    = "duplicate"
	codeMissing      = "missing_field"
	codeWrongType    = "wrong_type"
	codeNotAllowed   = "not_allowed"
	codeOutOfRange   = "out_of_range"
	codeBadName      = "bad_name"
	codeUnknownName  = "unknown_name"
	codeBadUnit      = "bad_unit"
	codeDimension    = "wrong_dimension"
	codeMissingUnit  = "missing_unit"
	codeNoLevel      = "no_such_level"
	codeExpression   = "bad_expression"
	codeContradicts  = "contradiction"
	codeNoLegal      = "no_legal_design"
	codeBadFlag      = "bad_flag"
	codeBadOptions   = "bad_options"
)

// maxMistakes bounds the report of a hopeless document.
const maxMistakes = 100

// found is a mistake with the place it is shown at, and the text of its line or
// flag.
type found struct {
	events.Mistake
	place place
	text  string
}

// report collects mistakes, the first maxMistakes of them.
type report struct {
	found []found
	more  bool
}

// full says that no more mistakes are kept. Loops over what a document may
// hold in thousands end then, because a mistake with its hint takes time.
func (r *report) full() bool {
	r.more = r.more || len(r.found) >= maxMistakes
	return r.more
}

// addMistake reports a mistake at a node.
func (r *report) addMistake(n *node, code, hint, format string, args ...any) {
	r.addMistakeAt(n.place, n.pointer, code, hint, format, args...)
}

// mistaken reports whether a part of a node has a mistake.
func (r *report) mistaken(n *node) bool {
	return slices.ContainsFunc(r.found, func(f found) bool { return strings.HasPrefix(f.Pointer, n.pointer+"/") })
}

// when reports a mistake that there is if bad, and returns bad.
func (r *report) when(bad bool, n *node, code, hint, format string, args ...any) bool {
	if bad {
		r.addMistake(n, code, hint, format, args...)
	}
	return bad
}

func (r *report) addMistakeAt(at place, pointer, code, hint, format string, args ...any) {
	if r.full() {
		return
	}
	m := events.Mistake{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	if at.flag == 0 {
		m.Line, m.Column = at.line, at.column
	}
	r.found = append(r.found, found{m, at, ""})
}

// err returns the report as an error, or nil when nothing was found.
func (r *report) err(name string, src []byte, sets []string) error {
	if len(r.found) == 0 {
		return nil
	}
	// Checks run in the order of their kinds; people read from top to bottom.
	slices.SortStableFunc(r.found, func(a, b found) int {
		return cmp.Or(a.place.flag-b.place.flag, a.place.line-b.place.line, a.place.column-b.place.column)
	})
	e := &Error{Name: name, More: r.more, found: r.found}
	lines := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	for i := range e.found {
		f := &e.found[i]
		switch at := f.place; {
		case at.flag > 0:
			f.text = sets[at.flag-1]
		case at.line > 0 && at.line <= len(lines):
			f.text = lines[at.line-1]
		}
		e.Mistakes = append(e.Mistakes, f.Mistake)
	}
	return e
}

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

	found []found
}

// Error returns one line for each mistake.
func (e *Error) Error() string {
	var lines []string
	for _, f := range e.found {
		lines = append(lines, e.where(f)+": "+f.what())
	}
	if e.More {
		lines = append(lines, fmt.Sprintf("%s: these are the first %d mistakes", e.Name, len(e.found)))
	}
	return strings.Join(lines, "\n")
}

// where is "study.yaml:12:40", or the flag that the mistake lies in.
func (e *Error) where(f found) string {
	switch {
	case f.place.flag > 0:
		return "--set " + printable(f.text)
	case f.Line > 0:
		return fmt.Sprintf("%s:%d:%d", e.Name, f.Line, f.Column)
	}
	return e.Name
}

// what is the path, the message and the hint.
func (f found) what() string {
	text := printable(f.Message)
	if path := dotted(f.Pointer); path != "" {
		text = printable(path) + ": " + text
	}
	if f.Hint != "" {
		text += ". " + printable(f.Hint)
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
	for _, f := range e.found {
		b.WriteString(bold + e.where(f) + ":" + off + " " + f.what() + "\n")
		if f.text != "" {
			line, caret := excerpt(f.text, f.place.column, f.place.width)
			b.WriteString("    " + dim + line + off + "\n    " + red + caret + off + "\n")
		}
	}
	if e.More {
		fmt.Fprintf(&b, "%s: these are the first %d mistakes\n", e.Name, len(e.found))
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
