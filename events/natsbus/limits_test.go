package natsbus_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"apollo/events"
	"apollo/events/natsbus"
)

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
	if !errors.Is(err, events.ErrDenied) || !strings.Contains(err.Error(), "study.demo") {
		t.Errorf("append: %v, want events.ErrDenied with the subject", err)
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

// TestSmallerDisk starts again with more and less room than the streams were
// promised: they grow into the one and store what they can in the other.
func TestSmallerDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var before uint64
	for _, room := range []int64{16 << 20, 256 << 20, 16 << 20} {
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
		info, err := b.Facts().Info(t.Context(), "result.>")
		if err != nil {
			t.Fatal(err)
		}
		if grown := info.MaxBytes > before; grown != (room > int64(before)) {
			t.Errorf("with %d bytes the results may take %d, before %d", room, info.MaxBytes, before)
		}
		before = info.MaxBytes
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.Shutdown()
	}
}
