package inspect

import (
	"math"
	"slices"
	"testing"

	"apollo/events"
	"apollo/services/studyfile"
)

func parsed(t *testing.T) *events.Spec {
	t.Helper()
	const text = `{"apiVersion": "apollo/v1", "kind": "Study", "metadata": {"name": "demo"}, "spec": {
		"space": {"template": "edge"}, "workload": {"networks": [{"name": "mobilenet_v2"}]},
		"objectives": [{"metric": "latency", "goal": "minimize"}], "constraints": [{"metric": "area", "max": "6.8 mm2"}],
		"algorithm": {"name": "random"}, "budget": {"trials": 10}}}`
	doc, err := studyfile.Parse("demo", []byte(text), Builtins().Study(), studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc.Spec
}

// A change is what the study would measure of the changed design: what Inspect says
// of it, under the study's limits.
func TestAChangeIsWhatTheChangedDesignIs(t *testing.T) {
	t.Parallel()
	spec := parsed(t)
	base := BaselineOf(t.Context(), spec)
	s, err := Of(spec)
	if err != nil || base.Metrics == nil {
		t.Fatalf("%v; baseline %+v", err, base)
	}
	changes, err := s.Changes(t.Context(), base.Design)
	if err != nil {
		t.Fatal(err)
	}
	levels := 0
	for _, p := range spec.Parameters {
		levels += max(len(p.Values), len(p.Labels)) - 1
	}
	if len(changes) != levels {
		t.Errorf("%d changes, want one per other level: %d", len(changes), levels)
	}
	kept, feasible := 0, 0
	for _, c := range changes {
		design := slices.Clone(base.Design)
		design[c.Parameter] = c.To
		r, err := s.Inspect(s.Point(design), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range s.Values(&r) {
			if v != c.Values[i] && !(math.IsNaN(v) && math.IsNaN(c.Values[i])) {
				t.Errorf("%v: %s = %v, inspected %v", c, spec.Metrics[i].Name, c.Values[i], v)
			}
		}
		j, err := s.Kept(design, &r)
		if err != nil || j.Feasible != c.Feasible {
			t.Errorf("%v: feasible %t, judged %+v, %v", c, c.Feasible, j, err)
		}
		if c.Feasible {
			feasible++
		}
		if r.Feasible {
			kept++
		}
	}
	if feasible == 0 || feasible == kept {
		t.Errorf("%d changes run and %d of them keep the limit: the test says nothing where all do or none", kept, feasible)
	}
}

func TestAStudyOfAnotherEvaluatorIsRefused(t *testing.T) {
	t.Parallel()
	spec := parsed(t)
	spec.Evaluator.Name = "mine"
	if _, err := Of(spec); err == nil {
		t.Error("a study that evaluator mine measures is inspected on the template")
	}
}
