package studyfile

import (
	"encoding/json"
	"strings"

	"apollo/events"
	"apollo/services/studyfile/unit"
)

// The written form of a study document. Fields are in the order in which
// people write them.
type (
	writtenStudy struct {
		APIVersion string          `json:"apiVersion"`
		Kind       string          `json:"kind"`
		Metadata   writtenMetadata `json:"metadata"`
		Spec       writtenSpec     `json:"spec"`
	}
	writtenMetadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels,omitempty"`
	}
	writtenSpec struct {
		Seed             uint64              `json:"seed"`
		Space            writtenSpace        `json:"space"`
		Workload         *writtenWorkload    `json:"workload,omitempty"`
		Objectives       []writtenObjective  `json:"objectives"`
		Constraints      []writtenConstraint `json:"constraints,omitempty"`
		KnownConstraints string              `json:"knownConstraints"`
		Algorithm        events.Algorithm    `json:"algorithm"`
		Transfer         *writtenTransfer    `json:"transfer,omitempty"`
		Evaluator        writtenEvaluator    `json:"evaluator"`
		Budget           events.Budget       `json:"budget"`
		Stop             *events.Stop        `json:"stop,omitempty"`
		Order            string              `json:"order"`
		Duplicates       string              `json:"duplicates"`
	}
	writtenSpace struct {
		Template   string             `json:"template,omitempty"`
		Parameters []writtenParameter `json:"parameters,omitempty"`
		Restrict   map[string][]any   `json:"restrict,omitempty"`
		Rules      []events.Rule      `json:"rules,omitempty"`
	}
	writtenParameter struct {
		Name   string `json:"name"`
		Unit   string `json:"unit,omitempty"`
		Values []any  `json:"values"`
		When   string `json:"when,omitempty"`
	}
	writtenWorkload struct {
		Networks []writtenNetwork `json:"networks"`
	}
	writtenNetwork struct {
		Name   string          `json:"name"`
		Layers json.RawMessage `json:"layers,omitempty"`
		Weight float64         `json:"weight"`
	}
	writtenObjective struct {
		Metric    string `json:"metric"`
		Goal      string `json:"goal"`
		Target    any    `json:"target,omitempty"`
		Reference any    `json:"reference,omitempty"`
	}
	writtenConstraint struct {
		Metric string `json:"metric"`
		Max    any    `json:"max,omitempty"`
		Min    any    `json:"min,omitempty"`
	}
	writtenEvaluator struct {
		Name          string          `json:"name"`
		Timeout       string          `json:"timeout"`
		Attempts      int             `json:"attempts"`
		MaxFailures   int             `json:"maxFailures"`
		Deterministic bool            `json:"deterministic"`
		Metrics       []writtenMetric `json:"metrics,omitempty"`
	}
	writtenMetric struct {
		Name string `json:"name"`
		Unit string `json:"unit,omitempty"`
	}
)

// normalise writes a spec as a study document in JSON: every default is
// written out, and every quantity stands in its base unit with all its digits,
// so that Parse gives the same spec again, bit for bit.
func (b *builder) normalise() ([]byte, error) {
	s := b.spec
	out := writtenStudy{APIVersion: "apollo/v1", Kind: "Study", Metadata: writtenMetadata{Name: s.Study, Labels: s.Labels}}
	out.Spec = writtenSpec{
		Seed: s.Seed, Space: b.writtenSpace(), KnownConstraints: s.KnownConstraints, Algorithm: s.Algorithm,
		Transfer: b.writtenTransfer(), Evaluator: b.writtenEvaluator(), Budget: s.Budget, Order: s.Order, Duplicates: s.Duplicates,
	}
	if len(s.Networks) > 0 {
		out.Spec.Workload = &writtenWorkload{}
		for _, n := range s.Networks {
			out.Spec.Workload.Networks = append(out.Spec.Workload.Networks, writtenNetwork{n.Name, n.Workload, n.Weight})
		}
	}
	for _, o := range s.Objectives {
		m := b.metricOf(o.Metric)
		out.Spec.Objectives = append(out.Spec.Objectives, writtenObjective{m.short, o.Goal, written(o.Target, m.Unit), written(o.Reference, m.Unit)})
	}
	for _, c := range s.Constraints {
		m := b.metricOf(c.Metric)
		out.Spec.Constraints = append(out.Spec.Constraints, writtenConstraint{m.short, written(c.Max, m.Unit), written(c.Min, m.Unit)})
	}
	if s.Stop.Plateau != nil {
		out.Spec.Stop = &s.Stop
	}
	return json.Marshal(out)
}

func (b *builder) metricOf(name string) metric {
	for _, m := range b.metrics {
		if m.Name == name {
			return m
		}
	}
	return metric{}
}

// written is a quantity with its unit, or a plain number.
func written(v *float64, symbol string) any {
	if v == nil {
		return nil
	}
	if unitOf(symbol).Symbol == "" {
		return *v
	}
	return unit.Exact(*v, symbol)
}

func writtenLevels(p events.Parameter) []any {
	var out []any
	for _, l := range p.Labels {
		out = append(out, l)
	}
	for i := range p.Values {
		out = append(out, written(&p.Values[i], p.Unit))
	}
	return out
}

// writtenSpace lists the parameters of a study's own space as they were declared,
// and where the study narrows them.
func (b *builder) writtenSpace() writtenSpace {
	out := writtenSpace{Template: b.spec.Template, Rules: b.spec.Rules}
	for i, p := range b.spec.Parameters {
		if b.template == nil {
			out.Parameters = append(out.Parameters, writtenParameter{p.Name, p.Unit, writtenLevels(b.declared[i]), p.When})
		}
		if len(p.Values)+len(p.Labels) < len(b.declared[i].Values)+len(b.declared[i].Labels) {
			if out.Restrict == nil {
				out.Restrict = map[string][]any{}
			}
			out.Restrict[p.Name] = writtenLevels(p)
		}
	}
	return out
}

func (b *builder) writtenEvaluator() writtenEvaluator {
	e := b.spec.Evaluator
	out := writtenEvaluator{
		Name: e.Name, Timeout: unit.Exact(e.TimeoutSeconds, "s"), Attempts: e.Attempts,
		MaxFailures: e.MaxFailures, Deterministic: e.Deterministic,
	}
	if b.desc != nil && e.Name == b.desc.Name {
		return out
	}
	for _, m := range b.spec.Metrics {
		out.Metrics = append(out.Metrics, writtenMetric{strings.TrimSuffix(m.Name, suffix(m.Unit)), m.Unit})
	}
	return out
}
