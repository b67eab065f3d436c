package natsbus_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"apollo/events"
)

// TestMalformedHeaders publishes headers that no client library writes.
func TestMalformedHeaders(t *testing.T) {
	t.Parallel()
	b, _ := workBus(t, 0)
	address := strings.TrimPrefix(b.URL(), "nats://")
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	subject := events.DefaultPrefix + "." + events.WorkSubject("edge", "demo", "r", 0)
	fmt.Fprint(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\n")
	for _, header := range []string{
		"NATS/1.0\r\nno colon here\r\n\r\n", "NATS/1.0\r\n: no key\r\n\r\n", "NATS/1.0\r\nStatus: 408\r\n\r\n",
		"NATS/9.9 100 Idle Heartbeat\r\n\r\n", "NATS/1.0\r\n\r\n", "garbage\r\n\r\n", "NATS/1.0\r\nKey:\x00\xff\r\n\r\n",
	} {
		fmt.Fprintf(conn, "HPUB %s %d %d\r\n%sx\r\n", subject, len(header), len(header)+1, header)
	}
	fmt.Fprint(conn, "PING\r\n")
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	if err := b.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", 1), message.NewMessage("last", nil)); err != nil {
		t.Fatal(err)
	}
	ch, err := b.Queue(1).Subscribe(t.Context(), "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case m := <-ch:
			m.Ack()
			if m.UUID == "last" {
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the queue stands still")
		}
	}
}

// TestStatusInDisguise stores messages that look like statuses of the pull
// protocol: readers and queues see them as what they are.
func TestStatusInDisguise(t *testing.T) {
	t.Parallel()
	b, _ := workBus(t, 0)
	nc, err := nats.Connect(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for i, status := range []string{"408", "100", "409", "503", "999", ""} {
		for _, subject := range []string{events.WorkSubject("edge", "demo", "r", i), events.ResultSubject("edge", "demo", "r", i)} {
			m := nats.NewMsg(events.DefaultPrefix + "." + subject)
			m.Header.Set("Nats-Msg-Id", subject)
			if status != "" {
				m.Header.Set("Status", status)
			}
			if _, err := nc.RequestMsgWithContext(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := count(t, b, "result.>"); got != 6 {
		t.Errorf("read %d messages, want 6", got)
	}
	ctx, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	i := 0
	for m, err := range b.Log().Follow(ctx, 1, "result.edge.*.*.*") {
		if err != nil || m.ID != events.ResultSubject("edge", "demo", "r", i) {
			t.Fatalf("followed message %d: %s, %v", i, m.ID, err)
		}
		if i++; i == 6 {
			break
		}
	}
	ch, err := b.Queue(2).Subscribe(ctx, "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		select {
		case m := <-ch:
			m.Ack()
		case <-ctx.Done():
			t.Fatal("the queue stands still")
		}
	}
}
