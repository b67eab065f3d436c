package study

import (
	"testing"

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
