package natsbus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/natsbus"
)

func TestServerLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, ok := natsbus.Attach(dir); ok {
		t.Error("attached to a directory that nobody uses")
	}
	first, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Token: "secret", Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	address, token, ok := natsbus.Attach(dir)
	if !ok || address != first.URL() || token != "secret" {
		t.Errorf("Attach() = %q, %q, %v, want %q and the token", address, token, ok, first.URL())
	}
	info, err := os.Stat(filepath.Join(dir, "nats.url"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("nats.url: %v, %v, want mode 0600", info.Mode(), err)
	}
	_, err = natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Logger: logger(t)})
	if !errors.Is(err, natsbus.ErrLocked) || !strings.Contains(err.Error(), first.URL()) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a second server: %v, want ErrLocked with the URL and without the token", err)
	}
	first.Shutdown()
	if _, _, ok := natsbus.Attach(dir); ok {
		t.Error("attached to a server that was shut down")
	}
	if _, err := os.Stat(filepath.Join(dir, "nats.url")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nats.url after the shutdown: %v", err)
	}
	second, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Logger: logger(t)})
	if err != nil {
		t.Fatalf("after the shutdown: %v", err)
	}
	second.Shutdown()
}

// TestAttachStale leaves a URL behind, as a process does that is killed.
func TestAttachStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"nats.lock": "", "nats.url": "nats://127.0.0.1:4222\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if address, _, ok := natsbus.Attach(dir); ok {
		t.Errorf("attached to %s, which a dead process left", address)
	}
	startServer(t, natsbus.ServerConfig{Dir: dir})
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel subtests
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := t.TempDir()
	if err := os.WriteFile(filepath.Join(blocked, "nats"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		conf natsbus.ServerConfig
		want string
	}{
		"port":          {natsbus.ServerConfig{Dir: t.TempDir(), Port: taken.Addr().(*net.TCPAddr).Port}, "is taken"},
		"not a dir":     {natsbus.ServerConfig{Dir: file}, file},
		"below a file":  {natsbus.ServerConfig{Dir: filepath.Join(file, "below")}, file},
		"store blocked": {natsbus.ServerConfig{Dir: blocked}, blocked},
		"bad host":      {natsbus.ServerConfig{Dir: t.TempDir(), Host: "203.0.113.7"}, "203.0.113.7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.conf.Logger = logger(t)
			s, err := natsbus.StartServer(test.conf)
			if err == nil {
				s.Shutdown()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q does not say %q", err, test.want)
			}
		})
	}
}

// TestLittleRoom provisions the whole topology where it does not fit.
func TestLittleRoom(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{MaxStore: 64 << 20})
	b := connect(t, natsbus.Config{URL: s.URL()})
	for range 2 { // the second time they exist
		if err := b.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := b.Log().Info(t.Context(), "rejected.*")
	if err != nil || info.MaxBytes < 1<<20 || info.MaxBytes > 64<<20 {
		t.Errorf("the log may have %d bytes of 64 MiB, error %v", info.MaxBytes, err)
	}
	tiny := startServer(t, natsbus.ServerConfig{MaxStore: 1 << 20})
	err = connect(t, natsbus.Config{URL: tiny.URL()}).Provision(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("provision in 1 MiB: %v, want that there is no room", err)
	}
}

// TestRestart restarts the server under a follower, a reader, a subscription
// and writers. Nothing is lost, doubled or out of order.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(first.URL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	restarted := make(chan *natsbus.Server, 1)
	t.Cleanup(func() { // after the clients are closed
		if second := <-restarted; second != nil {
			second.Shutdown()
		}
	})
	conf := natsbus.Config{URL: first.URL(), Topology: small(), AckWait: time.Second}
	writer, reader, worker := connect(t, conf), connect(t, conf), connect(t, conf)
	if err := errors.Join(writer.Provision(t.Context()), writer.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
	work, err := worker.Queue(4).Subscribe(t.Context(), "work.edge")
	if err != nil {
		t.Fatal(err)
	}
	const n, restartAt = 200, 70
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	written := make(chan error, 1)
	restart := make(chan struct{})
	go func() { written <- write(ctx, writer, n, restartAt, restart) }()
	go func() {
		<-restart
		first.Shutdown()
		second, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Port: port, Logger: logger(t)})
		if err != nil {
			t.Error(err)
			stop()
		}
		restarted <- second
	}()

	answered := make(chan error, 1)
	go func() { answered <- answerAll(ctx, worker, work, n) }()
	checkFollow(ctx, t, reader, n)
	if err := <-written; err != nil {
		t.Errorf("write: %v", err)
	}
	if err := <-answered; err != nil {
		t.Errorf("work: %v", err)
	}
	count := 0
	for _, err := range reader.Facts().Read(ctx, 1, "result.>") {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != n {
		t.Errorf("%d results, want %d", count, n)
	}
}

// write appends to the log under a fence and publishes work, n of each.
func write(ctx context.Context, b *natsbus.Bus, n, restartAt int, restart chan<- struct{}) error {
	fence := events.Fence{Filter: events.RunFilter("demo", "r")}
	for i := range n {
		if i == restartAt {
			close(restart)
		}
		id := fmt.Sprint("entry-", i)
		seq, err := b.Log().Append(ctx, events.Message{Subject: events.StudySubject("demo", "r", "proposed"), ID: id, Data: []byte(id)}, fence)
		if err != nil {
			return err
		}
		fence.Last = seq
		m := message.NewMessage(fmt.Sprint("work-", i), nil)
		m.SetContext(ctx)
		if err := b.Queue(1).Publish(events.WorkSubject("edge", "demo", "r", i), m); err != nil {
			return err
		}
	}
	return nil
}

// answerAll records a result for every message until n are recorded.
func answerAll(ctx context.Context, b *natsbus.Bus, work <-chan *message.Message, n int) error {
	for done := 0; done < n; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %d: %w", done, ctx.Err())
		case m := <-work:
			subject := strings.Replace(m.Metadata.Get(events.MetaSubject), "work.", "result.", 1)
			_, err := b.Facts().Record(ctx, events.Message{Subject: subject, ID: "result " + m.UUID, Data: []byte(m.UUID)})
			switch {
			case err == nil:
				done++
			case !errors.Is(err, events.ErrExists):
				return err
			}
			m.Ack()
		}
	}
	return nil
}

func checkFollow(ctx context.Context, t *testing.T, b *natsbus.Bus, n int) {
	t.Helper()
	i := 0
	for m, err := range b.Log().Follow(ctx, 1, events.RunFilter("demo", "r")) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint("entry-", i); m.ID != want {
			t.Fatalf("entry %d is %s", i, m.ID)
		}
		if i++; i == n {
			return
		}
	}
	t.Errorf("followed %d entries, want %d", i, n)
}

// TestFreshConsumers starts again after a crash: what the dead process held
// comes at once.
func TestFreshConsumers(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{})
	conf := natsbus.Config{URL: s.URL(), Topology: small(), AckWait: time.Hour, FreshConsumers: true}
	crashed := connect(t, conf)
	if err := errors.Join(crashed.Provision(t.Context()), crashed.ProvisionEvaluator(t.Context(), "edge")); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{events.WorkSubject("edge", "demo", "r", 0), events.SubmitSubject("demo")} {
		if err := crashed.Queue(1).Publish(subject, message.NewMessage(subject, nil)); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range []string{"work.edge", "cmd"} {
		ch, err := crashed.Queue(1).Subscribe(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		<-ch
	}
	natsbus.Kill(crashed)
	again := connect(t, conf)
	if err := again.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"work.edge", "cmd"} {
		ch, err := again.Queue(1).Subscribe(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-ch:
			m.Ack()
		case <-time.After(30 * time.Second):
			t.Fatalf("what the dead process held of %s did not come back", topic)
		}
	}
}

// TestConnectThroughMemory: nothing listens on port 1, so what arrives did not
// go over the network.
func TestConnectThroughMemory(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{Token: "secret"})
	conf := natsbus.Config{URL: "nats://127.0.0.1:1", Server: s, Token: "secret", Topology: small()}
	bus := connect(t, conf)
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	subject := events.ResultSubject("edge", "demo", "r", 1)
	if _, err := bus.Facts().Record(t.Context(), events.Message{Subject: subject, ID: subject, Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for m, err := range connect(t, conf).Facts().Read(t.Context(), 0, subject) {
		if err != nil || string(m.Data) != "{}" {
			t.Fatalf("Read = %q, %v, want {}", m.Data, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("Read yields %d messages, want 1", n)
	}
}
