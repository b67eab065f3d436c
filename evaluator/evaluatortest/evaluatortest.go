// Package evaluatortest is the conformance suite for evaluators: what a study
// relies on, as tests. A backend's own tests call Run with tasks that it can
// evaluate.
package evaluatortest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// designs is the number of designs that Run draws for each task, and a quarter
// of it in short mode.
const designs = 100

// Run tests a backend on tasks. Every task must have at least one measured
// design among Designs uniform draws of its space at a fixed seed.
func Run(t *testing.T, backend evaluator.Backend, tasks ...evaluator.Task) {
	t.Helper()
	t.Run("description", func(t *testing.T) { t.Parallel(); description(t, backend) })
	if len(tasks) == 0 {
		t.Error("there is no task to test with")
	}
	for _, task := range tasks {
		s := newSuite(t, backend, task)
		t.Run("results", func(t *testing.T) { t.Parallel(); s.results(t) })
		t.Run("check", func(t *testing.T) { t.Parallel(); s.check(t) })
		t.Run("deterministic", func(t *testing.T) { t.Parallel(); s.deterministic(t) })
		t.Run("concurrent", func(t *testing.T) { t.Parallel(); s.concurrent(t) })
		t.Run("cancelled", func(t *testing.T) { t.Parallel(); s.cancelled(t) })
		t.Run("malformed", func(t *testing.T) { t.Parallel(); s.malformed(t) })
	}
	t.Run("incomplete task", func(t *testing.T) { t.Parallel(); incomplete(t, backend, tasks) })
}

func description(t *testing.T, backend evaluator.Backend) {
	d := backend.Describe()
	if d.Name == "" || d.Version == "" {
		t.Errorf("Describe() has name %q and version %q, want both", d.Name, d.Version)
	}
	seen := map[string]bool{}
	for _, m := range d.Metrics {
		if m.Name == "" || m.Unit == "" || seen[m.Name] {
			t.Errorf("metric %+v: the name is empty or repeated, or there is no unit", m)
		}
		seen[m.Name] = true
	}
}

// suite is a backend bound to a task, with designs and their first results.
type suite struct {
	backend evaluator.Backend
	task    evaluator.Task
	metrics []evaluator.Metric
	bound   evaluator.Evaluator
	designs [][]space.Value
	first   []evaluator.Result
}

func newSuite(t *testing.T, backend evaluator.Backend, task evaluator.Task) *suite {
	t.Helper()
	d := backend.Describe()
	s := &suite{backend: backend, task: task, metrics: d.For(evaluator.Task{Networks: task.Networks, Choice: task.Choice}), bound: bind(t, backend, task)}
	if len(s.metrics) == 0 {
		s.metrics = task.Metrics
	}
	lattice, err := space.New(task.Params...)
	if err != nil {
		t.Fatalf("the task's parameters: %v", err)
	}
	rng := rand.New(rand.NewPCG(1, 2)) // any fixed seed
	designs := designs
	if testing.Short() {
		designs /= 4
	}
	for range designs {
		design := lattice.Values(lattice.Draw(nil, rng))
		s.designs = append(s.designs, design)
		s.first = append(s.first, evaluate(t, s.bound, design))
	}
	return s
}

// Networks are built-in ones, of one weight.
func Networks(t testing.TB, names ...string) []evaluator.Network {
	t.Helper()
	var list []evaluator.Network
	for _, name := range names {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, evaluator.Network{Workload: w, Weight: 1})
	}
	return list
}

func bind(t *testing.T, backend evaluator.Backend, task evaluator.Task) evaluator.Evaluator {
	t.Helper()
	e, err := backend.New(task)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return e
}

func evaluate(t *testing.T, e evaluator.Evaluator, design []space.Value) evaluator.Result {
	t.Helper()
	kept := append([]space.Value(nil), design...)
	r, err := e.Evaluate(context.Background(), evaluator.Request{Study: "conformance", Design: design})
	if err != nil {
		t.Fatalf("Evaluate(%v): %v", design, err)
	}
	for i := range kept {
		if kept[i] != design[i] {
			t.Fatalf("Evaluate wrote the design: %v, was %v", design, kept)
		}
	}
	return r
}

// results checks that outcome, values and reason fit together.
func (s *suite) results(t *testing.T) {
	measured := 0
	for i := range s.first {
		r := &s.first[i]
		s.result(t, s.designs[i], r)
		if r.Outcome == evaluator.Measured {
			measured++
		}
	}
	if measured == 0 {
		t.Errorf("none of %d designs was measured", len(s.designs))
	}
}

func (s *suite) result(t *testing.T, design []space.Value, r *evaluator.Result) {
	t.Helper()
	if len(r.Values) != len(s.metrics) {
		t.Fatalf("%v: %d values, want one per metric, %d", design, len(r.Values), len(s.metrics))
	}
	for i, v := range r.Values {
		if math.IsInf(v, 0) || (math.IsNaN(v) && r.Outcome == evaluator.Measured) {
			t.Errorf("%v: %s is %g in a result that is %s", design, s.metrics[i].Name, v, r.Outcome)
		}
	}
	for _, x := range r.Extra {
		if x.Name == "" || math.IsNaN(x.Value) || math.IsInf(x.Value, 0) {
			t.Errorf("%v: extra %q is %g", design, x.Name, x.Value)
		}
	}
	switch r.Outcome {
	case evaluator.Measured:
		if r.Reason != nil {
			t.Errorf("%v: measured, with a reason: %+v", design, *r.Reason)
		}
	case evaluator.Infeasible, evaluator.Failed:
		reason(t, design, r.Reason)
	default:
		t.Errorf("%v: the outcome is %q", design, r.Outcome)
	}
}

func reason(t *testing.T, design []space.Value, r *evaluator.Reason) {
	t.Helper()
	switch {
	case r == nil:
		t.Errorf("%v: not measured, without a reason", design)
	case r.Code == "" || strings.ToLower(r.Code) != r.Code || strings.ContainsAny(r.Code, " -"):
		t.Errorf("%v: code %q is not snake_case", design, r.Code)
	case r.Message == "":
		t.Errorf("%v: reason %s has no message", design, r.Code)
	case math.IsNaN(r.Need) || math.IsInf(r.Need, 0) || math.IsNaN(r.Have) || math.IsInf(r.Have, 0):
		t.Errorf("%v: need %g, have %g", design, r.Need, r.Have)
	case (r.Need != 0 || r.Have != 0) && r.Unit == "":
		t.Errorf("%v: need %g and have %g have no unit", design, r.Need, r.Have)
	}
}

// check compares the cheap metrics of Check with those of Evaluate.
func (s *suite) check(t *testing.T) {
	c, ok := s.bound.(evaluator.Checker)
	if !ok {
		for _, m := range s.metrics {
			if m.Cheap {
				t.Errorf("metric %s is cheap, and there is no Check", m.Name)
			}
		}
		return
	}
	dst := make([]float64, len(s.metrics))
	for i, design := range s.designs {
		for j := range dst {
			dst[j] = -1 // must be overwritten
		}
		c.Check(design, dst)
		for j, m := range s.metrics {
			switch got, want := dst[j], s.first[i].Values[j]; {
			case !m.Cheap && !math.IsNaN(got):
				t.Errorf("%v: Check gave %s = %g, want NaN: it is not cheap", design, m.Name, got)
			case m.Cheap && math.Float64bits(got) != math.Float64bits(want):
				t.Errorf("%v: Check gave %s = %g, Evaluate %g", design, m.Name, got, want)
			}
		}
	}
}

// deterministic evaluates again, in the other order, on a fresh evaluator.
func (s *suite) deterministic(t *testing.T) {
	if !s.backend.Describe().Deterministic {
		t.Skip("the backend says that it is not deterministic")
	}
	fresh := bind(t, s.backend, s.task)
	for i := len(s.designs) - 1; i >= 0; i-- {
		again := evaluate(t, fresh, s.designs[i])
		if !same(&again, &s.first[i]) {
			t.Fatalf("%v: %+v, before %+v", s.designs[i], again, s.first[i])
		}
	}
}

// concurrent evaluates some of the designs on several goroutines at once, each
// beginning elsewhere so that different designs meet.
func (s *suite) concurrent(t *testing.T) {
	const workers = 4
	some := min(40, len(s.designs))
	var wg sync.WaitGroup
	results := make([][]evaluator.Result, workers)
	for w := range workers {
		wg.Go(func() {
			for k := range some {
				design := s.designs[(k+w*some/workers)%some]
				r, err := s.bound.Evaluate(context.Background(), evaluator.Request{Design: design})
				if err != nil {
					r = evaluator.Result{Reason: &evaluator.Reason{Code: "error", Message: err.Error()}}
				}
				results[w] = append(results[w], r)
			}
		})
	}
	wg.Wait()
	for w := range workers {
		for k := range results[w] {
			i, r := (k+w*some/workers)%some, &results[w][k]
			if s.backend.Describe().Deterministic && !same(r, &s.first[i]) {
				t.Fatalf("%v: %+v beside other evaluations, alone %+v", s.designs[i], *r, s.first[i])
			}
			s.result(t, s.designs[i], r)
		}
	}
}

func (s *suite) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.bound.Evaluate(ctx, evaluator.Request{Design: s.designs[0]}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context the error is %v, want one that is context.Canceled", err)
	}
}

// malformed designs must not panic, and must not be measured.
func (s *suite) malformed(t *testing.T) {
	short := s.designs[0][:len(s.designs[0])-1]
	nan := append([]space.Value(nil), s.designs[0]...)
	nan[0] = space.Value{Num: math.NaN()}
	for _, design := range [][]space.Value{nil, short, nan} {
		r, err := s.bound.Evaluate(context.Background(), evaluator.Request{Design: design})
		if err == nil && r.Outcome == evaluator.Measured {
			t.Errorf("the design %v was measured", design)
		}
		if c, ok := s.bound.(evaluator.Checker); ok {
			c.Check(design, make([]float64, len(s.metrics)))
		}
	}
}

// incomplete tasks are refused when the backend needs what is missing; a
// backend that does not must still not panic.
func incomplete(t *testing.T, backend evaluator.Backend, tasks []evaluator.Task) {
	for _, task := range tasks {
		less := task
		less.Params = task.Params[1:]
		if e, err := backend.New(less); err == nil && e == nil {
			t.Error("New gave neither an evaluator nor an error")
		}
		less = task
		less.Networks = nil
		if e, err := backend.New(less); err == nil && e == nil {
			t.Error("New gave neither an evaluator nor an error")
		}
	}
}

// same compares two results bit for bit.
func same(a, b *evaluator.Result) bool {
	if a.Outcome != b.Outcome || len(a.Values) != len(b.Values) || len(a.Extra) != len(b.Extra) || (a.Reason == nil) != (b.Reason == nil) {
		return false
	}
	if a.Reason != nil && *a.Reason != *b.Reason {
		return false
	}
	for i := range a.Values {
		if math.Float64bits(a.Values[i]) != math.Float64bits(b.Values[i]) {
			return false
		}
	}
	for i := range a.Extra {
		if a.Extra[i].Name != b.Extra[i].Name || math.Float64bits(a.Extra[i].Value) != math.Float64bits(b.Extra[i].Value) {
			return false
		}
	}
	return true
}
