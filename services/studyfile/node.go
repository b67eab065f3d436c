package studyfile

import (
	"slices"
	"strconv"
	"strings"
)

// kind is what a value is in the document, before any field gives it meaning.
type kind uint8

const (
	nullKind kind = iota
	boolKind
	numberKind
	stringKind
	listKind
	mapKind
)

// String returns the word for messages.
func (k kind) String() string {
	return [...]string{"empty", "true or false", "a number", "text", "a list", "a mapping"}[k]
}

// place is where a node was written: in the document, or in a --set flag.
type place struct {
	// line and column count from 1, in characters; width is at least 1. In a
	// flag, line is 1 and column counts in its text.
	line, column, width int
	// flag is the index of the --set flag plus 1, or 0 for the document.
	flag int
}

// node is one value of the document. YAML, JSON and --set all become nodes, so
// that one decoder gives the same messages for each of them.
type node struct {
	kind kind
	// text is the value of a string, or the literal of a number or boolean.
	text string
	// plain says that a string stands without quotes, which only YAML can say.
	plain   bool
	place   place
	pointer string
	// entries are in document order, without repeated keys.
	entries []entry
	items   []*node
}

// entry is one key of a mapping.
type entry struct {
	key   string
	place place
	value *node
}

// get returns the value under key, or nil. It is nil for what is no mapping.
func (n *node) get(key string) *node {
	if n != nil {
		for i := range n.entries {
			if n.entries[i].key == key {
				return n.entries[i].value
			}
		}
	}
	return nil
}

// has reports whether a mapping has one of the keys.
func (n *node) has(keys keys) bool {
	return slices.ContainsFunc(keys.names, func(key string) bool { return n.get(key) != nil })
}

// at follows keys downwards; nil when one is missing.
func (n *node) at(keys ...string) *node {
	for _, k := range keys {
		n = n.get(k)
	}
	return n
}

// list returns the items of a list, none for anything else.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// str returns the text of a string, "" for anything else.
func (n *node) str() string {
	if n == nil || n.kind != stringKind {
		return ""
	}
	return n.text
}

// scalar reports whether the node is text, a number or a boolean.
func (n *node) scalar() bool {
	return n != nil && (n.kind == boolKind || n.kind == numberKind || n.kind == stringKind)
}

// point fills in the JSON pointers (RFC 6901) of n and everything below it.
func (n *node) point(pointer string) {
	n.pointer = pointer
	for _, e := range n.entries {
		e.value.point(pointer + "/" + strings.ReplaceAll(strings.ReplaceAll(e.key, "~", "~0"), "/", "~1"))
	}
	for i, item := range n.items {
		item.point(pointer + "/" + strconv.Itoa(i))
	}
}

// dotted turns a pointer into the path that people read: /spec/rules/0/id is
// spec.rules[0].id.
func dotted(pointer string) string {
	var b strings.Builder
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if _, err := strconv.ParseUint(token, 10, 31); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}
