package studyfile

import (
	"slices"
	"strings"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
	"apollo/optimizer/space"
)

// Recheck is a study that measures designs of another one with another evaluator.
type Recheck struct {
	// Name is that of the new study.
	Name string
	// Template is the one whose evaluator measures; "" for an evaluator of the user's.
	Template string
	// Evaluator is the name of the user's, and Program how it is started.
	Evaluator string
	Program
	// Deterministic is what it says of itself, nil when it says nothing.
	Deterministic *bool
	// Lacks are the metrics of the study that it does not measure, by their full names.
	Lacks []string
	// Units are those that it measures in, by the study's full names, where they differ.
	Units map[string]string
}

// Document writes the new study, without its first designs: the space, the networks
// and what is wanted are those of the study. Nothing is searched, and a design that
// the rules or cheap metrics refuse is measured too, so that it is answered by name.
func (r Recheck) Document(of *events.Spec, cat Catalog) []byte {
	spec := *of
	spec.Study, spec.Labels, spec.Start, spec.Stop, spec.Transfer = r.Name, nil, nil, events.Stop{}, nil
	spec.EarlyStop, spec.Fidelity = nil, nil // every winner is measured to its end
	spec.KnownConstraints, spec.Algorithm = "hidden", events.Algorithm{Name: "random"}
	spec.Budget = events.Budget{Batch: 1}
	spec.Evaluator = events.EvaluatorSpec{
		Name: r.Evaluator, TimeoutSeconds: of.Evaluator.TimeoutSeconds, Attempts: of.Evaluator.Attempts, MaxFailures: of.Evaluator.MaxFailures,
	}
	spec.Objectives = slices.Clone(of.Objectives)
	for i := range spec.Objectives {
		spec.Objectives[i].Target = nil
	}
	if r.Template != "" {
		spec.Template, spec.Parameters = r.Template, nil
	} else if spec.Search != "" { // accuracies that are stated are of a template's evaluator
		spec.Networks = slices.Clone(of.Networks)
		for i := range spec.Networks {
			spec.Networks[i].Accuracy, spec.Networks[i].Accuracies = 0, events.Accuracies{}
		}
	}
	b := builderOf(of, &spec, cat)
	if r.Template != "" && of.SearchedFamily() != nil { // accuracies are known of these levels
		spec.Parameters = slices.Clone(b.declared)
		for i, p := range spec.Parameters {
			at := slices.IndexFunc(of.Parameters, func(o events.Parameter) bool { return o.Name == p.Name })
			if at >= 0 && of.Chooses(p.Name) {
				spec.Parameters[i] = of.Parameters[at]
			}
		}
	}
	b.program, b.noise = r.Program, noise{deterministic: r.Deterministic}
	for _, m := range of.Measured() {
		if r.Template == "" && !slices.Contains(r.Lacks, m.Name) {
			own := events.Metric{Name: m.Short(), Unit: m.Unit}
			if symbol, differs := r.Units[m.Name]; differs {
				own.Unit = symbol // limits and expressions are written with their units
			}
			b.ownMetrics = append(b.ownMetrics, own)
		}
	}
	return appendJSON(nil, b.written(b.table, b, nil))
}

// builderOf is a builder that writes a study that was made of another one.
func builderOf(of, spec *events.Spec, cat Catalog) *builder {
	b := &builder{table: document(), cat: cat, spec: spec}
	b.computed = onRequestOf(of, spec, cat)
	for _, m := range of.Metrics[len(of.Measured()):] {
		if m.Name = m.Short(); strings.Contains(m.Name, ".") {
			m.Expr = "" // its name says it
		}
		b.computed = append(b.computed, m)
	}
	if i := slices.Index(cat.templateNames(), spec.Template); i >= 0 {
		b.declared = ParametersOf(cat.Templates[i].Params)
	} else {
		b.own = slices.Clone(of.OwnParameters())
		b.declared = slices.Clone(b.own)
	}
	if f := of.SearchedFamily(); f != nil {
		b.declared = append(b.declared, familyParameters(of, f)...)
	} else if of.Search != "" {
		network := events.Parameter{Name: events.NetworkParameter}
		for _, n := range of.Networks {
			network.Labels = append(network.Labels, n.Name)
		}
		b.declared = append(b.declared, network)
	}
	return b
}

// onRequestOf are the metrics that a study's template measures because it names them.
func onRequestOf(of, spec *events.Spec, cat Catalog) (list []events.Metric) {
	i := slices.Index(cat.templateNames(), spec.Template)
	if i < 0 {
		return nil
	}
	d := cat.Templates[i].Backend.Describe()
	if spec.Evaluator.Name != d.Name {
		return nil
	}
	for _, m := range d.OnRequest(d.Metrics) {
		if slices.ContainsFunc(of.Measured(), func(o events.Metric) bool { return o.Name == m.Name }) {
			list = append(list, events.Metric{Name: unit.Bare(m.Name, m.Unit), Unit: m.Unit})
		}
	}
	return list
}

// familyParameters are the parameters of a study's family with all their levels; as
// the study has them where this build knows no such family.
func familyParameters(of *events.Spec, n *events.Network) (list []events.Parameter) {
	if f, err := openFamily(n); err == nil {
		return ParametersOf(evaluator.OfFamily(evaluator.Network{Family: f}).Params)
	}
	for _, p := range of.Parameters {
		if of.Chooses(p.Name) {
			list = append(list, p)
		}
	}
	return list
}

// ParametersOf are the parameters of a template as a study has them.
func ParametersOf(params []space.Param) []events.Parameter {
	out := make([]events.Parameter, len(params))
	for i, p := range params {
		out[i] = events.Parameter{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels}
	}
	return out
}

// StartSet is the value of --set that gives a study its first designs.
func StartSet(params []events.Parameter, designs []events.Design) string {
	b := &builder{spec: &events.Spec{Parameters: params, Start: designs}}
	return "spec.start=" + string(appendJSON(nil, b.starts()))
}
