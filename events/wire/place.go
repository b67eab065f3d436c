package wire

import (
	"errors"
	"fmt"
	"strconv"
)

// Malformed returns the mistake as an error that wraps errMalformed and names
// the place as a JSON pointer.
func (r *Reader) Malformed() error {
	if r.Err == nil {
		return nil
	}
	return malformedAt(r.Bytes, r.At, r.Err)
}

func malformedAt(b []byte, offset int, err error) error {
	place := pointerAt(b, offset)
	if place == "" {
		place = "/"
	}
	return fmt.Errorf("%w: at %s (byte %d): %w", ErrMalformed, place, offset, err)
}

// ErrMalformed is in the chain of every mistake.
var ErrMalformed = errors.New("malformed event")

// errReached ends the walk of pointerAt.
var errReached = errors.New("reached")

// pointerAt returns the JSON pointer of the innermost value that contains the
// offset, "" for the document. What lies before the offset is well formed.
func pointerAt(b []byte, offset int) string {
	w := &pathWalker{Reader: Reader{Bytes: b}, offset: offset}
	w.walk("")
	return w.place
}

// pathWalker reads a document up to an offset; place is the value it is in.
type pathWalker struct {
	Reader
	offset int
	place  string
}

func (w *pathWalker) walk(path string) {
	if w.Peek(); w.Err != nil || w.Pos > w.offset {
		w.Fail("%w", errReached)
		return
	}
	w.place = path
	child := func(name string) {
		w.walk(path + "/" + name)
		if w.Err == nil && w.Pos <= w.offset {
			w.place = path
			return
		}
		w.Fail("%w", errReached)
	}
	switch w.Peek() {
	case '{':
		w.Object(func(key []byte) { child(PointerToken(key)) })
	case '[':
		i := 0
		w.Array(func() {
			child(strconv.Itoa(i))
			i++
		})
	default:
		w.Skip()
	}
}

// PointerToken escapes a key for a JSON pointer (RFC 6901).
func PointerToken(key []byte) string {
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
