package studyfile

import (
	"cmp"
	"fmt"
	"slices"

	"apollo/events"
)

// objectives gives what to optimise its metrics.
func (b *builder) objectives() {
	read := b.spec.Objectives
	b.spec.Objectives = nil
	for i, n := range b.field("objectives").list() {
		m, ok := b.metric(n.get("metric"))
		if !ok {
			continue
		}
		o := read[i]
		o.Metric = m.Name
		if slices.ContainsFunc(b.spec.Objectives, func(earlier events.Objective) bool { return earlier.Metric == o.Metric }) {
			b.add(n.get("metric"), codeDuplicate, "Remove one of them.", "metric %q is an objective already", m.short)
			continue
		}
		reference := n.get("reference")
		if reference != nil && len(read) == 1 {
			b.add(reference, codeContradicts, "Remove it.", "a reference is a corner of the hypervolume: it needs several objectives")
		}
		o.Target, o.Reference = b.value(n.get("target"), m), b.value(reference, m)
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

// constraints gives the bounds on metrics their values, and finds those that no
// design can meet.
func (b *builder) constraints() {
	of := map[string]*bounds{}
	read := b.spec.Constraints
	b.spec.Constraints = nil
	for i, n := range b.field("constraints").list() {
		least, most := n.get("min"), n.get("max")
		m, ok := b.metric(n.get("metric"))
		if !ok {
			continue
		}
		c := read[i]
		c.Metric, c.Min, c.Max = m.Name, b.value(least, m), b.value(most, m)
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

// algorithm lets the catalog check the strategy and its options.
func (b *builder) algorithm() {
	a := &b.spec.Algorithm
	a.Name = cmp.Or(a.Name, "default")
	name, options := b.field("algorithm", "name"), b.field("algorithm", "options")
	if options != nil && options.kind != mapKind || b.cat.Algorithm == nil || name == nil && options == nil || name != nil && name.kind != stringKind {
		return
	}
	err := b.cat.Algorithm(a.Name, a.Options)
	switch {
	case err == nil:
		b.manyObjectives(name)
	case !slices.Contains(b.cat.AlgorithmNames, a.Name):
		b.add(name, codeUnknownName, oneOf(name.text, b.cat.AlgorithmNames), "there is no algorithm %q", clip(name.text))
	case options != nil:
		b.add(options, codeBadOptions, "", "%s", err)
	default:
		b.add(name, codeBadOptions, "", "%s", err)
	}
}

// budget fills in what depends on other fields, and checks what may be spent.
func (b *builder) budget() {
	s, batch := &b.spec.Budget, b.field("budget", "batch")
	if s.Batch == 0 {
		s.Batch = b.defaultBatch()
	}
	if batch != nil && s.Batch > s.Trials && s.Trials > 0 {
		b.add(batch, codeOutOfRange, fmt.Sprintf("Write at most %d, or leave it out.", s.Trials), "a batch of %d is more than the %d trials", s.Batch, s.Trials)
	}
	if batch != nil && b.builtin() && b.desc.MaxBatch > 0 && s.Batch > b.desc.MaxBatch {
		b.add(batch, codeOutOfRange, fmt.Sprintf("Write at most %d.", b.desc.MaxBatch), "the evaluator %q takes at most %d designs at once", b.desc.Name, b.desc.MaxBatch)
	}
	if s.Lag == 0 {
		s.Lag = 2 * s.Parallelism
	}
}

// mostBatch is the largest batch that a study gets unasked. Chosen: what makes a
// message worth its cost.
const mostBatch = 16

// defaultBatch is one design for the user's own evaluator, which may be slow. For
// a template's it is a hundredth of the trials, so that a short study learns
// from nearly all of them.
func (b *builder) defaultBatch() int {
	if !b.builtin() {
		return 1
	}
	batch := max(1, min(mostBatch, b.spec.Budget.Trials/100))
	if b.desc.MaxBatch > 0 {
		batch = min(batch, b.desc.MaxBatch)
	}
	return batch
}

// builtin says that the template's own evaluator measures.
func (b *builder) builtin() bool { return b.desc != nil && b.spec.Evaluator.Name == b.desc.Name }
