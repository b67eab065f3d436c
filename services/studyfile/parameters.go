package studyfile

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/events/unit"
)

// ownParameters gives the parameters of a space without template their levels.
func (b *builder) ownParameters(list *node) {
	words := []string{ // of rule expressions (events.CompileRule)
		"in", "and", "or", "not", "true", "false", "nil", "contains", "startsWith", "endsWith", "matches", "let",
		"min", "max", "abs", "floor", "ceil", "round", "log2",
	}
	seen, good := map[string]bool{}, true
	for i, n := range list.list() {
		if b.full() {
			return
		}
		p := &b.own[i]
		before := len(b.found)
		u, known := unit.Find(p.Unit)
		p.Unit = u.Symbol
		switch values := n.get("values"); {
		case !known: // levels in a unit that nobody knows mean nothing
		case values != nil && !n.has(ranged()):
			b.ownValues(p, values.list(), u)
		case values == nil && n.has(ranged()):
			b.ownRange(p, n, u)
		}
		b.when(slices.Contains(words, p.Name), n.get("name"), codeBadName, "Rules use this word; take another name.", "%q is no name for a parameter", p.Name)
		b.when(seen[p.Name] && p.Name != "", n.get("name"), codeDuplicate, "Give each parameter a name of its own.", "the parameter %q is here twice", p.Name)
		seen[p.Name] = true
		good = good && len(b.found) == before && (p.Name == "" || isSnake(p.Name)) && len(p.Values)+len(p.Labels) > 0
	}
	if good { // rules over a space with gaps would only repeat what is reported
		b.spec.Parameters = slices.Clone(b.own)
	}
}

// ownValues reads levels: all numbers, or all labels.
func (b *builder) ownValues(p *events.Parameter, items []*node, u unit.Unit) {
	labels := len(items) > 0 && u.Symbol == "" && isLabel(items[0])
	numbers, texts := map[float64]bool{}, map[string]bool{}
	for _, n := range items {
		if b.full() {
			return
		}
		switch {
		case !n.scalar():
		case labels:
			b.ownLabel(p, n, texts)
		case u.Symbol == "" && isLabel(n):
			b.addMistake(n, codeWrongType, "Levels are all numbers or all labels.", "%q is no number", clip(n.text))
		case u.Symbol == "" && b.nearlyLabel(n):
		default:
			if q, ok := b.number(n, u, p.Name); ok {
				v := q.In(u) + 0 // -0 is 0
				b.when(numbers[v], n, codeDuplicate, "Remove one of them.", "the level %s is here twice", n.text)
				numbers[v] = true
				p.Values = append(p.Values, v)
			}
		}
	}
	slices.Sort(p.Values)
}

// isLabel reports whether a level of a parameter without unit is a label: text
// in quotes always is, also "1", and without quotes what is no quantity.
func isLabel(n *node) bool {
	if n.kind != stringKind || !n.plain {
		return n.kind == stringKind
	}
	_, err := unit.Parse(n.text)
	return errors.Is(err, unit.ErrSyntax) && !unending(n.text)
}

// unending reports whether YAML reads text without quotes as infinite or as no number.
func unending(s string) bool {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case ".nan", ".inf":
		return true
	}
	return false
}

// nearlyLabel reports text without quotes that begins as a number does and is none:
// 4x4, 8b and 2024-01-01 may well be meant as labels, and 4B as one or as a quantity.
func (b *builder) nearlyLabel(n *node) bool {
	if n.kind != numberKind && (n.kind != stringKind || !n.plain) {
		return false
	}
	quoted := func() string { return fmt.Sprintf("rite a label in quotes: %q.", clip(n.text)) }
	switch q, err := unit.Parse(n.text); {
	case unending(n.text), errors.Is(err, unit.ErrUnknown) && !strings.Contains(n.text, " "): // with a space it has a unit, a wrong one
		b.addMistake(n, codeWrongType, "W"+quoted(), "%q is no decimal number, and without quotes no label", clip(n.text))
	case err == nil && q.Unit.Dimension != unit.Dimensionless:
		b.addMistake(n, codeDimension, fmt.Sprintf("Write unit: %s beside the parameter's name, or w%s", q.Unit.Symbol, quoted()), "%q is %s, and the parameter has no unit", n.text, q.Unit.Dimension.Phrase())
	default:
		return false
	}
	return true
}

func (b *builder) ownLabel(p *events.Parameter, n *node, seen map[string]bool) {
	switch {
	case n.kind != stringKind:
		b.addMistake(n, codeWrongType, fmt.Sprintf("Levels are all numbers or all labels; a label in quotes is %q.", n.text), "want a label, not %s", n.kind)
	case n.text == "" || len(n.text) > events.MaxTextBytes || strings.TrimSpace(n.text) != n.text:
		b.addMistake(n, codeBadName, "", "a label has 1 to %d bytes and no space at its ends", events.MaxTextBytes)
	case seen[n.text]:
		b.addMistake(n, codeDuplicate, "Remove one of them.", "the label %q is here twice", n.text)
	default:
		seen[n.text] = true
		p.Labels = append(p.Labels, n.text)
	}
}

// ownRange reads min, max, step, steps and scale. All is exact until a level is
// rounded to a float64, once: so 0 to 1 by 0.1 holds 0.3, and no level is
// outside of min and max.
func (b *builder) ownRange(p *events.Parameter, n *node, u unit.Unit) {
	read, good := map[string]*big.Rat{}, true
	for _, key := range []string{"min", "max", "step"} {
		if c := n.get(key); c != nil {
			q, ok := b.number(c, u, p.Name)
			read[key], good = q.Rat(u), good && ok
		} else if key != "step" {
			b.addMistake(n, codeMissing, "", "the range has no %s", key)
			good = false
		}
	}
	if !good {
		return
	}
	low, high, step := read["min"], read["max"], read["step"]
	scale, steps := n.get("scale").str(), n.get("steps")
	count := 0
	if v, ok := plainNumber(steps); ok && v <= events.MaxLevels {
		count = int(v)
	}
	switch {
	case steps == nil && scale == "log":
		b.addMistake(n, codeMissing, "Write steps: 20.", "a log range needs steps, the number of its levels")
	case steps != nil && count < 2: // reported with the shape
	case steps != nil && low.Cmp(high) >= 0:
		b.addMistake(n.get("min"), codeContradicts, "Write the smaller one as min.", "min is not below max")
	case steps != nil && step != nil: // reported
	case steps != nil && scale == "log2":
		b.addMistake(steps, codeContradicts, "Remove it, or take scale: log.", "a log2 range has no steps: every level is twice the one before")
	case low.Cmp(high) > 0:
		b.addMistake(n.get("min"), codeContradicts, "Write the smaller one as min: levels ascend.", "min is larger than max")
	case (scale == "log" || scale == "log2") && low.Sign() <= 0:
		b.addMistake(n.get("min"), codeOutOfRange, "", "a %s range starts above 0", scale)
	case steps != nil:
		p.Values = spaced(low, high, count, scale == "log")
		b.when(p.Values == nil, steps, codeOutOfRange, "Take fewer steps.", "between min and max there are no %d different 64-bit floats", count)
	case scale == "log2" && step != nil:
		b.addMistake(n.get("step"), codeContradicts, "Remove it.", "a log2 range has no step: every level is twice the one before")
	case scale == "log2":
		for v, most := number64(low), number64(high); v <= most; v *= 2 {
			p.Values = append(p.Values, v)
		}
	case step != nil && step.Sign() <= 0:
		b.addMistake(n.get("step"), codeOutOfRange, "Levels ascend from min by the step.", "a step must be more than 0")
	case p.Unit != "" && step == nil && low.Cmp(high) < 0:
		b.addMistake(n, codeMissing, "", "a range with a unit needs step or steps, or scale: log2")
	case step == nil && !new(big.Rat).Sub(high, low).IsInt():
		span := new(big.Rat).Sub(high, low)
		whole := new(big.Int).Quo(span.Num(), span.Denom())
		end := new(big.Rat).SetInt(whole)
		last := strconv.FormatFloat(number64(end.Add(end, low)), 'f', -1, 64)
		hint := "Write step, the distance of its levels, or steps, their number."
		if whole.Sign() > 0 {
			hint = fmt.Sprintf("Write max: %s, or a step, or steps, the number of levels.", last)
		}
		b.addMistake(n, codeMissing, hint, "a range without step counts by 1: its last level would be %s, not %s", last, n.get("max").text)
	default:
		b.linear(p, n, low, high, step)
	}
}

// number64 is the float64 next to v.
func number64(v *big.Rat) float64 {
	f, _ := v.Float64()
	return f + 0 // -0 is 0
}

// linear lists min, min+step, …; without a step it is 1.
func (b *builder) linear(p *events.Parameter, n *node, low, high, step *big.Rat) {
	if step == nil {
		step = big.NewRat(1, 1)
	}
	steps := new(big.Rat).Quo(new(big.Rat).Sub(high, low), step)
	if b.when(steps.Cmp(big.NewRat(events.MaxLevels, 1)) >= 0, n, codeOutOfRange, "Take a larger step.", "the range has more than %d levels", events.MaxLevels) {
		return
	}
	for v := new(big.Rat).Set(low); v.Cmp(high) <= 0; v.Add(v, step) {
		level := number64(v)
		switch {
		case !faithful(v):
			b.addMistake(n, codeOutOfRange, "Take a larger step, or a smaller range.", "%s", inexact(v))
			return
		case len(p.Values) > 0 && level <= p.Values[len(p.Values)-1]:
			b.addMistake(n, codeOutOfRange, "Take a larger step.", "%s and the level before it are the same 64-bit float", v.FloatString(20)) // more digits help nobody
			return
		}
		p.Values = append(p.Values, level)
	}
}

// spaced lists count ascending numbers from low to high, at equal distances or
// in equal ratios; nil when float64 has not so many between them.
func spaced(low, high *big.Rat, count int, log bool) []float64 {
	first, last := number64(low), number64(high)
	span := new(big.Rat).Sub(high, low)
	out := []float64{first}
	for i := 1; i < count-1; i++ {
		var v, short float64
		if log {
			v = ratio(first, last, float64(i)/float64(count-1))
			short = rounded(v)
		} else {
			exact := new(big.Rat).Mul(span, big.NewRat(int64(i), int64(count-1)))
			exact.Add(exact, low)
			v = number64(exact)
			if short = v; shortest(v).Cmp(exact) != 0 {
				short = rounded(v)
			}
		}
		// Where 12 digits cannot tell the levels apart they have all of theirs.
		for before := out[i-1]; short <= before || short >= last; short = v {
			if short == v {
				return nil
			}
		}
		out = append(out, short)
	}
	if first >= last {
		return nil
	}
	return append(out, last)
}

// ratio is low · (high/low)^t, also where high/low is beyond float64.
func ratio(low, high, t float64) float64 {
	if q := high / low; !math.IsInf(q, 0) {
		return low * math.Pow(q, t)
	}
	return math.Pow(low, 1-t) * math.Pow(high, t)
}

// rounded is v with 12 digits: of a level that is no short decimal more than
// that is noise.
func rounded(v float64) float64 {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	return v
}
