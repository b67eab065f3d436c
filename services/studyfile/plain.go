package studyfile

import (
	"encoding/json"
	"strconv"
)

// seed reads the seed, which needs all 64 bits.
func seed(n *node) uint64 {
	if n == nil || n.kind != numberKind {
		return 0
	}
	// A value that is no seed has been reported by check.
	v, _ := strconv.ParseUint(n.text, 10, 64)
	return v
}

// plain appends the JSON of a node whose meaning another package knows.
// Numbers that JSON cannot write as they stand are reported.
func (b *builder) plain(n *node, dst []byte) []byte {
	switch n.kind {
	case boolKind:
		return append(dst, n.text...)
	case numberKind:
		return b.plainNumber(n, dst)
	case stringKind:
		return quote(dst, n.text)
	case listKind:
		dst = append(dst, '[')
		for i, item := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = b.plain(item, dst)
		}
		return append(dst, ']')
	case mapKind:
		dst = append(dst, '{')
		for i, e := range n.entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = b.plain(e.value, append(quote(dst, e.key), ':'))
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}

func (b *builder) plainNumber(n *node, dst []byte) []byte {
	if json.Valid([]byte(n.text)) {
		return append(dst, n.text...)
	}
	v, ok := plainNumber(n)
	if !ok {
		b.add(n, codeWrongType, "Write it as a decimal number.", "%q is no number that a study takes", clip(n.text))
		return append(dst, '0')
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

func quote(dst []byte, s string) []byte {
	// A string always marshals.
	q, _ := json.Marshal(s)
	return append(dst, q...)
}
