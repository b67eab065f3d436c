package natsbus_test

import (
	"bytes"
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
	"apollo/events/natsbus"
)

// plainServer starts a server that passes on payload bytes; 0 is its default.
func plainServer(t *testing.T, payload int32) string {
	t.Helper()
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, MaxPayload: payload,
	})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready")
	}
	return ns.ClientURL()
}

// The bus says what the server carries, and a message over it is refused for
// good, at once.
func TestMaxPayload(t *testing.T) {
	t.Parallel()
	for payload, want := range map[int32]int{0: events.DefaultPayload, 64 << 10: 64 << 10, 32 << 20: events.MaxEventBytes} {
		b := connect(t, natsbus.Config{URL: plainServer(t, payload), Topology: small(), Patience: time.Hour})
		if got := b.MaxPayload(); got != want {
			t.Errorf("max_payload %d: the bus carries %d, want %d", payload, got, want)
		}
		if err := b.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := events.Message{Subject: events.RejectedSubject("demo"), ID: "fits", Header: map[string]string{"traceparent": "00-x"}, Data: make([]byte, events.MessageRoom(want))}
		if _, err := b.Log().Append(t.Context(), m, events.Fence{}); err != nil {
			t.Errorf("max_payload %d: what fits: %v", payload, err)
		}
		m.ID, m.Data = "over", make([]byte, want+1)
		if _, err := b.Log().Append(t.Context(), m, events.Fence{}); !errors.Is(err, events.ErrTooLarge) {
			t.Errorf("max_payload %d: one byte more: %v", payload, err)
		}
		letter, err := events.Undeliverable(events.Message{Subject: "work.edge.demo.r.1", Seq: 1, Data: bytes.Repeat([]byte("x"), 5<<20)}, 100, "why", time.Now(), b.MaxPayload())
		if err == nil {
			_, err = b.Log().Append(t.Context(), letter, events.Fence{})
		}
		if err != nil {
			t.Errorf("max_payload %d: a letter about a large message: %v", payload, err)
		}
	}
}

// A stream of dead letters that an earlier version made, and that is full of
// large ones, takes new ones after the next start.
func TestFullDeadLettersOfEarlierVersions(t *testing.T) {
	t.Parallel()
	url := plainServer(t, 8<<20)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "APOLLO_DLQ", Subjects: []string{"apollo.v1.dlq.*.*"}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, MaxBytes: 8 << 20, MaxMsgSize: 8 << 20,
	}); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for ; err == nil; stored++ {
		_, err = js.Publish(t.Context(), "apollo.v1.dlq.proposer.unknown", make([]byte, 900<<10))
	}
	if stored < 8 {
		t.Fatalf("%d letters: %v", stored, err)
	}
	topology := small()
	for i := range topology {
		if topology[i].Ring {
			topology[i].MaxBytes = 8 << 20
		}
	}
	b := connect(t, natsbus.Config{URL: url, Topology: topology})
	if err := b.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	var last uint64
	for i := range 12 {
		m := events.Message{Subject: events.DeadLetterSubject("proposer", "unknown"), ID: strconv.Itoa(i), Data: make([]byte, 900<<10)}
		if last, err = b.Log().Append(t.Context(), m, events.Fence{}); err != nil {
			t.Fatalf("letter %d: %v", i, err)
		}
	}
	counts, err := b.Count(t.Context(), "dlq.*.*")
	if n := counts["dlq.proposer.unknown"]; err != nil || n < 5 || n > 10 {
		t.Errorf("%v letters are kept: %v", counts, err)
	}
	if err := errors.Join(b.Remove(t.Context(), "dlq.proposer.unknown", last), b.Remove(t.Context(), "dlq.proposer.unknown", last)); err != nil {
		t.Errorf("remove one, twice: %v", err)
	}
	after, err := b.Count(t.Context(), "dlq.*.*")
	if err != nil || after["dlq.proposer.unknown"] != counts["dlq.proposer.unknown"]-1 {
		t.Errorf("%v letters after one was removed, %v before: %v", after, counts, err)
	}
	if none, err := b.Count(t.Context(), "dlq.queue.*"); err != nil || !maps.Equal(none, map[string]uint64{}) {
		t.Errorf("of another service: %v, %v", none, err)
	}
}
