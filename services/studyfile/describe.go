package studyfile

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// Described is what a program says of itself, as far as a study need not repeat
// it.
type Described struct {
	// Name is the program's; "" when it says none.
	Name string
	// Params have their levels. Metrics are the names with their units.
	Params  []space.Param
	Metrics []DescribedMetric
	// Deterministic is what the program says of itself, nil when it says nothing.
	Deterministic *bool
}

// ErrSilent is of a program that runs, and does not answer what it measures.
var ErrSilent = errors.New("the program does not describe itself")

// DescribedMetric is a metric as the log calls it, with its unit.
type DescribedMetric struct{ Name, Unit string }

// Parameters are the parameters as a study writes them, in JSON.
func (d Described) Parameters() string {
	type parameter struct {
		Name   string `json:"name"`
		Unit   string `json:"unit,omitempty"`
		Values any    `json:"values"`
	}
	list := []parameter{}
	for _, p := range d.Params {
		p.Unit = plainUnit(p.Unit)
		list = append(list, parameter{p.Name, p.Unit, levels(events.Parameter{Unit: p.Unit, Values: p.Values, Labels: p.Labels})})
	}
	return text(list)
}

// MetricList is the list of metrics as a study writes it, in JSON: their names
// have no unit.
func (d Described) MetricList() string {
	type metric struct {
		Name string `json:"name"`
		Unit string `json:"unit,omitempty"`
	}
	list := []metric{}
	for _, m := range d.Metrics {
		list = append(list, metric{m.Short(), plainUnit(m.Unit)})
	}
	return text(list)
}

// Short is the name of a metric in a study.
func (m DescribedMetric) Short() string { return strings.TrimSuffix(m.Name, unit.Suffix(m.Unit)) }

// plainUnit is the unit of a study, where a plain number has none.
func plainUnit(u string) string {
	if u == "1" {
		return ""
	}
	return u
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null" // no finite number is without JSON
	}
	return string(b)
}

// describe fills in what the study leaves to its program: the name, the
// parameters, the metrics, and whether it is deterministic. What the study says
// stays. The program's words are read like flags, so that a mistake shows them.
func (b *builder) describe() {
	exec := b.field("evaluator", "exec")
	space := b.field("space")
	noSpace := space.get("template") == nil && space.get("parameters") == nil
	noMetrics := b.field("evaluator", "metrics") == nil
	if b.opts.Describe == nil || b.opts.Published || exec == nil || exec.kind != stringKind || !noSpace && !noMetrics {
		return
	}
	if space.get("template") != nil && !noSpace && noMetrics {
		return // a template says its metrics
	}
	d, err := b.opts.Describe(exec.text)
	if err != nil {
		b.addMistakeAt(wordOf(exec, err), exec.pointer, codeMissing, "Write space.parameters and evaluator.metrics into the study, or let the program describe itself.",
			"the study leaves its parameters or metrics to the program, which does not say them: %s", err)
		return
	}
	b.opts.Sets = slices.Clone(b.opts.Sets)
	if noSpace && len(d.Params) > 0 {
		b.fill("spec.space.parameters=" + d.Parameters())
	}
	if noMetrics && len(d.Metrics) > 0 {
		b.fill("spec.evaluator.metrics=" + d.MetricList())
	}
	if b.field("evaluator", "name") == nil && d.Name != "" {
		b.fill("spec.evaluator.name=" + text(d.Name))
	}
	if b.field("evaluator", "deterministic") == nil && d.Deterministic != nil {
		b.fill("spec.evaluator.deterministic=" + text(*d.Deterministic))
	}
	b.root.point("")
}

func (b *builder) fill(set string) {
	b.opts.Sets = append(b.opts.Sets, set)
	b.applySet(b.root, set, len(b.opts.Sets))
}
