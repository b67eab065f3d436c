package worker

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// reporting evaluates in four steps, from above, and begins anew after the first
// beginning's second step, as a program that is started again.
type reporting struct{ silent bool }

func (e reporting) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	x := r.Design[0].Num
	for beginning := range 2 {
		if e.silent {
			break
		}
		report := r.Reports()
		for step := int64(1); step <= 4; step++ {
			if reason := report(step, x*float64(5-step)); reason != nil {
				return evaluator.Result{Outcome: evaluator.Stopped, Reason: reason, Values: nil}, nil
			}
			if beginning == 0 && step == 2 {
				break
			}
		}
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{x}}, nil
}

// The thresholds of a work item stop an evaluation, and what it reported since it began
// last is in the answer. Without thresholds it is noted, and nothing is stopped.
func TestEarlyStop(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := &Evaluator{Logger: slog.New(slog.NewTextHandler(&out, nil))}
	work := &events.BatchRequested{
		Study: "s", Run: "r", Attempts: 1, Trials: []int{17, 18}, Metrics: []events.Metric{{Name: "m_s", Unit: "s"}},
		Designs: []events.Design{{space.Value{Num: 1}}, {space.Value{Num: 10}}}, EarlyStop: &events.Stopping{Metric: "m_s"},
	}
	try := func(ev evaluator.Evaluator, i int) events.TrialResult {
		r, err := e.trial(t.Context(), ev, work, i, []int{0}, &timeLimit{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := try(reporting{}, 1); r.Outcome != events.OutcomeMeasured || r.Intermediate == nil || !slices.Equal(r.Intermediate.Values, events.Numbers{40, 30, 20, 10}) {
		t.Errorf("without thresholds: %+v, %+v", r, r.Intermediate)
	}
	work.EarlyStop.Thresholds = &events.Thresholds{Trials: 5, Curve: events.Curve{Steps: []int64{3}, Values: events.Numbers{19}}}
	if r := try(reporting{}, 0); r.Outcome != events.OutcomeMeasured {
		t.Errorf("the better design: %+v", r)
	}
	r := try(reporting{}, 1)
	if r.Outcome != events.OutcomeStopped || r.Reason == nil || r.Reason.Code != events.ReasonEarlyStop || !slices.Equal(r.Intermediate.Values, events.Numbers{40, 30, 20}) {
		t.Errorf("the worse design: %+v (%+v), %+v", r, r.Reason, r.Intermediate)
	}
	want := events.Expected{Study: "s", Run: "r", Trials: []int{18}, Metrics: []string{"m_s"}, Reports: true, Stops: true}
	if _, problems := events.ValidateResult(want, &events.BatchEvaluated{Study: "s", Run: "r", Metrics: []string{"m_s"}, Trials: []events.TrialResult{r}}); len(problems) > 0 {
		t.Errorf("the answer is wrong: %v", problems)
	}
	if out.Len() > 0 {
		t.Errorf("said without cause: %s", &out)
	}
	a := attempt{e: e, work: work, watch: events.NewWatch(work)}
	for range 3 {
		a.report(-1, 1)
		a.leftOut(evaluator.Reason{Code: "wrong_type", Message: "step is 2.5"})
	}
	if n := strings.Count(out.String(), "was left out"); n != 2 {
		t.Errorf("it is said %d times that a value was left out, want once for each of two codes:\n%s", n, &out)
	}
	try(reporting{silent: true}, 0)
	try(reporting{silent: true}, 1)
	if n := strings.Count(out.String(), "reported no intermediate value"); n != 1 {
		t.Errorf("it is said %d times that nothing is reported, want once:\n%s", n, &out)
	}
}
