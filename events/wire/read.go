// Package wire reads and writes JSON as the events need it: in one pass, as
// strictly as encoding/json, with the place of every mistake and exact numbers.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"reflect"
	"unicode/utf8"
)

// MaxDepth is the largest nesting of a document.
const MaxDepth = 64

// Reader reads JSON in one pass, as strictly as encoding/json and with a limit
// on the depth. The hot event types are read with it: encoding/json scans a
// batch four times (envelope twice, payload twice) and once more per row.
//
// The first mistake is kept in err and everything after it reads as empty, so
// callers look at err once, at the end.
type Reader struct {
	Bytes []byte
	Pos   int
	Depth int
	Err   error
	// At is the offset of the mistake.
	At int
	// words are the strings that word has read.
	words map[string]string
}

// Fail keeps the first mistake, at the place that was read last.
func (r *Reader) Fail(format string, args ...any) {
	if r.Err == nil {
		r.Err, r.At = fmt.Errorf(format, args...), min(r.Pos, len(r.Bytes))
	}
	r.Pos = len(r.Bytes)
}

// FailAt is fail for a mistake at an offset that was read before.
func (r *Reader) FailAt(offset int, format string, args ...any) {
	if r.Err == nil {
		r.Pos = offset
		r.Fail(format, args...)
	}
}

// Peek skips white space and returns the next byte, 0 at the end.
func (r *Reader) Peek() byte {
	if r.Pos < len(r.Bytes) && r.Bytes[r.Pos] > ' ' { // what we write ourselves has no space
		return r.Bytes[r.Pos]
	}
	return r.afterSpace()
}

func (r *Reader) afterSpace() byte {
	for ; r.Pos < len(r.Bytes); r.Pos++ {
		switch c := r.Bytes[r.Pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// expect consumes c.
func (r *Reader) expect(c byte) bool {
	if got := r.Peek(); got != c {
		switch {
		case r.Pos >= len(r.Bytes):
			r.Fail("the JSON ends where %q belongs", c)
		default:
			r.Fail("want %q, not %q", c, got)
		}
		return false
	}
	r.Pos++
	return true
}

func (r *Reader) enter(open byte) bool {
	if r.Depth >= MaxDepth {
		r.Fail("the JSON is nested deeper than %d levels", MaxDepth)
		return false
	}
	if !r.expect(open) {
		return false
	}
	r.Depth++
	return true
}

// Object calls field for each field; field must consume the value. The key is
// valid until field reads on.
func (r *Reader) Object(field func(key []byte)) {
	if !r.enter('{') {
		return
	}
	defer func() { r.Depth-- }()
	if r.Peek() == '}' {
		r.Pos++
		return
	}
	for r.Err == nil {
		key := r.key()
		if !r.expect(':') {
			return
		}
		field(key)
		if r.Peek() == '}' {
			r.Pos++
			return
		}
		r.expect(',')
	}
}

// Array calls element for each element; element must consume it.
func (r *Reader) Array(element func()) {
	if !r.enter('[') {
		return
	}
	defer func() { r.Depth-- }()
	if r.Peek() == ']' {
		r.Pos++
		return
	}
	for r.Err == nil {
		element()
		if r.Peek() == ']' {
			r.Pos++
			return
		}
		r.expect(',')
	}
}

// Null consumes null when it is next. A field that is null is an absent one,
// as for encoding/json.
func (r *Reader) Null() bool {
	if r.Peek() != 'n' {
		return false
	}
	return r.literal("null")
}

func (r *Reader) literal(word string) bool {
	if len(r.Bytes)-r.Pos < len(word) || string(r.Bytes[r.Pos:r.Pos+len(word)]) != word {
		r.Fail("invalid JSON value")
		return false
	}
	r.Pos += len(word)
	return true
}

// token consumes a string and returns it with its quotes; plain says that
// what is between them is its text.
func (r *Reader) token() (quoted []byte, plain bool) {
	if !r.expect('"') {
		return nil, false
	}
	start, plain := r.Pos-1, true
	// Most strings are plain ASCII: one tight loop for them.
	if r.Pos += plainBytes(r.Bytes[r.Pos:]); r.Pos < len(r.Bytes) && r.Bytes[r.Pos] == '"' {
		r.Pos++
		return r.Bytes[start:r.Pos], true
	}
	for r.Pos < len(r.Bytes) {
		switch c := r.Bytes[r.Pos]; {
		case c == '"':
			r.Pos++
			return r.Bytes[start:r.Pos], plain
		case c == '\\':
			plain = false
			r.escape()
		case c < ' ':
			r.Fail("a control character in a string")
		case c >= utf8.RuneSelf:
			plain = false
			r.Pos++
		default:
			r.Pos++
		}
	}
	r.Fail("a string does not end")
	return nil, false
}

// plainBytes returns how many bytes b begins with that stand for themselves in a string:
// ASCII, no control character, quote or backslash. It looks at eight at a time.
func plainBytes(b []byte) int {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		x := binary.LittleEndian.Uint64(b[n:])
		quote, backslash := x^'"'*ones, x^'\\'*ones
		// A byte below k gets its high bit set by subtracting k; the bytes above one that
		// did may as well, so that only the first one counts.
		if found := (x | (x-' '*ones)&^x | (quote-ones)&^quote | (backslash-ones)&^backslash) & high; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for ; n < len(b); n++ {
		if c := b[n]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return n
}

// escape consumes one escape sequence of a string.
func (r *Reader) escape() {
	r.Pos++
	if r.Pos >= len(r.Bytes) {
		return
	}
	switch r.Bytes[r.Pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		r.Pos++
	case 'u':
		for k := 1; k <= 4; k++ {
			if r.Pos+k >= len(r.Bytes) || !isHex(r.Bytes[r.Pos+k]) {
				r.Fail("an invalid \\u escape in a string")
				return
			}
		}
		r.Pos += 5
	default:
		r.Fail("an invalid escape in a string")
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (r *Reader) key() []byte {
	q, plain := r.token()
	if plain {
		return q[1 : len(q)-1]
	}
	return []byte(r.unquote(q))
}

// Str consumes a string, or null as "".
func (r *Reader) Str() string {
	if r.Null() {
		return ""
	}
	q, plain := r.token()
	if plain {
		return string(q[1 : len(q)-1])
	}
	return r.unquote(q)
}

// maxWords bounds the words that a reader remembers.
const maxWords = 64

// Word consumes a string of which a batch holds few different ones: a code, a
// unit, an origin. All equal ones share memory.
func (r *Reader) Word() string {
	if r.Null() {
		return ""
	}
	q, plain := r.token()
	if !plain {
		return r.unquote(q)
	}
	text := q[1 : len(q)-1]
	if known, ok := r.words[string(text)]; ok {
		return known
	}
	s := string(text)
	if r.words == nil {
		r.words = map[string]string{}
	}
	if len(r.words) < maxWords {
		r.words[s] = s
	}
	return s
}

func (r *Reader) unquote(quoted []byte) string {
	var s string
	if r.Err == nil {
		if err := json.Unmarshal(quoted, &s); err != nil {
			r.Fail("%v", err)
		}
	}
	return s
}

// Skip consumes any value.
func (r *Reader) Skip() {
	switch r.Peek() {
	case '{':
		r.Object(func([]byte) { r.Skip() })
	case '[':
		r.Array(r.Skip)
	case '"':
		r.token()
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	case 0:
		r.Fail("the JSON ends where a value belongs")
	default:
		r.numeral()
	}
}

// Raw consumes any value and returns its bytes.
func (r *Reader) Raw() []byte {
	r.Peek()
	start := r.Pos
	r.Skip()
	if r.Err != nil {
		return nil
	}
	return r.Bytes[start:r.Pos]
}

// End reports a mistake when anything but white space is left.
func (r *Reader) End() {
	if r.Err == nil && (r.Peek() != 0 || r.Pos < len(r.Bytes)) {
		r.Fail("more after the end of the JSON document")
	}
}

// Std reads a value by encoding/json, for fields that occur once in a batch.
func (r *Reader) Std(v any) {
	raw := r.Raw()
	if r.Err != nil {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		r.FailStd(len(raw), err)
	}
}

// FailStd records a mistake that encoding/json found in the last size bytes.
func (r *Reader) FailStd(size int, err error) {
	start := r.Pos - size
	if at, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		// The offset is the one after the value, or the one of its start.
		r.FailAt(start+max(int(at.Offset)-1, 0), "want %s, not %s", kindName(at.Type.Kind()), at.Value)
	}
	r.FailAt(start, "%w", err)
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float64:
		return "a number"
	}
	return "a whole number"
}
