package events

import (
	"errors"
	"fmt"
	"strconv"
)

// malformed returns the mistake as an error that wraps errMalformed and names
// the place as a JSON pointer.
func (r *jsonReader) malformed() error {
	if r.err == nil {
		return nil
	}
	return malformedAt(r.b, r.at, r.err)
}

func malformedAt(b []byte, offset int, err error) error {
	place := pointerAt(b, offset)
	if place == "" {
		place = "/"
	}
	return fmt.Errorf("%w: at %s (byte %d): %w", errMalformed, place, offset, err)
}

// errMalformed is in the chain of every mistake.
var errMalformed = errors.New("malformed event")

// errReached ends the walk of pointerAt.
var errReached = errors.New("reached")

// pointerAt returns the JSON pointer of the innermost value that contains the
// offset, "" for the document. What lies before the offset is well formed.
func pointerAt(b []byte, offset int) string {
	w := &pathWalker{jsonReader: jsonReader{b: b}, offset: offset}
	w.walk("")
	return w.place
}

// pathWalker reads a document up to an offset; place is the value it is in.
type pathWalker struct {
	jsonReader
	offset int
	place  string
}

func (w *pathWalker) walk(path string) {
	if w.peek(); w.err != nil || w.i > w.offset {
		w.fail("%w", errReached)
		return
	}
	w.place = path
	child := func(name string) {
		w.walk(path + "/" + name)
		if w.err == nil && w.i <= w.offset {
			w.place = path
			return
		}
		w.fail("%w", errReached)
	}
	switch w.peek() {
	case '{':
		w.object(func(key []byte) { child(pointerToken(key)) })
	case '[':
		i := 0
		w.array(func() {
			child(strconv.Itoa(i))
			i++
		})
	default:
		w.skip()
	}
}

// pointerToken escapes a key for a JSON pointer (RFC 6901).
func pointerToken(key []byte) string {
	b := make([]byte, 0, len(key))
	for _, c := range key {
		switch c {
		case '~':
			b = append(b, "~0"...)
		case '/':
			b = append(b, "~1"...)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}
