package natsbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// QueueInfo returns who works on a topic of Queue.
func (b *Bus) QueueInfo(ctx context.Context, topic string) (events.QueueInfo, error) {
	r, err := b.route(topic)
	if err != nil {
		return events.QueueInfo{}, fmt.Errorf("queue %s: %w", topic, err)
	}
	var found events.QueueInfo
	err = b.ask(ctx, "", func(ctx context.Context, _ bool) error {
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
