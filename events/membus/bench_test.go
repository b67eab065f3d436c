package membus_test

import (
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
)

func BenchmarkAppend(b *testing.B) {
	c := membus.New(membus.Config{}).Client("c")
	if err := c.Provision(b.Context()); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		if _, err := c.Log().Append(b.Context(), events.Message{Subject: events.RejectedSubject("demo"), ID: strconv.Itoa(n)}, events.Fence{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkQueueRoundTrip(b *testing.B) {
	c := membus.New(membus.Config{}).Client("c")
	if err := c.Provision(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := c.ProvisionEvaluator(b.Context(), "edge"); err != nil {
		b.Fatal(err)
	}
	ch, err := c.Queue(1).Subscribe(b.Context(), topic)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		if err := c.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", n), message.NewMessage(strconv.Itoa(n), nil)); err != nil {
			b.Fatal(err)
		}
		(<-ch).Ack()
	}
}
