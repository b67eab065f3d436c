package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"apollo/evaluator"
	"apollo/events"
)

// trial evaluates design i, as often as the study allows. An error means that
// the whole item must come again.
func (e *Evaluator) trial(ctx context.Context, ev evaluator.Evaluator, work *events.BatchRequested, i int, columns []int, limit *timeLimit) (events.TrialResult, error) {
	a := attempt{e: e, work: work, of: max(work.Attempts, 1), request: evaluator.Request{
		Study: work.Study, Run: work.Run, Trial: work.Trials[i], Design: work.Designs[i],
		Seed: work.Seed, Deterministic: work.Deterministic, Limits: limit.bounds,
	}}
	if e.Backend != nil { // a template is done before anybody could look
		item := events.PresentItem{Study: work.Study, Run: work.Run, Batch: work.Batch}
		a.request.Progress = func(p evaluator.Progress) { e.hands.say(item, p) }
	}
	a.listen()
	var last *events.LastError
	for {
		a.n++
		a.watch = nil
		a.request.Attempt, a.request.Attempts = a.n, a.of
		started := time.Now()
		r, err := a.evaluate(ctx, ev, limit)
		if err != nil {
			return events.TrialResult{}, err
		}
		took := time.Since(started)
		if e.Meter != nil {
			code := ""
			if r.Outcome == evaluator.Failed {
				code = r.Reason.Code
			}
			e.Meter.Attempted(code, took)
		}
		if r.Outcome != evaluator.Failed || a.n == a.of || r.Final {
			out := trialResult(r, columns)
			out.Trial, out.Attempts, out.LastError = work.Trials[i], a.n, last
			if a.watch != nil {
				out.Intermediate = a.watch.Curve()
			}
			a.silent(&out)
			out.Started, out.Seconds = events.Micros(started.UnixMicro()), took.Seconds()
			return out, nil
		}
		last = &events.LastError{Code: r.Reason.Code, Message: r.Reason.Message}
	}
}

// listen holds the values that evaluations report against the work item's thresholds.
func (a *attempt) listen() {
	a.request.LeftOut = a.leftOut
	if a.work.EarlyStop == nil {
		return
	}
	a.request.Watched = a.work.EarlyStop.Metric
	a.request.Reports = func() func(int64, float64) *evaluator.Reason {
		a.watch = events.NewWatch(a.work)
		return a.report
	}
}

// leftOut says once of a run and a code that something before the answer was left out.
func (a *attempt) leftOut(reason evaluator.Reason) {
	if a.e.first(a.work.Study + "." + a.work.Run + ".left_out." + reason.Code) {
		a.log(&reason).Warn("what the program wrote before its answer was left out")
	}
}

// report is told an intermediate value, and returns why the evaluation is to end.
func (a *attempt) report(step int64, value float64) *evaluator.Reason {
	stop, err := a.watch.Report(step, value)
	if err != nil {
		a.leftOut(evaluator.Reason{Code: "bad_step", Message: err.Error()})
	}
	if stop == nil {
		return nil
	}
	return &evaluator.Reason{Code: stop.Code, Need: stop.Need, Have: stop.Have, Unit: stop.Unit, Message: stop.Message}
}

// silent says once of a run that its evaluations report nothing by which one could be
// stopped.
func (a *attempt) silent(r *events.TrialResult) {
	if a.work.EarlyStop == nil || r.Intermediate != nil || r.Outcome != events.OutcomeMeasured || !a.e.first(a.work.Study+"."+a.work.Run+".silent") {
		return
	}
	a.e.Logger.Warn("an evaluation reported no intermediate value, so it cannot be stopped early, nor others by it", "study", a.work.Study, "run", a.work.Run,
		"trial", r.Trial, "metric", a.work.EarlyStop.Metric, "hint", "a program writes {\"id\": …, \"step\": 1, \"intermediate\": {\""+a.work.EarlyStop.Metric+"\": …}} before its answer; `apollo evaluator check --study` tests it")
}

// bounds are the limits of a work item, for all of its designs.
func bounds(work *events.BatchRequested) []evaluator.Limit {
	limits := make([]evaluator.Limit, len(work.Limits))
	for i, l := range work.Limits {
		limits[i] = evaluator.Limit{Metric: l.Metric, Max: l.Max, Min: l.Min}
	}
	return limits
}

// attempt is try n of as many at one design.
type attempt struct {
	e       *Evaluator
	work    *events.BatchRequested
	request evaluator.Request
	n, of   int
	watch   *events.Watch // of the evaluation that began last; nil for none
}

// evaluate makes one attempt. A broken evaluation is a failed result with a
// reason; an error means that nothing was judged.
func (a *attempt) evaluate(ctx context.Context, ev evaluator.Evaluator, limit *timeLimit) (evaluator.Result, error) {
	var r evaluator.Result
	var err error
	if l, ok := ev.(evaluator.Limited); ok {
		r, err = l.EvaluateWithin(ctx, limit.timeout, a.request, func(reason evaluator.Reason) {
			a.log(&reason).Warn("the program ended and is started again, which counts as no attempt")
		})
	} else {
		r, err = ev.Evaluate(limit.begin(ctx), a.request)
	}
	switch {
	case ctx.Err() != nil:
		return evaluator.Result{}, ctx.Err()
	case errors.Is(err, evaluator.ErrChanged):
		return evaluator.Result{}, err
	case err != nil:
		r = evaluator.Result{Outcome: evaluator.Failed, Reason: failure(err, limit.timeout)}
	}
	if r.Outcome == evaluator.Failed {
		if r.Reason == nil {
			r.Reason = &evaluator.Reason{Code: string(evaluator.Failed)}
		}
		a.log(r.Reason).Warn("attempt failed")
		a.e.failed.Add(1)
	}
	return r, nil
}

// log returns the log of what broke.
func (a *attempt) log(reason *evaluator.Reason) *slog.Logger {
	return a.e.Logger.With("study", a.work.Study, "run", a.work.Run, "trial", a.request.Trial,
		"attempt", a.n, "attempts", a.of, "code", reason.Code, "error", reason.Message)
}

// trialResult translates an evaluation, with its values in the order of the
// study's metrics.
func trialResult(r evaluator.Result, columns []int) events.TrialResult {
	out := events.TrialResult{Outcome: string(r.Outcome), Reason: (*events.Reason)(r.Reason)}
	if r.Values != nil {
		out.Values = make(events.Numbers, len(columns))
		for k, c := range columns {
			out.Values[k] = math.NaN()
			if c >= 0 && c < len(r.Values) {
				out.Values[k] = r.Values[c]
			}
		}
	}
	for _, x := range r.Extra {
		if out.Extra == nil {
			out.Extra = make(map[string]float64, len(r.Extra))
		}
		out.Extra[x.Name] = x.Value
	}
	return out
}

// timeLimit bounds evaluations that follow each other. A context with a timer
// of its own costs as much as the evaluation of a small layer, so designs that
// begin within a thousandth of the limit share one: the limit of a design is
// short by that much at most.
type timeLimit struct {
	timeout time.Duration     // 0 means none
	bounds  []evaluator.Limit // what the study's constraints allow
	ctx     context.Context
	cancel  context.CancelFunc
	shared  time.Time // until then ctx is good for another design
}

// begin returns the context of the next evaluation.
func (l *timeLimit) begin(ctx context.Context) context.Context {
	if l.timeout <= 0 {
		return ctx
	}
	now := time.Now()
	if l.ctx != nil && now.Before(l.shared) && l.ctx.Err() == nil {
		return l.ctx
	}
	l.end()
	l.ctx, l.cancel = context.WithDeadline(ctx, now.Add(l.timeout))
	l.shared = now.Add(l.timeout / 1000)
	return l.ctx
}

// end stops the timer.
func (l *timeLimit) end() {
	if l.cancel != nil {
		l.cancel()
	}
}

func failure(err error, timeout time.Duration) *evaluator.Reason {
	if errors.Is(err, context.DeadlineExceeded) {
		return &evaluator.Reason{
			Code: "timeout", Have: timeout.Seconds(), Unit: "s",
			Message: fmt.Sprintf("no answer within %s; raise spec.evaluator.timeout if the design takes longer", timeout),
		}
	}
	return &evaluator.Reason{Code: "error", Message: err.Error()}
}
