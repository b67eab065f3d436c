package catalog_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/catalog"
)

// Studies that ask the same share an evaluator as long as one of them holds it; those that
// differ in anything that it is bound to do not.
func TestStudiesShareAnEvaluator(t *testing.T) { //nolint:paralleltest // it waits for collections of garbage
	edge, ok := template.Named("edge")
	if !ok {
		t.Fatal("there is no template edge")
	}
	c := catalog.Catalog{Templates: []evaluator.Template{edge.Template()}, Network: workload.Sized, Shared: catalog.NewShared()}
	study := func(network string, metrics ...events.Metric) *events.Spec {
		w, err := workload.Sized(network, workload.Sizes{})
		if err != nil {
			t.Fatal(err)
		}
		identity, err := w.Identity()
		if err != nil {
			t.Fatal(err)
		}
		return &events.Spec{Template: "edge", Networks: []events.Network{{Name: network, SHA256: identity, Weight: 1}}, Metrics: append([]events.Metric{{Name: "latency", Unit: "s"}}, metrics...)}
	}
	bind := func(spec *events.Spec, params []space.Param) evaluator.Evaluator {
		t.Helper()
		e, err := c.Bind(spec, params)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := e.(evaluator.Checker); !ok {
			t.Fatal("the evaluator does not check designs")
		}
		return e
	}
	params := c.Templates[0].Params
	first := bind(study("mobilenet_v2"), params)
	if bind(study("mobilenet_v2"), params) != first {
		t.Error("a study that asks the same has an evaluator of its own")
	}
	energy := study("mobilenet_v2")
	energy.Objectives = []events.Objective{{Metric: "energy_j", Goal: "minimize"}}
	for name, other := range map[string]evaluator.Evaluator{
		"another network":            bind(study("mobilenet_edgetpu"), params),
		"another metric":             bind(study("mobilenet_v2", events.Metric{Name: "energy", Unit: "J"}), params),
		"another goal of the mapper": bind(energy, params),
		"other levels":               bind(study("mobilenet_v2"), narrowed(params)),
		"another catalog's sharing": func() evaluator.Evaluator {
			c := c
			c.Shared = catalog.NewShared()
			e, _ := c.Bind(study("mobilenet_v2"), params)
			return e
		}(),
	} {
		if other == first {
			t.Errorf("%s: the evaluator is shared", name)
		}
	}
	// The parameter that chooses the network does so in a study that searches it alone.
	one := study("mobilenet_v2")
	one.Networks, one.Search = append(one.Networks, study("mobilenet_edgetpu").Networks...), "one"
	choosing, ok := c.TemplateOf(one)
	if !ok || len(choosing.Params) != len(params)+1 {
		t.Fatalf("a searched network has the parameters %v", choosing.Params)
	}
	searched, all := bind(one, choosing.Params), *one
	all.Search = ""
	if e, err := c.Bind(&all, choosing.Params); err == nil && e == searched {
		t.Error("a searched network: the evaluator is shared with a study of all networks")
	}
	runtime.KeepAlive(searched)
	runtime.KeepAlive(first) // from here on nobody holds it
	for range 100 {          // a cleanup runs some time after a collection
		if runtime.GC(); c.Shared.Len() == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d evaluators are kept that nobody holds", c.Shared.Len())
}

// narrowed is the parameters with one level of the first one alone.
func narrowed(params []space.Param) []space.Param {
	out := append([]space.Param{}, params...)
	out[0].Values = out[0].Values[:1]
	return out
}

// Who binds slowly holds up those alone who ask the same.
func TestASlowEvaluatorHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &slowly{end: make(chan struct{})}
		c := catalog.Catalog{
			Templates: []evaluator.Template{{Name: "slow", Backend: slow}, {Name: "quick", Backend: &slowly{}}},
			Network:   workload.Sized, Shared: catalog.NewShared(),
		}
		bound := make(chan evaluator.Evaluator, 2)
		for range 2 {
			go func() {
				e, _ := c.Bind(&events.Spec{Template: "slow"}, nil)
				bound <- e
			}()
		}
		synctest.Wait()
		if e, err := c.Bind(&events.Spec{Template: "quick"}, nil); err != nil || e == nil {
			t.Errorf("%v, %v beside a slow one", e, err)
		}
		close(slow.end)
		if a, b := <-bound, <-bound; a == nil || a != b || slow.times.Load() != 1 {
			t.Errorf("two who ask the same have %p and %p, bound %d times", a, b, slow.times.Load())
		}
	})
}

// slowly is a backend that binds when it is told to; nil is at once.
type slowly struct {
	evaluator.Backend
	evaluator.Evaluator
	end   chan struct{}
	times atomic.Int32
}

func (s *slowly) New(evaluator.Task) (evaluator.Evaluator, error) {
	if s.times.Add(1); s.end != nil {
		<-s.end
	}
	return s, nil
}

func (s *slowly) Check([]space.Value, []float64) {}
