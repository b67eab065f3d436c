package proposer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"apollo/events"
	"apollo/services/messages"
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

// foldResults folds a result and those that already wait behind it.
func (o *owner) foldResults(ctx context.Context, m events.Message, more <-chan events.Message) error {
	for {
		o.lastMove = time.Now()
		o.answered.increment(o.lastMove)
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

// readResult reads a stored answer; known is false where its subject names no
// batch. Where it cannot be read the fact stands: nobody else can answer this
// batch any more. An answer without trials fails them all.
func readResult(m events.Message) (result events.BatchEvaluated, known bool, err error) {
	_, payload, err := events.Decode(m.Data)
	result, ok := payload.(events.BatchEvaluated)
	if err == nil && !ok {
		err = fmt.Errorf("a %s is no result", payload.EventType())
	}
	if err != nil {
		result = events.BatchEvaluated{}
	}
	result.Batch, known = events.BatchOfSubject(m.Subject)
	return result, known, err
}

// fold adds one result to the machine. What is wrong with it goes to the
// dead-letter stream; it never ends the study.
func (o *owner) fold(ctx context.Context, m events.Message) error {
	if m.Seq > o.resultSeq {
		o.resultSeq = m.Seq
		o.bytes += int64(len(m.Data))
	}
	result, known, err := readResult(m)
	if !known {
		return o.badResult(ctx, m, fmt.Errorf("subject %s names no batch", m.Subject))
	}
	if err != nil {
		if err := o.badResult(ctx, m, err); err != nil {
			return err
		}
	}
	batch := result.Batch
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
	if err := o.bind(ctx, &result); err != nil {
		return err
	}
	if _, why := o.machine.Refusal(m.Seq, &result); why != "" {
		return o.refuse(ctx, m, &result, why)
	}
	if problems := o.machine.Result(m.Seq, &result); len(problems) > 0 {
		return o.badResult(ctx, m, fmt.Errorf("%d problems: %s", len(problems), problems[0]))
	}
	return nil
}

// bind pins the run to who gave its first answer, before that counts. When
// another owner was first, its pin is folded instead.
func (o *owner) bind(ctx context.Context, result *events.BatchEvaluated) error {
	for {
		e := o.machine.Binding(result)
		if e == nil {
			return nil
		}
		if err := o.append(ctx, kindOf(e), e); err != nil {
			return err
		}
	}
}

// refuse takes an answer of another identity off the results, and has the work
// published anew (see publish). The event comes first: it gives the new work
// item its name, and whoever goes on after a crash finds it.
func (o *owner) refuse(ctx context.Context, m events.Message, result *events.BatchEvaluated, why string) error {
	for {
		if state, _ := o.machine.State(); state.Terminal() {
			return nil // nobody waits for an answer any more
		}
		refused, _ := o.machine.Refusal(m.Seq, result)
		if refused == nil {
			break
		}
		if err := o.append(ctx, kindOf(refused), refused); err != nil {
			return err
		}
		o.postpone(result.Batch)
	}
	if err := o.badResult(ctx, m, errors.New(why)); err != nil {
		return err
	}
	// Not beyond it: the next answer may be there already.
	return o.proposer.Bus.PurgeThrough(ctx, m.Subject, m.Seq)
}

// postpone lets the work of a batch whose answers are refused again and again
// wait longer each time: whoever gives them takes no notice of what is asked.
// Not for long where a worker is there that it is for.
func (o *owner) postpone(batch int) {
	longest := resendMax
	if o.slots > 0 {
		longest = resendServed
	}
	if n := o.machine.Refused(batch); n > 1 {
		o.later[batch] = time.Now().Add(min(messages.RetryFirst<<min(n, 16), longest))
	}
}

// hasten ends the wait of all work that was held back.
func (o *owner) hasten() {
	clear(o.later)
	o.wake = time.Time{}
}

// due reports whether the work of a batch may be published now; otherwise the
// owner wakes up when it may.
func (o *owner) due(batch int) bool {
	at, postponed := o.later[batch]
	if !postponed {
		return true
	}
	if left := time.Until(at); left > 0 {
		if o.wake.IsZero() || at.Before(o.wake) {
			o.wake = at
			o.resend.Reset(left)
		}
		return false
	}
	delete(o.later, batch)
	return true
}

func (o *owner) badResult(ctx context.Context, m events.Message, reason error) error {
	o.log.Warn("bad result", "subject", m.Subject, "sequence", m.Seq, "error", reason)
	return messages.SetAside(ctx, o.proposer.Bus, o.log, o.key.Study, events.DeadLetter{
		Service: "proposer", Reason: reason.Error(),
		Subject: m.Subject, Sequence: m.Seq, Body: m.Data,
	}, fmt.Sprintf("dlq.proposer.%s.%d", m.Subject, m.Seq))
}
