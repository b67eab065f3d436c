package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// maxDepth is the largest nesting of a document.
const maxDepth = 64

// jsonReader reads JSON in one pass, as strictly as encoding/json and with a limit
// on the depth. The hot event types are read with it: encoding/json scans a
// batch four times (envelope twice, payload twice) and once more per row.
//
// The first mistake is kept in err and everything after it reads as empty, so
// callers look at err once, at the end.
type jsonReader struct {
	b     []byte
	i     int
	depth int
	err   error
	// at is the offset of the mistake.
	at int
	// words are the strings that word has read.
	words map[string]string
}

func (r *jsonReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err, r.at = fmt.Errorf(format, args...), min(r.i, len(r.b))
	}
	r.i = len(r.b)
}

// failAt is fail for a mistake at an offset that was read before.
func (r *jsonReader) failAt(offset int, format string, args ...any) {
	if r.err == nil {
		r.i = offset
		r.fail(format, args...)
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *jsonReader) peek() byte {
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// expect consumes c.
func (r *jsonReader) expect(c byte) bool {
	if got := r.peek(); got != c {
		switch {
		case r.i >= len(r.b):
			r.fail("the JSON ends where %q belongs", c)
		default:
			r.fail("want %q, not %q", c, got)
		}
		return false
	}
	r.i++
	return true
}

func (r *jsonReader) enter(open byte) bool {
	if r.depth >= maxDepth {
		r.fail("the JSON is nested deeper than %d levels", maxDepth)
		return false
	}
	if !r.expect(open) {
		return false
	}
	r.depth++
	return true
}

// object calls field for each field; field must consume the value. The key is
// valid until field reads on.
func (r *jsonReader) object(field func(key []byte)) {
	if !r.enter('{') {
		return
	}
	defer func() { r.depth-- }()
	if r.peek() == '}' {
		r.i++
		return
	}
	for r.err == nil {
		key := r.key()
		if !r.expect(':') {
			return
		}
		field(key)
		if r.peek() == '}' {
			r.i++
			return
		}
		r.expect(',')
	}
}

// array calls element for each element; element must consume it.
func (r *jsonReader) array(element func()) {
	if !r.enter('[') {
		return
	}
	defer func() { r.depth-- }()
	if r.peek() == ']' {
		r.i++
		return
	}
	for r.err == nil {
		element()
		if r.peek() == ']' {
			r.i++
			return
		}
		r.expect(',')
	}
}

// null consumes null when it is next. A field that is null is an absent one,
// as for encoding/json.
func (r *jsonReader) null() bool {
	if r.peek() != 'n' {
		return false
	}
	return r.literal("null")
}

func (r *jsonReader) literal(word string) bool {
	if len(r.b)-r.i < len(word) || string(r.b[r.i:r.i+len(word)]) != word {
		r.fail("invalid JSON value")
		return false
	}
	r.i += len(word)
	return true
}

// token consumes a string and returns it with its quotes; plain says that
// what is between them is its text.
func (r *jsonReader) token() (quoted []byte, plain bool) {
	if !r.expect('"') {
		return nil, false
	}
	start, plain := r.i-1, true
	// Most strings are plain ASCII: one tight loop for them.
	for i, c := range r.b[r.i:] {
		if c == '"' {
			r.i += i + 1
			return r.b[start:r.i], true
		}
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			r.i += i
			break
		}
	}
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			return r.b[start:r.i], plain
		case c == '\\':
			plain = false
			r.escape()
		case c < ' ':
			r.fail("a control character in a string")
		case c >= utf8.RuneSelf:
			plain = false
			r.i++
		default:
			r.i++
		}
	}
	r.fail("a string does not end")
	return nil, false
}

// escape consumes one escape sequence of a string.
func (r *jsonReader) escape() {
	r.i++
	if r.i >= len(r.b) {
		return
	}
	switch r.b[r.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		r.i++
	case 'u':
		for k := 1; k <= 4; k++ {
			if r.i+k >= len(r.b) || !isHex(r.b[r.i+k]) {
				r.fail("an invalid \\u escape in a string")
				return
			}
		}
		r.i += 5
	default:
		r.fail("an invalid escape in a string")
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (r *jsonReader) key() []byte {
	q, plain := r.token()
	if plain {
		return q[1 : len(q)-1]
	}
	return []byte(r.unquote(q))
}

// str consumes a string, or null as "".
func (r *jsonReader) str() string {
	if r.null() {
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

// word consumes a string of which a batch holds few different ones: a code, a
// unit, an origin. All equal ones share memory.
func (r *jsonReader) word() string {
	if r.null() {
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

func (r *jsonReader) unquote(quoted []byte) string {
	var s string
	if r.err == nil {
		if err := json.Unmarshal(quoted, &s); err != nil {
			r.fail("%v", err)
		}
	}
	return s
}

// digits consumes a run of digits and reports whether there was one.
func (r *jsonReader) digits() bool {
	n := 0
	for _, c := range r.b[r.i:] {
		if c < '0' || c > '9' {
			break
		}
		n++
	}
	r.i += n
	return n > 0
}

// numeral consumes a number by the grammar of RFC 8259, which is narrower than
// strconv's: no hex, no infinity, no leading plus, zero or point.
func (r *jsonReader) numeral() (text []byte, whole bool) {
	r.peek()
	start := r.i
	if r.i < len(r.b) && r.b[r.i] == '-' {
		r.i++
	}
	first := r.i
	whole = true
	ok := r.digits() && (r.b[first] != '0' || r.i == first+1)
	if ok && r.i < len(r.b) && r.b[r.i] == '.' {
		r.i++
		whole, ok = false, r.digits()
	}
	if ok && r.i < len(r.b) && (r.b[r.i] == 'e' || r.b[r.i] == 'E') {
		r.i++
		if r.i < len(r.b) && (r.b[r.i] == '+' || r.b[r.i] == '-') {
			r.i++
		}
		whole, ok = false, r.digits()
	}
	if !ok {
		r.i = start
		r.fail("want a number")
		return nil, false
	}
	return r.b[start:r.i], whole
}

// number consumes a number. Numbers of JSON are finite; one that a 64-bit
// float cannot hold is a mistake.
func (r *jsonReader) number() float64 {
	if n, ok := r.small(); ok {
		return float64(n)
	}
	t, _ := r.numeral()
	if r.err != nil {
		return 0
	}
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil {
		r.failAt(r.i-len(t), "the number %.40s is out of range", t)
	}
	return f
}

// small consumes a whole number of at most 15 digits, which a float holds
// exactly. Most parameters are such. It consumes nothing when it is not ok.
func (r *jsonReader) small() (n int64, ok bool) {
	r.peek()
	for i, c := range r.b[r.i:] {
		if c >= '0' && c <= '9' {
			n = 10*n + int64(c-'0')
			continue
		}
		if i == 0 || i > 15 || c == '.' || c == 'e' || c == 'E' || (i > 1 && r.b[r.i] == '0') {
			return 0, false
		}
		r.i += i
		return n, true
	}
	return 0, false
}

// numberOrNull consumes a number, or null as NaN.
func (r *jsonReader) numberOrNull() float64 {
	if r.null() {
		return math.NaN()
	}
	return r.number()
}

// int64 consumes a whole number, or null as 0.
func (r *jsonReader) int64() int64 {
	if r.null() {
		return 0
	}
	if n, ok := r.small(); ok {
		return n
	}
	t, whole := r.numeral()
	if r.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || !whole {
		r.failAt(r.i-len(t), "want a whole number, not %.40s", t)
	}
	return n
}

// int consumes a whole number, or null as 0.
func (r *jsonReader) int() int { return int(r.int64()) }

// float consumes a number, or null as 0.
func (r *jsonReader) float() float64 {
	if r.null() {
		return 0
	}
	return r.number()
}

// skip consumes any value.
func (r *jsonReader) skip() {
	switch r.peek() {
	case '{':
		r.object(func([]byte) { r.skip() })
	case '[':
		r.array(r.skip)
	case '"':
		r.token()
	case 't':
		r.literal("true")
	case 'f':
		r.literal("false")
	case 'n':
		r.literal("null")
	case 0:
		r.fail("the JSON ends where a value belongs")
	default:
		r.numeral()
	}
}

// raw consumes any value and returns its bytes.
func (r *jsonReader) raw() []byte {
	r.peek()
	start := r.i
	r.skip()
	if r.err != nil {
		return nil
	}
	return r.b[start:r.i]
}

// end reports a mistake when anything but white space is left.
func (r *jsonReader) end() {
	if r.err == nil && (r.peek() != 0 || r.i < len(r.b)) {
		r.fail("more after the end of the JSON document")
	}
}

// std reads a value by encoding/json, for fields that occur once in a batch.
func (r *jsonReader) std(v any) {
	raw := r.raw()
	if r.err != nil {
		return
	}
	if err := json.Unmarshal(raw, v); err != nil {
		r.failStd(len(raw), err)
	}
}

// failStd records a mistake that encoding/json found in the last size bytes.
func (r *jsonReader) failStd(size int, err error) {
	start := r.i - size
	if at, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		// The offset is the one after the value, or the one of its start.
		r.failAt(start+max(int(at.Offset)-1, 0), "want %s, not %s", kindName(at.Type.Kind()), at.Value)
	}
	r.failAt(start, "%w", err)
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
