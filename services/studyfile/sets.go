package studyfile

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"apollo/events"
)

// step is one step of a --set path: a key, an index in brackets (key is ""),
// or a number after a dot, which is an index where there is a list.
type step struct {
	key   string
	index int // -1 when it is no number
	place place
}

// maxFlag bounds a --set flag in bytes; chosen: longer values belong in a file.
const maxFlag = 64 << 10

// applySet writes the value of a --set flag into the document. Whatever is wrong
// with it is found by the checks that follow, which show the flag.
func (r *report) applySet(root *node, text string, flag int) {
	path, value, ok := strings.Cut(text, "=")
	left := utf8.RuneCountInString(path)
	at := place{line: 1, column: 1, width: max(1, left), flag: flag}
	if len(text) > maxFlag || !utf8.ValidString(text) {
		at.width = 1
		r.addMistakeAt(at, "", codeBadFlag, "", "the flag is too long, or no UTF-8 text")
		return
	}
	steps, bad := splitPath(path, flag)
	switch {
	case !ok:
		r.addMistakeAt(at, "", codeBadFlag, "Write --set spec.budget.trials=900.", "the flag has no \"=\"")
	case bad != "":
		r.addMistakeAt(at, "", codeBadFlag, "Write --set spec.constraints[0].max=\"7 mm2\".", "%s", bad)
	case strings.TrimSpace(value) == "":
		at.column, at.width = left+2, 1
		r.addMistakeAt(at, "", codeBadFlag, "null removes a field.", "the flag has no value")
	default:
		before := len(r.found)
		if v := readYAML(r, []byte(value), flag, left+1); v != nil && len(r.found) == before {
			r.set(root, steps, v)
		}
	}
}

// splitPath reads spec.constraints[0].max.
func splitPath(path string, flag int) ([]step, string) {
	if len(path) > events.MaxTextBytes {
		return nil, "the path is too long"
	}
	var steps []step
	column := 1
	for part := range strings.SplitSeq(path, ".") {
		key, rest, _ := strings.Cut(part, "[")
		here := place{line: 1, column: column, width: max(1, utf8.RuneCountInString(part)), flag: flag}
		column += utf8.RuneCountInString(part) + 1
		if key == "" {
			return nil, "the path has an empty part"
		}
		number := -1
		if i, err := strconv.ParseUint(key, 10, 16); err == nil {
			number = int(i)
		}
		steps = append(steps, step{key: key, index: number, place: here})
		if len(key) == len(part) {
			continue
		}
		for index := range strings.SplitSeq(strings.TrimSuffix(rest, "]"), "][") {
			i, err := strconv.ParseUint(index, 10, 16)
			if err != nil || !strings.HasSuffix(rest, "]") {
				return nil, "an index is a number in brackets, such as [0]"
			}
			steps = append(steps, step{index: int(i), place: here})
		}
	}
	return steps, ""
}

// set puts v at the end of a path, and makes what is missing on the way. An
// empty v removes what is there.
func (r *report) set(n *node, path []step, v *node) {
	for i, s := range path {
		last := i == len(path)-1
		at := r.slot(n, s, last)
		switch {
		case at == nil:
			return
		case last:
			*at = v
		default:
			n = *at
		}
	}
	if v.kind == nullKind {
		n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.value == v })
		n.items = slices.DeleteFunc(n.items, func(item *node) bool { return item == v })
	}
}

// slot is the place of a value below n, a new one where there is none; nil after
// reporting why there cannot be one.
func (r *report) slot(n *node, s step, last bool) **node {
	want := mapKind
	if s.key == "" || s.index >= 0 && n.kind == listKind {
		want = listKind
	}
	if n.kind == nullKind {
		n.kind = want
	}
	switch {
	case n.kind != want:
		r.addMistakeAt(s.place, "", codeBadFlag, "", "the path goes through %s, which has nothing below it by that name", n.kind)
		return nil
	case want == listKind && s.index > len(n.items):
		r.addMistakeAt(s.place, "", codeBadFlag, "The next item is ["+strconv.Itoa(len(n.items))+"].", "the list has %d items, so there is no [%d]", len(n.items), s.index)
		return nil
	case want == listKind:
		if s.index == len(n.items) {
			n.items = append(n.items, &node{place: s.place})
		}
		return &n.items[s.index]
	}
	i := slices.IndexFunc(n.entries, func(e entry) bool { return e.key == s.key })
	if i < 0 {
		i = len(n.entries)
		n.entries = append(n.entries, entry{key: s.key, value: &node{place: s.place}, place: s.place})
	}
	if last {
		n.entries[i].place = s.place
	}
	return &n.entries[i].value
}
