package studyfile

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
)

// derivations are computed metrics that need no expression in a study.
type derivation struct {
	name, unit string
	expr       func(of subject) string
	// work says that it counts operations or pictures, so that it needs networks
	// of which each pass does the same.
	work bool
	// rate says that less is worse.
	rate bool
}

// subject is what a metric is computed for: all networks, or one of them.
type subject struct {
	// suffix ends the names of metrics: ".resnet50_v1", "" for all networks.
	suffix string
	// ops are the operations of the networks, two for each multiply and add, and
	// runs the pictures or sequences of a pass: both the weighted geometric mean
	// over the networks, as metrics are.
	ops, runs string
}

func (s subject) latency() string { return "latency" + s.suffix }
func (s subject) energy() string  { return "energy" + s.suffix }

func derivations() []derivation {
	return []derivation{
		{name: "power", unit: "W", expr: func(s subject) string { return s.energy() + " / " + s.latency() }},
		{name: "edp", unit: "Js", expr: func(s subject) string { return s.energy() + " * " + s.latency() }},
		{name: "energy_per_inference", unit: "J", expr: func(s subject) string { return s.energy() + " / " + s.runs }, work: true},
		{name: "fps", expr: func(s subject) string { return s.runs + " s / " + s.latency() }, work: true, rate: true},
		{name: "tops", expr: func(s subject) string { return s.ops + " ps / " + s.latency() }, work: true, rate: true},
		{name: "tops_per_w", expr: func(s subject) string { return s.ops + " pJ / " + s.energy() }, work: true, rate: true},
		{name: "tops_per_mm2", expr: func(s subject) string { return s.ops + " ps / " + s.latency() + " * 1 mm2 / area" }, work: true, rate: true},
	}
}

// LessIsWorse says so of a metric that nobody set a goal for: of rates and accuracies,
// whole or of one network.
func LessIsWorse(m events.Metric) bool {
	base, _, _ := strings.Cut(m.Short(), ".")
	rate := slices.ContainsFunc(derivations(), func(d derivation) bool { return d.rate && d.name == base })
	return rate || base == "accuracy" || unitOf(m.Unit).Dimension == unit.TokenRate
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
	if b.builtin() {
		for _, m := range b.onRequest() {
			b.computed = append(b.computed, events.Metric{Name: unit.Bare(m.Name, m.Unit), Unit: m.Unit})
		}
	}
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
	if expr != nil && b.when(strings.TrimSpace(m.Expr) == "", expr, codeExpression, "Write expr: \"energy / latency\", or remove it where the metric needs none.", "the expression is empty") {
		return
	}
	if strings.Contains(m.Name, ".") && b.when(expr != nil, name, codeBadName, "Leave expr out, or give it a name without a dot.", "a name with a dot is known already: metric.network, metric.worst or metric.weighted_sum") {
		return
	}
	if expr == nil && b.nameRequested(n, m) {
		return
	}
	if expr == nil {
		known, problem, found := b.known(m.Name)
		if !found {
			b.addMistake(n, codeMissing, "Write expr: \"energy / latency\".", "the metric %q has no expression", clip(m.Name))
			return
		}
		b.when(n.get("unit") != nil && m.Unit != known.Unit, n.get("unit"), codeContradicts, fmt.Sprintf("Write %s, or nothing.", known.Unit), "the metric %q is in another unit", m.Name)
		if b.when(problem.message != "", name, codeContradicts, cmp.Or(problem.hint, "Write its expr."), "%s", problem.message) {
			return
		}
		m, expr = known, name
	}
	for _, o := range b.spec.Metrics {
		if o.Short() == m.Name || o.Name == unit.Named(m.Name, m.Unit) {
			b.addMistake(name, codeDuplicate, "Leave the entry out if that metric is meant: it can be named anywhere. A metric of your own needs another name.", "the metric %q is here already", clip(m.Name))
			return
		}
	}
	if expr != name && b.adds(m, expr) {
		return
	}
	if err := b.compute(m); err != nil {
		at, _ := errors.AsType[*events.MetricError](err)
		if expr == name {
			at.Column = 0 // the expression is not in the document
		}
		b.mistakeWithin(expr, at.Column, at.Message)
	}
}

// nameRequested takes an entry that names a metric on request, which is measured then.
func (b *builder) nameRequested(n *node, m events.Metric) bool {
	if !b.builtin() {
		return false
	}
	i := slices.IndexFunc(b.onRequest(), func(o evaluator.Metric) bool { return unit.Bare(o.Name, o.Unit) == m.Name })
	if i < 0 {
		return false
	}
	first := slices.IndexFunc(b.field("metrics").list(), func(o *node) bool { return o.get("name").str() == m.Name })
	b.when(b.field("metrics").list()[first] != n, n.get("name"), codeDuplicate, "Leave one of them out.", "the metric %q is here already", clip(m.Name))
	known := b.onRequest()[i].Unit
	b.when(n.get("unit") != nil && m.Unit != known, n.get("unit"), codeContradicts, fmt.Sprintf("Write %s, or nothing.", known), "the metric %q is in another unit", m.Name)
	return true
}

// adds appends the metrics that an expression names and that need none themselves. It
// reports, and says so, which of them cannot be.
func (b *builder) adds(m events.Metric, expr *node) (reported bool) {
	for _, name := range events.FormulaNames(m.Expr) {
		has := func(o events.Metric) bool { return o.Short() == name }
		if name == m.Name || slices.ContainsFunc(b.spec.Metrics, has) {
			continue
		}
		known, p, found := b.known(name)
		if !found {
			continue // no metric: the expression's mistake
		}
		if p.message == "" {
			if err := b.compute(known); err != nil {
				p.message = err.Error()
			}
		}
		if b.when(p.message != "", expr, codeUnknownName, p.hint, "the metric %q is not known here: %s", clip(name), p.message) {
			return true
		}
	}
	return false
}

// compute appends a metric, given by its short name, when it compiles.
func (b *builder) compute(m events.Metric) error {
	if err := b.compiles(m); err != nil {
		return err
	}
	full := m
	full.Name = unit.Named(m.Name, m.Unit)
	full.Cheap = events.ComputedFree(b.spec.Metrics, full)
	if strings.Contains(m.Name, ".") {
		m.Expr = "" // its name says it, and it may be long
	}
	b.spec.Metrics, b.computed = append(b.spec.Metrics, full), append(b.computed, m)
	return nil
}

// derived adds a metric that needs no expression when an objective or constraint
// names it; ok is false where it was reported why that cannot be.
func (b *builder) derived(n *node) (m events.Metric, found, ok bool) {
	m, problem, found := b.known(n.text)
	if !found {
		return m, false, false
	}
	if problem.message == "" {
		if err := b.compute(m); err != nil {
			at, _ := errors.AsType[*events.MetricError](err)
			problem.message = fmt.Sprintf("it is computed as %q: %s", clip(m.Expr), at.Message)
		}
	}
	if b.when(problem.message != "", n, codeUnknownName, cmp.Or(problem.hint, "Declare it with an expression: metrics: [{name: …, expr: …}]."),
		"the metric %q is not known here: %s", clip(n.text), problem.message) {
		return m, true, false
	}
	return b.spec.Metrics[len(b.spec.Metrics)-1], true, true
}

// problem says why a known metric is not there, and what to do.
type problem struct{ message, hint string }

// known is the metric of a name that needs no expression, by its short name.
func (b *builder) known(name string) (m events.Metric, p problem, found bool) {
	if base, of, dotted := strings.Cut(name, "."); dotted {
		m, p = b.ofNetworks(base, of)
		return m, p, true
	}
	i := slices.IndexFunc(derivations(), func(d derivation) bool { return d.name == name })
	if i < 0 {
		return m, p, false
	}
	d := derivations()[i]
	m = events.Metric{Name: d.name, Unit: d.unit}
	m.Expr, p.message = b.workExpression(d, b.networks, "")
	return m, p, true
}

// derivable are the names of the metrics that the study can name without an expression,
// and that it has not named.
func (b *builder) derivable() []string {
	var names []string
	if b.builtin() {
		for _, m := range b.desc.OnRequest(b.desc.Metrics) {
			names = append(names, unit.Bare(m.Name, m.Unit))
		}
	}
	for _, d := range derivations() {
		if m, p, _ := b.known(d.name); p.message == "" && b.compiles(m) == nil {
			names = append(names, d.name)
		}
	}
	return names
}

// compiles says what is wrong with a metric, given by its short name.
func (b *builder) compiles(m events.Metric) error {
	m.Name = unit.Named(m.Name, m.Unit)
	d, err := events.NewDeriver(append(slices.Clone(b.spec.Metrics), m))
	if err == nil && m.Expr != "" && d.Valueless() {
		err = &events.MetricError{Metric: m.Name, Message: "the expression has no value, whatever is measured: it divides by zero, or one of its numbers has no value"}
	}
	return err
}

// workExpression is the expression of a metric for some of the study's networks, whose
// metrics' names end in suffix, or why it has none.
func (b *builder) workExpression(d derivation, networks []evaluator.Network, suffix string) (expr, problem string) {
	if !d.work {
		return d.expr(subject{suffix: suffix}), ""
	}
	if len(networks) == 0 {
		return "", fmt.Sprintf("%s counts the work of networks, and the study has none", d.name)
	}
	if b.spec.Search != "" && len(networks) > 1 {
		return b.commonExpression(d, networks)
	}
	if f := b.spec.SearchedFamily(); f != nil {
		if !b.builtin() {
			return "", fmt.Sprintf("%s counts the work of a network, which differs from design to design", d.name)
		}
		return d.expr(subject{suffix, familyWork, batchText(f)}), ""
	}
	var ops, runs, weights float64
	for _, n := range networks {
		if n.Workload.Decode != nil {
			return "", fmt.Sprintf("%s counts passes that do the same, and network %s generates tokens", d.name, n.Workload.Name)
		}
		ops += n.Weight * math.Log(2*float64(n.Workload.Totals().MACs))
		runs += n.Weight * math.Log(float64(max(1, b.batchOf(n))))
		weights += n.Weight
	}
	number := func(log float64) string { return strconv.FormatFloat(math.Exp(log/weights), 'g', 12, 64) }
	return d.expr(subject{suffix, number(ops), number(runs)}), ""
}

// commonExpression is the expression that holds for every network of a study whose
// designs run one of them: a metric's expression knows no network.
func (b *builder) commonExpression(d derivation, networks []evaluator.Network) (expr, problem string) {
	for i := range networks {
		of, problem := b.workExpression(d, networks[i:i+1], "")
		switch {
		case problem != "":
			return "", problem
		case i > 0 && of != expr:
			return "", fmt.Sprintf("%s counts the work of a network, which differs from design to design", d.name)
		}
		expr = of
	}
	return expr, ""
}

// batchOf is how many pictures or sequences a pass of a network takes.
func (b *builder) batchOf(n evaluator.Network) int64 {
	i := slices.IndexFunc(b.networks, func(o evaluator.Network) bool { return o.Workload == n.Workload })
	return b.spec.Networks[i].Batch
}
