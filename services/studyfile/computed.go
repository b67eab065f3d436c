package studyfile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"apollo/events"
	"apollo/events/unit"
)

// derivations are computed metrics that need no expression in a study.
type derivation struct {
	name, unit string
	// expr is the expression; ops are the operations of the study's networks, two
	// for each multiply and add, and runs the pictures or sequences of a pass: both
	// the weighted geometric mean over the networks, as metrics are.
	expr func(ops, runs string) string
	// work says that it counts operations or pictures, so that it needs networks
	// of which each pass does the same.
	work bool
}

func derivations() []derivation {
	return []derivation{
		{name: "power", unit: "W", expr: func(_, _ string) string { return "energy / latency" }},
		{name: "edp", unit: "Js", expr: func(_, _ string) string { return "energy * latency" }},
		{name: "fps", expr: func(_, runs string) string { return runs + " s / latency" }, work: true},
		{name: "tops", expr: func(ops, _ string) string { return ops + " ps / latency" }, work: true},
		{name: "tops_per_w", expr: func(ops, _ string) string { return ops + " pJ / energy" }, work: true},
		{name: "tops_per_mm2", expr: func(ops, _ string) string { return ops + " ps / latency * 1 mm2 / area" }, work: true},
	}
}

func derivedNames() []string {
	var names []string
	for _, d := range derivations() {
		names = append(names, "`"+d.name+"`")
	}
	return names
}

// computedMetrics reads the metrics that are computed of what is measured.
func (b *builder) computedMetrics() {
	read := b.computed
	b.computed = nil
	for i, n := range b.field("metrics").list() {
		if n.kind == mapKind && !b.full() {
			b.computedMetric(n, read[i])
		}
	}
}

func (b *builder) computedMetric(n *node, m events.Metric) {
	before := len(b.found)
	defer func() {
		if len(b.found) > before {
			b.broken = append(b.broken, m.Name)
		}
	}()
	name, expr := n.get("name"), n.get("expr")
	if name == nil || name.kind != stringKind || expr != nil && expr.kind != stringKind || len(b.spec.Metrics) == 0 {
		return // reported
	}
	m.Unit = unitOf(m.Unit).Symbol
	if expr == nil {
		i := slices.IndexFunc(derivations(), func(d derivation) bool { return d.name == m.Name })
		if i < 0 {
			b.addMistake(n, codeMissing, "Write expr: \"energy / latency\".", "the metric %q has no expression", clip(m.Name))
			return
		}
		d := derivations()[i]
		b.when(n.get("unit") != nil && m.Unit != d.unit, n.get("unit"), codeContradicts, fmt.Sprintf("Write %s, or nothing.", d.unit), "the metric %q is in another unit", d.name)
		var problem string
		if m.Unit = d.unit; d.work {
			m.Expr, problem = b.workExpression(d)
		} else {
			m.Expr = d.expr("", "")
		}
		if b.when(problem != "", name, codeContradicts, "Write its expr.", "%s", problem) {
			return
		}
		expr = name
	}
	for _, o := range b.spec.Metrics {
		if o.Short() == m.Name || o.Name == m.Name+unit.Suffix(m.Unit) {
			b.addMistake(name, codeDuplicate, "Give it a name of its own.", "the metric %q is here already", clip(m.Name))
			return
		}
	}
	if err := b.compute(m); err != nil {
		at, _ := errors.AsType[*events.MetricError](err)
		if expr == name {
			at.Column = 0 // the expression is not in the document
		}
		b.mistakeWithin(expr, at.Column, at.Message)
	}
}

// compute appends a metric, given by its short name, when it compiles.
func (b *builder) compute(m events.Metric) error {
	if err := b.compiles(m); err != nil {
		return err
	}
	full := m
	full.Name += unit.Suffix(m.Unit)
	full.Cheap = events.ComputedFree(b.spec.Metrics, full)
	b.spec.Metrics, b.computed = append(b.spec.Metrics, full), append(b.computed, m)
	return nil
}

// derived adds a metric that needs no expression when an objective or constraint
// names it; ok is false where it was reported why that cannot be.
func (b *builder) derived(n *node) (m events.Metric, found, ok bool) {
	i := slices.IndexFunc(derivations(), func(d derivation) bool { return d.name == n.text })
	if i < 0 {
		return m, false, false
	}
	d := derivations()[i]
	expr, problem := b.workExpression(d)
	if problem == "" {
		if err := b.compute(events.Metric{Name: d.name, Unit: d.unit, Expr: expr}); err != nil {
			at, _ := errors.AsType[*events.MetricError](err)
			problem = fmt.Sprintf("it is computed as %q: %s", expr, at.Message)
		}
	}
	if b.when(problem != "", n, codeUnknownName, "Declare it with an expression: metrics: [{name: …, expr: …}].", "the metric %q is not known here: %s", d.name, problem) {
		return m, true, false
	}
	return b.spec.Metrics[len(b.spec.Metrics)-1], true, true
}

// derivable are the names of the metrics that derived can add here.
func (b *builder) derivable() []string {
	var names []string
	for _, d := range derivations() {
		expr, problem := b.workExpression(d)
		if problem == "" && b.compiles(events.Metric{Name: d.name, Unit: d.unit, Expr: expr}) == nil {
			names = append(names, d.name)
		}
	}
	return names
}

// compiles says what is wrong with a metric, given by its short name.
func (b *builder) compiles(m events.Metric) error {
	m.Name += unit.Suffix(m.Unit)
	_, err := events.NewDeriver(append(slices.Clone(b.spec.Metrics), m))
	return err
}

// workExpression is the expression of a metric for the study's networks, or why
// it has none.
func (b *builder) workExpression(d derivation) (expr, problem string) {
	if !d.work {
		return d.expr("", ""), ""
	}
	if len(b.networks) == 0 {
		return "", fmt.Sprintf("%s counts the work of networks, and the study has none", d.name)
	}
	var ops, runs, weights float64
	for i, n := range b.networks {
		if n.Workload.Decode != nil {
			return "", fmt.Sprintf("%s counts passes that do the same, and network %s generates tokens", d.name, b.spec.Networks[i].Name)
		}
		ops += n.Weight * math.Log(2*float64(n.Workload.Totals().MACs))
		runs += n.Weight * math.Log(float64(max(1, b.spec.Networks[i].Batch)))
		weights += n.Weight
	}
	number := func(log float64) string { return strconv.FormatFloat(math.Exp(log/weights), 'g', 12, 64) }
	return d.expr(number(ops), number(runs)), ""
}
