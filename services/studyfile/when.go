package studyfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"apollo/events"
)

// conditions turns `when` of own parameters into rules: where a parameter means
// nothing it stays at its first level. Such a rule is checked like any other, at
// no cost, so no two trials differ in a parameter that means nothing, and
// services and logs need to know of nothing new.
func (b *builder) conditions(own *node) {
	for _, n := range own.list() {
		when := n.get("when")
		if b.full() || when == nil || when.kind != stringKind {
			continue
		}
		if p := b.named(n.get("name").str()); p != nil {
			b.condition(when, p)
		}
	}
}

func (b *builder) named(name string) *events.Parameter {
	for i := range b.spec.Parameters {
		if b.spec.Parameters[i].Name == name {
			return &b.spec.Parameters[i]
		}
	}
	return nil
}

func (b *builder) condition(n *node, p *events.Parameter) {
	rule := events.Rule{ID: "when-" + strings.Trim(strings.ReplaceAll(p.Name, "_", "-"), "-"), Expr: n.text}
	if len(rule.ID) > maxRuleID {
		rule.ID = strings.TrimRight(rule.ID[:maxRuleID], "-")
	}
	switch {
	case mentions(n.text, p.Name):
		b.add(n, codeContradicts, "Write the condition with other parameters.", "the parameter %q cannot depend on itself", p.Name)
	case len(b.spec.Rules) == events.MaxRules:
		b.add(n, codeOutOfRange, "Remove a rule.", "a study has at most %d rules, each when is one", events.MaxRules)
	default:
		for _, r := range b.spec.Rules {
			if r.ID == rule.ID {
				b.add(n, codeDuplicate, "Give that rule another id.", "the rule %q is here already; it is the name of this condition", rule.ID)
				return
			}
		}
		if len(p.Values)+len(p.Labels) > 1 {
			// The condition itself first, so that mistakes stand where it stands.
			found := len(b.found)
			b.rule(n, rule)
			if len(b.found) == found {
				b.spec.Rules[len(b.spec.Rules)-1].Expr = fmt.Sprintf("(%s) or %s == %s", n.text, p.Name, first(p))
			}
		}
	}
}

// maxRuleID is the length of a DNS label.
const maxRuleID = 63

// first is a parameter's first level as the rule language writes it.
func first(p *events.Parameter) string {
	if len(p.Labels) > 0 {
		return strconv.Quote(p.Labels[0])
	}
	return strconv.FormatFloat(p.Values[0], 'f', -1, 64)
}

// mentions reports whether an expression has a word.
func mentions(expr, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(expr)
}
