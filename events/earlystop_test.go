package events_test

import (
	"math"
	"strings"
	"testing"

	"apollo/events"
)

func watched(t *events.Thresholds, maximize bool) *events.Watch {
	return events.NewWatch(&events.BatchRequested{
		Metrics:   []events.Metric{{Name: "latency_s", Unit: "s"}},
		EarlyStop: &events.Stopping{Metric: "latency_s", Maximize: maximize, Thresholds: t},
	})
}

// A value is held against the threshold at its step; one between two steps against
// nothing that lies behind it.
func TestWatch(t *testing.T) {
	t.Parallel()
	at := func(steps []int64, values ...float64) *events.Thresholds {
		return &events.Thresholds{Trials: 5, Curve: events.Curve{Steps: steps, Values: values}}
	}
	type report struct {
		step  int64
		value float64
	}
	for name, c := range map[string]struct {
		thresholds *events.Thresholds
		maximize   bool
		reports    []report
		stop       int     // the report that stops it, -1 for none
		have, step float64 // of the reason and of the curve's end
	}{
		"no thresholds":             {nil, false, []report{{1, 9}, {2, 9}}, -1, 0, 0},
		"worse":                     {at([]int64{2}, 3), false, []report{{1, 9}, {2, 4}}, 1, 4, 2},
		"as good":                   {at([]int64{2}, 3), false, []report{{1, 9}, {2, 3}, {3, 9}}, -1, 0, 0},
		"worse, larger is better":   {at([]int64{2}, 3), true, []report{{1, 1}, {2, 2}}, 1, 2, 2},
		"better, larger is better":  {at([]int64{2}, 3), true, []report{{1, 1}, {2, 4}}, -1, 0, 0},
		"between: the earlier one":  {at([]int64{5}, 3), false, []report{{4, 4}, {6, 1}}, 1, 4, 4},
		"between: not the later":    {at([]int64{5}, 3), false, []report{{4, 2}, {6, 9}}, -1, 0, 0},
		"nothing before":            {at([]int64{5}, 3), false, []report{{6, 9}, {7, 9}}, -1, 0, 0},
		"several at once, one left": {at([]int64{2, 3, 4}, 9, 9, 3), false, []report{{1, 5}, {4, 4}}, 1, 4, 4},
	} {
		w := watched(c.thresholds, c.maximize)
		stopped := -1
		for i, r := range c.reports {
			reason, err := w.Report(r.step, r.value)
			if err != nil {
				t.Fatal(err)
			}
			if reason == nil {
				continue
			}
			stopped = i
			last := len(w.Curve().Steps) - 1
			if reason.Have != c.have || reason.Unit != "s" || float64(w.Curve().Steps[last]) != c.step || w.Curve().Values[last] != c.have {
				t.Errorf("%s: reason %+v, curve %+v, want %v at step %v", name, reason, w.Curve(), c.have, c.step)
			}
			break
		}
		if stopped != c.stop {
			t.Errorf("%s: stopped by report %d, want %d", name, stopped, c.stop)
		}
	}
}

// Of many values those at even distances are kept, and all are held against thresholds.
func TestWatchKeepsFewValues(t *testing.T) {
	t.Parallel()
	w := watched(&events.Thresholds{Trials: 5, Curve: events.Curve{Steps: []int64{9_999}, Values: events.Numbers{1}}}, false)
	for step := range int64(10_000) {
		reason, err := w.Report(step, float64(step))
		if err != nil || (reason != nil) != (step == 9_999) {
			t.Fatalf("step %d: %+v, %v", step, reason, err)
		}
	}
	c := w.Curve()
	n := len(c.Steps)
	if n > events.MaxSteps || n < events.MaxSteps/2 || c.Steps[0] != 0 || c.Steps[n-1] != 9_999 || c.Steps[2]-c.Steps[1] != c.Steps[1]-c.Steps[0] {
		t.Errorf("%d steps are kept: %v", n, c.Steps)
	}
}

func TestWatchLeavesOutWhatIsNoStep(t *testing.T) {
	t.Parallel()
	w := watched(nil, false)
	if w.Curve() != nil {
		t.Errorf("a curve of nothing: %+v", w.Curve())
	}
	if _, err := w.Report(3, 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step  int64
		value float64
		want  string
	}{{3, 1, "step 3 is reported after step 3"}, {2, 1, "step 2 is reported after step 3"}, {-1, 1, "negative"}, {4, math.NaN(), "finite"}, {4, math.Inf(1), "finite"}} {
		if reason, err := w.Report(c.step, c.value); reason != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Report(%d, %v) = %v, %v, want an error with %q", c.step, c.value, reason, err, c.want)
		}
	}
	if c := w.Curve(); len(c.Steps) != 1 {
		t.Errorf("the curve is %+v, want one step", c)
	}
}

func TestValidateIntermediate(t *testing.T) {
	t.Parallel()
	curve := func(steps []int64, values ...float64) *events.Curve {
		return &events.Curve{Steps: steps, Values: values}
	}
	long := curve(nil)
	for i := range int64(events.MaxSteps + 1) {
		long.Steps, long.Values = append(long.Steps, i), append(long.Values, 1)
	}
	for name, c := range map[string]struct {
		asked, stops bool
		outcome      string
		curve        *events.Curve
		want         string // of the problem; "" for none
	}{
		"measured":             {true, false, events.OutcomeMeasured, curve([]int64{1, 4}, 2, 3), ""},
		"measured without":     {true, false, events.OutcomeMeasured, nil, ""},
		"nobody asked":         {false, false, events.OutcomeMeasured, curve([]int64{4, 1}, 2, 3), ""},
		"stopped":              {true, true, events.OutcomeStopped, curve([]int64{1}, 2), ""},
		"stopped for nothing":  {true, true, events.OutcomeStopped, nil, "has no intermediate value"},
		"stopped by itself":    {false, false, events.OutcomeStopped, curve([]int64{1}, 2), "stops no evaluation early"},
		"no thresholds":        {true, false, events.OutcomeStopped, curve([]int64{1}, 2), "the batch has no thresholds"},
		"steps descend":        {true, true, events.OutcomeStopped, curve([]int64{4, 1}, 2, 3), "step 1 after step 4"},
		"other lengths":        {true, true, events.OutcomeMeasured, curve([]int64{1, 4}, 2), "2 steps and 1"},
		"not finite":           {true, true, events.OutcomeMeasured, curve([]int64{1}, math.NaN()), "not finite"},
		"before the beginning": {true, true, events.OutcomeMeasured, curve([]int64{-1}, 2), "negative"},
		"too many":             {true, true, events.OutcomeMeasured, long, "65 intermediate values"},
	} {
		want := events.Expected{Study: "s", Run: "r", Trials: []int{3}, Metrics: []string{"m"}, Reports: c.asked, Stops: c.stops}
		one := events.TrialResult{Trial: 3, Outcome: c.outcome, Values: events.Numbers{1}, Intermediate: c.curve}
		trials, problems := events.ValidateResult(want, &events.BatchEvaluated{Study: "s", Run: "r", Metrics: []string{"m"}, Trials: []events.TrialResult{one}})
		switch text := strings.Join(problems, "; "); {
		case c.want == "" && text != "", !strings.Contains(text, c.want):
			t.Errorf("%s: problems %q, want %q", name, text, c.want)
		case !c.asked && trials[0].Intermediate != nil:
			t.Errorf("%s: a curve that nobody asked for stays", name)
		case c.outcome == events.OutcomeStopped && (len(trials[0].Values) != 1 || !math.IsNaN(trials[0].Values[0]) || one.Values[0] != 1):
			t.Errorf("%s: of the answer %v are kept %v, want none and the answer as it was", name, one.Values, trials[0].Values)
		case c.want == "" && trials[0].Outcome != c.outcome:
			t.Errorf("%s: the outcome is %s", name, trials[0].Outcome)
		}
	}
}
