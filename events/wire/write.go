package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as a JSON string, as encoding/json does without
// HTML escapes.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendEscaped(b, s)
		}
	}
	b = append(b, '"')
	return append(append(b, s...), '"')
}

func appendEscaped(b []byte, s string) []byte {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(b, `""`...) // A string always has an encoding.
	}
	return buf.Bytes()[:buf.Len()-1]
}

// AppendFloat appends a finite number in its shortest exact form, as
// encoding/json does: whole numbers below 1e21 have no exponent, so that
// languages with integers read them as such.
func AppendFloat(b []byte, f float64) []byte {
	if n := int64(f); float64(n) == f && n > -1e15 && n < 1e15 && (n != 0 || !math.Signbit(f)) {
		return strconv.AppendInt(b, n, 10)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		b = strconv.AppendFloat(b, f, 'e', -1, 64)
		// 1e-07 becomes 1e-7, as in ECMAScript and encoding/json.
		if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
			b[n-2] = b[n-1]
			b = b[:n-1]
		}
		return b
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

var errNotFinite = errors.New("a number is not finite")

// AppendFinite is AppendFloat for a number that may be none.
func AppendFinite(b []byte, f float64) ([]byte, error) {
	if f-f != 0 {
		return nil, errNotFinite
	}
	return AppendFloat(b, f), nil
}

// AppendList appends the elements of list. A nil one is empty, not null: the
// schema wants an array.
func AppendList[T any](b []byte, list []T, element func([]byte, T) ([]byte, error)) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = element(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// AppendStd appends v as encoding/json writes it, without HTML escapes.
func AppendStd(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes()[:buf.Len()-1], nil
}

// AppendInt appends a whole number.
func AppendInt(b []byte, n int) ([]byte, error) { return strconv.AppendInt(b, int64(n), 10), nil }

// AppendText is AppendString as an element of AppendList.
func AppendText(b []byte, s string) ([]byte, error) { return AppendString(b, s), nil }
