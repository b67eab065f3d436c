package studyfile

import (
	"cmp"
	"slices"

	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// start reads the designs that are tried first. What a design does not say is the
// template's baseline, or the only level.
func (b *builder) start() {
	list := b.field("start")
	if len(b.spec.Parameters) == 0 || list == nil {
		return // reported, or there are none
	}
	for _, n := range list.list() {
		if b.full() {
			return
		}
		if n.kind != mapKind {
			continue // reported
		}
		before := len(b.found)
		design := make(events.Design, len(b.spec.Parameters))
		for i := range design {
			design[i], _ = b.startValue(n, i)
		}
		for _, e := range n.entries {
			names := b.parameterNames()
			if !slices.Contains(names, e.key) && !b.unread {
				b.addMistakeAt(e.place, e.value.pointer, codeUnknownName, oneOf(e.key, names), "there is no parameter %q", clip(e.key))
			}
		}
		if len(b.found) == before {
			b.spec.Start = append(b.spec.Start, design)
		}
	}
	b.when(len(b.spec.Start) > b.spec.Budget.Trials, list, codeContradicts, "Raise budget.trials.", "there are %d designs to start with and a budget of %d trials", len(b.spec.Start), b.spec.Budget.Trials)
}

func (b *builder) parameterNames() (names []string) {
	for _, p := range b.spec.Parameters {
		names = append(names, p.Name)
	}
	return names
}

// startValue is what a design says about a parameter.
func (b *builder) startValue(n *node, i int) (v space.Value, ok bool) {
	p := b.spec.Parameters[i]
	view := space.Param{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
	if at := n.get(p.Name); at != nil {
		level, ok := b.level(at, view)
		if !ok {
			return v, false
		}
		return view.Value(level), true
	}
	if view.Len() == 1 || b.spec.FidelityColumn() == i {
		return view.Value(view.Len() - 1), true
	}
	if b.template != nil && i < len(b.template.Baseline) {
		if _, is := view.Level(b.template.Baseline[i]); is {
			return b.template.Baseline[i], true
		}
	}
	if p.When != "" {
		return view.Value(0), true
	}
	b.addMistake(n, codeMissing, "Write it: "+p.Name+": "+levelText(view, 0)+".", "the design does not say the parameter %q", p.Name)
	return v, false
}

func levelText(p space.Param, level int) string {
	v := p.Value(level)
	if v.Label != "" {
		return v.Label
	}
	return unit.Format(v.Num, unitOf(p.Unit).Symbol)
}

// checkStart reports first designs that the free checks refuse, and those that
// are there twice.
func (b *builder) checkStart(c *checker) {
	if len(b.found) > 0 || len(b.spec.Start) == 0 {
		return
	}
	seen := map[space.Key]bool{}
	legal := c.legal(b.spec.Rules, b.spec.Constraints)
	for i, n := range b.field("start").list() {
		p, err := c.space.Point(b.spec.Start[i])
		if b.when(err != nil, n, codeNoLevel, "", "%v", err) {
			continue
		}
		c.judge.Inactive(b.spec.Start[i], func(param int) { p[param] = 0 })
		b.spec.Start[i] = c.space.Values(p)
		key := c.space.Key(p)
		b.when(seen[key], n, codeDuplicate, "Remove one of them.", "this design is here twice")
		seen[key] = true
		if b.spec.KnownConstraints != "hidden" && !legal(p) {
			b.addMistake(n, codeContradicts, "Change the design, or the rule or constraint.", "the design is not legal: %s", c.why(p))
		}
	}
}

// why says which free check a design fails.
func (c *checker) why(p space.Point) string {
	values := c.space.Values(p)
	if broken := c.judge.Rules(values); broken != nil {
		return cmp.Or(broken.Message, broken.Code)
	}
	if c.cheap == nil {
		return "a rule refuses it"
	}
	metrics := make([]float64, len(c.spec.Metrics))
	c.cheap.Check(values, metrics)
	c.judge.Deriver().Fill(metrics)
	_, broken := c.judge.Metrics(metrics)
	if broken == nil {
		return "a constraint refuses it"
	}
	return broken.Message
}

// starts are the first designs as a study lists them.
func (b *builder) starts() any {
	var out list
	for _, d := range b.spec.Start {
		var one object
		for i, p := range b.spec.Parameters {
			one = append(one, member{p.Name, levelOf(p, d[i])})
		}
		out = append(out, one)
	}
	return out
}

// levelOf is one level as a study writes it.
func levelOf(p events.Parameter, v space.Value) any {
	symbol := unitOf(p.Unit).Symbol
	switch {
	case v.Label != "":
		return v.Label
	case symbol == "":
		return v.Num
	}
	return unit.Exact(v.Num, symbol)
}
