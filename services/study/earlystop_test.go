package study_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/study"
)

func stopsEarly(s *events.Spec) {
	s.EarlyStop = &events.EarlyStop{Rule: events.RuleMedian, Metric: "latency_s", After: 5, Warmup: 2}
}

// Thresholds are frozen in the log, so neither the order of the answers nor a restart
// changes what is stopped.
func TestEarlyStopDoesNotDependOnTiming(t *testing.T) {
	t.Parallel()
	testTiming(t, testSpec(func(s *events.Spec) { stopsEarly(s) }))
	spec := testSpec(func(s *events.Spec) { stopsEarly(s); s.Order = "relaxed" })
	calm, shaken := newWorld(t, spec, study.Knowledge{}), newWorld(t, spec, study.Knowledge{})
	calm.run(func(n int) int { return n - 1 }, nil)
	shaken.run(func(n int) int { return n - 1 }, shaken.restart)
	if diff := cmp.Diff(calm.machine.Summary(), shaken.machine.Summary()); diff != "" {
		t.Errorf("in relaxed order a restart changed the study:\n%s", diff)
	}
}

func TestEarlyStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { stopsEarly(s); s.Algorithm.Name = "random" }), study.Knowledge{})
	w.run(first, nil)
	s := w.machine.Summary()
	if s.Stopped == 0 || s.Measured+s.Infeasible+s.Stopped != s.Trials || s.Failed > 0 {
		t.Fatalf("%d of %d trials were stopped, %d measured, %d infeasible, %d failed", s.Stopped, s.Trials, s.Measured, s.Infeasible, s.Failed)
	}
	stopped := map[int]bool{}
	finished := map[int]float64{} // by trial, the answer
	for _, r := range w.results {
		for _, one := range r.Trials {
			switch one.Outcome {
			case events.OutcomeStopped:
				stopped[one.Trial] = true
				last := len(one.Intermediate.Steps) - 1
				if one.Intermediate.Steps[last] < 2 || one.Intermediate.Values[last] != one.Reason.Have || one.Reason.Have <= one.Reason.Need {
					t.Errorf("trial %d was stopped at step %d with %v: %+v", one.Trial, one.Intermediate.Steps[last], one.Intermediate.Values[last], one.Reason)
				}
			case events.OutcomeMeasured:
				finished[one.Trial] = one.Values[0]
			}
		}
	}
	if stopped[s.Best.Trial] {
		t.Errorf("the best trial %d was stopped", s.Best.Trial)
	}
	// The thresholds of each batch are the medians of what was told before it.
	batches := w.proposed()
	for _, p := range batches {
		var values []float64
		for _, before := range batches[:p.Told] {
			for i, d := range before.Designs {
				if v, ok := finished[before.FirstTrial+i]; ok && d[0].Num+d[1].Num <= 18 {
					values = append(values, v*(1+1.0/9))
				}
			}
		}
		slices.Sort(values)
		switch n := len(values); {
		case n < 5 && p.EarlyStop != nil:
			t.Errorf("batch %d has thresholds of %d trials", p.Batch, n)
		case n >= 5 && (p.EarlyStop == nil || p.EarlyStop.Trials != n || !slices.Equal(p.EarlyStop.Steps, []int64{2, 3, 4, 5, 6, 7, 8, 9, 10})):
			t.Errorf("batch %d, after %d finished trials, has the thresholds %+v", p.Batch, n, p.EarlyStop)
		case n >= 5 && p.EarlyStop.Values[1] != (values[(n-1)/2]+values[n/2])/2:
			t.Errorf("batch %d: the threshold at step 3 is %v, want the median of %v", p.Batch, p.EarlyStop.Values[1], values)
		}
	}
	// What a user asks for is measured to its end.
	ask := &events.StudyControl{ID: "c2", Verb: "add", Designs: []events.AddedDesign{{Design: map[string]any{"x": 0.0, "y": 11.0, "flow": "is"}}}}
	for range 2 { // the first opens the ended run
		e, err := w.machine.Command(ask)
		if err != nil {
			t.Fatal(err)
		}
		w.append(e)
	}
	if p := w.proposed(); p[len(p)-1].EarlyStop != nil || !p[len(p)-1].Added {
		t.Errorf("a design of a user's own is proposed as %+v", p[len(p)-1])
	}
}

// A stopped trial is no answer to who does not stop early: another program's word.
func TestStoppedWhereNothingIsStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Budget.Batch, s.Budget.Trials = 1, 1 }), study.Knowledge{})
	w.appendNext()
	r := toy{}.answer(w.machine.Work(0))
	r.Trials[0] = events.TrialResult{Trial: 0, Outcome: events.OutcomeStopped, Intermediate: &events.Curve{Steps: []int64{1}, Values: events.Numbers{2}}}
	w.record(r)
	if s := w.machine.Summary(); s.Failed != 1 || s.Stopped != 0 {
		t.Errorf("the trial counts as %s, want failed", fmt.Sprintf("%+v", s))
	}
}
