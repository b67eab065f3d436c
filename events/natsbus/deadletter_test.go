package natsbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
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

// TestDenied publishes where the user may not: the error comes at once and
// says which subject.
func TestDenied(t *testing.T) {
	t.Parallel()
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{
			{Username: "owner", Password: "x"},
			{Username: "worker", Password: "y", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Deny: []string{"apollo.v1.study.>"}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server is not ready")
	}
	owner := connect(t, natsbus.Config{URL: ns.ClientURL(), User: "owner", Password: "x", Topology: small()})
	if err := owner.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	worker := connect(t, natsbus.Config{URL: ns.ClientURL(), User: "worker", Password: "y", Topology: small()})
	_, err = worker.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "started"), ID: "x"}, events.Fence{})
	if !errors.Is(err, natsbus.ErrDenied) || !strings.Contains(err.Error(), "study.demo") {
		t.Errorf("append: %v, want ErrDenied with the subject", err)
	}
	_, err = natsbus.Connect(t.Context(), natsbus.Config{URL: ns.ClientURL(), User: "owner", Password: "wrong", Logger: logger(t)})
	if err == nil || !strings.Contains(err.Error(), "refuses") || errors.Is(err, events.ErrUnreachable) {
		t.Errorf("connect with a wrong password: %v", err)
	}
}

// TestUnreachable asks a server that is not there, and one that goes away.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	s, err := natsbus.StartServer(natsbus.ServerConfig{Dir: t.TempDir(), Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	b := connect(t, natsbus.Config{URL: s.URL(), Topology: small(), Patience: 200 * time.Millisecond})
	if err := b.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	_, err = b.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "started"), ID: "x"}, events.Fence{})
	if !errors.Is(err, events.ErrUnreachable) {
		t.Errorf("append without a server: %v", err)
	}
	for _, err := range b.Log().Read(t.Context(), 1, "rejected.*") {
		if !errors.Is(err, events.ErrUnreachable) {
			t.Errorf("read without a server: %v", err)
		}
	}
	_, err = natsbus.Connect(t.Context(), natsbus.Config{URL: s.URL(), Token: "hidden", Logger: logger(t)})
	if !errors.Is(err, events.ErrUnreachable) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("connect without a server: %v", err)
	}
	if _, err := natsbus.Connect(t.Context(), natsbus.Config{URL: s.URL(), Prefix: "Not ok"}); err == nil {
		t.Error("connect with a bad prefix has no error")
	}
}

// TestMicro offers an endpoint and finds it as `nats micro ls` does.
func TestMicro(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{})
	serving := connect(t, natsbus.Config{URL: s.URL()})
	err := serving.ServeMicro(t.Context(), "apollo-proposer", "0.1.0", "studies", map[string]natsbus.Endpoint{
		"get": func(_ context.Context, request []byte) ([]byte, error) {
			if len(request) == 0 {
				return nil, errors.New("which study?\nsay its name")
			}
			return append([]byte("study "), request...), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	asking := connect(t, natsbus.Config{URL: s.URL(), Patience: 100 * time.Millisecond})
	reply, err := asking.Request(t.Context(), "api.get", []byte("demo"))
	if err != nil || string(reply) != "study demo" {
		t.Errorf("request: %q, %v", reply, err)
	}
	_, err = asking.Request(t.Context(), "api.get", nil)
	if !errors.Is(err, natsbus.ErrRefused) || !strings.Contains(err.Error(), "which study? say its name") {
		t.Errorf("a refused request: %v", err)
	}
	if _, err = asking.Request(t.Context(), "api.nobody", nil); !errors.Is(err, events.ErrUnreachable) {
		t.Errorf("a request that nobody answers: %v", err)
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	info, err := nc.RequestWithContext(t.Context(), "$SRV.INFO.apollo-proposer", nil)
	if err != nil || !strings.Contains(string(info.Data), "apollo.v1.api.get") {
		t.Errorf("micro info: %v, %v", info, err)
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

// TestSmallerDisk starts again with less room than the streams were promised.
func TestSmallerDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, room := range []int64{256 << 20, 16 << 20} {
		s, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, MaxStore: room, Logger: logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := natsbus.Connect(t.Context(), natsbus.Config{URL: s.URL(), Logger: logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		err = b.Provision(t.Context())
		if err == nil {
			_, err = b.Log().Append(t.Context(), events.Message{Subject: events.RejectedSubject("demo"), ID: strconv.FormatInt(room, 10)}, events.Fence{})
		}
		if err != nil {
			t.Errorf("with %d bytes: %v", room, err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.Shutdown()
	}
}
