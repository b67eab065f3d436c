package suite

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
	"apollo/services/certify"
	"apollo/services/studyfile"
)

// Every task is complete: its names are unique, a family is in one split, its
// study has a space and a judge, designs can be measured in the order of its
// metrics, and a baseline belongs to the space.
func TestTasksAreComplete(t *testing.T) {
	t.Parallel()
	for _, s := range All() {
		tasks, err := s.Tasks(bench.Environment{})
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if len(tasks) == 0 && !strings.Contains(s.Name, "kernels") || len(s.Lanes) == 0 || s.Doc == "" {
			t.Errorf("%s: %d tasks, lanes %v, doc %q", s.Name, len(tasks), s.Lanes, s.Doc)
		}
		names, families := map[string]bool{}, map[string]bench.Split{}
		for i := range tasks {
			task := &tasks[i]
			if names[task.Name] || !events.IsName(task.Name) {
				t.Errorf("%s: the name %q is used twice or is no DNS label", s.Name, task.Name)
			}
			names[task.Name] = true
			if split, seen := families[task.Family]; seen && split != task.Split {
				t.Errorf("%s: the family %s is in both splits", s.Name, task.Family)
			}
			families[task.Family] = task.Split
			checkTask(t, s.Name, task)
		}
	}
}

func checkTask(t *testing.T, suite string, task *bench.Task) {
	t.Helper()
	sp, err := task.Spec.Space()
	if err != nil {
		t.Errorf("%s/%s: %v", suite, task.Name, err)
		return
	}
	if _, err := events.NewJudge(task.Spec); err != nil {
		t.Errorf("%s/%s: %v", suite, task.Name, err)
	}
	if task.Baseline != nil {
		if _, err := sp.Point(task.Baseline); err != nil {
			t.Errorf("%s/%s: baseline: %v", suite, task.Name, err)
		}
	}
	if _, err := evaluator.LogFeatures(task.Features, sp.Params()); err != nil {
		t.Errorf("%s/%s: %v", suite, task.Name, err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		design := sp.Values(sp.Draw(nil, rng))
		r, err := task.Evaluator.Evaluate(t.Context(), evaluator.Request{Design: design})
		if strings.HasSuffix(task.Name, "-failing") && r.Outcome == evaluator.Failed {
			continue // what such a task is there for
		}
		if err != nil || r.Outcome == evaluator.Failed || len(r.Values) != len(task.Spec.Metrics) {
			t.Errorf("%s/%s: Evaluate(%v) = %+v, %v", suite, task.Name, design, r, err)
		}
		checkCheap(t, suite, task, design, r)
	}
}

// checkCheap compares the free metrics with the measured ones.
func checkCheap(t *testing.T, suite string, task *bench.Task, design []space.Value, r evaluator.Result) {
	t.Helper()
	checker, ok := task.Evaluator.(evaluator.Checker)
	if !ok {
		return
	}
	dst := make([]float64, len(task.Spec.Metrics))
	checker.Check(design, dst)
	for i, m := range task.Spec.Metrics {
		if m.Cheap && dst[i] != r.Values[i] {
			t.Errorf("%s/%s: %s is %v for free and %v measured", suite, task.Name, m.Name, dst[i], r.Values[i])
		}
	}
}

// A task of the suite apollo is the study that a user writes, so that a proof
// of `apollo certify` is the bench's and the other way around.
func TestApolloTaskIsTheUsersStudy(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("../../examples/mobilenetv2-6p8.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := studyfile.Parse("example", src, studyfile.Catalog{
		Templates: []evaluator.Template{edge.Spec().Template()}, Network: workload.Sized, NetworkNames: workload.Names(),
	}, studyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := apolloTasks(bench.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 21 {
		t.Errorf("%d tasks, want seven networks under three budgets", len(tasks))
	}
	for _, task := range tasks {
		if task.Name != "mobilenetv2-6p8" {
			continue
		}
		want := *doc.Spec
		want.Study, want.Seed, want.Algorithm, want.Budget = "", 0, events.Algorithm{}, events.Budget{}
		if d := cmp.Diff(&want, task.Spec); d != "" {
			t.Errorf("the task differs from the example (-example +task):\n%s", d)
		}
		key := func(spec *events.Spec) string {
			p, err := certify.New(spec, task.Evaluator, edge.Spec().Template().Backend.Describe())
			if err != nil {
				t.Fatal(err)
			}
			k, err := p.Key(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		if key(doc.Spec) != key(task.Spec) {
			t.Error("the task's proof has another key than the example's")
		}
		return
	}
	t.Error("there is no task mobilenetv2-6p8")
}

// steps is a tiny evaluator whose optimum is known.
type steps struct{}

func (steps) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	x, y := r.Design[0].Num, r.Design[1].Num
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{(x-3)*(x-3) + (y-2)*(y-2) + 1}}, nil
}

func TestCertifiedIsKept(t *testing.T) {
	t.Parallel()
	spec := declared("steps", []space.Param{grid("x", 0, 9, 10), grid("y", 0, 4, 5)}, []events.Metric{{Name: "cost"}}, "cost")
	desc := evaluator.Description{Name: "steps", Deterministic: true, Metrics: []evaluator.Metric{{Name: "cost"}}}
	data := t.TempDir()
	for range 2 {
		known, err := certified(t.Context(), data, spec, steps{}, desc)
		if err != nil || known.Best != 1 || !known.Proven || known.Source != "certified" {
			t.Fatalf("certified() = %+v, %v", known, err)
		}
	}
	files, err := os.ReadDir(data + "/proofs")
	if err != nil || len(files) != 1 {
		t.Errorf("%d proofs on disk, %v; want 1", len(files), err)
	}
	low := 0.5
	spec.Constraints = []events.Constraint{{Metric: "cost", Max: &low}}
	if _, err := certified(t.Context(), "", spec, steps{}, desc); !errors.Is(err, errNoAnswer) {
		t.Errorf("no design is feasible: %v, want ErrNoAnswer", err)
	}
}

func TestLevelsOfTemplatesExist(t *testing.T) {
	t.Parallel()
	if _, err := restrict([]space.Param{grid("x", 0, 1, 2)}, map[string][]float64{"x": {0, 0.5}}); err == nil {
		t.Error("a level that is none is no mistake")
	}
}
