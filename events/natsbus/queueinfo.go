package natsbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// Queued reports whether a queue holds a message on that subject.
func (b *Bus) Queued(ctx context.Context, subject string) (bool, error) {
	m, err := b.last(ctx, subject)
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", subject, err)
	}
	return m.Seq > 0 && !m.stray, nil
}

// Oldest returns when the oldest message was stored that matches the filter, which
// is of one stream; ok is false when there is none.
func (b *Bus) Oldest(ctx context.Context, filter string) (stored time.Time, ok bool, err error) {
	stream, err := b.streamFor(filter)
	if err != nil {
		return stored, false, fmt.Errorf("oldest: %w", err)
	}
	var m found
	err = b.ask(ctx, b.getSubject(stream), func(ctx context.Context, _ bool) (err error) {
		m, err = b.get(ctx, stream, map[string]any{"seq": 1, "next_by_subj": b.subject(filter)})
		if codeOf(err) == server.JSNoMessageFoundErr {
			m, err = found{}, nil
		}
		return err
	})
	if err != nil {
		return stored, false, fmt.Errorf("oldest %s: %w", filter, err)
	}
	return m.Time, m.Seq > 0, nil
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
		found = events.QueueInfo{Asking: info.NumWaiting, Held: info.NumAckPending, Ready: int(info.NumPending)}
		return nil
	})
	if err != nil {
		return events.QueueInfo{}, fmt.Errorf("queue %s: %w", topic, err)
	}
	return found, nil
}
