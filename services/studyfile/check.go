package studyfile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/events/unit"
	"apollo/internal/nearest"
)

// read checks a field and stores its value, or its default where there is none:
// all that the field alone explains. What depends on meaning comes after it.
func (b *builder) read(f *field, n *node, in any) {
	if b.full() {
		return
	}
	to := f.home(in)
	g, _ := to.(group)
	switch {
	case f.shape == objectShape:
		if flag, ok := to.(*bool); ok {
			*flag = n.str() == f.word
		}
		if g == nil || n != nil && n.kind == mapKind {
			if g != nil {
				in = g.add()
			}
			for i := range f.fields {
				b.read(&f.fields[i], n.get(f.fields[i].name), in)
			}
		}
		if n != nil {
			b.checkObject(n, f)
		}
	case f.shape == listShape && n != nil && b.isA(n, listKind, f):
		b.checkLength(n, len(n.items), f, "items")
		for _, item := range n.items {
			if g != nil {
				to = g.add()
			}
			b.read(f.elem, item, to)
		}
	case f.shape != listShape:
		if n != nil {
			b.check(n, f)
		}
		if to != nil && !b.put(f, n, to) {
			b.put(f, f.standard(), to)
		}
	}
	b.when(f.local.message != "" && n != nil && n.kind != nullKind && b.opts.Published, n, codeUnsupported, f.local.hint, "%s", f.local.message)
}

// check reports what is wrong with a value that holds no fields.
func (b *builder) check(n *node, f *field) {
	switch f.shape {
	case mapShape:
		if b.isA(n, mapKind, f) {
			b.checkLength(n, len(n.entries), f, "entries")
			for _, e := range n.entries {
				if len(e.key) > events.MaxTextBytes {
					b.addMistakeAt(e.place, e.value.pointer, codeOutOfRange, "", "the key has %d bytes, at most %d are allowed", len(e.key), events.MaxTextBytes)
				}
				b.read(f.elem, e.value, nil)
			}
		}
	case textShape, metricShape:
		if b.isA(n, stringKind, f) {
			b.checkText(n, f)
		}
	case boolShape:
		b.isA(n, boolKind, f)
	case integerShape, numberShape:
		b.checkNumber(n, f)
	case quantityShape:
		if n.kind == numberKind || b.isA(n, stringKind, f) {
			if v, ok := f.quantity(b.report, n, "the field"); ok {
				b.checkRange(n, v, f)
			}
		}
	case valueShape:
		hint := ""
		if n.kind == mapKind {
			hint = "Text with a colon is in quotes."
		}
		b.when(!n.scalar(), n, codeWrongType, hint, "want one value, not %s", n.kind)
	case freeShape:
		b.when(n.kind != mapKind && n.text != "unsupported", n, codeWrongType, "", "want a mapping, not %s", n.kind)
	}
}

// isA reports a value that is not of the wanted kind.
func (r *report) isA(n *node, want kind, f *field) bool {
	switch {
	case n.kind == want:
		return true
	case n.kind == nullKind && n.text == "unsupported": // reported where it was read
	case n.kind == nullKind:
		r.addMistake(n, codeWrongType, typeHint(n, want, f), "the field is empty; want %s", want)
	default:
		r.addMistake(n, codeWrongType, typeHint(n, want, f), "want %s, not %s", want, n.kind)
	}
	return false
}

// typeHint says what to write instead.
func typeHint(n *node, want kind, f *field) string {
	switch {
	case n.kind == nullKind && !f.required:
		return "Remove the key, or give it a value."
	case want == stringKind && (n.kind == numberKind || n.kind == boolKind):
		return fmt.Sprintf("Put it in quotes: %q.", n.text)
	case want == listKind && n.scalar():
		return fmt.Sprintf("A list of one is [%s].", n.text)
	case want == listKind && n.kind == mapKind:
		return "Start each item with \"- \"."
	case want == boolKind && n.kind == stringKind:
		return "Write true or false."
	}
	return ""
}

func (r *report) checkLength(n *node, length int, f *field, what string) {
	hint := "Write at least one."
	if n.kind == stringKind {
		hint = "Give it a value, or remove the field."
	}
	r.when(f.nonempty && length == 0, n, codeOutOfRange, hint, "must not be empty")
	r.when(f.most > 0 && length > f.most, n, codeOutOfRange, "", "has %d %s, at most %d are allowed", length, what, f.most)
}

func (r *report) checkObject(n *node, f *field) {
	known := f.names()
	if f.word != "" && n.kind == stringKind {
		r.when(n.text != f.word, n, codeNotAllowed, oneOf(n.text, append([]string{f.word}, known...)), "%q is not allowed here; want a mapping or the word %s", clip(n.text), f.word)
		return
	}
	if !r.isA(n, mapKind, f) {
		return
	}
	for _, e := range n.entries {
		if r.full() {
			return
		}
		if !slices.Contains(known, e.key) {
			hint := "Known fields: " + strings.Join(known, ", ") + "."
			if near := nearest.Name(e.key, known); near != "" {
				hint = fmt.Sprintf("Did you mean %q?", near)
			}
			r.addMistakeAt(e.place, e.value.pointer, codeUnknownField, hint, "unknown field")
		}
	}
	r.when(f.need.message != "" && !n.has(f.need), n, codeMissing, f.need.hint, "%s", f.need.message)
	for i := range f.fields {
		child := &f.fields[i]
		value := n.get(child.name)
		switch {
		case value == nil && child.required:
			hint := child.plainDoc()
			if len(child.enum) > 0 {
				hint = fmt.Sprintf("Write %s: %s.", child.name, strings.Join(child.enum, " or "))
			}
			r.addMistake(n, codeMissing, hint, "the field %q is missing", child.name)
		case value != nil && n.has(child.not):
			r.addMistake(value, codeContradicts, child.not.hint, "%s", child.not.message)
		}
	}
}

func (r *report) checkText(n *node, f *field) {
	r.checkLength(n, len(n.text), f, "bytes")
	if f.naming != nil && !f.naming.is(n.text) {
		hint := f.naming.hint
		if near := f.naming.near(n.text); near != "" {
			hint = fmt.Sprintf("Did you mean %s? %s", near, hint)
		}
		r.addMistake(n, f.naming.code, hint, f.naming.message, clip(n.text))
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, n.text) {
		r.addMistake(n, codeNotAllowed, oneOf(n.text, f.enum), "%q is not allowed here", n.text)
	}
}

func (r *report) checkNumber(n *node, f *field) {
	if n.kind == stringKind {
		if q, err := unit.Parse(n.text); err == nil && q.Unit.Symbol == "" {
			r.addMistake(n, codeWrongType, "Remove the quotes.", "want a number, not text")
			return
		}
	}
	if f.word != "" && n.kind == stringKind {
		r.addMistake(n, codeNotAllowed, oneOf(n.text, []string{f.word}), "%q is not allowed here; want a whole number or the word %s", clip(n.text), f.word)
		return
	}
	if !r.isA(n, numberKind, f) {
		return
	}
	v, ok := plainNumber(n)
	_, notWhole := strconv.ParseUint(n.text, 10, 64)
	switch whole := f.shape == integerShape; {
	case whole && notWhole == nil && ok:
		r.checkRange(n, v, f)
	case whole && octal(n.text):
		r.addMistake(n, codeWrongType, "Write it without the leading zero.", "%q is no decimal number", n.text)
	case !whole && ok:
		r.checkRange(n, v, f)
	case !whole:
		r.addMistake(n, codeWrongType, "Write it as a decimal number.", "%q is no number that a study takes", n.text)
	case ok && f.max == 1<<64-1 && v >= f.max:
		r.addMistake(n, codeOutOfRange, "", "%s is too large: the largest value is %d", n.text, uint64(1<<64-1))
	case ok && (v < 0 || v > f.max && f.max > 0):
		r.checkRange(n, v, f)
	case ok && v == math.Trunc(v) && v < 1e15:
		r.addMistake(n, codeWrongType, fmt.Sprintf("Write %.0f.", v), "want a whole number in plain digits")
	default:
		r.addMistake(n, codeWrongType, "", "want a whole number, not %s", n.text)
	}
}

// octal reports a leading zero, which YAML versions read in different ways.
func octal(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}

// plainNumber reads a decimal number without a unit.
func plainNumber(n *node) (float64, bool) {
	if n == nil || n.kind != numberKind || octal(n.text) {
		return 0, false
	}
	q, err := unit.Parse(n.text)
	return q.Base(), err == nil && q.Unit.Symbol == ""
}

func (r *report) checkRange(n *node, v float64, f *field) {
	if f.min == 0 && f.max == 0 && !f.above {
		return
	}
	say := func(what string, bound float64) {
		hint := ""
		if share := v / 100; f.max == 1 && f.unit().Dimension == unit.Dimensionless && n.kind == numberKind && v > 1 && share <= f.max {
			hint = fmt.Sprintf("Did you mean %s %%?", n.text)
		}
		r.addMistake(n, codeOutOfRange, hint, "%s is too %s %s", n.text, what, unit.Format(bound, f.unit().Symbol))
	}
	switch {
	case f.above && v <= f.min:
		say("small: it must be more than", f.min)
	case v < f.min:
		say("small: the smallest value is", f.min)
	case f.max > 0 && v > f.max:
		say("large: the largest value is", f.max)
	}
}

// oneOf is the hint for a name that is not one of the known ones.
func oneOf(s string, names []string) string {
	if near := nearest.Name(s, names); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	if len(names) == 0 {
		return ""
	}
	return "Known: " + enumerate(len(names), func(i int) string { return names[i] }) + "."
}
