package natsbus_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
	"apollo/events/bustest"
	"apollo/events/natsbus"
)

// TestLeaks does a bit of everything and leaves no goroutine behind. It counts
// goroutines of the whole process, so it does not run in parallel.
func TestLeaks(t *testing.T) {
	s := startServer(t, natsbus.ServerConfig{})
	bustest.Leaks(t, []string{"apollo/events/natsbus.(*Bus)", "apollo/events/natsbus.(*sub", "apollo/events/natsbus.(*reader)", "nats.go"}, func() {
		b, err := natsbus.Connect(t.Context(), natsbus.Config{URL: s.URL(), Topology: small(), Logger: logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		useAll(t, b)
		noConsumers(t, s.URL())
		ctx, done := context.WithTimeout(t.Context(), time.Minute)
		defer done()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func useAll(t *testing.T, b *natsbus.Bus) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := b.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.ProvisionEvaluator(ctx, "edge"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Log().Append(ctx, events.Message{Subject: events.RejectedSubject("demo"), ID: "x"}, events.Fence{}); err != nil {
		t.Fatal(err)
	}
	_ = b.Notices(ctx, "tick.>") // never ranged over
	for _, err := range b.Log().Follow(ctx, 1, "rejected.*") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	for _, err := range b.Log().Read(ctx, 1, "rejected.*") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	for _, topic := range []string{"work.edge", "work.nobody", "cmd"} {
		ch, err := b.Queue(2).Subscribe(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		if topic == "work.edge" {
			if err := b.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", 0), message.NewMessage("1", nil)); err != nil {
				t.Fatal(err)
			}
			(<-ch).Ack()
		}
	}
}

// noConsumers waits until the server has forgotten the readers.
func noConsumers(t *testing.T, url string) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; { // far less than the 30 s of inactivity
		stream, err := js.Stream(t.Context(), "APOLLO_LOG")
		if err != nil {
			t.Fatal(err)
		}
		n := stream.CachedInfo().State.Consumers
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d consumers of readers are left", n)
		}
	}
}
