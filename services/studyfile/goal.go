package studyfile

import (
	"fmt"
	"slices"

	"apollo/events"
)

// objectives reads what to optimise.
func (b *builder) objectives() {
	list := b.field("objectives").list()
	seen := map[string]bool{}
	for _, n := range list {
		m, ok := b.metric(n.get("metric"))
		if !ok {
			continue
		}
		if seen[m.Name] {
			b.add(n.get("metric"), codeDuplicate, "Remove one of them.", "metric %q is an objective already", m.short)
			continue
		}
		seen[m.Name] = true
		o := events.Objective{Metric: m.Name, Goal: n.get("goal").str()}
		if t := n.get("target"); t != nil {
			o.Target = b.value(t, m)
		}
		if r := n.get("reference"); r != nil {
			if len(list) == 1 {
				b.add(r, codeContradicts, "Remove it.", "a reference is a corner of the hypervolume: it needs several objectives")
			}
			o.Reference = b.value(r, m)
		}
		b.objectiveNodes = append(b.objectiveNodes, n)
		b.spec.Objectives = append(b.spec.Objectives, o)
	}
}

// bounds are the constraints on one metric so far, with the nodes that set
// them.
type bounds struct {
	min, max         *float64
	minNode, maxNode *node
}

// constraints reads the bounds on metrics and finds those that no design can
// meet.
func (b *builder) constraints() {
	of := map[string]*bounds{}
	for _, n := range b.field("constraints").list() {
		if n.kind != mapKind {
			continue
		}
		least, most := n.get("min"), n.get("max")
		if least == nil && most == nil {
			b.add(n, codeMissing, "Write max: with a value and its unit.", "the constraint has neither max nor min")
		}
		m, ok := b.metric(n.get("metric"))
		if !ok {
			continue
		}
		c := events.Constraint{Metric: m.Name, Min: b.value(least, m), Max: b.value(most, m)}
		if of[m.Name] == nil {
			of[m.Name] = &bounds{}
		}
		b.merge(of[m.Name], c, least, most, m)
		b.spec.Constraints = append(b.spec.Constraints, c)
	}
	b.targets(of)
	b.references(of)
}

func (b *builder) merge(s *bounds, c events.Constraint, least, most *node, m metric) {
	if c.Min != nil {
		if s.min != nil {
			b.add(least, codeDuplicate, "Remove one of them.", "metric %q has a min already", m.short)
		}
		s.min, s.minNode = c.Min, least
	}
	if c.Max != nil {
		if s.max != nil {
			b.add(most, codeDuplicate, "Remove one of them.", "metric %q has a max already", m.short)
		}
		s.max, s.maxNode = c.Max, most
	}
	if s.min != nil && s.max != nil && *s.min > *s.max {
		at := most
		if c.Max == nil {
			at = least
		}
		b.add(at, codeContradicts, "Swap them, or remove one.", "no design meets min %s and max %s of metric %q", s.minNode.text, s.maxNode.text, m.short)
	}
	if (m.short == "area" || m.short == "latency" || m.short == "energy") && c.Max != nil && *c.Max <= 0 {
		b.add(most, codeContradicts, "", "no design has %s of %s or less", m.unit.Dimension.Phrase(), most.text)
	}
}

// targets reports targets outside the constraints on their metric.
func (b *builder) targets(of map[string]*bounds) {
	for i, o := range b.spec.Objectives {
		s := of[o.Metric]
		if o.Target == nil || s == nil {
			continue
		}
		n := b.objectiveNodes[i].get("target")
		switch {
		case s.max != nil && o.Goal == "maximize" && *o.Target > *s.max:
			b.add(n, codeContradicts, "Change one of them.", "the target %s lies beyond the constraint max %s", n.text, s.maxNode.text)
		case s.min != nil && o.Goal == "minimize" && *o.Target < *s.min:
			b.add(n, codeContradicts, "Change one of them.", "the target %s lies beyond the constraint min %s", n.text, s.minNode.text)
		}
	}
}

// algorithm reads the strategy and lets the catalog check its options.
func (b *builder) algorithm() {
	b.spec.Algorithm = events.Algorithm{Name: "default"}
	a := b.field("algorithm")
	name := a.get("name")
	if name.str() != "" {
		b.spec.Algorithm.Name = name.text
	}
	options := a.get("options")
	if options != nil && options.kind != mapKind {
		if options.kind != nullKind || options.text != "unsupported" {
			b.add(options, codeWrongType, "", "want a mapping, not %s", options.kind)
		}
		return
	}
	if options != nil && len(options.entries) > 0 {
		b.spec.Algorithm.Options = b.plain(options, nil)
	}
	if b.cat.Algorithm == nil || name == nil && options == nil || name != nil && name.kind != stringKind {
		return
	}
	err := b.cat.Algorithm(b.spec.Algorithm.Name, b.spec.Algorithm.Options)
	switch {
	case err == nil:
		b.manyObjectives(name)
	case !slices.Contains(b.cat.AlgorithmNames, b.spec.Algorithm.Name):
		b.add(name, codeUnknownName, oneOf(name.text, b.cat.AlgorithmNames), "there is no algorithm %q", clip(name.text))
	case options != nil:
		b.add(options, codeBadOptions, "", "%s", err)
	default:
		b.add(name, codeBadOptions, "", "%s", err)
	}
}

// budget reads what may be spent, when to stop, and in which order.
func (b *builder) budget() {
	s, n := &b.spec.Budget, b.field("budget")
	s.Trials = defaultTrials
	setInt(&s.Trials, n.get("trials"))
	batch := n.get("batch")
	s.Batch = b.defaultBatch()
	setInt(&s.Batch, batch)
	if batch != nil && s.Batch > s.Trials && s.Trials > 0 {
		b.add(batch, codeOutOfRange, fmt.Sprintf("Write at most %d, or leave it out.", s.Trials), "a batch of %d is more than the %d trials", s.Batch, s.Trials)
	}
	if batch != nil && b.desc != nil && b.desc.MaxBatch > 0 && b.spec.Evaluator.Name == b.desc.Name && s.Batch > b.desc.MaxBatch {
		b.add(batch, codeOutOfRange, fmt.Sprintf("Write at most %d.", b.desc.MaxBatch), "the evaluator %q takes at most %d designs at once", b.desc.Name, b.desc.MaxBatch)
	}
	s.Parallelism = defaultParallelism
	setInt(&s.Parallelism, n.get("parallelism"))
	s.Lag = 2 * s.Parallelism
	setInt(&s.Lag, n.get("lag"))
	b.stop()
	spec := b.field()
	b.spec.Order = choice(spec.get("order"), "strict")
	b.spec.Duplicates = choice(spec.get("duplicates"), "reuse")
	b.spec.KnownConstraints = choice(spec.get("knownConstraints"), "checked")
	b.spec.Seed = seed(spec.get("seed"))
}

// defaultBatch is one design for the user's own evaluator, which may be slow. For
// a template's it is a hundredth of the trials, so that a short study learns
// from nearly all of them, and at most what makes a message worth its cost.
func (b *builder) defaultBatch() int {
	s := &b.spec.Budget
	if b.desc == nil || b.spec.Evaluator.Name != b.desc.Name {
		return 1
	}
	batch := max(1, min(defaultBatch, s.Trials/100))
	if b.desc.MaxBatch > 0 {
		batch = min(batch, b.desc.MaxBatch)
	}
	return batch
}

func (b *builder) stop() {
	p := b.field("stop", "plateau")
	if p == nil || p.kind != mapKind {
		return
	}
	out := &events.Plateau{}
	setInt(&out.Trials, p.get("trials"))
	if v, ok := quietQuantity(p.get("improvement"), ""); ok {
		out.Improvement = v
	}
	b.spec.Stop.Plateau = out
}

func choice(n *node, fallback string) string {
	if s := n.str(); s != "" {
		return s
	}
	return fallback
}
