package natsbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
	"apollo/events/natsbus"
)

// workBus returns a provisioned bus whose queue "work.edge" holds n messages,
// and the consumer as a client in another language sees it.
func workBus(t *testing.T, n int) (*natsbus.Bus, jetstream.Consumer) {
	t.Helper()
	s := startServer(t, natsbus.ServerConfig{})
	b := connect(t, natsbus.Config{URL: s.URL(), Topology: small()})
	if err := errors.Join(b.Provision(t.Context()), b.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		subject := events.WorkSubject("edge", "demo", "r", i)
		if err := b.Queue(1).Publish(subject, message.NewMessage(subject, []byte("body"))); err != nil {
			t.Fatal(err)
		}
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), "APOLLO_WORK", "ev-edge")
	if err != nil {
		t.Fatal(err)
	}
	return b, c
}

// letter waits for the first dead letter.
func letter(t *testing.T, b *natsbus.Bus) events.DeadLetter {
	t.Helper()
	ctx, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	for m, err := range b.Log().Follow(ctx, 1, "dlq.*.*") {
		if err != nil {
			t.Fatal(err)
		}
		var e events.Envelope
		var d events.DeadLetter
		if err := errors.Join(json.Unmarshal(m.Data, &e), json.Unmarshal(e.Data, &d)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Fatal("no dead letter came")
	return events.DeadLetter{}
}

// count counts the messages of a filter.
func count(t *testing.T, b *natsbus.Bus, filter string) int {
	t.Helper()
	n := 0
	for _, err := range b.Log().Read(t.Context(), 1, filter) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func refuse(t *testing.T, c jetstream.Consumer, times int) {
	t.Helper()
	for range times {
		m, err := c.Next(jetstream.FetchMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
}

func wantLetter(t *testing.T, b *natsbus.Bus, reason string) {
	t.Helper()
	d := letter(t, b)
	if got := count(t, b, events.DeadLetterSubject(events.QueueService, "demo")); got != 1 {
		t.Errorf("%d dead letters on the study's subject, want 1", got)
	}
	if d.Subject != events.WorkSubject("edge", "demo", "r", 0) || string(d.Body) != "body" || d.Sequence != 1 ||
		d.Service != events.QueueService || !strings.Contains(d.Reason, reason) {
		t.Errorf("dead letter %+v, want the message with the reason %q", d, reason)
	}
	for end := time.Now().Add(30 * time.Second); ; {
		info, err := b.Log().Info(t.Context(), "work.>")
		if err != nil {
			t.Fatal(err)
		}
		if info.Messages == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d messages are still in the queue", info.Messages)
		}
	}
}

// TestTerminated lets a foreign worker give a message up.
func TestTerminated(t *testing.T) {
	t.Parallel()
	b, c := workBus(t, 1)
	m, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.TermWithReason("no such design"); err != nil {
		t.Fatal(err)
	}
	// A work queue drops a terminated message: the server has nothing left of
	// it but the advisory.
	d := letter(t, b)
	if !strings.Contains(d.Reason, "no such design") || d.Sequence != 1 || d.Subject != "work.edge" {
		t.Errorf("dead letter %+v", d)
	}
}

// TestPurgedInHand purges a message that a worker holds, as the end of a
// cancelled study does: nobody gave it up.
func TestPurgedInHand(t *testing.T) {
	t.Parallel()
	b, c := workBus(t, 1)
	if _, err := c.Next(); err != nil {
		t.Fatal(err)
	}
	if err := b.Purge(t.Context(), "work.edge.demo.r.*"); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	// The server reports it all the same, in the stream of dead letters.
	for end := time.Now().Add(30 * time.Second); ; {
		reports, err := js.Consumer(t.Context(), "APOLLO_DLQ", "advisories")
		if err != nil {
			t.Fatal(err)
		}
		info := reports.CachedInfo()
		if info.AckFloor.Consumer > 0 && info.NumAckPending == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no report was handled: %+v", info)
		}
	}
	if n := count(t, b, "dlq.*.*"); n != 0 {
		t.Errorf("%d dead letters about a message that was purged, want none", n)
	}
}

// TestExceeded lets a foreign worker use up all deliveries.
func TestExceeded(t *testing.T) {
	t.Parallel()
	b, c := workBus(t, 1)
	refuse(t, c, events.MaxDeliver)
	if _, err := c.Next(jetstream.FetchMaxWait(time.Second)); !errors.Is(err, nats.ErrTimeout) {
		t.Fatalf("delivery %d: %v, want none", events.MaxDeliver+1, err)
	}
	wantLetter(t, b, "too many times")
}

// TestLastDelivery comes to our own worker with the last delivery: it is
// buried and not handed out.
func TestLastDelivery(t *testing.T) {
	t.Parallel()
	b, c := workBus(t, 1)
	refuse(t, c, events.MaxDeliver-1)
	ch, err := b.Queue(1).Subscribe(t.Context(), "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	wantLetter(t, b, "too many times")
	select {
	case m := <-ch:
		t.Errorf("message %s was handed out at delivery %s", m.UUID, m.Metadata.Get(events.MetaDeliveries))
	default:
	}
}
