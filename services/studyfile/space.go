package studyfile

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"apollo/events"
	"apollo/optimizer/space"
)

// parameters fills in the template and the parameters, and returns where the study
// declares its own.
func (b *builder) parameters() (own *node) {
	s := b.field("space")
	if s == nil || s.kind != mapKind {
		return nil
	}
	template, own := s.get("template"), s.get("parameters")
	switch {
	case template != nil && own != nil: // reported
	case template != nil:
		b.fromTemplate(template)
	case own != nil:
		b.ownParameters(own)
	}
	return own
}

// narrowed applies what narrows the space: fix, restrict, rules and conditions.
func (b *builder) narrowed(own *node) {
	if len(b.spec.Parameters) == 0 {
		return // reported; they mean nothing without parameters
	}
	s := b.field("space")
	b.declared = slices.Clone(b.spec.Parameters)
	b.narrow(s)
	b.counts(s)
	b.rules(s.get("rules"))
	b.conditions(own)
}

func (b *builder) fromTemplate(n *node) {
	i := slices.Index(b.cat.templateNames(), n.str())
	if i < 0 {
		b.when(n.kind == stringKind, n, codeUnknownName, oneOf(n.text, b.cat.templateNames()), "there is no template %q", clip(n.text))
		return
	}
	b.template, b.desc = &b.cat.Templates[i], new(b.cat.Templates[i].Backend.Describe())
	for i, p := range b.template.Params {
		own := events.Parameter{Name: p.Name, Unit: p.Unit, Values: slices.Clone(p.Values), Labels: slices.Clone(p.Labels)}
		if i < len(b.template.When) {
			own.When = b.template.When[i]
		}
		b.spec.Parameters = append(b.spec.Parameters, own)
	}
}

// narrow applies fix and restrict.
func (b *builder) narrow(s *node) {
	for _, key := range []string{"fix", "restrict"} {
		for _, e := range cmp.Or(s.get(key), &node{}).entries {
			values := e.value.items
			if key == "fix" {
				values = []*node{e.value}
			}
			switch {
			case b.full():
				return
			case key == "restrict" && s.at("fix", e.key) != nil:
				b.addMistakeAt(e.place, e.value.pointer, codeContradicts, "Remove one of them.", "the parameter %q is in fix already", e.key)
			default:
				b.keepLevels(e, key+"ed", values)
			}
		}
	}
}

// counts reports levels that were asked for of a parameter that means nothing at them.
// The first level of a parameter is what it has where it means nothing: that may be said.
func (b *builder) counts(s *node) {
	for _, key := range []string{"fix", "restrict"} {
		for _, e := range cmp.Or(s.get(key), &node{}).entries {
			i := slices.IndexFunc(b.spec.Parameters, func(p events.Parameter) bool { return p.Name == e.key })
			if i < 0 || b.full() {
				continue
			}
			now, all := b.spec.Parameters[i], b.declared[i]
			if len(now.Labels) > 0 && now.Labels[0] == all.Labels[0] || len(now.Values) > 0 && now.Values[0] == all.Values[0] {
				continue
			}
			never, on, err := events.NeverCounts(b.spec.Parameters, i)
			if err != nil || !never {
				continue // a condition that is wrong is reported where it stands
			}
			var names []string
			for _, k := range on {
				names = append(names, b.spec.Parameters[k].Name)
			}
			others := strings.Join(names, " and ")
			b.addMistakeAt(e.value.place, e.value.pointer, codeContradicts, "Remove it, or leave "+others+" other levels.",
				"the parameter %q means nothing with any level of %s that is left", e.key, others)
		}
	}
}

// keepLevels leaves the parameter that a key names only the given levels, in its
// own order.
func (b *builder) keepLevels(e entry, verb string, values []*node) {
	i := slices.IndexFunc(b.spec.Parameters, func(p events.Parameter) bool { return p.Name == e.key })
	if i < 0 && b.unread {
		return
	}
	if i < 0 {
		var names []string
		for _, p := range b.spec.Parameters {
			names = append(names, p.Name)
		}
		b.addMistakeAt(e.place, e.value.pointer, codeUnknownName, oneOf(e.key, names), "there is no parameter %q that could be %s", clip(e.key), verb)
		return
	}
	p := &b.spec.Parameters[i]
	view := space.Param{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
	keep := map[int]bool{}
	for _, n := range values {
		if b.full() {
			return
		}
		level, ok := b.level(n, view)
		b.when(ok && keep[level], n, codeDuplicate, "Remove one of them.", "the level %s is here twice", n.text)
		if ok {
			keep[level] = true
		}
	}
	if len(keep) == 0 {
		return
	}
	p.Values, p.Labels = nil, nil
	for level := range view.Len() {
		switch {
		case !keep[level]:
		case view.Categorical():
			p.Labels = append(p.Labels, view.Labels[level])
		default:
			p.Values = append(p.Values, view.Values[level])
		}
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
			b.when(seen[rule.ID], id, codeDuplicate, "Give each rule an id of its own.", "the rule %q is here twice", rule.ID)
			seen[rule.ID] = true
		}
		if e != nil && e.kind == stringKind && len(rule.Expr) <= events.MaxRuleLength {
			b.expression(e, rule)
		}
	}
}

// expression reports what is wrong with a rule or condition.
func (b *builder) expression(n *node, rule events.Rule) {
	broken, ok := errors.AsType[*events.RuleError](events.CompileRule(b.declared, rule))
	if !ok || b.unread {
		return
	}
	b.mistakeWithin(n, broken.Column, broken.Message)
}

// mistakeWithin reports a mistake at a column of an expression, from 1; 0 is
// all of it.
func (b *builder) mistakeWithin(n *node, column int, message string) {
	b.addMistakeAt(within(n, column, 1), n.pointer, codeExpression, "", "%s", message)
}

// within is the place of width characters of a text from a column on, from 1; 0 is all
// of it.
func within(n *node, column, width int) place {
	// Only text that stands in the document as it is has the text's columns; the
	// quote in front takes one.
	at, quoted := n.place, n.place.width-len([]rune(n.text))
	if column > 0 && (quoted == 0 || quoted == 2) {
		at.column += column - 1 + quoted/2
		at.width = width
	}
	return at
}

// wordOf is the place of the word of a command that an error is of; all of the command
// where it does not say, or the word does not stand there between spaces.
func wordOf(n *node, err error) place {
	of, ok := errors.AsType[interface {
		error
		Wrong() string
	}](err)
	if !ok {
		return n.place
	}
	before, _, found := strings.Cut(" "+n.text+" ", " "+of.Wrong()+" ")
	if !found {
		return n.place
	}
	return within(n, 1+utf8.RuneCountInString(before), utf8.RuneCountInString(of.Wrong()))
}

// conditions reads `when` of own parameters. Each is compiled by itself, so that
// mistakes stand where it stands, and then all together.
func (b *builder) conditions(own *node) {
	nodes := map[string]*node{} // by the name under which reasons call it
	before := len(b.found)
	for i, n := range own.list() {
		when := n.get("when")
		if b.full() || when == nil || when.kind != stringKind {
			continue
		}
		rule := events.Rule{ID: events.ConditionID(b.own[i].Name), Expr: when.text}
		nodes[rule.ID] = when
		if slices.ContainsFunc(b.spec.Rules, func(r events.Rule) bool { return r.ID == rule.ID }) {
			b.addMistake(when, codeDuplicate, "Give that rule another id.", "the rule %q is here already; it is the name of this condition", rule.ID)
			continue
		}
		b.expression(when, rule)
	}
	if broken, ok := errors.AsType[*events.RuleError](events.CompileConditions(b.spec.Parameters)); ok && len(b.found) == before {
		b.addMistake(nodes[broken.ID], codeContradicts, "Write the condition with other parameters.", "%s", broken.Message)
	}
}
