// Package unit reads and writes physical quantities as people write them in a
// study: "6.8 mm2", "25 GB/s", "512 KiB", "30 s", "0.1%".
//
// Decimal prefixes are applied to the exponent of the decimal text, so that
// "0.7 ms" is the float64 nearest to 0.0007 and not a rounded product, and a
// quantity written by Format reads back bit for bit.
package unit

import (
	"iter"
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
	TokenRate     Dimension = "rate of tokens"
	TokenEnergy   Dimension = "energy of a token"
	EnergyDelay   Dimension = "energy-delay product"
	Voltage       Dimension = "voltage"
	Current       Dimension = "current"
)

// Phrase returns the dimension with its article: "an area", "a time".
func (d Dimension) Phrase() string {
	if strings.ContainsRune("aeiou", rune(d[0])) {
		return "an " + string(d)
	}
	return "a " + string(d)
}

// Unit is one unit of measurement: Factor * 10^Exp of the dimension's base
// unit (s, m, mm2, J, W, B, B/s, Hz, token/s, J/token, Js, V, A).
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

// Scale is how many base units of its dimension the unit is.
func (u Unit) Scale() float64 { return Quantity{Digits: "1", Unit: u}.Base() }

// Base returns the unit in which numbers of a dimension are kept.
func Base(d Dimension) string {
	for u := range All() {
		if u.Dimension == d && u.Exp == 0 && u.Factor == 1 {
			return u.Symbol
		}
	}
	return ""
}

// scale is a unit of a dimension.
type scale struct {
	symbol string
	exp    int
	factor float64
}

// table has every unit, smallest first within a dimension, decimal prefixes
// before binary ones. Scales are those of the SI (BIPM, The International
// System of Units, 9th edition, table 7) and of IEC 80000-13.
var table = [...]struct {
	dimension Dimension
	scales    []scale
}{
	{Time, []scale{{"ps", -12, 1}, {"ns", -9, 1}, {"us", -6, 1}, {"ms", -3, 1}, {"s", 0, 1}, {"min", 0, 60}, {"h", 0, 3600}}},
	{Length, []scale{{"nm", -9, 1}, {"um", -6, 1}, {"mm", -3, 1}, {"m", 0, 1}}},
	{Area, []scale{{"nm2", -12, 1}, {"um2", -6, 1}, {"mm2", 0, 1}, {"cm2", 2, 1}}},
	{Energy, []scale{{"fJ", -15, 1}, {"pJ", -12, 1}, {"nJ", -9, 1}, {"uJ", -6, 1}, {"mJ", -3, 1}, {"J", 0, 1}, {"kJ", 3, 1}}},
	{Power, []scale{{"nW", -9, 1}, {"uW", -6, 1}, {"mW", -3, 1}, {"W", 0, 1}, {"kW", 3, 1}}},
	{Data, []scale{{"B", 0, 1}, {"kB", 3, 1}, {"MB", 6, 1}, {"GB", 9, 1}, {"TB", 12, 1}, {"KiB", 0, 1 << 10}, {"MiB", 0, 1 << 20}, {"GiB", 0, 1 << 30}, {"TiB", 0, 1 << 40}}},
	{Bandwidth, []scale{{"B/s", 0, 1}, {"kB/s", 3, 1}, {"MB/s", 6, 1}, {"GB/s", 9, 1}, {"TB/s", 12, 1}, {"KiB/s", 0, 1 << 10}, {"MiB/s", 0, 1 << 20}, {"GiB/s", 0, 1 << 30}, {"TiB/s", 0, 1 << 40}}},
	{Frequency, []scale{{"Hz", 0, 1}, {"kHz", 3, 1}, {"MHz", 6, 1}, {"GHz", 9, 1}}},
	{TokenRate, []scale{{"token/s", 0, 1}}},
	{TokenEnergy, []scale{{"uJ/token", -6, 1}, {"mJ/token", -3, 1}, {"J/token", 0, 1}}},
	{EnergyDelay, []scale{{"pJs", -12, 1}, {"nJs", -9, 1}, {"uJs", -6, 1}, {"mJs", -3, 1}, {"Js", 0, 1}}},
	{Voltage, []scale{{"uV", -6, 1}, {"mV", -3, 1}, {"V", 0, 1}}},
	{Current, []scale{{"uA", -6, 1}, {"mA", -3, 1}, {"A", 0, 1}}},
	{Dimensionless, []scale{{"%", -2, 1}}},
}

// All returns every unit, in the order of the table.
func All() iter.Seq[Unit] {
	return func(yield func(Unit) bool) {
		for _, d := range table {
			for _, s := range d.scales {
				if !yield(Unit{s.symbol, d.dimension, s.exp, s.factor}) {
					return
				}
			}
		}
	}
}

// Find returns the unit with the given spelling. "" is the plain number. The
// superscript and caret spellings of squares and both micro signs are accepted.
func Find(symbol string) (Unit, bool) {
	s := canonical(symbol)
	if s == "" {
		return Unit{Dimension: Dimensionless, Factor: 1}, true
	}
	for u := range All() {
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

var inName = strings.NewReplacer("/", "_per_", "%", "percent")

// Suffix is how a unit ends the name of what is measured in it: latency_s,
// rate_b_per_s.
func Suffix(symbol string) string {
	if symbol == "" {
		return ""
	}
	return "_" + inName.Replace(strings.ToLower(symbol))
}

// Named is the name of a metric as the log has it, with its unit: latency_s, and of
// one network latency_s.resnet50_v1.
func Named(short, symbol string) string {
	base, of, dotted := strings.Cut(short, ".")
	if base += Suffix(symbol); dotted {
		base += "." + of
	}
	return base
}

// Bare is the name of a metric as a study writes it, without its unit.
func Bare(name, symbol string) string {
	base, of, dotted := strings.Cut(name, ".")
	if base = strings.TrimSuffix(base, Suffix(symbol)); dotted {
		base += "." + of
	}
	return base
}

// Guess returns the known spelling that an unknown one most likely means:
// another case ("gb/s", "MM2"), a common word ("sec", "bytes"), or "".
func Guess(symbol string) string {
	s := canonical(symbol)
	for words, meant := range map[string]string{
		"sec secs second seconds": "s", "minute minutes mins": "min", "hour hours hr hrs": "h", "byte bytes": "B", "kb": "kB (1000 B) or KiB (1024 B)",
		"kb/s": "kB/s", "gb/sec": "GB/s",
		"bit bits": "B (8 bit)", "kbps kbit/s": "kB/s (8 kbit/s)", "mbps mbit/s": "MB/s (8 Mbit/s)", "gbps gbit/s": "GB/s (8 Gbit/s)", "percent": "%", "tokens/s tok/s t/s tps": "token/s", "joule joules": "J", "volt volts": "V", "ampere amperes amp amps": "A", "j/tok j/tokens": "J/token", "watt watts": "W", "sqmm mmsq": "mm2",
	} {
		if slices.Contains(strings.Fields(words), strings.ToLower(s)) {
			return meant
		}
	}
	for u := range All() {
		if strings.EqualFold(u.Symbol, s) {
			return u.Symbol
		}
	}
	return ""
}
