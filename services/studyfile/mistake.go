package studyfile

import (
	"fmt"
	"slices"
	"strings"

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

// found is a mistake with the place it is shown at.
type found struct {
	events.Mistake
	place place
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

// add reports a mistake at a node.
func (r *report) add(n *node, code, hint, format string, args ...any) {
	r.addAt(n.place, n.pointer, code, hint, format, args...)
}

// when reports a mistake that there is if bad.
func (r *report) when(bad bool, n *node, code, hint, format string, args ...any) {
	if bad {
		r.add(n, code, hint, format, args...)
	}
}

func (r *report) addAt(at place, pointer, code, hint, format string, args ...any) {
	if r.full() {
		return
	}
	m := events.Mistake{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
	if at.flag == 0 {
		m.Line, m.Column = at.line, at.column
	}
	r.found = append(r.found, found{Mistake: m, place: at})
}

// err returns the report as an error, or nil when nothing was found.
func (r *report) err(name string, src []byte, sets []string) error {
	if len(r.found) == 0 {
		return nil
	}
	// Checks run in the order of their kinds; people read from top to bottom.
	slices.SortStableFunc(r.found, func(a, b found) int {
		if a.place.flag != b.place.flag {
			return a.place.flag - b.place.flag
		}
		if a.place.line != b.place.line {
			return a.place.line - b.place.line
		}
		return a.place.column - b.place.column
	})
	e := &Error{Name: name, More: r.more}
	lines := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	for _, f := range r.found {
		e.Mistakes = append(e.Mistakes, f.Mistake)
		e.shown = append(e.shown, shown{place: f.place, text: sourceOf(f.place, lines, sets)})
	}
	return e
}

// sourceOf returns the line or flag that a place lies in, "" when there is none.
func sourceOf(at place, lines, sets []string) string {
	switch {
	case at.flag > 0 && at.flag <= len(sets):
		return sets[at.flag-1]
	case at.flag == 0 && at.line > 0 && at.line <= len(lines):
		return lines[at.line-1]
	}
	return ""
}
