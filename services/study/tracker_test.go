package study

import (
	"testing"

	"apollo/events"
)

// A plateau of a study with fidelity counts the trials that were seen and count, in whatever
// order they come: neither cheaper ones nor those in flight.
func TestPlateauOfFullTrials(t *testing.T) {
	t.Parallel()
	spec := &events.Spec{
		Parameters: []events.Parameter{{Name: "x", Values: []float64{1, 2}}, {Name: "trace", Values: []float64{10, 200}}},
		Metrics:    []events.Metric{{Name: "time"}}, Objectives: []events.Objective{{Metric: "time", Goal: "minimize"}},
		Fidelity: &events.Fidelity{Parameter: "trace"},
	}
	spec.Stop.Plateau = &events.Plateau{Trials: 3}
	cheap, full := events.Design{{Num: 1}, {Num: 10}}, events.Design{{Num: 1}, {Num: 200}}
	seen := newTracker(spec)
	for i, s := range []struct {
		trial int
		full  bool
		value float64 // 0 of one that is not feasible
		ends  bool
	}{
		{4, true, 9, false},
		{40, false, 0, false},
		{2, true, 0, false},
		{5, true, 10, false},
		{41, false, 0, false},
		{9, true, 0, false},
		{7, true, 8, false},
		{6, true, 0, false},
		{8, true, 9, false},
		{3, true, 0, false},
		{30, true, 0, true},
	} {
		design := cheap
		if s.full {
			design = full
		}
		if s.value > 0 {
			seen.feasible(s.trial, design, []float64{s.value})
		} else {
			seen.other(s.trial, design)
		}
		if got := seen.reached(0) == "plateau"; got != s.ends {
			t.Fatalf("after answer %d, of trial %d: ended is %v", i, s.trial, got)
		}
	}
	if got := seen.reached(30); got != "" {
		t.Errorf("a study that goes on from trial 30 has ended for %q", got)
	}
}
