// Package unit reads and writes physical quantities as people write them in a
// study: "6.8 mm2", "25 GB/s", "512 KiB", "30 s", "0.1%".
//
// Decimal prefixes are applied to the exponent of the decimal text, so that
// "0.7 ms" is the float64 nearest to 0.0007 and not a rounded product, and a
// quantity written by Format reads back bit for bit.
package unit

import (
	"strings"
)

// Dimension is the kind of quantity that a unit measures.
type Dimension string

// The dimensions that studies know.
const (
	Dimensionless Dimension = "plain number"
	Time          Dimension = "time"
	Length        Dimension = "length"
	Area          Dimension = "area"
	Energy        Dimension = "energy"
	Power         Dimension = "power"
	Data          Dimension = "amount of data"
	Bandwidth     Dimension = "bandwidth"
	Frequency     Dimension = "frequency"
)

// Phrase returns the dimension with its article: "an area", "a time".
func (d Dimension) Phrase() string {
	if strings.ContainsRune("aeiou", rune(d[0])) {
		return "an " + string(d)
	}
	return "a " + string(d)
}

// Unit is one unit of measurement: Factor * 10^Exp of the dimension's base
// unit (s, m, mm2, J, W, B, B/s, Hz).
type Unit struct {
	// Symbol is the spelling that Format uses: "mm2", "KiB", "GB/s".
	Symbol string
	// Dimension is what it measures.
	Dimension Dimension
	// Exp is the decimal exponent of the scale.
	Exp int
	// Factor is the rest of the scale: 1, a power of 1024, 60 or 3600.
	Factor float64
}

// Base returns the unit in which numbers of a dimension are kept.
func Base(d Dimension) string {
	switch d {
	case Time:
		return "s"
	case Length:
		return "m"
	case Area:
		return "mm2"
	case Energy:
		return "J"
	case Power:
		return "W"
	case Data:
		return "B"
	case Bandwidth:
		return "B/s"
	case Frequency:
		return "Hz"
	}
	return ""
}

// prefix is an SI prefix (decimal exponent) or an IEC one (power of 1024).
type prefix struct {
	text   string
	exp    int
	factor float64
}

// decimal lists the SI prefixes in use here (BIPM, The International System of
// Units, 9th edition, table 7).
func decimal(texts ...string) []prefix {
	all := []prefix{
		{"f", -15, 1}, {"p", -12, 1}, {"n", -9, 1}, {"u", -6, 1}, {"m", -3, 1}, {"", 0, 1},
		{"k", 3, 1}, {"M", 6, 1}, {"G", 9, 1}, {"T", 12, 1},
	}
	var out []prefix
	for _, p := range all {
		for _, t := range texts {
			if p.text == t {
				out = append(out, p)
			}
		}
	}
	return out
}

// binary lists the IEC prefixes (IEC 80000-13).
func binary() []prefix {
	return []prefix{{"Ki", 0, 1 << 10}, {"Mi", 0, 1 << 20}, {"Gi", 0, 1 << 30}, {"Ti", 0, 1 << 40}}
}

// All returns every unit, smallest first within a dimension.
func All() []Unit {
	var out []Unit
	add := func(d Dimension, symbol string, prefixes []prefix) {
		for _, p := range prefixes {
			out = append(out, Unit{Symbol: p.text + symbol, Dimension: d, Exp: p.exp, Factor: p.factor})
		}
	}
	add(Time, "s", decimal("p", "n", "u", "m", ""))
	out = append(out, Unit{"min", Time, 0, 60}, Unit{"h", Time, 0, 3600})
	add(Length, "m", decimal("n", "u", "m", ""))
	out = append(out, Unit{"nm2", Area, -12, 1}, Unit{"um2", Area, -6, 1}, Unit{"mm2", Area, 0, 1}, Unit{"cm2", Area, 2, 1})
	add(Energy, "J", decimal("f", "p", "n", "u", "m", "", "k"))
	add(Power, "W", decimal("n", "u", "m", "", "k"))
	add(Data, "B", append(decimal("", "k", "M", "G", "T"), binary()...))
	add(Bandwidth, "B/s", append(decimal("", "k", "M", "G", "T"), binary()...))
	add(Frequency, "Hz", decimal("", "k", "M", "G"))
	return append(out, Unit{"%", Dimensionless, -2, 1})
}

// Find returns the unit with the given spelling. "" is the plain number. The
// superscript and caret spellings of squares and both micro signs are accepted.
func Find(symbol string) (Unit, bool) {
	s := canonical(symbol)
	if s == "" {
		return Unit{Dimension: Dimensionless, Factor: 1}, true
	}
	for _, u := range All() {
		if u.Symbol == s {
			return u, true
		}
	}
	return Unit{}, false
}

func canonical(symbol string) string {
	return strings.NewReplacer("²", "2", "^2", "2", "µ", "u", "μ", "u").Replace(symbol)
}

// Guess returns the known spelling that an unknown one most likely means:
// another case ("gb/s", "MM2"), a common word ("sec", "bytes"), or "".
func Guess(symbol string) string {
	s := canonical(symbol)
	switch strings.ToLower(s) {
	case "sec", "secs", "second", "seconds":
		return "s"
	case "minute", "minutes", "mins":
		return "min"
	case "hour", "hours", "hr", "hrs":
		return "h"
	case "byte", "bytes":
		return "B"
	case "kb":
		return "kB (1000 B) or KiB (1024 B)"
	case "kb/s", "kbps":
		return "kB/s"
	case "mbps":
		return "MB/s"
	case "gbps", "gb/sec":
		return "GB/s"
	case "percent":
		return "%"
	case "joule", "joules":
		return "J"
	case "watt", "watts":
		return "W"
	case "sqmm", "mmsq":
		return "mm2"
	}
	for _, u := range All() {
		if strings.EqualFold(u.Symbol, s) {
			return u.Symbol
		}
	}
	return ""
}
