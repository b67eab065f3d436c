package main

import (
	"testing"

	"apollo/events"
	"apollo/services/study"
)

// What follows on a study depends on its state and on what it found.
func TestNextOf(t *testing.T) {
	t.Parallel()
	template, own := &events.Spec{Template: "edge"}, &events.Spec{}
	manual := &events.Spec{Evaluator: events.EvaluatorSpec{Manual: true}}
	for _, c := range []struct {
		name             string
		spec             *events.Spec
		state            study.State
		trials, feasible int
		front            bool
		want             string
	}{
		{"it runs", template, study.Running, 3, 1, false, "apollo study watch s"},
		{"it is measured by hand", manual, study.Running, 3, 1, false, "apollo trial ask s"},
		{"it ends", template, study.Stopping, 3, 1, false, "apollo study watch s"},
		{"it is paused", template, study.Paused, 3, 1, false, "apollo study resume s"},
		{"it found something", template, study.Completed, 3, 1, false, "apollo design neighbours --study s"},
		{"it was stopped", template, study.Stopped, 3, 1, false, "apollo design neighbours --study s"},
		{"it found nothing", template, study.Completed, 3, 0, false, "apollo trial ls s --last 10"},
		{"it did nothing", template, study.Cancelled, 0, 0, false, "apollo study ls"},
		{"it has a front", template, study.Completed, 3, 2, true, "apollo trial ls s --best 10"},
		{"its program measures", own, study.Completed, 3, 2, false, "apollo trial ls s --best 10"},
		{"its program found nothing", own, study.Completed, 3, 0, false, "apollo trial ls s --last 10"},
	} {
		if got := nextOf("s", c.spec, c.state, c.trials, c.feasible, c.front); got != c.want {
			t.Errorf("%s: next is %q, want %q", c.name, got, c.want)
		}
	}
}
