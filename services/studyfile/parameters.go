package studyfile

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/events"
	"apollo/services/studyfile/unit"
)

// ownParameters reads the parameters of a space without template.
func (b *builder) ownParameters(list *node) {
	var names []string
	for _, n := range list.list() {
		if b.full() {
			return
		}
		if n.kind != mapKind {
			continue
		}
		p, ok := b.ownParameter(n)
		if name := n.get("name"); p.Name != "" && slices.Contains(names, p.Name) {
			b.add(name, codeDuplicate, "Give each parameter a name of its own.", "the parameter %q is here twice", p.Name)
			continue
		}
		names = append(names, p.Name)
		if ok {
			b.spec.Parameters = append(b.spec.Parameters, p)
		}
	}
	if len(b.spec.Parameters) < len(list.list()) {
		// Rules over a space with gaps would only repeat what is reported.
		b.spec.Parameters = nil
	}
}

func (b *builder) ownParameter(n *node) (events.Parameter, bool) {
	p := events.Parameter{Name: n.get("name").str()}
	before := len(b.found)
	if name := n.get("name"); name.str() != "" {
		b.snake(name, "a parameter")
		if slices.Contains(reserved(), p.Name) {
			b.add(name, codeBadName, "Rules use this word; take another name.", "%q is no name for a parameter", p.Name)
		}
	}
	u := unit.Unit{Dimension: unit.Dimensionless, Factor: 1}
	if un := n.get("unit"); un != nil && un.kind == stringKind {
		var known bool
		if u, known = b.unit(un); !known {
			return p, false // levels in a unit that nobody knows mean nothing
		}
		p.Unit = u.Symbol
	}
	values, ranged := n.get("values"), n.get("min") != nil || n.get("max") != nil || n.get("step") != nil || n.get("steps") != nil || n.get("scale") != nil
	switch {
	case values != nil && ranged:
		b.add(values, codeContradicts, "Remove one of them.", "a parameter has values or a range (min, max), not both")
	case values != nil:
		b.ownValues(&p, values, u)
	case ranged:
		b.ownRange(&p, n, u)
	default:
		b.add(n, codeMissing, "Write values: [1, 2, 4], or min and max.", "the parameter has no levels")
	}
	return p, len(b.found) == before && len(p.Values)+len(p.Labels) > 0
}

// reserved are the words of rule expressions (events.CompileRule).
func reserved() []string {
	return []string{
		"in", "and", "or", "not", "true", "false", "nil", "contains", "startsWith", "endsWith", "matches", "let",
		"min", "max", "abs", "floor", "ceil", "round", "log2",
	}
}

// snake reports a name that is not snake_case.
func (b *builder) snake(n *node, of string) {
	s := n.text
	ok := len(s) <= 63 && s != "" && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
	if !ok {
		b.add(n, codeBadName, "A name is snake_case: 1 to 63 of a-z, 0-9 and \"_\", starting with a letter.", "%q is no name for %s", clip(s), of)
	}
}

// unit reads the name of a unit.
func (b *builder) unit(n *node) (unit.Unit, bool) {
	u, ok := unit.Find(n.text)
	if ok {
		return u, true
	}
	hint := "Known units: "
	if guess := unit.Guess(n.text); guess != "" {
		hint = fmt.Sprintf("Did you mean %s? %s", guess, hint)
	}
	var symbols []string
	for _, u := range unit.All() {
		symbols = append(symbols, u.Symbol)
	}
	b.add(n, codeBadUnit, hint+strings.Join(symbols, ", ")+".", "%q is no unit that a study knows", clip(n.text))
	return u, false
}

// ownValues reads levels: all numbers, or all labels.
func (b *builder) ownValues(p *events.Parameter, list *node, u unit.Unit) {
	if len(list.list()) == 0 {
		return
	}
	if p.Unit == "" && isLabel(list.items[0]) {
		b.ownLabels(p, list)
		return
	}
	seen := map[float64]bool{}
	for _, n := range list.items {
		if b.full() {
			return
		}
		if !n.scalar() {
			continue
		}
		if p.Unit == "" && isLabel(n) {
			b.add(n, codeWrongType, "Levels are all numbers or all labels.", "%q is no number", clip(n.text))
			continue
		}
		v, ok := b.quantity(n, u, fmt.Sprintf("parameter %q", p.Name))
		if ok && seen[v] {
			b.add(n, codeDuplicate, "Remove one of them.", "the level %s is here twice", n.text)
		}
		if ok {
			seen[v] = true
			p.Values = append(p.Values, v+0) // -0 is 0
		}
	}
	slices.Sort(p.Values)
}

func isLabel(n *node) bool {
	if n.kind != stringKind {
		return false
	}
	_, err := unit.Parse(n.text)
	return errors.Is(err, unit.ErrSyntax)
}

func (b *builder) ownLabels(p *events.Parameter, list *node) {
	seen := map[string]bool{}
	for _, n := range list.items {
		switch {
		case !n.scalar():
		case n.kind != stringKind:
			b.add(n, codeWrongType, fmt.Sprintf("Levels are all numbers or all labels; a label in quotes is %q.", n.text), "want a label, not %s", n.kind)
		case n.text == "" || len(n.text) > maxText || strings.TrimSpace(n.text) != n.text:
			b.add(n, codeBadName, "", "a label has 1 to %d characters and no space at its ends", maxText)
		case seen[n.text]:
			b.add(n, codeDuplicate, "Remove one of them.", "the label %q is here twice", n.text)
		default:
			seen[n.text] = true
			p.Labels = append(p.Labels, n.text)
		}
	}
}

// ownRange reads min, max, step and scale.
func (b *builder) ownRange(p *events.Parameter, n *node, u unit.Unit) {
	who := fmt.Sprintf("parameter %q", p.Name)
	read := func(key string, fallback float64) (float64, bool) {
		c := n.get(key)
		if c == nil {
			return fallback, true
		}
		if !c.scalar() {
			return 0, false
		}
		return b.quantity(c, u, who)
	}
	for _, key := range []string{"min", "max"} {
		if n.get(key) == nil {
			b.add(n, codeMissing, "", "the range has no %s", key)
		}
	}
	low, ok1 := read("min", math.NaN())
	high, ok2 := read("max", math.NaN())
	step, ok3 := read("step", 1)
	if !ok1 || !ok2 || !ok3 || math.IsNaN(low) || math.IsNaN(high) {
		return
	}
	if n.get("steps") != nil || n.get("scale").str() == "log" {
		b.ownSteps(p, n, low, high)
		return
	}
	log2 := n.get("scale").str() == "log2"
	switch {
	case low > high:
		b.add(n.get("min"), codeContradicts, "", "min is larger than max")
	case log2 && low <= 0:
		b.add(n.get("min"), codeOutOfRange, "", "a log2 range starts above 0")
	case log2 && n.get("step") != nil:
		b.add(n.get("step"), codeContradicts, "Remove it.", "a log2 range has no step: every level is twice the one before")
	case !log2 && step <= 0:
		b.add(n.get("step"), codeOutOfRange, "", "a step must be more than 0")
	case !log2 && p.Unit != "" && n.get("step") == nil && low < high:
		b.add(n, codeMissing, "", "a range with a unit needs step or steps, or scale: log2")
	case !log2 && (high-low)/step >= events.MaxLevels:
		b.add(n, codeOutOfRange, "Take a larger step.", "the range has more than %d levels", events.MaxLevels)
	case log2:
		for v := low; v <= high; v *= 2 {
			p.Values = append(p.Values, v)
		}
	default:
		p.Values = linear(low, high, step)
	}
}

// linear lists min, min+step, … Each level is rounded to 12 digits, so that
// the levels of "0.1 to 0.5 by 0.1" are those that people would write.
func linear(low, high, step float64) []float64 {
	var out []float64
	// A hair of slack lets the last level be max when the division is inexact.
	n := int(math.Floor((high-low)/step + 1e-9))
	for i := range n + 1 {
		v, err := strconv.ParseFloat(strconv.FormatFloat(low+float64(i)*step, 'g', 12, 64), 64)
		if err == nil && (len(out) == 0 || cmp.Compare(v, out[len(out)-1]) > 0) {
			out = append(out, v)
		}
	}
	return out
}
