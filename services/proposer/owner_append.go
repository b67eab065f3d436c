package proposer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/trace"

	"apollo/events"
	"apollo/services/messages"
	"apollo/services/tracing"
)

// append stores an event behind the fence and folds it. When another owner was
// first it folds that one's events instead; the caller decides again.
func (o *owner) append(ctx context.Context, kind string, e events.Payload) error {
	if err := o.proposer.at(kind + ".before"); err != nil {
		return err
	}
	o.appended++
	id := fmt.Sprintf("%s.%s.%s.%d", o.key.Run, kind, o.session, o.appended)
	fence := events.Fence{Filter: events.RunFilter(o.key.Study, o.key.Run), Last: o.logSeq}
	seq, err := o.appendOnce(ctx, kind, id, e, fence)
	if errors.Is(err, events.ErrFenced) {
		o.log.Debug("another owner was first", "event", kind)
		before := o.logSeq
		if err := o.refresh(ctx); err != nil || o.logSeq > before {
			return err
		}
		return o.checkLast(ctx) // nobody was: what is fenced is not there
	}
	if err != nil {
		return fmt.Errorf("append %s: %w", kind, err)
	}
	if err := o.proposer.at(kind + ".after"); err != nil {
		return err
	}
	o.logSeq = seq
	if kind == "extended" {
		o.wallSince = time.Now()
	}
	o.proposer.saw(seq)
	o.lastMove = time.Now()
	if kind != "proposed" {
		o.log.Info("study event", "event", kind, "sequence", seq)
	}
	return o.machine.Fold(e)
}

// appendOnce repeats an append with the same id while nothing is known about
// what became of it.
func (o *owner) appendOnce(ctx context.Context, kind, id string, e events.Payload, fence events.Fence) (seq uint64, err error) {
	subject := events.StudySubject(o.key.Study, o.key.Run, kind)
	data, err := events.Encode(id, "proposer", o.key.Study, time.Now(), e)
	if err != nil {
		return 0, err
	}
	o.bytes += int64(len(data))
	err = o.retry(ctx, "append "+kind, func(ctx context.Context) error {
		defer o.asks("append " + kind)()
		seq, err = o.proposer.Bus.Log().Append(ctx, events.Message{Subject: subject, ID: id, Header: o.header, Data: data}, fence)
		return err
	})
	return seq, err
}

// publish sends the work items that were not sent by this owner, as many as its
// portion allows. The queue drops the ones that it still holds from an earlier
// owner.
func (o *owner) publish(ctx context.Context) error {
	o.forgetSent()
	left := o.portion()
	for id, batch := range o.machine.Outstanding {
		if left--; o.sent[id] || !o.due(batch) {
			continue
		}
		if left < 0 {
			o.curbed = true
			return nil // when some of those before are answered
		}
		if err := o.proposer.at("work.before"); err != nil {
			return err
		}
		if err := o.send(ctx, o.messageID(id)+o.again, o.machine.Work(batch)); err != nil {
			return err
		}
		if err := o.proposer.at("work.after"); err != nil {
			return err
		}
		o.sent[id] = true
		o.proposer.turns.take(o.spec.Evaluator.Name, o.key, time.Now())
	}
	return nil
}

// sentKept is how many items are remembered that were sent: several times as many
// as wait for an answer at most.
const sentKept = 4 * events.MaxParallelism

// forgetSent drops those that are answered, so that a long run stays small.
func (o *owner) forgetSent() {
	if len(o.sent) < sentKept {
		return
	}
	waiting := map[string]bool{}
	for id := range o.machine.Outstanding {
		if o.sent[id] {
			waiting[id] = true
		}
	}
	o.sent = waiting
}

func (o *owner) send(ctx context.Context, id string, work *events.BatchRequested) error {
	switch {
	case len(work.Designs) > 0 && o.spec.Evaluator.Manual:
		return nil // who asks reads the log
	case len(work.Designs) > 0:
		return o.enqueue(ctx, id, work)
	}
	err := o.answerKnown(ctx, work)
	if errors.Is(err, events.ErrFull) {
		if err := o.checkRoom(ctx); err != nil {
			return err
		}
	}
	return err
}

func (o *owner) enqueue(ctx context.Context, id string, work *events.BatchRequested) error {
	data, err := events.Encode(id, "proposer", o.key.Study, time.Now(), *work)
	if err != nil {
		return err
	}
	if !o.provisioned {
		if err := o.proposer.Bus.ProvisionEvaluator(ctx, work.Evaluator); err != nil {
			return fmt.Errorf("provision evaluator %s: %w", work.Evaluator, err)
		}
		o.provisioned = true
	}
	msg := message.NewMessageWithContext(ctx, id, data)
	from, traced := o.traced[work.Batch]
	if !traced {
		from = o.header
	}
	span := tracing.Begin(ctx, o.proposer.Tracer, from, "work", trace.SpanKindProducer, tracing.Batch(o.key.Study, o.key.Run, work.Batch, work.Trials[0], len(work.Trials))...)
	for key, value := range span.Header() {
		msg.Metadata.Set(key, value)
	}
	subject := events.WorkSubject(work.Evaluator, o.key.Study, o.key.Run, work.Batch)
	defer o.asks("publish work")()
	known, err := o.wasGivenUp(ctx, events.Message{Subject: subject, ID: id, Header: events.QueueHeader(msg), Data: data}, work.Batch)
	if err == nil && !known {
		err = o.proposer.Bus.Queue(1).Publish(subject, msg)
	}
	span.End(err)
	if err != nil {
		return fmt.Errorf("publish work: %w", err)
	}
	delete(o.traced, work.Batch)
	return nil
}

// answerKnown records the empty answer of a batch that needs no evaluation, so
// that every batch has exactly one.
func (o *owner) answerKnown(ctx context.Context, work *events.BatchRequested) error {
	answer := &events.BatchEvaluated{Study: o.key.Study, Run: o.key.Run, Batch: work.Batch, Evaluator: work.Evaluator, Trials: []events.TrialResult{}}
	for _, m := range work.Metrics {
		answer.Metrics = append(answer.Metrics, m.Name)
	}
	return messages.RecordResult(ctx, o.proposer.Bus, o.log, "proposer", o.header, answer)
}

// kindOf returns the last token of an event's subject: the word of its type
// between the noun and the version.
func kindOf(e events.Payload) string { return events.Kind(e.EventType()) }
