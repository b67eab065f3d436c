package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// advisory is what the server reports about a message it gave up on
// (nats-server, server/jetstream_events.go: JSConsumerDeliveryExceededAdvisory
// and JSConsumerDeliveryTerminatedAdvisory).
type advisory struct {
	Type       string    `json:"type"`
	Time       time.Time `json:"timestamp"`
	Stream     string    `json:"stream"`
	Consumer   string    `json:"consumer"`
	StreamSeq  uint64    `json:"stream_seq"`
	Deliveries uint64    `json:"deliveries"`
	Reason     string    `json:"reason"`
}

// terminated reports whether a worker gave the message up; otherwise the
// server did, after MaxDeliver.
func (a advisory) terminated() bool { return strings.HasSuffix(a.Type, ".terminated") }

// gone reports whether the server gave the message up because its stream has
// it no more: it was purged, or answered just before the server died, which
// loses the consumer's last acknowledgements. Nothing is lost in either case.
// The texts are those of nats-server 2.15, server/consumer.go.
func (a advisory) gone() bool {
	return a.Reason == "Unacknowledged message was deleted" || a.Reason == "Message deleted by stream limits"
}

// reason says why, for people.
func (a advisory) reason() string {
	switch {
	case !a.terminated():
		return tooOften + " (consumer " + a.Consumer + ")"
	case a.Reason == "":
		return "given up by a worker of consumer " + a.Consumer
	}
	return a.Reason + " (given up by a worker of consumer " + a.Consumer + ")"
}

// tooOften is the reason of a message that used up its deliveries.
const tooOften = "handed out too many times without an answer"

// forwarder is the durable that reads the advisories.
const forwarder = "advisories"

// advisories returns the subjects of the server's reports about work.
func (b *Bus) advisories() []string {
	stream, err := b.streamFor(workQueue + ".>")
	if err != nil {
		return nil
	}
	const base = "$JS.EVENT.ADVISORY.CONSUMER."
	return []string{base + "MAX_DELIVERIES." + stream + ".*", base + "MSG_TERMINATED." + stream + ".*"}
}

// deadLetter stores the letter of an undeliverable message.
func (b *Bus) deadLetter(ctx context.Context, m events.Message, deliveries uint64, reason string) error {
	letter, err := events.Undeliverable(m, deliveries, reason, m.Time, b.MaxPayload())
	if err != nil {
		return err
	}
	_, err = port{b}.Append(ctx, letter, events.Fence{})
	return err
}

// forward starts to turn advisories into dead letters, once per bus. Any
// number of buses may do so: they share one durable.
func (b *Bus) forward(ctx context.Context) error {
	filters := b.advisories()
	stream, err := b.streamFor("dlq.*.*")
	if err != nil || filters == nil {
		return nil // a topology without dead letters
	}
	conf := jetstream.ConsumerConfig{
		Durable: forwarder, FilterSubjects: filters,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: b.conf.AckWait,
	}
	err = b.ask(ctx, "$JS.API.CONSUMER.CREATE."+stream+".", func(ctx context.Context, _ bool) error {
		_, err := b.js.CreateOrUpdateConsumer(ctx, stream, conf)
		return placed(err)
	})
	if err != nil {
		return fmt.Errorf("consumer %s: %w", forwarder, err)
	}
	b.mu.Lock()
	started := b.forwarding
	b.forwarding = true
	b.mu.Unlock()
	if started {
		return nil
	}
	q := &queue{bus: b, slots: 1}
	messages, err := q.subscribe(b.ctx, route{stream: stream, durable: forwarder}) //nolint:contextcheck // it lives as long as the bus, not as this call
	if err != nil {
		return err
	}
	b.started(func() { //nolint:contextcheck // each message brings its own
		for m := range messages {
			err := b.report(m.Context(), m.Payload)
			if errors.Is(err, events.ErrTooLarge) {
				b.log.Error("a dead letter cannot be stored: it is lost", "error", err)
				err = nil // nor will it ever be
			}
			if err != nil {
				b.log.Warn("turn an advisory into a dead letter", "error", err)
				m.Nack()
				continue
			}
			m.Ack()
		}
	})
	return nil
}

// report turns one advisory into a dead letter and takes the message that it
// is about out of the queue. The server drops a terminated message from a work
// queue, so its letter has no body; another message that is gone was handled
// after all.
func (b *Bus) report(ctx context.Context, data []byte) error {
	var a advisory
	if err := json.Unmarshal(data, &a); err != nil {
		b.log.Warn("skip an advisory that does not decode", "error", err)
		return nil
	}
	original, err := b.get(ctx, a.Stream, map[string]any{"seq": a.StreamSeq})
	if codeOf(err) == server.JSNoMessageFoundErr {
		if !a.terminated() || a.gone() {
			return nil
		}
		about := workQueue + "." + strings.TrimPrefix(a.Consumer, evaluatorPrefix)
		return b.deadLetter(ctx, events.Message{Subject: about, Seq: a.StreamSeq, Time: a.Time}, a.Deliveries, a.reason())
	}
	if err != nil {
		return err
	}
	if err := b.deadLetter(ctx, original.Message, a.Deliveries, a.reason()); err != nil {
		return err
	}
	return b.drop(ctx, a.Stream, original.Seq)
}
