// Package messages is what every service says on the bus in the same way.
package messages

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

const (
	// FullHint is what to do about a full stream.
	FullHint = "remove ended studies with apollo study rm; or free disk space and start the proposer again, which gives streams that were made small more room"
	// TraceParent is the header of the W3C trace context: the one that travels
	// from a request to every event that follows from it.
	TraceParent = "traceparent"
)

// ErrNoEvent says that an answer cannot be written as an event, now or later.
var ErrNoEvent = errors.New("the answer is no event")

// RunKey names a run among all.
type RunKey struct{ Study, Run string }

// Append fills in the data of m (its subject, id and header are set), says
// that source tells it, and appends it.
func Append(ctx context.Context, log events.Log, m events.Message, source string, e events.Payload, fence events.Fence) error {
	data, err := events.Encode(m.ID, source, events.StudyOf(m.Subject), time.Now(), e)
	if err != nil {
		return err
	}
	m.Data = data
	_, err = log.Append(ctx, m, fence)
	return err
}

// RecordResult records the answer of a batch, without what does not fit into a
// message of the bus. An answer that is there already is as good.
func RecordResult(ctx context.Context, bus events.Bus, log *slog.Logger, source string, header map[string]string, r *events.BatchEvaluated) error {
	subject := events.ResultSubject(r.Evaluator, r.Study, r.Run, r.Batch)
	room := events.MessageRoom(bus.MaxPayload())
	data, without, err := events.EncodeResult(subject, source, time.Now(), *r, room)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	if without != (events.Fitted{}) {
		log.Warn("an answer is too large for a message: some of it was left out", "study", r.Study, "batch", r.Batch, "room", room,
			"trials_without_extra", without.Extras, "trials_with_short_reasons", without.Reasons, "trials_failed", without.Failed,
			"hint", "ask for smaller batches, or raise max_payload of the NATS server")
	}
	_, err = bus.Facts().Record(ctx, events.Message{Subject: subject, ID: subject, Header: header, Data: data})
	if errors.Is(err, events.ErrExists) {
		return nil
	}
	return err
}

// TraceOf returns the trace context of a queue message as a header, or nil.
func TraceOf(msg *message.Message) map[string]string {
	if t := msg.Metadata.Get(TraceParent); t != "" && len(t) <= events.MaxTraceBytes {
		return map[string]string{TraceParent: t}
	}
	return nil
}

// Quiet drops the error of an owner that was told to end.
func Quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
