package studyfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"apollo/events"
	"apollo/services/studyfile/unit"
)

// ownParameters gives the parameters of a space without template their levels.
func (b *builder) ownParameters(list *node) {
	seen := map[string]bool{}
	good := true
	for i, n := range list.list() {
		p := &b.own[i]
		if b.full() {
			return
		}
		good = n.kind == mapKind && b.ownParameter(p, n) && good
		if p.Name != "" && seen[p.Name] {
			b.add(n.get("name"), codeDuplicate, "Give each parameter a name of its own.", "the parameter %q is here twice", p.Name)
			good = false
		}
		seen[p.Name] = true
	}
	if good { // rules over a space with gaps would only repeat what is reported
		b.spec.Parameters = slices.Clone(b.own)
	}
}

func (b *builder) ownParameter(p *events.Parameter, n *node) bool {
	before := len(b.found)
	if slices.Contains(reserved(), p.Name) {
		b.add(n.get("name"), codeBadName, "Rules use this word; take another name.", "%q is no name for a parameter", p.Name)
	}
	u, known := b.unit(n.get("unit"))
	if !known {
		return false // levels in a unit that nobody knows mean nothing
	}
	p.Unit = u.Symbol
	values, ranged := n.get("values"), n.get("min") != nil || n.get("max") != nil || n.get("step") != nil || n.get("steps") != nil || n.get("scale") != nil
	switch {
	case values != nil && ranged: // reported
	case values != nil:
		b.ownValues(p, values, u)
	case ranged:
		b.ownRange(p, n, u)
	default:
		b.add(n, codeMissing, "Write values: [1, 2, 4], or min and max.", "the parameter has no levels")
	}
	return len(b.found) == before && (p.Name == "" || isSnake(p.Name)) && len(p.Values)+len(p.Labels) > 0
}

// reserved are the words of rule expressions (events.CompileRule).
func reserved() []string {
	return []string{
		"in", "and", "or", "not", "true", "false", "nil", "contains", "startsWith", "endsWith", "matches", "let",
		"min", "max", "abs", "floor", "ceil", "round", "log2",
	}
}

// unit reads the name of a unit; without one it is the plain number.
func (b *builder) unit(n *node) (u unit.Unit, known bool) {
	plain := unit.Unit{Dimension: unit.Dimensionless, Factor: 1}
	if n == nil || n.kind != stringKind {
		return plain, true
	}
	if u, known = unit.Find(n.text); known {
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
	return plain, false
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
		q, ok := b.number(n, u, p.Name)
		v := q.In(u)
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

// isLabel reports whether a level of a parameter without unit is a label: text
// in quotes always is, also "1", and without quotes what is no quantity.
func isLabel(n *node) bool {
	if n.kind != stringKind || !n.plain {
		return n.kind == stringKind
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
		case n.text == "" || len(n.text) > events.MaxTextBytes || strings.TrimSpace(n.text) != n.text:
			b.add(n, codeBadName, "", "a label has 1 to %d bytes and no space at its ends", events.MaxTextBytes)
		case seen[n.text]:
			b.add(n, codeDuplicate, "Remove one of them.", "the label %q is here twice", n.text)
		default:
			seen[n.text] = true
			p.Labels = append(p.Labels, n.text)
		}
	}
}
