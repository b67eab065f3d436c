package external_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/services/external"
)

func within(t *testing.T, e evaluator.Evaluator, limit time.Duration, x float64, lost func(evaluator.Reason)) evaluator.Result {
	t.Helper()
	r, err := e.(evaluator.Limited).EvaluateWithin(t.Context(), limit, request(x), lost)
	if err != nil {
		t.Fatalf("EvaluateWithin(x = %v): %v", x, err)
	}
	return r
}

// A program that crashes late leaves the process that takes its place the whole
// limit, and not what is left of it.
func TestARestartHasAClockOfItsOwn(t *testing.T) {
	t.Parallel()
	l, env := socket(t)
	b, e := open(t, "ask", external.Options{Env: []string{env}})
	wantDouble(t, evaluate(t, e, 1), 1)
	go func() {
		for _, order := range []byte{dieNow, 1} {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = c.Write([]byte{order})
		}
	}()
	const limit = 3 * time.Second
	first, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var said []evaluator.Reason
	r := within(t, e, limit, unlucky, func(reason evaluator.Reason) {
		said = append(said, reason)
		<-first.Done() // by now the limit of the first process is over
	})
	wantDouble(t, r, unlucky)
	if len(said) != 1 || said[0].Code != external.CodeDied || !strings.Contains(said[0].Message, "exit status 7") || !strings.Contains(said[0].Message, "segmentation fault") {
		t.Errorf("lost was called with %+v, want one child_died with the exit status and the last words", said)
	}
	if s := b.Stats(); s.Timeouts != 0 || s.Deaths != 0 || s.Started != 2 {
		t.Errorf("Stats() = %+v, want two processes and no failure", s)
	}
}

// A program that ends well after every answer, which it may, is no loss.
func TestAGoodEndIsNoLoss(t *testing.T) {
	t.Parallel()
	_, e := open(t, "once", external.Options{})
	for range 4 {
		r := within(t, e, patience, 1, func(reason evaluator.Reason) { t.Errorf("lost: %+v", reason) })
		wantDouble(t, r, 1)
	}
}

// A limit holds for a program that hangs, and its message has the last words.
func TestWithinALimit(t *testing.T) {
	t.Parallel()
	_, e := open(t, "hang", external.Options{})
	r := within(t, e, 2*time.Second, unlucky, func(reason evaluator.Reason) { t.Errorf("lost: %+v", reason) })
	if r.Outcome != evaluator.Failed || r.Reason.Code != external.CodeTimeout || !strings.Contains(r.Reason.Message, "stderr: busy") {
		t.Errorf("got %+v, reason %+v, want a time-out with what the program said", r, r.Reason)
	}
}

// A failure that the program itself tells has what it wrote about it.
func TestFailedAnswerHasTheEndOfStderr(t *testing.T) {
	t.Parallel()
	_, e := open(t, "grumble", external.Options{})
	for range 2 {
		r := evaluate(t, e, unlucky)
		if want := "no licence; stderr: the licence ran out"; r.Reason == nil || r.Reason.Code != "licence" || r.Reason.Message != want {
			t.Errorf("reason %+v, want licence: %s", r.Reason, want)
		}
	}
	wantDouble(t, evaluate(t, e, 1), 1)
}
