package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// Queued reports whether a queue holds a message on that subject.
func (b *Bus) Queued(ctx context.Context, subject string) (bool, error) {
	held, _, err := b.queued(ctx, subject)
	return held, err
}

// queued is Queued that returns the sequence of the last message of the subject too, which
// may be a stray.
func (b *Bus) queued(ctx context.Context, subject string) (held bool, seq uint64, err error) {
	last, err := b.last(ctx, subject)
	if err != nil {
		return false, 0, fmt.Errorf("look for %s: %w", subject, err)
	}
	if !last.stray {
		return last.Seq > 0, last.Seq, nil
	}
	stream, err := b.streamFor(subject)
	if err != nil {
		return false, 0, fmt.Errorf("look for %s: %w", subject, err)
	}
	for m, err := range b.each(ctx, stream, 1, subject) {
		switch {
		case err != nil:
			return false, 0, fmt.Errorf("look for %s: %w", subject, err)
		case m.Seq >= last.Seq:
			return false, last.Seq, nil
		case !m.stray:
			return true, last.Seq, nil
		}
	}
	return false, last.Seq, nil
}

// Oldest returns when the oldest message was stored that matches the filter, which
// is of one stream; ok is false when there is none.
func (b *Bus) Oldest(ctx context.Context, filter string) (stored time.Time, ok bool, err error) {
	stream, err := b.streamFor(filter)
	if err != nil {
		return stored, false, fmt.Errorf("oldest: %w", err)
	}
	for m, err := range b.each(ctx, stream, 1, filter) {
		if err != nil {
			return stored, false, fmt.Errorf("oldest %s: %w", filter, err)
		}
		if !m.stray {
			return m.Time, true, nil
		}
	}
	return stored, false, nil
}

// QueueInfo returns who works on a topic of Queue.
func (b *Bus) QueueInfo(ctx context.Context, topic string) (events.QueueInfo, error) {
	r, err := b.route(topic)
	if err != nil {
		return events.QueueInfo{}, fmt.Errorf("queue %s: %w", topic, err)
	}
	var found events.QueueInfo
	err = b.ask(ctx, anyOf(r.stream), func(ctx context.Context, _ bool) error {
		consumer, err := b.js.Consumer(ctx, r.stream, r.durable)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		info := consumer.CachedInfo()
		found = events.QueueInfo{Known: true, Asking: info.NumWaiting, Held: info.NumAckPending, Ready: int(info.NumPending)}
		return nil
	})
	if err != nil {
		return events.QueueInfo{}, fmt.Errorf("queue %s: %w", topic, err)
	}
	return found, nil
}
