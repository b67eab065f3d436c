package certify

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/events"
)

// spatial is a study of the template spatial on a few levels, with conditions, labels
// and a rule that its first stage decides.
func spatial(t *testing.T, metric string) (*Problem, evaluator.Evaluator) {
	t.Helper()
	x, _ := template.Named("spatial")
	tpl := x.Template()
	spec := &events.Spec{
		Objectives: []events.Objective{{Metric: metric, Goal: "minimize"}},
		Rules:      []events.Rule{{ID: "units", Expr: "x * y <= 64"}, {ID: "memory", Expr: "shared_memory + x * y * local_memory <= 132 * KiB"}},
	}
	keep := map[string][]float64{
		"x": {8, 16}, "y": {2, 8}, "z": {2, 4}, "local_memory": {64}, "shared_memory": {64 << 10, 128 << 10}, "noc": {64}, "io_bandwidth": {4e9},
	}
	params := slices.Clone(tpl.Params)
	for i := range params {
		p := &params[i]
		switch {
		case p.Name == "axes":
			p.Labels = []string{"C", "C+K", "P+Q", "C+K+P"}
		case !p.Categorical():
			p.Values = keep[p.Name]
		}
		spec.Parameters = append(spec.Parameters, events.Parameter{Name: p.Name, Unit: p.Unit, Values: p.Values, Labels: p.Labels, When: tpl.When[i]})
	}
	w, err := workload.Builtin("squeezenet")
	if err != nil {
		t.Fatal(err)
	}
	network := evaluator.Network{Workload: w, Weight: 1}
	d := tpl.Backend.Describe()
	for _, m := range d.Of([]evaluator.Network{network}) {
		spec.Metrics = append(spec.Metrics, events.Metric{Name: m.Name, Unit: m.Unit, Cheap: m.Cheap})
	}
	ev, err := tpl.Backend.New(evaluator.Task{Params: params, Networks: []evaluator.Network{network}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(spec, ev, d)
	if err != nil {
		t.Fatal(err)
	}
	return p, ev
}

// The proof of an array whose wires are parameters is the enumeration; the bound never
// falls, is never above the optimum, and reaches it.
func TestSpatialProofAgreesWithEnumeration(t *testing.T) {
	t.Parallel()
	for _, metric := range []string{"latency_s", "energy_j"} {
		p, ev := spatial(t, metric)
		var bounds []float64
		got := prove(t, p, Options{Workers: 1, Report: func(s State) error {
			if s.Bound == nil {
				t.Errorf("%s: nothing is bounded after %d groups", metric, s.Done)
				return nil
			}
			bounds = append(bounds, *s.Bound)
			return nil
		}})
		plain, err := New(p.spec, withoutBounds{ev, ev.(evaluator.Checker)}, p.desc)
		if err != nil {
			t.Fatal(err)
		}
		want := prove(t, plain, Options{Workers: 1})
		if diff := cmp.Diff(summary(want), summary(got)); diff != "" {
			t.Errorf("%s: the proof is not the enumeration (-want +got):\n%s", metric, diff)
		}
		// The bound of energy knows no memory on chip, and leaves nothing out here.
		if got.Pruned == 0 && metric == "latency_s" || got.Legal == 0 {
			t.Errorf("%s: %+v: bounds left nothing out", metric, got.counts)
		}
		if !slices.IsSorted(bounds) || len(bounds) < 2 || bounds[0] >= *want.Value || bounds[len(bounds)-1] != *want.Value {
			t.Errorf("%s: bounds %v, want them to rise to %v", metric, bounds, *want.Value)
		}
	}
}
