package natsbus

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Kill ends a bus as kill -9 ends its process: the connection breaks off, and
// nothing that is in hand is answered.
func Kill(b *Bus) {
	b.nc.Close()
	b.stop()
}

// RouteTopics makes every topic of Watermill's suite a queue of its own: all
// subjects below "topic" are in one stream, and each has its own durable.
// Messages that were refused come back after a millisecond.
func RouteTopics(b *Bus) {
	b.nackDelay = func(uint64) time.Duration { return time.Millisecond }
	b.route = func(topic string) (route, error) {
		stream, err := b.streamFor(topic)
		return route{stream: stream, durable: strings.ReplaceAll(topic, ".", "_"), filter: b.subject(topic)}, err
	}
}

// ProvisionTopic creates the durable of a topic of RouteTopics.
func ProvisionTopic(ctx context.Context, b *Bus, topic string) error {
	r, err := b.route(topic)
	if err != nil {
		return err
	}
	return b.consumer(ctx, r, -1)
}

// ProvisionStreams creates the streams only, as where none was seen.
func ProvisionStreams(ctx context.Context, b *Bus) error {
	return b.streams(ctx, nil, 1, 0)
}

// StreamInfo returns what the server says about the stream of a subject.
func StreamInfo(ctx context.Context, b *Bus, subject string) (*jetstream.StreamInfo, error) {
	return port{b}.info(ctx, subject)
}
