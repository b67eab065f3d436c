package study

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer"
)

// A stopped trial is told as bad as it was among the finished ones at its step, and
// never better than their median, whatever the scale of what it reported.
func TestStoppedTrialsAreRanked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal string
		sign float64
	}{{"minimize", 1}, {"maximize", -1}} {
		s := newEarlyStop(&events.Spec{
			Metrics: []events.Metric{{Name: "m"}}, Objectives: []events.Objective{{Metric: "m", Goal: c.goal}},
			EarlyStop: &events.EarlyStop{Rule: events.RuleMedian, Metric: "m", After: 1},
		})
		stopped := func(v float64) *events.TrialResult {
			return &events.TrialResult{Outcome: events.OutcomeStopped, Intermediate: &events.Curve{Steps: []int64{4}, Values: events.Numbers{c.sign * v}}}
		}
		if o := s.observe(optimizer.Observation{}, stopped(3)); o.Status != optimizer.Failed || o.Cause != "" {
			t.Errorf("%s: with nothing to compare it with, a stopped trial is %+v", c.goal, o)
		}
		for _, v := range []float64{1, 2, 3, 4, 5} { // a twentieth of the answer at step 4
			s.tell(true, &events.TrialResult{Values: events.Numbers{c.sign * 20 * v}, Intermediate: &events.Curve{Steps: []int64{2, 5}, Values: events.Numbers{c.sign * v, c.sign * 20 * v}}})
		}
		s.tell(false, &events.TrialResult{Values: events.Numbers{0}, Intermediate: &events.Curve{Steps: []int64{2}, Values: events.Numbers{0}}})
		if th := s.thresholds(); th == nil || th.Values[0] != c.sign*3 || th.Values[1] != c.sign*60 || th.Trials != 5 {
			t.Errorf("%s: thresholds %+v, want medians %v and %v of 5 trials", c.goal, th, c.sign*3, c.sign*60)
		}
		for v, want := range map[float64]float64{0.5: 60, 3: 60, 3.5: 80, 4.5: 100, 99: 100} {
			if o := s.observe(optimizer.Observation{}, stopped(v)); o.Status != optimizer.Measured || o.Values[0] != want {
				t.Errorf("%s: stopped with %v it is told as %+v, want measured, %v", c.goal, v, o, want)
			}
		}
	}
}

// Medians that are kept up are those of a run that is read again, which takes them once,
// also where the steps are thinned.
func TestMediansAreKeptUp(t *testing.T) {
	t.Parallel()
	spec := &events.Spec{
		Metrics: []events.Metric{{Name: "m"}}, Objectives: []events.Objective{{Metric: "m", Goal: "maximize"}},
		EarlyStop: &events.EarlyStop{Rule: events.RuleMedian, Metric: "m", After: 3, Warmup: 2},
	}
	kept := newEarlyStop(spec)
	var told []*events.TrialResult
	for i := range int64(60) {
		r := &events.TrialResult{Values: events.Numbers{1}, Intermediate: &events.Curve{
			Steps: []int64{i % 3, 4 + i%7, 20 + i*5%41, 70 + i}, Values: events.Numbers{float64(i * 17 % 23), float64(i * 5 % 11), float64(i % 4), 1},
		}}
		told = append(told, r)
		kept.tell(true, r)
		again := newEarlyStop(spec)
		for _, r := range told {
			again.tell(true, r)
		}
		if diff := cmp.Diff(again.thresholds(), kept.thresholds()); diff != "" {
			t.Fatalf("after %d trials the medians differ (-read again +kept up):\n%s", i+1, diff)
		}
	}
	if n := len(kept.steps); n <= events.MaxSteps {
		t.Errorf("%d steps are not thinned", n)
	}
}
