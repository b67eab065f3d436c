package external

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"apollo/evaluator"
	"apollo/services/child"
)

// taskEvaluator is the program bound to a task.
type taskEvaluator struct {
	b      *Backend
	q      question
	params int
	want   []evaluator.Metric
	// choice is what a design chooses its network from, nil where it runs all;
	// chosen and own are where the design has that and what the program is asked.
	choice      *evaluator.Choice
	chosen, own []int
}

// chooses returns the question about what a design runs and the design as the program
// knows it: it is asked about one network, and not how the study came to it.
func (e *taskEvaluator) chooses(r *evaluator.Request) (question, error) {
	if e.choice == nil {
		return e.q, nil
	}
	n, err := e.choice.Network(evaluator.Pick(nil, r.Design, e.chosen))
	if err != nil {
		return question{}, err
	}
	r.Design = evaluator.Pick(nil, r.Design, e.own)
	return e.q.about(n), nil
}

// Evaluate is EvaluateWithin the limit of the options.
func (e *taskEvaluator) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	return e.EvaluateWithin(ctx, e.b.o.Timeout, r, func(evaluator.Reason) {})
}

// EvaluateWithin asks a free process about one design. A time-out, a dead
// process and an answer that is none are failed results whose reason has one of
// the Code constants and the end of standard error: one attempt, after which the
// next process is a fresh one. The error is ctx's when no process became free or
// ctx was cancelled, ErrClosed, or one that wraps evaluator.ErrChanged.
//
// A program that checks is asked that first: a design that it refuses, or whose
// cheap metrics break a limit, is infeasible without an evaluation.
func (e *taskEvaluator) EvaluateWithin(ctx context.Context, limit time.Duration, r evaluator.Request, lost func(evaluator.Reason)) (evaluator.Result, error) {
	if err := checkDesign(r, e.params); err != nil {
		return evaluator.Result{}, err
	}
	q, err := e.chooses(&r)
	if err != nil {
		return evaluator.Result{}, err
	}
	s, err := e.b.acquire(ctx)
	if err != nil {
		return evaluator.Result{}, err
	}
	defer func() { e.b.free <- s }()
	i := inquiry{e: e, q: q, r: r, limit: limit, lost: lost}
	if s.p != nil && s.p.answered > 0 {
		i.older = s.p
	}
	if i.scratch, err = e.b.scratches.open(r); err != nil {
		return evaluator.Result{}, fmt.Errorf("make a scratch folder: %w", err)
	}
	if e.b.info.Checks {
		result, decided, err := i.check(ctx, s)
		if decided || err != nil {
			i.finish(s, &result)
			return result, err
		}
	}
	result, _, err := i.ask(ctx, s, "")
	i.finish(s, &result)
	return result, err
}

// inquiry is one evaluation: its question, and what is asked before it.
type inquiry struct {
	e       *taskEvaluator
	q       question
	r       evaluator.Request
	limit   time.Duration
	lost    func(evaluator.Reason)
	scratch *scratch
	line    []byte // the last question
	// report is told what the evaluation has come to so far, nil for nobody; stopped is
	// why it was ended with that.
	report  func(step int64, value float64) *evaluator.Reason
	stopped *evaluator.Reason
	// older is the process that had answered about other designs, if any.
	older *programProcess
}

// ask asks one question of the design.
func (i *inquiry) ask(ctx context.Context, s *slot, op string) (evaluator.Result, answer, error) {
	b, id := i.e.b, i.e.b.nextID()
	a, err := b.ask(ctx, i, s, id, op)
	if errors.Is(err, errEnough) {
		return evaluator.Result{Outcome: evaluator.Stopped, Values: unmeasured(len(i.e.want)), Reason: i.stopped}, a, nil
	}
	failure, failed := errors.AsType[*Failure](err)
	if err != nil && !failed {
		return evaluator.Result{}, a, err
	}
	want := i.e.want
	if op == opCheck && !failed {
		a.partial()
	}
	var result evaluator.Result
	if !failed {
		result, failure = a.result(want)
	}
	if failure != nil {
		result = failure.result(len(want))
	}
	if !failed && result.Outcome == evaluator.Failed {
		reason := *result.Reason
		reason.Message = child.Clip(reason.Message+s.p.Said(), maxMessage)
		result.Reason = &reason
		result.Final = (b.info.Repeats || i.r.Deterministic) && !a.retry
	}
	return result, a, nil
}

// finish keeps what a failed attempt left, and removes the scratch folder of the
// others. What the program wrote to standard error stays of both.
func (i *inquiry) finish(s *slot, r *evaluator.Result) {
	if r.Outcome != evaluator.Failed {
		if s.p != nil {
			i.scratch.spoke(s.p.Written())
		}
		i.scratch.done()
		return
	}
	notes := map[string]string{"question.json": string(i.line), "reason.txt": r.Reason.Code + ": " + r.Reason.Message + "\n"}
	if s.stderr != "" {
		notes["stderr.txt"] = s.stderr
	}
	i.scratch.failed(max(i.r.Attempt, 1), notes)
}

// note acts on a line before the answer. It reports whether the evaluation ends with it.
func (i *inquiry) note(n *note) (ends bool) {
	if n.progress != nil && i.r.Progress != nil {
		i.r.Progress(*n.progress)
	}
	if n.artifact != "" {
		if err := i.scratch.store(n.artifact); err != nil {
			i.leftOut(evaluator.Reason{Code: "artifact", Message: child.Clip(err.Error(), maxExcerpt)})
		}
	}
	return n.values != nil && i.report != nil && i.intermediate(n)
}

// leftOut tells who watches, and the log, what of a line before the answer was not kept.
func (i *inquiry) leftOut(reason evaluator.Reason) {
	if i.r.Progress != nil {
		i.r.Progress(evaluator.Progress{Done: -1, Message: reason.Message})
	}
	if i.r.LeftOut != nil {
		i.r.LeftOut(reason)
	}
}

// intermediate passes on what the evaluation has come to so far. What is no step or no
// number is told to who watches: it is no reason to lose the evaluation.
func (i *inquiry) intermediate(n *note) (ends bool) {
	step, value, said, failure := n.of(i.r.Watched)
	if failure != nil {
		i.leftOut(evaluator.Reason{Code: failure.Code, Message: failure.Message})
	}
	if failure != nil || !said {
		return false
	}
	i.stopped = i.report(step, value)
	return i.stopped != nil
}

func checkDesign(r evaluator.Request, params int) error {
	if len(r.Design) != params {
		return fmt.Errorf("the design has %d values for %d parameters", len(r.Design), params)
	}
	for i, v := range r.Design {
		if math.IsNaN(v.Num) || math.IsInf(v.Num, 0) {
			return fmt.Errorf("value %d of the design is not finite", i)
		}
	}
	return nil
}

func (b *Backend) acquire(ctx context.Context) (*slot, error) {
	select {
	case <-b.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	default:
	}
	select {
	case <-b.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case s := <-b.free:
		return s, nil
	}
}

// ask asks the slot's process, and a fresh one when a process that had worked
// on another design ended instead of answering: it may have ended for an older
// reason, and a program may well end after each answer, also that of a check.
// Each gets the whole limit.
func (b *Backend) ask(ctx context.Context, i *inquiry, s *slot, id, op string) (answer, error) {
	for {
		a, p, err := b.askOne(ctx, i, s, id, op)
		s.stderr = ""
		if p != nil && err != nil {
			s.stderr = p.Written()
		}
		if err == nil {
			s.futile, s.last = 0, nil
			if a.outcome == evaluator.Failed {
				s.stderr = p.Written()
			}
			return a, nil
		}
		if errors.Is(err, errEnough) {
			// What it computes is of no use any more, and it reads nothing while it does.
			p.Discard()
			s.p, s.futile, s.last = nil, 0, nil
			return answer{}, err
		}
		if errors.Is(err, evaluator.ErrChanged) {
			if p != nil {
				p.Discard()
				s.p = nil
			}
			return answer{}, err
		}
		s.forget()
		failure, ok := errors.AsType[*Failure](err)
		if !ok {
			return answer{}, err
		}
		switch {
		case failure.Code == CodeTimeout:
			b.timeouts.Add(1)
		case failure.Code == CodeDied && p != nil && p.answered > 0 && (p == i.older || p.State().Success()):
			if !p.State().Success() {
				i.lost(*failure.reason())
			}
			continue
		case failure.Code == CodeDied && p != nil && p.probed && p.State().Success() && !b.single.Swap(true):
			continue // it ends after every answer, as it may
		case failure.Code == CodeDied:
			b.deaths.Add(1)
			s.futile++
			s.last = failure
		}
		return answer{}, failure
	}
}

// askOne asks one process, which it may have to start. Starting it and a pause
// before that take no time of the limit.
func (b *Backend) askOne(ctx context.Context, i *inquiry, s *slot, id, op string) (answer, *programProcess, error) {
	s.forget()
	if s.p == nil {
		if err := s.pause(ctx); err != nil {
			return answer{}, nil, err
		}
		if err := b.load(ctx, s); err != nil {
			return answer{}, s.p, err
		}
	}
	if i.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, i.limit)
		defer cancel()
	}
	used := s.p.answered > 0
	s.p.onNote, s.p.limit, i.report = i.note, i.limit, nil
	if i.r.Reports != nil && op == "" {
		i.report = i.r.Reports()
	}
	i.line = i.q.line(asking{id: id, op: op, limit: i.limit, scratch: i.scratch.dir, knows: s.p.knows}, i.r)
	a, err := s.p.ask(ctx, id, i.line)
	if err == nil && !used {
		err = b.unchanged(ctx) // it may have been edited just before it was read
	}
	return a, s.p, err
}

// load starts a process for the slot. One of a program that describes itself is
// asked to, so that the time that it needs to load is not that of a design.
func (b *Backend) load(ctx context.Context, s *slot) error {
	p, err := b.start(ctx, s)
	if errors.Is(err, evaluator.ErrChanged) || ctx.Err() != nil {
		if p != nil {
			p.Discard()
		}
		return errors.Join(err, ctx.Err())
	}
	if err != nil {
		s.futile++
		s.last = &Failure{CodeStart, err.Error()}
		return s.last
	}
	s.p = p
	if !b.info.Described || b.single.Load() {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, b.o.Startup)
	defer cancel()
	id := b.nextID()
	_, err = p.ask(within, id, describeLine(id))
	p.answered, p.probed = 0, true
	if f, ok := errors.AsType[*Failure](err); ok && f.Code == CodeTimeout {
		s.futile++
		s.last = &Failure{CodeStart, fmt.Sprintf("the program did not answer describe within %s; raise evaluator.startup of the study, or --startup, if it needs longer to load%s",
			b.o.Startup, p.Note())}
		return s.last
	}
	return err
}

// forget drops a process that has ended.
func (s *slot) forget() {
	if s.p != nil && s.p.Exited() {
		s.p.CloseOutput()
		s.p = nil
	}
}

// pause waits longer after each process that ended without an answer.
func (s *slot) pause(ctx context.Context) error {
	const (
		shortest = 20 * time.Millisecond
		longest  = 2 * time.Second
	)
	if s.futile == 0 {
		return nil
	}
	timer := time.NewTimer(min(shortest<<min(s.futile-1, 10), longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return s.last
	}
	return ctx.Err()
}

// opCheck asks for what is known without an evaluation.
const opCheck = "check"

// check asks for the cheap metrics and the legality of the design. decided is
// false when the design is to be evaluated.
func (i *inquiry) check(ctx context.Context, s *slot) (r evaluator.Result, decided bool, err error) {
	r, a, err := i.ask(ctx, s, opCheck)
	if err != nil || r.Outcome == evaluator.Failed || a.fields["outcome"] != nil && r.Outcome == evaluator.Infeasible {
		return r, true, err
	}
	for _, l := range i.r.Limits {
		at := slices.IndexFunc(i.e.want, func(m evaluator.Metric) bool { return m.Name == l.Metric })
		if at < 0 || at >= len(r.Values) || math.IsNaN(r.Values[at]) {
			continue
		}
		if bound := broken(l, r.Values[at]); bound != nil {
			r.Outcome = evaluator.Infeasible
			r.Reason = &evaluator.Reason{
				Code: "limit", Need: r.Values[at], Have: *bound, Unit: i.e.want[at].Unit,
				Message: fmt.Sprintf("the program's check says %s = %v, over the study's limit of %v: it was not evaluated", l.Metric, r.Values[at], *bound),
			}
			return r, true, nil
		}
	}
	return r, false, nil
}

// partial makes an answer without an outcome one that may lack metrics: those of
// a check are the ones that cost nothing.
func (a *answer) partial() {
	if a.fields["outcome"] == nil && a.fields["error"] == nil && (a.metrics != nil || a.fields["metrics"] == nil) {
		a.outcome, a.bad = evaluator.Infeasible, nil
	}
}

// broken returns the bound that a value breaks, or nil.
func broken(l evaluator.Limit, v float64) *float64 {
	switch {
	case l.Max != nil && v > *l.Max:
		return l.Max
	case l.Min != nil && v < *l.Min:
		return l.Min
	}
	return nil
}
