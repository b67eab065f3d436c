package inspect

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/studyfile"
)

func parsed(t *testing.T) *events.Spec {
	t.Helper()
	const text = `{"apiVersion": "apollo/v1", "kind": "Study", "metadata": {"name": "demo"}, "spec": {
		"space": {"template": "edge"}, "workload": {"networks": [{"name": "mobilenet_v2"}, {"name": "squeezenet"}]},
		"objectives": [{"metric": "latency.mobilenet_v2", "goal": "minimize"}, {"metric": "fps", "goal": "maximize"}], "constraints": [{"metric": "area", "max": "6.8 mm2"}, {"metric": "latency.worst", "max": "300 % of baseline"}],
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
		m, err := s.Measure(s.Point(design))
		if err != nil || m.Feasible != r.Feasible || !reflect.DeepEqual(m.Reason, r.Reason) || !reflect.DeepEqual(m.Metrics, r.Metrics) {
			t.Errorf("%v: measured %+v, %v, inspected %+v", c, m, err, r)
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

// A change is judged as the study would have the design: what means nothing after it is at
// its first level, and a change of what means nothing is none.
func TestChangesOfWhatMeansNothing(t *testing.T) {
	t.Parallel()
	const text = `{"apiVersion": "apollo/v1", "kind": "Study", "metadata": {"name": "demo"}, "spec": {
		"space": {"template": "spatial", "restrict": {"axes": ["C+K", "P+Q", "C+K+P"], "z": [2, 3], "x": [8, 16], "y": [8, 16]}, "fix": {"grouped_sums": "groups",
			"local_memory": "128 B", "shared_memory": "256 KiB", "noc": "64 B", "io_bandwidth": "16 GB/s"}},
		"workload": {"networks": [{"name": "small", "layers": {"schema": "apollo.workload/v1", "name": "small", "inputs": [{"name": "image", "shape": [1, 8, 8, 16]}],
			"layers": [{"id": "a", "op": "conv", "K": 32, "P": 8, "Q": 8, "R": 1, "S": 1, "in": ["image"]}]}}]},
		"objectives": [{"metric": "latency", "goal": "minimize"}], "budget": {"trials": 10}}}`
	doc, err := studyfile.Parse("demo", []byte(text), Builtins().Study(), studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Of(doc.Spec)
	if err != nil {
		t.Fatal(err)
	}
	number := func(v float64) space.Value { return space.Value{Num: v} }
	design := events.Design{{Label: "C+K"}, number(16), number(16), number(2), {Label: "groups"}, {Label: "groups"}, number(128), number(256 << 10), number(64), number(16e9)}
	changes, err := s.Changes(t.Context(), design)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, c := range changes {
		name := doc.Spec.Parameters[c.Parameter].Name
		if found[name+"="+c.To.String()] = true; name == "z" || !c.Feasible {
			t.Errorf("a change of %s to %s, feasible %t", name, c.To, c.Feasible)
		}
	}
	if !found["axes=P+Q"] || !found["axes=C+K+P"] {
		t.Errorf("the changes are %v: other axes are missing", found)
	}
	p := s.Point(design)
	for _, step := range Steps(s.Template.Template().Params, p, false, -1) {
		moot, err := s.Moot(step.After(p), step)
		if want := step.Param.Name == "z"; err != nil || moot != want {
			t.Errorf("%s to %s is moot: %t, %v", step.Param.Name, step.To, moot, err)
		}
	}
	axes := Step{Index: 0, To: space.Value{Label: "C+K+P"}}
	z := Step{Index: 3, To: number(3)}
	if moot, err := s.Moot(z.After(axes.After(p)), axes, z); moot || err != nil {
		t.Errorf("a third axis with its size is moot: %t, %v", moot, err)
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
