package natsbus_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"apollo/events"
	"apollo/events/natsbus"
)

// TestWatermill runs Watermill's own conformance suite on the Queue, with one
// slot, so that one subscriber sees the order of publication.
//
// It skips three of the suite's tests, because a work queue is something else
// on purpose: TestConsumerGroups and TestNewSubscriberReceivesOldMessages (a
// message goes to one worker and is gone when that one acknowledges it), and
// TestReconnect (it runs a shell command that restarts the broker; the server
// here is in the process: TestRestart does the same and more).
//
// The suite publishes the same UUIDs to many topics. IDs are unique within a
// stream here, and these topics share one, so the topic is made a part of the
// ID on its way.
func TestWatermill(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{})
	topology := []events.Stream{{Name: "TOPICS", Subjects: []string{"topic.>"}, WorkQueue: true, MaxBytes: 256 << 20, MaxMsgSize: 1 << 20, Duplicates: time.Minute}}
	open := func(t *testing.T) *natsbus.Bus {
		t.Helper()
		b := connect(t, natsbus.Config{URL: s.URL(), Topology: topology, AckWait: 2 * time.Second})
		natsbus.RouteTopics(b)
		return b
	}
	if err := natsbus.ProvisionStreams(t.Context(), open(t)); err != nil {
		t.Fatal(err)
	}
	create := func(t *testing.T) (message.Publisher, message.Subscriber) {
		t.Helper()
		b := open(t)
		return publisher{b.Queue(1)}, &subscriber{Subscriber: b.Queue(1), t: t, bus: b}
	}
	tests.TestPubSub(t, tests.Features{
		GuaranteedOrder:                     true,
		GuaranteedOrderWithSingleSubscriber: true,
		Persistent:                          true,
		GenerateTopicFunc:                   func(c tests.TestContext) string { return "topic." + string(c.TestID) },
		ForceShort:                          testing.Short(),
	}, create, nil)
}

// publisher adds the topic to the ID.
type publisher struct{ message.Publisher }

// Publish implements message.Publisher.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	var copies []*message.Message
	for _, m := range messages {
		c := m.CopyWithContext()
		c.UUID = topic + "/" + m.UUID
		copies = append(copies, c)
	}
	return p.Publisher.Publish(topic, copies...)
}

// subscriber takes the topic off the ID again, and creates the consumer of a
// topic first, as Watermill's suite asks.
type subscriber struct {
	message.Subscriber
	t       *testing.T
	bus     *natsbus.Bus
	running sync.WaitGroup
}

// SubscribeInitialize implements message.SubscribeInitializer.
func (s *subscriber) SubscribeInitialize(topic string) error {
	return natsbus.ProvisionTopic(s.t.Context(), s.bus, topic)
}

// Subscribe implements message.Subscriber.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := s.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer close(out)
		for m := range in {
			m.UUID = strings.TrimPrefix(m.UUID, topic+"/")
			select {
			case out <- m:
			case <-m.Context().Done(): // the subscription ended
				m.Nack()
			}
		}
	})
	return out, nil
}

// Close implements message.Subscriber.
func (s *subscriber) Close() error {
	err := s.Subscriber.Close()
	s.running.Wait()
	return err
}
