package archiver

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"apollo/archiver/parquetcheck"
	"apollo/optimizer/space"
)

// value reads the next value; ok is false for NULL and for a column that the
// file does not have.
func (c *cursor) value() (v parquet.Value, ok bool, err error) {
	if c.b.col == nil {
		return v, false, nil
	}
	if v, err = c.next(); err != nil || v.IsNull() {
		return v, false, err
	}
	c.valued = true
	if !c.b.fits {
		return v, false, parquetcheck.Unfit("%w", c.b.mismatch())
	}
	return v, true, nil
}

// text reads a string; repeated values share their memory. NULL is "".
func (c *cursor) text() (string, error) {
	if c.b.folder != nil {
		return c.b.folder.text, nil
	}
	v, ok, err := c.value()
	if !ok {
		return "", err
	}
	if b := v.ByteArray(); string(b) != c.last {
		if c.last, err = c.b.col.string(b); err != nil {
			return "", err
		}
	}
	return c.last, nil
}

// string is the text of a value's bytes.
func (f *fileColumn) string(b []byte) (string, error) {
	switch {
	case f.form == formUUID:
		h := hex.EncodeToString(b)
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
	case f.from == parquet.FixedLenByteArray && (!utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0):
		return "", parquetcheck.Unfit("column %q is of type FIXED_LEN_BYTE_ARRAY and holds %q, which is no text: write it as STRING", f.name, b)
	}
	return string(b), nil
}

// number reads a number; NULL is NaN. A number that no double is becomes
// infinite where rows are taken as they are: it is never rounded.
func (c *cursor) number() (float64, error) {
	if c.b.folder != nil {
		return c.b.folder.number, nil
	}
	v, ok, err := c.value()
	if !ok {
		return math.NaN(), err
	}
	f, exact := c.b.col.float(v)
	if !exact {
		if !c.raw {
			return 0, parquetcheck.Unfit("column %q holds %v, which is beyond what a double holds exactly", c.b.name, v)
		}
		return math.Inf(1), nil
	}
	return f, nil
}

// float converts a value; exact is false where the nearest double is another
// number.
func (f *fileColumn) float(v parquet.Value) (number float64, exact bool) {
	switch f.form {
	case formHalf:
		return halfFloat(v.ByteArray()), true
	case formDecimal:
		return decimalFloat(f.unscaled(v), int(f.scale))
	case formUnsigned:
		if f.from == parquet.Int32 {
			return float64(v.Uint32()), true
		}
		u := v.Uint64()
		n := float64(u)
		return n, n < 1<<64 && uint64(n) == u
	}
	switch f.from {
	case parquet.Double:
		return v.Double(), true
	case parquet.Float:
		return float64(v.Float()), true
	case parquet.Boolean:
		if v.Boolean() {
			return 1, true
		}
		return 0, true
	case parquet.Int32:
		return float64(v.Int32()), true
	}
	i := v.Int64()
	n := float64(i)
	return n, n < 1<<63 && int64(n) == i
}

// unscaled is a decimal's whole number.
func (f *fileColumn) unscaled(v parquet.Value) *big.Int {
	switch f.from {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	}
	// Big-endian two's complement.
	b := v.ByteArray()
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// maxDecimalBits bounds the whole number of a decimal: maxDecimalDigits need
// 253 bits.
const maxDecimalBits = 256

// decimalFloat is the double nearest to n·10^-scale. It is exact when rounding
// it to the decimal's digits, without zeros at their end, gives the decimal again.
func decimalFloat(n *big.Int, scale int) (float64, bool) {
	if n.BitLen() > maxDecimalBits {
		return 0, false
	}
	// A column's scale gives short numbers zeros that say nothing.
	text := n.String()
	for scale > 0 && len(text) > 1 && text[len(text)-1] == '0' {
		text, scale = text[:len(text)-1], scale-1
	}
	f, err := strconv.ParseFloat(text+"e-"+strconv.Itoa(scale), 64)
	if err != nil {
		return 0, false
	}
	// 15 digits always come back.
	if len(text) <= 15 {
		return f, true
	}
	back := strconv.FormatFloat(f, 'f', scale, 64)
	want, ok := new(big.Rat).SetString(text + "e-" + strconv.Itoa(scale))
	return f, ok && back == want.FloatString(scale)
}

// halfFloat is an IEEE 754 binary16, little-endian.
func halfFloat(b []byte) float64 {
	bits := binary.LittleEndian.Uint16(b)
	sign, exp, frac := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+frac/1024, exp-15)
}

// either reads a value that is a number or a label, as the study that learns
// has it: a BOOLEAN, or a folder's name.
func (c *cursor) either() (space.Value, error) {
	if w := c.b.folder; w != nil {
		return space.Value{Num: w.number, Label: w.text}, nil
	}
	v, ok, err := c.value()
	if !ok {
		return space.Value{Num: math.NaN()}, err
	}
	n, _ := c.b.col.float(v)
	return space.Value{Num: n, Label: strconv.FormatBool(v.Boolean())}, nil
}

// whole reads a whole number; ok is false for NULL.
func (c *cursor) whole() (n int64, ok bool, err error) {
	var f float64
	if w := c.b.folder; w != nil {
		if w.text == "" {
			return 0, false, nil
		}
		f = w.number
	} else {
		v, some, err := c.value()
		if !some {
			return 0, false, err
		}
		var exact bool
		switch col := c.b.col; {
		case col.form == formNumber && col.from == parquet.Int64:
			return v.Int64(), true, nil
		case col.form == formUnsigned && col.from == parquet.Int64 && v.Uint64() <= math.MaxInt64:
			return v.Int64(), true, nil
		default:
			f, exact = col.float(v)
		}
		if !exact {
			f = math.Inf(1)
		}
	}
	if f != math.Trunc(f) || !(math.Abs(f) <= maxExactInt) {
		return 0, true, fmt.Errorf("column %q holds %v, want whole numbers", c.b.name, f)
	}
	return int64(f), true, nil
}

// integer reads a whole number; NULL is 0.
func (c *cursor) integer() (int64, error) {
	n, _, err := c.whole()
	return n, err
}

// trial reads a trial's number. Where rows are taken as they are, one that has
// none is trial -1.
func (c *cursor) trial() (int64, error) {
	n, ok, err := c.whole()
	switch {
	case c.raw && ok && err != nil:
		return -1, nil
	case err != nil:
		return 0, err
	case !ok && c.raw:
		return -1, nil
	case !ok:
		return 0, parquetcheck.Unfit("column %q is NULL", c.b.name)
	}
	return n, nil
}

// boolean reads a truth, also one that is stored as 0 or 1; NULL is false.
func (c *cursor) boolean() (bool, error) {
	v, ok, err := c.value()
	if !ok {
		return false, err
	}
	n, _ := c.b.col.float(v)
	if n != 0 && n != 1 {
		return false, parquetcheck.Unfit("column %q holds %v, want BOOLEAN", c.b.name, n)
	}
	return n == 1, nil
}

func (c *cursor) time() (time.Time, error) {
	v, ok, err := c.value()
	if !ok {
		return time.Time{}, err
	}
	if c.b.col.form == formInt96 {
		return int96Time(v.Int96()), nil
	}
	us, scale := v.Int64(), c.b.col.scale
	switch {
	case c.b.col.divide:
		us = floorDiv(us, scale)
	case us > math.MaxInt64/scale || us < math.MinInt64/scale:
		return time.Time{}, fmt.Errorf("column %q: time %d is out of range", c.b.name, us)
	default:
		us *= scale
	}
	return time.UnixMicro(us).UTC(), nil
}

// int96Time converts nanoseconds of a day and a Julian day number.
func int96Time(t [3]uint32) time.Time {
	const epoch, daySeconds = 2440588, 86400 // 1970-01-01
	ns := int64(uint64(t[1])<<32 | uint64(t[0]))
	return time.Unix((int64(t[2])-epoch)*daySeconds, ns).UTC().Truncate(time.Microsecond)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
