package services

import (
	"context"
	"fmt"
	"iter"

	"apollo/events"
)

// pass hands messages on, in order, until ctx ends. The error says why there
// will be no more of what.
func pass(ctx context.Context, what string, from iter.Seq2[events.Message, error], to chan<- events.Message) error {
	for m, err := range from {
		if err != nil {
			return fmt.Errorf("follow the %s: %w", what, err)
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("follow the %s: it ended", what)
}

// letterFilters match the dead letters of work that can never be answered.
func (o *owner) letterFilters() []string {
	return []string{events.DeadLetterSubject("evaluator", o.key.study), events.DeadLetterSubject(events.QueueService, o.key.study)}
}

// letter notes a work item that was given up.
func (o *owner) letter(m events.Message) {
	_, payload, err := events.Decode(m.Data)
	letter, ok := payload.(events.DeadLetter)
	if err != nil || !ok {
		o.log.Warn("unreadable dead letter", "sequence", m.Seq, "error", err)
		return
	}
	batch, ok := events.BatchOfSubject(letter.Subject)
	if ok && letter.Subject == events.WorkSubject(o.spec.Evaluator.Name, o.key.study, o.key.run, batch) {
		o.machine.Lost(batch, letter.Sequence)
	}
}

// take folds a result and those that already wait behind it.
func (o *owner) take(ctx context.Context, m events.Message, more <-chan events.Message) error {
	for {
		err := o.retry(ctx, "fold result", func(ctx context.Context) error { return o.fold(ctx, m) })
		if err != nil {
			return err
		}
		select {
		case m = <-more:
		default:
			return nil
		}
	}
}

// fold adds one result to the machine. What is wrong with it goes to the
// dead-letter stream; it never ends the study.
func (o *owner) fold(ctx context.Context, m events.Message) error {
	_, payload, err := events.Decode(m.Data)
	result, ok := payload.(events.BatchEvaluated)
	if err == nil && !ok {
		err = fmt.Errorf("a %s is no result", payload.EventType())
	}
	batch, known := events.BatchOfSubject(m.Subject)
	if !known {
		return o.badResult(ctx, m, fmt.Errorf("subject %s names no batch", m.Subject))
	}
	if err != nil {
		// The fact stands: nobody else can answer this batch any more. An
		// answer without trials fails them all.
		result = events.BatchEvaluated{}
		if err := o.badResult(ctx, m, err); err != nil {
			return err
		}
	}
	result.Batch = batch
	if !o.machine.Has(batch) {
		if err := o.refresh(ctx); err != nil {
			return err
		}
	}
	if !o.machine.Has(batch) {
		if err := o.badResult(ctx, m, fmt.Errorf("batch %d was never proposed", batch)); err != nil {
			return err
		}
		// Its place must be free when the batch is proposed: the evaluator's
		// answer would count as a second one.
		return o.proposer.Bus.Purge(ctx, m.Subject)
	}
	if problems := o.machine.Result(m.Seq, &result); len(problems) > 0 {
		return o.badResult(ctx, m, fmt.Errorf("%d problems: %s", len(problems), problems[0]))
	}
	return nil
}

func (o *owner) badResult(ctx context.Context, m events.Message, reason error) error {
	o.log.Warn("bad result", "subject", m.Subject, "sequence", m.Seq, "error", reason)
	return appendDeadLetter(ctx, o.proposer.Bus.Log(), o.key.study, events.DeadLetter{
		Service: "proposer", Reason: reason.Error(),
		Subject: m.Subject, Sequence: m.Seq, Body: m.Data,
	}, "dlq.proposer."+m.Subject)
}
