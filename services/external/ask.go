package external

import (
	"context"
	"errors"
	"fmt"
	"math"
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
func (e *taskEvaluator) EvaluateWithin(ctx context.Context, limit time.Duration, r evaluator.Request, lost func(evaluator.Reason)) (evaluator.Result, error) {
	if err := checkDesign(r, e.params); err != nil {
		return evaluator.Result{}, err
	}
	s, err := e.b.acquire(ctx)
	if err != nil {
		return evaluator.Result{}, err
	}
	defer func() { e.b.free <- s }()
	id := e.b.nextID()
	a, err := e.b.ask(ctx, limit, s, id, e.q.line(id, r), lost)
	failure, failed := errors.AsType[*Failure](err)
	if err != nil && !failed {
		return evaluator.Result{}, err
	}
	var result evaluator.Result
	if !failed {
		result, failure = a.result(e.want)
	}
	if failure != nil {
		result = failure.result(len(e.want))
	}
	if !failed && result.Outcome == evaluator.Failed {
		reason := *result.Reason
		reason.Message = child.Clip(reason.Message+s.p.Said(), maxMessage)
		result.Reason = &reason
	}
	return result, nil
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
// before ended instead of answering: it may have ended for an older reason,
// and a program may well end after each answer. Each gets the whole limit.
func (b *Backend) ask(ctx context.Context, limit time.Duration, s *slot, id string, line []byte, lost func(evaluator.Reason)) (answer, error) {
	for {
		a, p, err := b.askOne(ctx, limit, s, id, line)
		if err == nil {
			s.futile, s.last = 0, nil
			return a, nil
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
		case failure.Code == CodeDied && p.answered > 0:
			if !p.State().Success() {
				lost(*failure.reason())
			}
			continue
		case failure.Code == CodeDied:
			b.deaths.Add(1)
			s.futile++
			s.last = failure
		}
		return answer{}, failure
	}
}

// askOne asks one process, which it may have to start: that takes time of the
// limit, a pause before it does not.
func (b *Backend) askOne(ctx context.Context, limit time.Duration, s *slot, id string, line []byte) (answer, *programProcess, error) {
	s.forget()
	if s.p == nil {
		if err := s.pause(ctx); err != nil {
			return answer{}, nil, err
		}
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	if s.p == nil {
		p, err := b.start(ctx)
		if errors.Is(err, evaluator.ErrChanged) || ctx.Err() != nil {
			return answer{}, nil, err
		}
		if err != nil {
			s.futile++
			s.last = &Failure{CodeStart, err.Error()}
			return answer{}, nil, s.last
		}
		s.p = p
	}
	used := s.p.answered > 0
	a, err := s.p.ask(ctx, id, line)
	if err == nil && !used {
		err = b.unchanged(ctx) // it may have been edited just before it was read
	}
	return a, s.p, err
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
