// Package inspect looks at single designs on the built-in templates as a study
// measures them: on its networks, with its mappers and the metrics it computes.
package inspect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/services/catalog"
	"apollo/services/studyfile"
)

// Builtins is what studies can name in this build.
func Builtins() catalog.Catalog {
	c := catalog.Catalog{Network: workload.Sized, NetworkNames: workload.Names()}
	for _, s := range template.All() {
		c.Templates = append(c.Templates, s.Template())
	}
	return c
}

// Subject is a template on networks, with the metrics of a study where it is one's.
type Subject struct {
	// Template and Networks are not to be changed after the first Measure, which binds them.
	Template *frame.Spec
	Networks []evaluator.Network
	// Spec is the study; nil for a template alone.
	Spec   *events.Spec
	derive *events.Deriver
	// model measures designs; nil until one is asked for.
	model frame.Measured
}

// Known reports whether a study is measured by a template of this build.
func Known(spec *events.Spec) bool {
	t, known := Builtins().Template(spec.Template)
	return known && spec.Evaluator.Name == t.Backend.Describe().Name
}

// Of returns the subject of a study. The error is for one that no template of this
// build measures, and for networks that it does not know.
func Of(spec *events.Spec) (*Subject, error) {
	if !Known(spec) {
		return nil, fmt.Errorf("study %s is measured by evaluator %s, not by a template of this build", spec.Study, spec.Evaluator.Name)
	}
	s := &Subject{Spec: spec}
	s.Template, _ = template.Named(spec.Template)
	if goal := spec.MapperGoal(); goal != "" {
		s.Template.MapperGoal = evaluator.MapperGoal(goal)
	}
	var err error
	if s.Networks, err = Builtins().Networks(spec.Networks); err != nil {
		return nil, fmt.Errorf("study %s: %w", spec.Study, err)
	}
	if choice := studyfile.Choice(spec.Search, s.Networks); choice != nil {
		s.Template = s.Template.Choosing(choice)
	}
	d := s.Template.Template().Backend.Describe()
	for _, m := range spec.Measured() {
		name, _, _ := strings.Cut(m.Name, ".")
		s.Template.Asked = append(s.Template.Asked, d.OnRequest([]evaluator.Metric{{Name: name}})...)
	}
	s.derive, err = events.NewDeriver(spec.Metrics)
	return s, err
}

// Inspect evaluates a design, with the metrics that its study computes.
func (s *Subject) Inspect(p report.Point, given []report.Given) (report.Design, error) {
	r, err := s.Template.Inspect(s.Networks, p, given)
	if err == nil {
		s.compute(&r)
	}
	return r, err
}

// Measure is Inspect without the parts of the design, its networks and its layers: the metrics, and whether and why not
// it is feasible. It binds the networks once, maps each shape once and explains nothing. It is for one goroutine.
func (s *Subject) Measure(p report.Point) (r report.Design, err error) {
	if s.model == nil {
		if s.model, _, err = s.Template.Model(s.Networks, "", 0, Single(s.Spec)...); err != nil {
			return r, err
		}
	}
	var why *evaluator.Reason
	if r.Metrics, why, err = s.model(p); err != nil {
		return report.Design{}, err
	}
	r.Feasible, r.Reason = why == nil, report.ReasonOf(why)
	measured := len(r.Metrics)
	s.compute(&r)
	// Computed metrics may have such names too: latency.worst.
	kept := slices.DeleteFunc(r.Metrics[:measured:measured], func(m report.Metric) bool { return singleNetwork(m.Name) })
	r.Metrics = slices.Concat(kept, r.Metrics[measured:])
	return r, nil
}

// Single are the metrics of single networks that a study measures, nil where there is none.
func Single(spec *events.Spec) (list []evaluator.Metric) {
	if spec == nil {
		return nil
	}
	for _, m := range spec.Measured() {
		if singleNetwork(m.Name) {
			list = append(list, evaluator.Metric{Name: m.Name, Unit: m.Unit})
		}
	}
	return list
}

// singleNetwork reports whether a metric is one of a single network.
func singleNetwork(metric string) bool { return strings.Contains(metric, ".") }

// compute adds the metrics that the study computes.
func (s *Subject) compute(r *report.Design) {
	if s.derive == nil {
		return
	}
	measured := s.Spec.Measured()
	for i, v := range s.Values(r)[len(measured):] {
		m := s.Spec.Metrics[len(measured)+i]
		computed := report.Metric{Metric: evaluator.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap}}
		if !math.IsNaN(v) {
			computed.Value = &v
		}
		r.Metrics = append(r.Metrics, computed)
	}
}

// Values are the metrics of a design in the order of its study, computed ones too; NaN
// where there is none.
func (s *Subject) Values(r *report.Design) []float64 {
	measured := s.Spec.Measured()
	values := make([]float64, len(measured))
	for i, m := range measured {
		values[i] = math.NaN()
		if v := measuredValue(r, m.Name); v != nil {
			values[i] = *v
		}
	}
	return s.derive.Row(values)
}

// measuredValue is a measured metric of a design, of all networks or of one; nil where
// nobody knows it.
func measuredValue(r *report.Design, metric string) *float64 {
	name, network, single := strings.Cut(metric, ".")
	if v := r.Metrics.Of(metric); v != nil || !single {
		return v
	}
	for i := range r.Networks {
		if n := &r.Networks[i]; n.Name == network {
			return n.Metrics.Of(name)
		}
	}
	return nil
}

// Baseline is the template's baseline design, measured for a study.
type Baseline struct {
	Design  events.Design      // nil when the study has none
	Metrics map[string]float64 // what was measured
	Reason  string             // why it is not feasible
}

// BaselineOf measures the template's baseline design on the study's networks.
// A study without a template, or whose networks this build does not know, has
// none.
func BaselineOf(ctx context.Context, spec *events.Spec) Baseline {
	known := Builtins()
	t, ok := known.TemplateOf(spec)
	if !ok || len(t.Baseline) != len(t.Params) || spec.Evaluator.Name != t.Backend.Describe().Name {
		return Baseline{}
	}
	ev, err := known.Bind(spec, t.Params)
	if err != nil {
		return Baseline{}
	}
	r, err := ev.Evaluate(ctx, evaluator.Request{Study: spec.Study, Trial: -1, Design: t.Baseline})
	if err != nil {
		return Baseline{}
	}
	b := Baseline{Design: inOrder(spec, t)}
	if r.Outcome != evaluator.Measured {
		b.Reason = string(r.Outcome)
		if r.Reason != nil {
			b.Reason = r.Reason.Message
		}
		return b
	}
	derive, err := events.NewDeriver(spec.Metrics)
	if err != nil {
		return Baseline{}
	}
	b.Metrics = Metrics(spec, derive.Row(r.Values))
	return b
}

// inOrder is the baseline in the order of the study's parameters.
func inOrder(spec *events.Spec, t evaluator.Template) events.Design {
	d := make(events.Design, len(spec.Parameters))
	for i, p := range spec.Parameters {
		for k, tp := range t.Params {
			if tp.Name == p.Name {
				d[i] = t.Baseline[k]
			}
		}
	}
	return d
}

// Metrics are the values of a row by the names of a study's metrics, without those
// that were not measured.
func Metrics(spec *events.Spec, values []float64) map[string]float64 {
	m := make(map[string]float64, len(values))
	for i, metric := range spec.Metrics {
		if i < len(values) && !math.IsNaN(values[i]) {
			m[metric.Name] = values[i]
		}
	}
	return m
}
