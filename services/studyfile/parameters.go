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
	seen := map[string]bool{"": true}
	good := true
	for i, n := range list.list() {
		if b.full() {
			return
		}
		p := &b.own[i]
		before := len(b.found)
		b.ownLevels(p, n, unitOf(p.Unit))
		b.when(seen[p.Name] && p.Name != "", n.get("name"), codeDuplicate, "Give each parameter a name of its own.", "the parameter %q is here twice", p.Name)
		seen[p.Name] = true
		good = good && len(b.found) == before && (p.Name == "" || isParameter(p.Name)) && len(p.Values)+len(p.Labels) > 0
	}
	if good { // rules over a space with gaps would only repeat what is reported
		b.spec.Parameters = slices.Clone(b.own)
	}
}

func (b *builder) ownLevels(p *events.Parameter, n *node, u unit.Unit) {
	p.Unit = u.Symbol
	switch values := n.get("values"); {
	case n.get("unit") != nil && !isUnit(n.get("unit").str()): // levels in a unit that nobody knows mean nothing
	case values != nil && !n.has(ranged()):
		b.ownValues(p, values.list(), u)
	case values == nil && n.has(ranged()):
		b.ownRange(p, n, u)
	}
}

// isParameter says whether a rule can name a parameter so: not with a word of
// its expressions (events.CompileRule).
func isParameter(s string) bool {
	return isSnake(s) && !slices.Contains([]string{
		"in", "and", "or", "not", "true", "false", "nil", "contains", "startsWith", "endsWith", "matches", "let",
		"min", "max", "abs", "floor", "ceil", "round", "log2",
	}, s)
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
			b.add(n, codeWrongType, "Levels are all numbers or all labels.", "%q is no number", clip(n.text))
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
	return errors.Is(err, unit.ErrSyntax)
}

func (b *builder) ownLabel(p *events.Parameter, n *node, seen map[string]bool) {
	switch {
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
