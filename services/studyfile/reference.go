package studyfile

import (
	"context"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/events"
)

// manyObjectives reports a strategy that searches one objective in a study with
// several; name is where the study names it.
func (b *builder) manyObjectives(name *node) {
	n := len(b.spec.Objectives)
	if n < 2 || b.cat.ManyNames == nil || slices.Contains(b.cat.ManyNames, b.spec.Algorithm.Name) {
		return
	}
	b.add(name, codeContradicts, "Those that search several: "+strings.Join(b.cat.ManyNames, ", ")+".",
		"algorithm %q searches one objective, the study has %d", b.spec.Algorithm.Name, n)
}

// references fills in the corners of the hypervolume that constraints give, and
// reports targets that are worse than theirs.
func (b *builder) references(of map[string]*bounds) {
	if len(b.spec.Objectives) < 2 {
		return
	}
	for i := range b.spec.Objectives {
		o := &b.spec.Objectives[i]
		if s := of[o.Metric]; o.Reference == nil && s != nil {
			o.Reference = s.max
			if o.Goal == "maximize" {
				o.Reference = s.min
			}
		}
		if o.Target == nil || o.Reference == nil {
			continue
		}
		better, worse := *o.Target, *o.Reference
		if o.Goal == "maximize" {
			better, worse = worse, better
		}
		if better > worse {
			n := b.objectiveNodes[i]
			b.add(n.get("target"), codeContradicts, "The reference is the one that is written, or a constraint's bound: change one of the two.", "the target %s is worse than the reference", n.get("target").text)
		}
	}
}

// baselineFactor is how much worse than the template's baseline a design may be
// in one objective and still count. Chosen: a front is about designs that are
// better in something, and none pays more than double for it.
const baselineFactor = 2

// baselineReferences fills in what is still open from the template's baseline,
// measured on the study's networks. Where that is infeasible, or not positive,
// the reference stays open: the first trials fix it.
func (b *builder) baselineReferences() {
	open := func(o events.Objective) bool { return o.Reference == nil }
	if len(b.found) > 0 || len(b.spec.Objectives) < 2 || !slices.ContainsFunc(b.spec.Objectives, open) {
		return
	}
	values := b.baseline()
	for i := range b.spec.Objectives {
		o := &b.spec.Objectives[i]
		k := b.spec.MetricIndex(o.Metric)
		if !open(*o) || k >= len(values) || !(values[k] > 0) {
			continue
		}
		if o.Goal == "maximize" {
			o.Reference = new(values[k] / baselineFactor)
			continue
		}
		o.Reference = new(values[k] * baselineFactor)
	}
}

// baseline returns the metrics of the template's baseline, nil when it has none.
func (b *builder) baseline() []float64 {
	if !b.builtin() || len(b.template.Baseline) != len(b.template.Params) {
		return nil
	}
	e, err := b.template.Backend.New(evaluator.Task{Params: b.template.Params, Networks: b.networks})
	if err != nil {
		return nil
	}
	r, err := e.Evaluate(context.Background(), evaluator.Request{Study: b.spec.Study, Trial: -1, Design: b.template.Baseline})
	if err != nil || r.Outcome != evaluator.Measured {
		return nil
	}
	return r.Values
}
