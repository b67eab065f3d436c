package natsbus_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/natsbus"
)

// benchBus returns a provisioned bus.
func benchBus(b *testing.B) *natsbus.Bus {
	b.Helper()
	s := startServer(b, natsbus.ServerConfig{})
	topology := events.Topology()
	for i := range topology {
		topology[i].MaxBytes = 1 << 30
	}
	bus := connect(b, natsbus.Config{URL: s.URL(), Topology: topology})
	if err := errors.Join(bus.Provision(b.Context()), bus.ProvisionEvaluator(b.Context(), "edge")); err != nil {
		b.Fatal(err)
	}
	return bus
}

// body is the size of a proposal of 32 designs of ten parameters.
const body = 2 << 10

func BenchmarkAppend(b *testing.B) {
	bus := benchBus(b)
	fence := events.Fence{Filter: events.RunFilter("demo", "r")}
	data := make([]byte, body)
	n := 0
	for b.Loop() {
		n++
		seq, err := bus.Log().Append(b.Context(), events.Message{Subject: events.StudySubject("demo", "r", "proposed"), ID: strconv.Itoa(n), Data: data}, fence)
		if err != nil {
			b.Fatal(err)
		}
		fence.Last = seq
	}
}

func BenchmarkRecord(b *testing.B) {
	bus := benchBus(b)
	data := make([]byte, body)
	n := 0
	for b.Loop() {
		n++
		_, err := bus.Facts().Record(b.Context(), events.Message{Subject: events.ResultSubject("edge", "demo", "r", n), ID: strconv.Itoa(n), Data: data})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkQueue publishes 64 messages, receives and acknowledges them: one
// operation is one message.
func BenchmarkQueue(b *testing.B) {
	bus := benchBus(b)
	ch, err := bus.Queue(8).Subscribe(b.Context(), "work.edge")
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, body)
	published := 0
	received := 0
	for b.Loop() {
		if received == published {
			for range 64 {
				m := message.NewMessage(strconv.Itoa(published), data)
				if err := bus.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", published), m); err != nil {
					b.Fatal(err)
				}
				published++
			}
		}
		(<-ch).Ack()
		received++
	}
}

// BenchmarkQueueRoundTrip publishes one message and waits for it.
func BenchmarkQueueRoundTrip(b *testing.B) {
	bus := benchBus(b)
	ch, err := bus.Queue(1).Subscribe(b.Context(), "work.edge")
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, body)
	n := 0
	for b.Loop() {
		n++
		if err := bus.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", n), message.NewMessage(strconv.Itoa(n), data)); err != nil {
			b.Fatal(err)
		}
		(<-ch).Ack()
	}
}

// BenchmarkRead replays a stream of 100,000 messages of 300 bytes.
func BenchmarkRead(b *testing.B) {
	bus := benchBus(b)
	const n = 100_000
	topic := events.RejectedSubject("demo")
	var messages []*message.Message
	for i := range n {
		messages = append(messages, message.NewMessage(strconv.Itoa(i), make([]byte, 300)))
	}
	if err := bus.Queue(1).Publish(topic, messages...); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		got := 0
		for _, err := range bus.Log().Read(b.Context(), 1, topic) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatalf("read %d messages, want %d", got, n)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
