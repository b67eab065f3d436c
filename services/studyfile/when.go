package studyfile

import (
	"errors"

	"apollo/events"
)

// conditions reads `when` of own parameters. Each is compiled by itself, so that
// mistakes stand where it stands, and then all together.
func (b *builder) conditions(own *node) {
	nodes := map[string]*node{} // by the name under which reasons call it
	before := len(b.found)
	for _, n := range own.list() {
		when := n.get("when")
		if b.full() || when == nil || when.kind != stringKind {
			continue
		}
		for i := range b.spec.Parameters {
			if p := &b.spec.Parameters[i]; p.Name == n.get("name").str() {
				nodes[events.ConditionID(p.Name)] = when
				b.condition(when, p)
			}
		}
	}
	if len(b.found) > before {
		return
	}
	if broken, ok := errors.AsType[*events.RuleError](events.CompileConditions(b.spec.Parameters)); ok {
		b.add(nodes[broken.ID], codeContradicts, "Write the condition with other parameters.", "%s", broken.Message)
	}
}

func (b *builder) condition(n *node, p *events.Parameter) {
	rule := events.Rule{ID: events.ConditionID(p.Name), Expr: n.text}
	for _, r := range b.spec.Rules {
		if r.ID == rule.ID {
			b.add(n, codeDuplicate, "Give that rule another id.", "the rule %q is here already; it is the name of this condition", rule.ID)
			return
		}
	}
	b.expression(n, rule)
}
