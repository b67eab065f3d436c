package events_test

import (
	"testing"

	"apollo/events"
)

// What is measured at a lower fidelity is feasible never, and says what counts; what
// breaks a limit says that.
func TestLowFidelityDoesNotCount(t *testing.T) {
	t.Parallel()
	limit := 5.0
	spec := &events.Spec{
		Parameters:  []events.Parameter{{Name: "x", Values: []float64{1, 2}}, {Name: "trace", Unit: "B", Values: []float64{10, 200}}},
		Metrics:     []events.Metric{{Name: "time_s", Unit: "s"}},
		Objectives:  []events.Objective{{Metric: "time_s", Goal: "minimize"}},
		Constraints: []events.Constraint{{Metric: "time_s", Max: &limit}},
		Fidelity:    &events.Fidelity{Parameter: "trace"},
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		trace, value float64
		code         string
	}{{200, 3, ""}, {200, 7, events.ReasonConstraint}, {10, 3, events.ReasonLowFidelity}, {10, 7, events.ReasonConstraint}} {
		design := events.Design{{Num: 2}, {Num: c.trace}}
		j := judge.Judge(design, &events.TrialResult{Outcome: events.OutcomeMeasured, Values: []float64{c.value}})
		code := ""
		if j.Reason != nil {
			code = j.Reason.Code
		}
		if code != c.code || j.Feasible != (c.code == "") || spec.Full(design) != (c.trace == 200) {
			t.Errorf("trace %v, %v s: feasible %v for %q, want %q", c.trace, c.value, j.Feasible, code, c.code)
		}
	}
}
