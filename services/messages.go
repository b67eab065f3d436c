package services

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
)

const (
	// retryFirst and retryMax bound the wait before the bus is tried again.
	retryFirst = 100 * time.Millisecond
	retryMax   = 10 * time.Second
	// fullHint is what to do about a full stream.
	fullHint = "free disk space or remove ended studies with apollo study rm"
	// traceParent is the header of the W3C trace context: the one that travels
	// from a request to every event that follows from it.
	traceParent = "traceparent"
)

// runKey names a run among all.
type runKey struct{ study, run string }

// appendEvent fills in the data of m (its subject, id and header are set), says
// that source tells it, and appends it.
func appendEvent(ctx context.Context, log events.Log, m events.Message, source string, e events.Payload, fence events.Fence) error {
	data, err := events.Encode(m.ID, source, events.StudyOf(m.Subject), time.Now(), e)
	if err != nil {
		return err
	}
	m.Data = data
	_, err = log.Append(ctx, m, fence)
	return err
}

// recordResult records the answer of a batch, without what does not fit into a
// message of the bus. An answer that is there already is as good.
func recordResult(ctx context.Context, bus events.Bus, log *slog.Logger, source string, header map[string]string, r *events.BatchEvaluated) error {
	subject := events.ResultSubject(r.Evaluator, r.Study, r.Run, r.Batch)
	room := events.MessageRoom(bus.MaxPayload())
	fitted, without := events.FitResult(*r, room)
	if without != (events.Fitted{}) {
		log.Warn("an answer is too large for a message: some of it was left out", "study", r.Study, "batch", r.Batch, "room", room,
			"trials_without_extra", without.Extras, "trials_with_short_reasons", without.Reasons, "trials_failed", without.Failed,
			"hint", "ask for smaller batches, or raise max_payload of the NATS server")
	}
	data, err := events.Encode(subject, source, r.Study, time.Now(), fitted)
	if err != nil {
		return err
	}
	_, err = bus.Facts().Record(ctx, events.Message{Subject: subject, ID: subject, Header: header, Data: data})
	if errors.Is(err, events.ErrExists) {
		return nil
	}
	return err
}

// traceOf returns the trace context of a queue message as a header, or nil.
func traceOf(msg *message.Message) map[string]string {
	if t := msg.Metadata.Get(traceParent); t != "" && len(t) <= events.MaxTraceBytes {
		return map[string]string{traceParent: t}
	}
	return nil
}

// quiet drops the error of an owner that was told to end.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
