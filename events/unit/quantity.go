package unit

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrSyntax is wrapped by Parse's errors when the text is no number followed
// by a unit.
var ErrSyntax = errors.New("not a quantity")

// ErrUnknown is wrapped by Parse's errors when the unit is not known.
var ErrUnknown = errors.New("unknown unit")

// ErrRange is wrapped by Parse's errors when a float64 cannot hold the number.
var ErrRange = errors.New("not within the range of a 64-bit float")

// Quantity is a number with a unit.
type Quantity struct {
	// Digits is the decimal number as it was written, without the unit.
	Digits string
	Unit   Unit
}

// maxText bounds a quantity's text: the longest exact float64 in use has 25
// characters, so that anything longer is a mistake.
const maxText = 64

// Parse reads a decimal number followed by an optional unit. The error wraps
// ErrSyntax, ErrUnknown or ErrRange.
func Parse(text string) (Quantity, error) {
	s := strings.TrimSpace(text)
	n := number(s)
	if n == 0 || len(s) > maxText {
		return Quantity{}, fmt.Errorf("%w: %q", ErrSyntax, Clip(text, maxText))
	}
	symbol := strings.TrimSpace(s[n:])
	u, ok := Find(symbol)
	if !ok {
		return Quantity{}, fmt.Errorf("%w: %q", ErrUnknown, Clip(symbol, maxText))
	}
	q := Quantity{Digits: s[:n], Unit: u}
	v := q.In(Unit{Factor: u.Factor})
	digits, _ := q.decimal(0)
	if math.IsInf(v*u.Factor, 0) || v == 0 && strings.ContainsAny(digits, "123456789") {
		return Quantity{}, fmt.Errorf("%w: %q", ErrRange, Clip(text, maxText))
	}
	return q, nil
}

// Duration is the regular expression of what ParseDuration reads and Parse does not.
const Duration = Number + ` *[md]|([0-9]+\.?[0-9]*(h|m|s|ms|us|ns))+`

// ParseDuration reads how long something may take: a quantity of time, minutes as "2m",
// days as "1.5 d", or a sum as Go writes it ("1h30m"). 0 needs no unit.
func ParseDuration(text string) (Quantity, error) {
	q, err := Parse(text)
	if err == nil && (q.Unit.Dimension == Time || q.Unit.Symbol == "" && q.Base() == 0) {
		return q, nil
	}
	s := strings.TrimSpace(text)
	number, days := strings.CutSuffix(s, "d")
	if !days {
		number, _ = strings.CutSuffix(s, "m")
	}
	if q, err := Parse(number); err == nil && q.Unit.Symbol == "" && number != s {
		q.Unit = Unit{Symbol: "min", Dimension: Time, Factor: 60}
		if days {
			q.Unit = Unit{Symbol: "d", Dimension: Time, Factor: 86400}
		}
		return q, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return Quantity{Digits: strconv.FormatInt(d.Nanoseconds(), 10), Unit: Unit{Symbol: "ns", Dimension: Time, Exp: -9, Factor: 1}}, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: %q", ErrUnknown, Clip(q.Unit.Symbol, maxText))
	}
	return q, err
}

// Clip cuts a text that is longer than n characters, for messages.
func Clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// Symbol returns the unit's text of a quantity that may not be known, for
// messages: the part after the number.
func Symbol(text string) string {
	s := strings.TrimSpace(text)
	return strings.TrimSpace(s[number(s):])
}

// Number is the regular expression of a decimal number. Hexadecimal,
// underscores, "inf" and "nan" are none here.
const Number = `[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`

var leading = regexp.MustCompile("^" + Number)

// number returns the length of the decimal number that s starts with, or 0.
func number(s string) int {
	n := len(leading.FindString(s))
	if n < len(s) && s[n] == '.' && !strings.ContainsAny(s[:n], "eE") {
		return 0
	}
	return n
}

// Base returns the quantity in the base unit of its dimension, rounded once.
func (q Quantity) Base() float64 { return q.In(Unit{Factor: 1}) }

// In returns the quantity in u, which must have its dimension, rounded once; a
// plain number passes as one of any dimension.
func (q Quantity) In(u Unit) float64 {
	if q.Unit.Factor != u.Factor {
		v, _ := q.Rat(u).Float64()
		return v
	}
	digits, exp := q.decimal(q.Unit.Exp - u.Exp)
	// The error is a range error; the value is then 0 or infinite.
	v, _ := strconv.ParseFloat(digits+"e"+strconv.Itoa(exp), 64)
	return v
}

// Rat returns the quantity in u exactly. It is 0 for the zero Quantity.
func (q Quantity) Rat(u Unit) *big.Rat {
	digits, exp := q.decimal(q.Unit.Exp - u.Exp)
	v, ok := new(big.Rat).SetString(digits + "e" + strconv.Itoa(exp))
	if !ok {
		return new(big.Rat)
	}
	if q.Unit.Factor == u.Factor {
		return v
	}
	v.Mul(v, new(big.Rat).SetFloat64(q.Unit.Factor))
	return v.Quo(v, new(big.Rat).SetFloat64(u.Factor))
}

// decimal returns Digits * 10^exp as digits without exponent, and the exponent.
func (q Quantity) decimal(exp int) (digits string, _ int) {
	digits, power, scientific := strings.Cut(strings.ToLower(q.Digits), "e")
	if scientific {
		// A number outside int is out of float64's range as well.
		own, _ := strconv.Atoi(power)
		exp += own
	}
	return digits, exp
}

// String returns the quantity as it is written in a study.
func (q Quantity) String() string { return join(q.Digits, q.Unit.Symbol) }

func join(digits, symbol string) string {
	switch symbol {
	case "":
		return digits
	case "%":
		return digits + "%"
	}
	return digits + " " + symbol
}

// Exact writes v, in the named unit, so that it reads back bit for bit.
func Exact(v float64, symbol string) string {
	return join(strconv.FormatFloat(v, 'g', -1, 64), symbol)
}

// Format writes v, in the named unit, for people: with the prefix that needs
// the fewest characters, powers of 1024 for amounts of data ("512 KiB"). It
// reads back as the same number.
func Format(v float64, symbol string) string {
	u, ok := Find(symbol)
	best := join(plain(v), symbol)
	if !ok || u.Dimension == Dimensionless || v == 0 {
		return best
	}
	exact := Quantity{Digits: strconv.FormatFloat(v, 'g', -1, 64), Unit: u}
	for c := range All() {
		if c.Dimension != u.Dimension || c.Exp == 0 && c.Factor == 1 && c.Symbol != u.Symbol {
			continue
		}
		text := join(plain(exact.In(c)), c.Symbol)
		q, err := Parse(text)
		if err == nil && q.In(u) == v && shorter(text, best, c, u) {
			best = text
		}
	}
	return best
}

// shorter prefers fewer characters, and binary prefixes for whole amounts of
// data, because levels of memories are powers of two.
func shorter(text, best string, c, u Unit) bool {
	if u.Dimension == Data && c.Factor > 1 && !strings.Contains(text, ".") && !strings.Contains(best, "iB") {
		return len(text) <= len(best)+1
	}
	return len(text) < len(best)
}

func plain(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e15) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
