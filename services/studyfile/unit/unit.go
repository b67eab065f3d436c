// Package unit reads and writes physical quantities as people write them in a
// study: "6.8 mm2", "25 GB/s", "512 KiB", "30 s", "0.1%".
//
// Decimal prefixes are applied to the exponent of the decimal text, so that
// "0.7 ms" is the float64 nearest to 0.0007 and not a rounded product, and a
// quantity written by Format reads back bit for bit.
package unit

import (
	"slices"
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
	for _, u := range All() {
		if u.Dimension == d && u.Exp == 0 && u.Factor == 1 {
			return u.Symbol
		}
	}
	return ""
}

// The table of units: its size, and the length of its longest symbol.
const (
	count   = 50
	longest = 5
)

// All returns every unit, smallest first within a dimension, decimal prefixes
// before binary ones. Scales are those of the SI (BIPM, The International
// System of Units, 9th edition, table 7) and of IEC 80000-13.
func All() [count]Unit {
	return [count]Unit{
		{"ps", Time, -12, 1}, {"ns", Time, -9, 1}, {"us", Time, -6, 1}, {"ms", Time, -3, 1}, {"s", Time, 0, 1}, {"min", Time, 0, 60}, {"h", Time, 0, 3600},
		{"nm", Length, -9, 1}, {"um", Length, -6, 1}, {"mm", Length, -3, 1}, {"m", Length, 0, 1},
		{"nm2", Area, -12, 1}, {"um2", Area, -6, 1}, {"mm2", Area, 0, 1}, {"cm2", Area, 2, 1},
		{"fJ", Energy, -15, 1}, {"pJ", Energy, -12, 1}, {"nJ", Energy, -9, 1}, {"uJ", Energy, -6, 1}, {"mJ", Energy, -3, 1}, {"J", Energy, 0, 1}, {"kJ", Energy, 3, 1},
		{"nW", Power, -9, 1}, {"uW", Power, -6, 1}, {"mW", Power, -3, 1}, {"W", Power, 0, 1}, {"kW", Power, 3, 1},
		{"B", Data, 0, 1}, {"kB", Data, 3, 1}, {"MB", Data, 6, 1}, {"GB", Data, 9, 1}, {"TB", Data, 12, 1},
		{"KiB", Data, 0, 1 << 10}, {"MiB", Data, 0, 1 << 20}, {"GiB", Data, 0, 1 << 30}, {"TiB", Data, 0, 1 << 40},
		{"B/s", Bandwidth, 0, 1}, {"kB/s", Bandwidth, 3, 1}, {"MB/s", Bandwidth, 6, 1}, {"GB/s", Bandwidth, 9, 1}, {"TB/s", Bandwidth, 12, 1},
		{"KiB/s", Bandwidth, 0, 1 << 10}, {"MiB/s", Bandwidth, 0, 1 << 20}, {"GiB/s", Bandwidth, 0, 1 << 30}, {"TiB/s", Bandwidth, 0, 1 << 40},
		{"Hz", Frequency, 0, 1}, {"kHz", Frequency, 3, 1}, {"MHz", Frequency, 6, 1}, {"GHz", Frequency, 9, 1},
		{"%", Dimensionless, -2, 1},
	}
}

// Find returns the unit with the given spelling. "" is the plain number. The
// superscript and caret spellings of squares and both micro signs are accepted.
func Find(symbol string) (Unit, bool) {
	s := canonical(symbol)
	if s == "" {
		return Unit{Dimension: Dimensionless, Factor: 1}, true
	}
	if len(s) > longest {
		return Unit{}, false
	}
	for _, u := range All() {
		if u.Symbol == s {
			return u, true
		}
	}
	return Unit{}, false
}

// canonical brings the accepted spellings of a unit to one. It runs for every
// value of a document, so that the common case costs nothing.
func canonical(symbol string) string {
	if !strings.ContainsAny(symbol, "²^µμ") {
		return symbol
	}
	return strings.NewReplacer("²", "2", "^2", "2", "µ", "u", "μ", "u").Replace(symbol)
}

// Guess returns the known spelling that an unknown one most likely means:
// another case ("gb/s", "MM2"), a common word ("sec", "bytes"), or "".
func Guess(symbol string) string {
	s := canonical(symbol)
	for _, words := range [][2]string{
		{"sec secs second seconds", "s"}, {"minute minutes mins", "min"}, {"hour hours hr hrs", "h"},
		{"byte bytes", "B"}, {"kb", "kB (1000 B) or KiB (1024 B)"}, {"kb/s kbps", "kB/s"}, {"mbps", "MB/s"}, {"gbps gb/sec", "GB/s"},
		{"percent", "%"}, {"joule joules", "J"}, {"watt watts", "W"}, {"sqmm mmsq", "mm2"},
	} {
		if slices.Contains(strings.Fields(words[0]), strings.ToLower(s)) {
			return words[1]
		}
	}
	for _, u := range All() {
		if strings.EqualFold(u.Symbol, s) {
			return u.Symbol
		}
	}
	return ""
}
