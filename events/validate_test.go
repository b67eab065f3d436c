package events_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

func expected() events.Expected {
	return events.Expected{Study: "demo", Run: "0badcafe", Batch: 1, Trials: []int{16, 17}, Metrics: []string{"latency_s", "area_mm2"}}
}

// answer is a good one to expected, changed by edit.
func answer(edit func(*events.BatchEvaluated)) *events.BatchEvaluated {
	a := &events.BatchEvaluated{
		Study: "demo", Run: "0badcafe", Batch: 1, Evaluator: "mine", Metrics: []string{"latency_s", "area_mm2"},
		Trials: []events.TrialResult{
			{Trial: 16, Outcome: "measured", Values: events.Numbers{0.5, 6}, Attempts: 1, Started: 5, Seconds: 1},
			{Trial: 17, Outcome: "infeasible", Values: events.Numbers{math.NaN(), 7}, Reason: &events.Reason{Code: "sram"}},
		},
	}
	edit(a)
	return a
}

func TestValidateResultKeepsWhatIsGood(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	tests := []struct {
		name string
		edit func(*events.BatchEvaluated)
		want []events.TrialResult
	}{
		{"as sent", func(*events.BatchEvaluated) {}, answer(func(*events.BatchEvaluated) {}).Trials},
		{"metrics in another order, and one more", func(a *events.BatchEvaluated) {
			a.Metrics = []string{"power_w", "area_mm2", "latency_s"}
			a.Trials[0].Values, a.Trials[1].Values = events.Numbers{nan, 6, 0.5}, events.Numbers{1, 7, nan}
		}, answer(func(*events.BatchEvaluated) {}).Trials},
		{
			"no values where nothing was measured", func(a *events.BatchEvaluated) { a.Trials[1].Values = nil },
			answer(func(a *events.BatchEvaluated) { a.Trials[1].Values = events.Numbers{nan, nan} }).Trials,
		},
		{
			"a reason where none is needed", func(a *events.BatchEvaluated) { a.Trials[0].Reason = &events.Reason{Code: "x"} },
			answer(func(*events.BatchEvaluated) {}).Trials,
		},
		{
			"no reason where one is needed", func(a *events.BatchEvaluated) { a.Trials[1].Reason = nil },
			answer(func(a *events.BatchEvaluated) { a.Trials[1].Reason = &events.Reason{Code: "infeasible"} }).Trials,
		},
		{"a reason that is not finite", func(a *events.BatchEvaluated) {
			a.Trials[1].Reason = &events.Reason{Code: "sram", Need: math.Inf(1), Have: nan}
		}, answer(func(*events.BatchEvaluated) {}).Trials},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, problems := events.ValidateResult(expected(), answer(test.edit))
			if diff := cmp.Diff(test.want, got, samePayload); diff != "" || len(problems) != 0 {
				t.Errorf("problems %q (-want +got):\n%s", problems, diff)
			}
		})
	}
}

func TestValidateResultFailsOneTrial(t *testing.T) {
	t.Parallel()
	many := map[string]float64{}
	for i := range events.MaxExtras + 1 {
		many[strings.Repeat("x", i+1)] = 1
	}
	tests := map[string]struct {
		edit func(*events.TrialResult)
		want string
	}{
		"unknown outcome":   {func(r *events.TrialResult) { r.Outcome = "fine" }, `the outcome is "fine"`},
		"no outcome":        {func(r *events.TrialResult) { r.Outcome = "" }, `the outcome is ""`},
		"too few values":    {func(r *events.TrialResult) { r.Values = r.Values[:1] }, "1 values for 2 metrics"},
		"no values":         {func(r *events.TrialResult) { r.Values = nil }, "0 values for 2 metrics"},
		"too many values":   {func(r *events.TrialResult) { r.Values = append(r.Values, 1) }, "3 values for 2 metrics"},
		"NaN":               {func(r *events.TrialResult) { r.Values[1] = math.NaN() }, "value 1 is missing"},
		"infinity":          {func(r *events.TrialResult) { r.Values[0] = math.Inf(-1) }, "value 0 is missing or not finite"},
		"infinity, failed":  {func(r *events.TrialResult) { r.Outcome, r.Values[0] = "failed", math.Inf(1) }, "value 0 is missing or not finite"},
		"negative attempts": {func(r *events.TrialResult) { r.Attempts = -1 }, "-1 attempts"},
		"negative seconds":  {func(r *events.TrialResult) { r.Seconds = -1 }, "-1 seconds"},
		"NaN seconds":       {func(r *events.TrialResult) { r.Seconds = math.NaN() }, "NaN seconds"},
		"NaN extra":         {func(r *events.TrialResult) { r.Extra = map[string]float64{"x": math.NaN()} }, "an extra number"},
		"many extras":       {func(r *events.TrialResult) { r.Extra = many }, "257 extra numbers"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := answer(func(a *events.BatchEvaluated) { test.edit(&a.Trials[0]) })
			got, problems := events.ValidateResult(expected(), a)
			if len(problems) != 1 || !strings.Contains(problems[0], test.want) || !strings.HasPrefix(problems[0], "trial 16: ") {
				t.Fatalf("problems = %q, want one of trial 16 that says %q", problems, test.want)
			}
			bad := got[0]
			if bad.Trial != 16 || bad.Outcome != "failed" || bad.Reason.Code != events.ReasonBadResult || !strings.Contains(bad.Reason.Message, test.want) {
				t.Errorf("trial = %+v %+v, want failed(bad_result)", bad, bad.Reason)
			}
			if len(bad.Values) != 2 || !math.IsNaN(bad.Values[0]) || !math.IsNaN(bad.Values[1]) {
				t.Errorf("values = %v, want two NaN", bad.Values)
			}
			if diff := cmp.Diff(a.Trials[1], got[1], samePayload); diff != "" {
				t.Errorf("the other trial changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateResultFailsTheBatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edit func(*events.BatchEvaluated)
		want string
	}{
		"another study":        {func(a *events.BatchEvaluated) { a.Study = "other" }, "the answer is for batch 1 of other/0badcafe"},
		"another run":          {func(a *events.BatchEvaluated) { a.Run = "x" }, "demo/x"},
		"another batch":        {func(a *events.BatchEvaluated) { a.Batch = 2 }, "for batch 2"},
		"a trial is missing":   {func(a *events.BatchEvaluated) { a.Trials = a.Trials[:1] }, "the answer has 1 trials, 2 were sent"},
		"nothing":              {func(a *events.BatchEvaluated) { *a = events.BatchEvaluated{} }, "the answer is for batch 0"},
		"another order":        {func(a *events.BatchEvaluated) { a.Trials[0], a.Trials[1] = a.Trials[1], a.Trials[0] }, "place 0 of the answer holds trial 17"},
		"the same trial twice": {func(a *events.BatchEvaluated) { a.Trials[1].Trial = 16 }, "place 1"},
		"a metric is missing":  {func(a *events.BatchEvaluated) { a.Metrics[1] = "area" }, `lacks the metric "area_mm2"`},
		"a metric twice":       {func(a *events.BatchEvaluated) { a.Metrics = []string{"latency_s", "area_mm2", "latency_s"} }, `the metric "latency_s" twice`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := events.ValidateResult(expected(), answer(test.edit))
			if len(problems) != 1 || !strings.Contains(problems[0], test.want) {
				t.Errorf("problems = %q, want one that says %q", problems, test.want)
			}
			for i, r := range got {
				if r.Trial != 16+i || r.Outcome != "failed" || r.Reason.Code != events.ReasonBadResult || len(r.Values) != 2 {
					t.Errorf("trial %d = %+v, want failed(bad_result)", i, r)
				}
			}
			if len(got) != 2 {
				t.Errorf("%d trials, want 2", len(got))
			}
		})
	}
	if got, problems := events.ValidateResult(expected(), nil); len(got) != 2 || len(problems) != 1 {
		t.Errorf("no answer: %v, %q", got, problems)
	}
}

// A batch whose designs were all known is answered by an empty one.
func TestValidateResultOfAnEmptyBatch(t *testing.T) {
	t.Parallel()
	want := expected()
	want.Trials = nil
	got, problems := events.ValidateResult(want, answer(func(a *events.BatchEvaluated) { a.Trials, a.Metrics = nil, nil }))
	if len(got) != 0 || len(problems) != 0 {
		t.Errorf("ValidateResult() = %v, %q, want nothing", got, problems)
	}
}

func TestValidateResultCutsTexts(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("é", 1<<16)
	a := answer(func(a *events.BatchEvaluated) {
		a.Trials[1].Reason = &events.Reason{Code: huge, Layer: huge, Unit: huge, Message: huge}
	})
	got, problems := events.ValidateResult(expected(), a)
	r := got[1].Reason
	for _, text := range []string{r.Code, r.Layer, r.Unit, r.Message} {
		if len(text) > events.MaxReasonBytes || !utf8.ValidString(text) || !strings.HasSuffix(text, "…") {
			t.Errorf("text of %d bytes: %.20s", len(text), text)
		}
	}
	if len(problems) != 0 || a.Trials[1].Reason.Message != huge {
		t.Errorf("problems %q; the answer itself must not change", problems)
	}
}

func TestValidateWork(t *testing.T) {
	t.Parallel()
	req, _ := batch(2)
	if err := events.ValidateWork(&req); err != nil {
		t.Errorf("ValidateWork() = %v", err)
	}
	for name, edit := range map[string]func(*events.BatchRequested){
		"study":        func(r *events.BatchRequested) { r.Study = "a.b" },
		"evaluator":    func(r *events.BatchRequested) { r.Evaluator = "" },
		"run":          func(r *events.BatchRequested) { r.Run = ">" },
		"batch":        func(r *events.BatchRequested) { r.Batch = -1 },
		"trials":       func(r *events.BatchRequested) { r.Trials = r.Trials[:1] },
		"row":          func(r *events.BatchRequested) { r.Parameters = r.Parameters[:3] },
		"no metrics":   func(r *events.BatchRequested) { r.Metrics = nil },
		"metric twice": func(r *events.BatchRequested) { r.Metrics = []events.Metric{{Name: "a"}, {Name: "a"}} },
		"time-out":     func(r *events.BatchRequested) { r.TimeoutSeconds = math.NaN() },
		"attempts":     func(r *events.BatchRequested) { r.Attempts = 1000 },
		"too many":     func(r *events.BatchRequested) { *r, _ = batch(events.MaxBatch + 1) },
	} {
		bad, _ := batch(2)
		edit(&bad)
		if err := events.ValidateWork(&bad); !errors.Is(err, events.ErrMalformed) {
			t.Errorf("%s: ValidateWork() = %v, want ErrMalformed", name, err)
		}
	}
}

// Whatever an evaluator answers, every trial comes out once, in order, in a
// state that the log can hold, and the same each time.
func FuzzValidateResult(f *testing.F) {
	for _, edit := range []func(*events.BatchEvaluated){
		func(*events.BatchEvaluated) {},
		func(a *events.BatchEvaluated) { a.Trials[0].Values = nil },
		func(a *events.BatchEvaluated) { a.Trials[1].Outcome = "x" },
		func(a *events.BatchEvaluated) { a.Metrics = nil },
	} {
		b, err := json.Marshal(answer(edit))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a events.BatchEvaluated
		if json.Unmarshal(b, &a) != nil {
			return
		}
		want := expected()
		got, problems := events.ValidateResult(want, &a)
		again, _ := events.ValidateResult(want, &a)
		if diff := cmp.Diff(got, again, samePayload); diff != "" {
			t.Fatalf("two calls differ:\n%s", diff)
		}
		if len(got) != len(want.Trials) {
			t.Fatalf("%d trials, want %d", len(got), len(want.Trials))
		}
		bad := 0
		for i, r := range got {
			if r.Trial != want.Trials[i] || len(r.Values) != len(want.Metrics) || (r.Outcome == "measured") != (r.Reason == nil) {
				t.Errorf("trial %d = %+v", i, r)
			}
			for _, v := range r.Values {
				if math.IsInf(v, 0) || (math.IsNaN(v) && r.Outcome == "measured") {
					t.Errorf("trial %d holds %v", i, r.Values)
				}
			}
			if r.Reason != nil && r.Reason.Code == events.ReasonBadResult {
				bad++
			}
		}
		if bad > 0 && len(problems) == 0 && !strings.Contains(string(b), events.ReasonBadResult) {
			t.Errorf("%d bad trials without a problem", bad)
		}
		// What came out passes as an answer and comes out the same.
		clean := &events.BatchEvaluated{Study: want.Study, Run: want.Run, Batch: want.Batch, Metrics: want.Metrics, Trials: got}
		once, problems := events.ValidateResult(want, clean)
		if diff := cmp.Diff(got, once, samePayload); diff != "" || len(problems) > 0 {
			t.Errorf("a clean answer changed: %q\n%s", problems, diff)
		}
		if _, err := events.Encode("i", "s", "", epoch, clean); err != nil {
			t.Errorf("a clean answer cannot be encoded: %v", err)
		}
	})
}
