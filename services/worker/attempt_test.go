package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
)

// shaky answers with the results of a list, one after the other.
type shaky struct {
	results []evaluator.Result
	errs    []error
	n       *int
}

func (s shaky) Evaluate(context.Context, evaluator.Request) (evaluator.Result, error) {
	i := *s.n
	*s.n++
	return s.results[i], s.errs[i]
}

// restarting is shaky with one restart of its program before each answer.
type restarting struct{ shaky }

func (r restarting) EvaluateWithin(ctx context.Context, limit time.Duration, q evaluator.Request, lost func(evaluator.Reason)) (evaluator.Result, error) {
	if limit != 30*time.Second {
		return evaluator.Result{}, errors.New("the limit is not the study's")
	}
	if _, bound := ctx.Deadline(); bound {
		return evaluator.Result{}, errors.New("a second limit is in the context")
	}
	lost(evaluator.Reason{Code: "child_died", Message: "exit status 7; stderr: oops"})
	return r.Evaluate(ctx, q)
}

type logLine struct {
	Level, Msg, Study, Code, Error string
	Trial, Attempt, Attempts       int
}

// tryTrial runs trial 17 with three attempts.
func tryTrial(t *testing.T, ev evaluator.Evaluator) (r events.TrialResult, codes []string, lines []logLine) {
	t.Helper()
	var out bytes.Buffer
	var heard meter
	e := &Evaluator{Logger: slog.New(slog.NewJSONHandler(&out, nil)), Meter: &heard}
	work := &events.BatchRequested{Study: "s", Run: "r", Attempts: 3, TimeoutSeconds: 30, Trials: []int{17}, Designs: []events.Design{{space.Value{Num: 1}}}}
	limit := timeLimit{timeout: 30 * time.Second}
	defer limit.end()
	r, err := e.trial(t.Context(), ev, work, 0, []int{0}, &limit)
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(&out); dec.More(); {
		var l logLine
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	if len(heard.attempts) != r.Attempts {
		t.Errorf("the meter heard of %d attempts, want %d", len(heard.attempts), r.Attempts)
	}
	for _, code := range heard.attempts {
		if code != "" {
			codes = append(codes, code)
		}
	}
	return r, codes, lines
}

// meter notes the codes of attempts.
type meter struct{ attempts []string }

func (m *meter) Attempted(code string, _ time.Duration) { m.attempts = append(m.attempts, code) }
func (m *meter) Taken(int, time.Duration)               {}
func (m *meter) Answered(string)                        {}

func broken(code string) evaluator.Result {
	return evaluator.Result{Outcome: evaluator.Failed, Reason: &evaluator.Reason{Code: code, Message: code + "; stderr: why"}}
}

var measured = evaluator.Result{Outcome: evaluator.Measured, Values: []float64{2}}

// Every failed attempt is a warning and is counted, and the result keeps the
// last one, also when the trial is measured in the end.
func TestFailedAttemptsAreSeen(t *testing.T) {
	t.Parallel()
	r, codes, lines := tryTrial(t, shaky{[]evaluator.Result{broken("child_died"), {}, measured}, []error{nil, errors.New("the machine is gone"), nil}, new(int)})
	if r.Outcome != events.OutcomeMeasured || r.Attempts != 3 || r.Reason != nil || r.Values[0] != 2 {
		t.Errorf("result %+v, want measured at the third attempt", r)
	}
	if r.LastError == nil || *r.LastError != (events.LastError{Code: "error", Message: "the machine is gone"}) {
		t.Errorf("last error %+v, want that of the second attempt", r.LastError)
	}
	if want := []string{"child_died", "error"}; !slices.Equal(codes, want) {
		t.Errorf("counted %q, want %q", codes, want)
	}
	want := []logLine{
		{"WARN", "attempt failed", "s", "child_died", "child_died; stderr: why", 17, 1, 3},
		{"WARN", "attempt failed", "s", "error", "the machine is gone", 17, 2, 3},
	}
	if !slices.Equal(lines, want) {
		t.Errorf("log %+v, want %+v", lines, want)
	}
}

// The last attempt of a failed trial is its reason; the one before is kept too.
func TestTheLastAttemptIsTheReason(t *testing.T) {
	t.Parallel()
	r, codes, lines := tryTrial(t, shaky{[]evaluator.Result{broken("a"), broken("b"), broken("c")}, make([]error, 3), new(int)})
	if r.Outcome != events.OutcomeFailed || r.Attempts != 3 || r.Reason.Code != "c" || r.LastError == nil || r.LastError.Code != "b" {
		t.Errorf("result %+v (reason %+v, last error %+v), want failed with c, b before it", r, r.Reason, r.LastError)
	}
	if last := r.LastFailure(); last == nil || last.Code != "c" {
		t.Errorf("LastFailure() = %+v, want c", last)
	}
	if len(codes) != 3 || len(lines) != 3 {
		t.Errorf("%d counted, %d logged, want 3 of each", len(codes), len(lines))
	}
}

// A restart of the program is said, and is no attempt.
func TestARestartIsNoAttempt(t *testing.T) {
	t.Parallel()
	r, codes, lines := tryTrial(t, restarting{shaky{[]evaluator.Result{measured}, []error{nil}, new(int)}})
	if r.Outcome != events.OutcomeMeasured || r.Attempts != 1 || r.LastError != nil || len(codes) != 0 {
		t.Errorf("result %+v, %d counted, want measured at the first attempt", r, len(codes))
	}
	want := logLine{"WARN", "the program ended and is started again, which counts as no attempt", "s", "child_died", "exit status 7; stderr: oops", 17, 1, 3}
	if len(lines) != 1 || lines[0] != want {
		t.Errorf("log %+v, want %+v", lines, want)
	}
}
