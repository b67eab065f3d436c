package transfer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// targetSpec is a study over memory, lanes and dataflow; area is at most 10.
func targetSpec(change func(*events.Spec)) *events.Spec {
	limit := 10.0
	s := &events.Spec{
		Study: "target", Seed: 5,
		Parameters: []events.Parameter{
			{Name: "memory", Unit: "B", Values: []float64{1024, 2048, 4096, 8192, 16384}},
			{Name: "lanes", Values: []float64{1, 2, 4, 8, 16, 32}},
			{Name: "flow", Labels: []string{"ws", "os"}},
		},
		Metrics:          []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2"}},
		Objectives:       []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Constraints:      []events.Constraint{{Metric: "area_mm2", Max: &limit}},
		KnownConstraints: "checked",
		Evaluator:        events.EvaluatorSpec{Name: "toy", Version: "1", Deterministic: true},
		Networks:         []events.Network{{Name: "net", Weight: 1, SHA256: "a"}},
		Budget:           events.Budget{Trials: 100},
	}
	if change != nil {
		change(s)
	}
	return s
}

// another makes the spec of a source that measured another network.
func another(change func(*events.Spec)) *events.Spec {
	return targetSpec(func(s *events.Spec) {
		s.Study = "earlier"
		s.Networks = []events.Network{{Name: "other", Weight: 1, SHA256: "b"}}
		if change != nil {
			change(s)
		}
	})
}

// measure is the toy model: latency falls with lanes and memory, area grows.
func measure(memory, lanes float64) []float64 {
	return []float64{1e-3/lanes + 1e-6*math.Sqrt(16384/memory), 0.3*lanes + memory/4096}
}

// sourceOf makes n random trials of a source's space, each design once as long
// as there are new ones.
func sourceOf(spec *events.Spec, n int) archiver.Source {
	sp, err := spec.Space()
	if err != nil {
		panic(err)
	}
	s := archiver.Source{Study: spec.Study, Run: "0000000a", Spec: spec}
	order := rand.New(rand.NewPCG(1, 1)).Perm(int(sp.Size()))
	for i := range n {
		design := sp.Values(sp.At(uint64(order[i%len(order)])))
		memory, lanes := design[0].Num, 8.0
		for k, p := range spec.Parameters {
			if p.Name == "lanes" {
				lanes = design[k].Num
			}
		}
		s.Trials = append(s.Trials, archiver.Trial{
			Trial: i, Design: design, Outcome: events.OutcomeMeasured, Values: measure(memory, lanes), Feasible: true, Origin: "random",
			DesignHash: archiver.DesignHash(spec.Parameters, design), WorkloadHash: archiver.WorkloadHash(spec.Networks),
		})
	}
	return s
}

// add gives a source to a fresh learner.
func add(t testing.TB, spec *events.Spec, log *archiver.SourceLog) (Candidate, study.Knowledge, []events.SourcePin, error) {
	t.Helper()
	l, err := NewLearner(Target{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Add(log, "")
	k, pins := l.Knowledge()
	return c, k, pins, err
}

func clone(s archiver.Source) archiver.Source {
	s.Trials = slices.Clone(s.Trials)
	for i := range s.Trials {
		s.Trials[i].Design = slices.Clone(s.Trials[i].Design)
		s.Trials[i].Values = slices.Clone(s.Trials[i].Values)
	}
	return s
}

// strip is a log as another tool writes it: without specification and hashes,
// with the units that it is given.
func strip(s archiver.Source, units map[string]string) *archiver.SourceLog {
	log := s.Log()
	cols := *log.Columns
	cols.Spec = nil
	cols.Parameters, cols.Metrics = slices.Clone(cols.Parameters), slices.Clone(cols.Metrics)
	for i := range cols.Parameters {
		cols.Parameters[i].Unit = units[cols.Parameters[i].Name]
	}
	for i := range cols.Metrics {
		cols.Metrics[i].Unit = units[cols.Metrics[i].Name]
	}
	log.Columns = &cols
	return log
}

func number(v float64) space.Value { return space.Value{Num: v} }
