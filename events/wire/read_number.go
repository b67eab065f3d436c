package wire

import (
	"math"
	"strconv"
)

// digits consumes a run of digits and reports whether there was one.
func (r *Reader) digits() bool {
	n := 0
	for _, c := range r.Bytes[r.Pos:] {
		if c < '0' || c > '9' {
			break
		}
		n++
	}
	r.Pos += n
	return n > 0
}

// numeral consumes a number by the grammar of RFC 8259, which is narrower than
// strconv's: no hex, no infinity, no leading plus, zero or point.
func (r *Reader) numeral() (text []byte, whole bool) {
	r.Peek()
	start := r.Pos
	if r.Pos < len(r.Bytes) && r.Bytes[r.Pos] == '-' {
		r.Pos++
	}
	first := r.Pos
	whole = true
	ok := r.digits() && (r.Bytes[first] != '0' || r.Pos == first+1)
	if ok && r.Pos < len(r.Bytes) && r.Bytes[r.Pos] == '.' {
		r.Pos++
		whole, ok = false, r.digits()
	}
	if ok && r.Pos < len(r.Bytes) && (r.Bytes[r.Pos] == 'e' || r.Bytes[r.Pos] == 'E') {
		r.Pos++
		if r.Pos < len(r.Bytes) && (r.Bytes[r.Pos] == '+' || r.Bytes[r.Pos] == '-') {
			r.Pos++
		}
		whole, ok = false, r.digits()
	}
	if !ok {
		r.Pos = start
		r.Fail("want a number")
		return nil, false
	}
	return r.Bytes[start:r.Pos], whole
}

// Number consumes a number. Numbers of JSON are finite; one that a 64-bit
// float cannot hold is a mistake.
func (r *Reader) Number() float64 {
	if f, ok := r.decimal(); ok {
		return f
	}
	t, _ := r.numeral()
	if r.Err != nil {
		return 0
	}
	f, err := strconv.ParseFloat(string(t), 64)
	if err != nil {
		r.FailAt(r.Pos-len(t), "the number %.40s is out of range", t)
	}
	return f
}

// decimal consumes a number without an exponent whose digits and whose power of ten a
// float holds exactly each, so that one division rounds once. It consumes nothing when it
// is not ok.
func (r *Reader) decimal() (f float64, ok bool) {
	r.Peek()
	b := r.Bytes[r.Pos:]
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	digits, whole := leadingDigits(b, 0)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return 0, false
	}
	used, fraction := whole, 0
	if used < len(b) && b[used] == '.' {
		digits, fraction = leadingDigits(b[used+1:], digits)
		if used += 1 + fraction; fraction == 0 {
			return 0, false
		}
	}
	if used < len(b) && (b[used] == 'e' || b[used] == 'E') {
		return 0, false
	}
	if whole+fraction > mostDigits || digits > 1<<53 {
		return 0, false
	}
	f = float64(digits) / powersOfTen[fraction]
	if negative {
		f = -f
		used++
	}
	r.Pos += used
	return f, true
}

// leadingDigits appends the digits that b begins with to those of n, and says how many
// there are. It overflows beyond mostDigits.
func leadingDigits(b []byte, n uint64) (digits uint64, count int) {
	for i, c := range b {
		if c -= '0'; c > 9 {
			return n, i
		}
		n = 10*n + uint64(c)
	}
	return n, len(b)
}

// mostDigits fit into 64 bits whatever they are.
const mostDigits = 19

// powersOfTen are exact: so are they up to 1e22.
var powersOfTen = [mostDigits + 1]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// small consumes a whole number of at most 15 digits, which a float holds
// exactly. Most parameters are such. It consumes nothing when it is not ok.
func (r *Reader) small() (n int64, ok bool) {
	r.Peek()
	for i, c := range r.Bytes[r.Pos:] {
		if c >= '0' && c <= '9' {
			n = 10*n + int64(c-'0')
			continue
		}
		if i == 0 || i > 15 || c == '.' || c == 'e' || c == 'E' || (i > 1 && r.Bytes[r.Pos] == '0') {
			return 0, false
		}
		r.Pos += i
		return n, true
	}
	return 0, false
}

// NumberOrNull consumes a number, or null as NaN.
func (r *Reader) NumberOrNull() float64 {
	if r.Null() {
		return math.NaN()
	}
	return r.Number()
}

// Int64 consumes a whole number, or null as 0.
func (r *Reader) Int64() int64 {
	if r.Null() {
		return 0
	}
	if n, ok := r.small(); ok {
		return n
	}
	t, whole := r.numeral()
	if r.Err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || !whole {
		r.FailAt(r.Pos-len(t), "want a whole number, not %.40s", t)
	}
	return n
}

// Int consumes a whole number, or null as 0.
func (r *Reader) Int() int { return int(r.Int64()) }

// Float consumes a number, or null as 0.
func (r *Reader) Float() float64 {
	if r.Null() {
		return 0
	}
	return r.Number()
}
