package main

import (
	"context"
	"testing"

	"apollo/evaluator"
	"apollo/events"
)

// The baseline of a task is in the space of every arm, keeps its limits and runs; chip-only has
// one network, network-only one chip.
func TestArmsShareTheirBaseline(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		sizes := map[string]uint64{}
		for _, arm := range arms() {
			task, err := p.open(arm)
			if err != nil {
				t.Fatalf("%s, %s: %v", p.name, arm, err)
			}
			sp, err := task.Spec.Space()
			if err != nil {
				t.Fatal(err)
			}
			sizes[arm] = sp.Size()
			if _, err := sp.Point(task.Baseline); err != nil {
				t.Errorf("%s: %v", task.Name, err)
			}
			judge, err := events.NewJudge(task.Spec)
			if err != nil {
				t.Fatal(err)
			}
			r, err := task.Evaluator.Evaluate(context.Background(), evaluator.Request{Design: task.Baseline})
			if err != nil || r.Outcome != evaluator.Measured {
				t.Fatalf("%s: %v, %v", task.Name, r.Reason, err)
			}
			derive, err := events.NewDeriver(task.Spec.Metrics)
			if err != nil {
				t.Fatal(err)
			}
			values := derive.Row(r.Values)
			if _, reason := judge.Metrics(values); reason != nil || judge.Rules(task.Baseline) != nil {
				t.Errorf("%s: the baseline is not feasible: %v", task.Name, reason)
			}
			t.Logf("%s: %d designs, baseline %g, %g %%, reference %g, %g %%", task.Name, sp.Size(), task.base.metric, task.base.accuracy, baselineTimes*task.base.metric, p.accuracy)
			if !(task.base.accuracy > p.accuracy) {
				t.Errorf("%s: the baseline is not above the reference", p.name)
			}
		}
		if sizes[both] != sizes[chipOnly]*sizes[networkOnly] {
			t.Errorf("%s: %v designs", p.name, sizes)
		}
	}
}
