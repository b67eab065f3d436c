package studyfile

import (
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

// applySets writes the values of the --set flags into the document. Whatever
// is wrong with the new values is found by the checks that follow, which show
// the flag.
func applySets(r *report, root *node, sets []string) *node {
	if root.kind == nullKind && len(sets) > 0 {
		root.kind = mapKind
	}
	for i, text := range sets {
		if utf8.ValidString(text) && len(text) <= maxFlag {
			applySet(r, root, text, i+1)
			continue
		}
		r.addAt(place{line: 1, column: 1, width: 1, flag: i + 1}, "", codeBadFlag, "", "the flag is too long, or no UTF-8 text")
	}
	return root
}

// maxFlag bounds a --set flag in bytes; chosen: longer values belong in a file.
const maxFlag = 64 << 10

func applySet(r *report, root *node, text string, flag int) {
	path, value, ok := strings.Cut(text, "=")
	at := place{line: 1, column: 1, width: max(1, utf8.RuneCountInString(path)), flag: flag}
	if !ok {
		r.addAt(at, "", codeBadFlag, "Write --set spec.budget.trials=900.", "the flag has no \"=\"")
		return
	}
	steps, bad := splitPath(path, flag)
	if bad != "" {
		r.addAt(at, "", codeBadFlag, "Write --set spec.constraints[0].max=\"7 mm2\".", "%s", bad)
		return
	}
	left := utf8.RuneCountInString(path) + 1
	if strings.TrimSpace(value) == "" {
		at.column, at.width = left+1, 1
		r.addAt(at, "", codeBadFlag, "null removes a field.", "the flag has no value")
		return
	}
	before := len(r.found)
	v := readYAML(r, []byte(value), flag, left)
	if v == nil || len(r.found) > before {
		return
	}
	setAt(r, root, steps, v)
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

// setAt walks down, making what is missing, and sets the last step.
func setAt(r *report, n *node, steps []step, v *node) {
	for i, s := range steps {
		last := i == len(steps)-1
		if s.key == "" || s.index >= 0 && n.kind == listKind {
			n = setItem(r, n, s, last, v)
		} else {
			n = setEntry(r, n, s, last, v)
		}
		if n == nil {
			return
		}
	}
}

// setEntry sets or enters a key.
func setEntry(r *report, n *node, s step, last bool, v *node) *node {
	if !become(r, n, mapKind, s) {
		return nil
	}
	if last {
		if v.kind == nullKind {
			n.removeKey(s.key)
		} else {
			n.setKey(s.key, s.place, v)
		}
		return nil
	}
	child := n.get(s.key)
	if child == nil {
		child = &node{place: s.place}
		n.setKey(s.key, s.place, child)
	}
	return child
}

func setItem(r *report, n *node, s step, last bool, v *node) *node {
	if !become(r, n, listKind, s) {
		return nil
	}
	if s.index > len(n.items) {
		r.addAt(s.place, "", codeBadFlag, "The next item is ["+strconv.Itoa(len(n.items))+"].", "the list has %d items, so there is no [%d]", len(n.items), s.index)
		return nil
	}
	if s.index == len(n.items) {
		n.items = append(n.items, &node{place: s.place})
	}
	switch {
	case last && v.kind == nullKind:
		n.items = append(n.items[:s.index:s.index], n.items[s.index+1:]...)
		return nil
	case last:
		n.items[s.index] = v
		return nil
	}
	return n.items[s.index]
}

// become turns an empty node into a collection; another kind is a mistake.
func become(r *report, n *node, want kind, s step) bool {
	if n.kind == nullKind {
		n.kind = want
	}
	if n.kind == want {
		return true
	}
	r.addAt(s.place, "", codeBadFlag, "", "the path goes through %s, which has nothing below it by that name", n.kind)
	return false
}
