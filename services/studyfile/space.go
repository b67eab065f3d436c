package studyfile

import (
	"errors"
	"slices"

	"apollo/events"
	"apollo/optimizer/space"
)

// space fills in the template, the parameters and the rules.
func (b *builder) space() {
	s := b.field("space")
	if s == nil || s.kind != mapKind {
		return
	}
	template, own := s.get("template"), s.get("parameters")
	switch {
	case template != nil && own != nil: // reported
	case template != nil:
		b.fromTemplate(template)
	case own != nil:
		b.ownParameters(own)
	}
	if len(b.spec.Parameters) == 0 {
		return // reported; fix, restrict and rules mean nothing without them
	}
	b.declared = slices.Clone(b.spec.Parameters)
	b.narrow(s)
	b.rules(s.get("rules"))
	b.conditions(own)
}

func (b *builder) fromTemplate(n *node) {
	for i := range b.cat.Templates {
		t := &b.cat.Templates[i]
		if t.Name != n.str() {
			continue
		}
		desc := t.Backend.Describe()
		b.template, b.desc = t, &desc
		for _, p := range t.Params {
			b.spec.Parameters = append(b.spec.Parameters, events.Parameter{
				Name: p.Name, Unit: p.Unit, Values: slices.Clone(p.Values), Labels: slices.Clone(p.Labels),
			})
		}
		return
	}
	if n.kind == stringKind {
		b.add(n, codeUnknownName, oneOf(n.text, b.cat.templateNames()), "there is no template %q", clip(n.text))
	}
}

// param is the space's view of a parameter of the spec.
func param(p events.Parameter) space.Param {
	return space.Param{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
}

// narrow applies fix and restrict.
func (b *builder) narrow(s *node) {
	fix, restrict := s.get("fix"), s.get("restrict")
	if fix != nil {
		for _, e := range fix.entries {
			if b.full() {
				return
			}
			if i := b.parameter(e, "fixed"); i >= 0 {
				b.keepLevels(i, []*node{e.value})
			}
		}
	}
	if restrict == nil {
		return
	}
	for _, e := range restrict.entries {
		if b.full() {
			return
		}
		if fix.get(e.key) != nil {
			b.addAt(e.place, e.value.pointer, codeContradicts, "Remove one of them.", "the parameter %q is in fix already", e.key)
			continue
		}
		if i := b.parameter(e, "restricted"); i >= 0 && len(e.value.list()) > 0 {
			b.keepLevels(i, e.value.items)
		}
	}
}

// parameter finds the parameter that a key names, or reports it.
func (b *builder) parameter(e entry, verb string) int {
	names := make([]string, len(b.spec.Parameters))
	for i, p := range b.spec.Parameters {
		names[i] = p.Name
	}
	i := slices.Index(names, e.key)
	if i < 0 {
		b.addAt(e.place, e.value.pointer, codeUnknownName, oneOf(e.key, names), "there is no parameter %q that could be %s", clip(e.key), verb)
	}
	return i
}

// keepLevels leaves a parameter only the given levels, in its own order.
func (b *builder) keepLevels(i int, values []*node) {
	p := param(b.spec.Parameters[i])
	keep := map[int]bool{}
	for _, n := range values {
		if b.full() {
			return
		}
		level, ok := b.level(n, p)
		switch {
		case !ok:
		case keep[level]:
			b.add(n, codeDuplicate, "Remove one of them.", "the level %s is here twice", n.text)
		default:
			keep[level] = true
		}
	}
	var left events.Parameter
	for level := range p.Len() {
		switch {
		case !keep[level]:
		case p.Categorical():
			left.Labels = append(left.Labels, p.Labels[level])
		default:
			left.Values = append(left.Values, p.Values[level])
		}
	}
	if len(keep) > 0 {
		b.spec.Parameters[i].Values, b.spec.Parameters[i].Labels = left.Values, left.Labels
	}
}

// rules compiles the structural rules, each by itself.
func (b *builder) rules(list *node) {
	seen := map[string]bool{}
	for i, n := range list.list() {
		if b.full() {
			return
		}
		rule, id, e := b.spec.Rules[i], n.get("id"), n.get("expr")
		if id != nil && id.kind == stringKind {
			if seen[rule.ID] {
				b.add(id, codeDuplicate, "Give each rule an id of its own.", "the rule %q is here twice", rule.ID)
			}
			seen[rule.ID] = true
		}
		if e != nil && e.kind == stringKind && len(rule.Expr) <= events.MaxRuleLength {
			b.expression(e, rule)
		}
	}
}

// expression reports what is wrong with a rule or condition.
func (b *builder) expression(n *node, rule events.Rule) {
	err := events.CompileRule(b.declared, rule)
	if err == nil {
		return
	}
	at, message := n.place, err.Error()
	if re, ok := errors.AsType[*events.RuleError](err); ok {
		message = re.Message
		// Only text that stands in the document as it is has the expression's
		// columns; the quote in front takes one.
		quoted := n.place.width - len([]rune(rule.Expr))
		if re.Column > 0 && (quoted == 0 || quoted == 2) {
			at.column += re.Column - 1 + quoted/2
			at.width = 1
		}
	}
	b.addAt(at, n.pointer, codeExpression, "", "%s", message)
}
