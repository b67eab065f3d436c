package studyfile

import (
	"math"
	"strconv"

	"apollo/events"
)

// ownSteps reads a range of real numbers: so many levels from min to max, at
// equal distances or in equal ratios.
func (b *builder) ownSteps(p *events.Parameter, n *node, low, high float64) {
	scale, steps := n.get("scale").str(), n.get("steps")
	if steps == nil {
		b.add(n, codeMissing, "Write steps: 20.", "a log range needs steps, the number of its levels")
		return
	}
	if steps.kind != numberKind {
		return // reported with the shape
	}
	count, err := strconv.Atoi(steps.text)
	switch {
	case err != nil || count < 2 || count > events.MaxLevels:
		return // reported with the shape
	case low >= high:
		b.add(n.get("min"), codeContradicts, "", "min is not below max")
	case n.get("step") != nil:
		b.add(n.get("step"), codeContradicts, "Remove one of them.", "a range has step or steps, not both")
	case scale == "log2":
		b.add(steps, codeContradicts, "Remove it, or take scale: log.", "a log2 range has no steps: every level is twice the one before")
	case scale == "log" && low <= 0:
		b.add(n.get("min"), codeOutOfRange, "", "a log range starts above 0")
	default:
		p.Values = spaced(low, high, count, scale == "log")
	}
}

// spaced lists count numbers from low to high, each rounded to 12 digits as
// those of linear are.
func spaced(low, high float64, count int, log bool) []float64 {
	out := []float64{low}
	for i := 1; i < count-1; i++ {
		t := float64(i) / float64(count-1)
		v := low + (high-low)*t
		if log {
			v = low * math.Pow(high/low, t)
		}
		v, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
		if err == nil && v > out[len(out)-1] && v < high {
			out = append(out, v)
		}
	}
	return append(out, high)
}
