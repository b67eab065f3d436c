package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"apollo/events"
	"apollo/events/unit"
)

// Quantity writes a value of a unit for people: scaled, with four significant
// digits where it is a measurement and exactly where it is a count.
func Quantity(v float64, unit string) string {
	if math.IsNaN(v) {
		return "-"
	}
	switch unit {
	case "B":
		return binary(v)
	case "":
		return number(v)
	}
	scales := Scales(unit)
	i := 0
	for i < len(scales)-1 && v != 0 && math.Abs(v*scales[i].Factor) < 1 {
		i++
	}
	return Significant(v*scales[i].Factor) + " " + scales[i].Unit
}

// Scale is a unit that people read a quantity in, and what its value is multiplied by.
type Scale struct {
	Unit   string  `json:"unit"`
	Factor float64 `json:"factor"`
}

// Scales are those that Quantity writes a unit in, the largest first: it takes the first in
// which a value is at least 1, or the last; zero stands in the unit itself.
func Scales(unit string) []Scale {
	const k, m = 1e3, 1e6
	switch unit {
	case "s":
		return []Scale{{unit, 1}, {"ms", k}, {"us", m}, {"ns", k * m}, {"ps", m * m}}
	case "J", "Js":
		return []Scale{{unit, 1}, {"m" + unit, k}, {"u" + unit, m}, {"n" + unit, k * m}, {"p" + unit, m * m}}
	case "W":
		return []Scale{{unit, 1}, {"mW", k}, {"uW", m}, {"nW", k * m}}
	case "B":
		return []Scale{{"GiB", 1.0 / (1 << 30)}, {"MiB", 1.0 / (1 << 20)}, {"KiB", 1.0 / (1 << 10)}, {unit, 1}}
	case "B/s":
		return []Scale{{"GB/s", 1 / (k * m)}}
	case "Hz":
		return []Scale{{"MHz", 1 / m}}
	}
	return []Scale{{unit, 1}}
}

// Metric is Quantity for a number that was measured or computed: a fraction
// without unit has four significant digits too.
func Metric(v float64, unit string) string {
	if unit == "" && v != math.Trunc(v) {
		return Significant(v)
	}
	return Quantity(v, unit)
}

// binary writes a count of bytes, exactly where it is less than the smallest scale.
func binary(v float64) string {
	for _, of := range Scales("B") {
		if of.Factor < 1 && math.Abs(v*of.Factor) >= 1 {
			return Significant(v*of.Factor) + " " + of.Unit
		}
	}
	return number(v) + " B"
}

// Significant keeps four significant digits and drops trailing zeros.
func Significant(v float64) string {
	if math.Abs(v) >= 1000 {
		return number(math.Round(v))
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// number writes v exactly, with commas in whole numbers of five digits or more.
func number(v float64) string {
	if v != math.Trunc(v) || math.Abs(v) >= 1e15 {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	if len(s) > 4 {
		var b strings.Builder
		for i, r := range s {
			if i > 0 && (len(s)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteRune(r)
		}
		s = b.String()
	}
	if v < 0 {
		return "-" + s
	}
	return s
}

// Count writes a whole number with commas.
func Count[T int | int64 | uint64](n T) string { return number(float64(n)) }

// Share writes a part of a whole as a percentage.
func Share(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(whole), 'f', 1, 64) + " %"
}

// Bare is the name of a metric without its unit: "latency_s" → "latency".
func Bare(metric, symbol string) string { return unit.Bare(metric, symbol) }

// Round keeps that many digits after the point.
func Round(v float64, digits int) float64 {
	scale := math.Pow(10, float64(digits))
	return math.Round(v*scale) / scale
}

// Duration rounds a time for people.
func Duration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// Plural counts a noun: "1 trial", "2 trials".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Percent writes a part of 1 as a percentage.
func Percent(v float64) string {
	text := strconv.FormatFloat(100*v, 'f', 1, 64)
	if text == "-0.0" {
		text = "0.0"
	}
	return text + " %"
}

// Corner writes a reference point of the objectives for people.
func Corner(spec *events.Spec, reference map[string]float64) string {
	var values []string
	for _, o := range spec.Objectives {
		values = append(values, Quantity(reference[o.Metric], spec.Metrics[spec.MetricIndex(o.Metric)].Unit))
	}
	return "(" + strings.Join(values, ", ") + ")"
}
