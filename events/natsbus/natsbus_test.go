package natsbus_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"apollo/events"
	"apollo/events/bustest"
	"apollo/events/natsbus"
)

// logger writes to the test's log while the test runs.
func logger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func startServer(t testing.TB, conf natsbus.ServerConfig) *natsbus.Server {
	t.Helper()
	if conf.Dir == "" {
		conf.Dir = t.TempDir()
	}
	if conf.MaxStore == 0 {
		// Every case reserves streams of its own: the server promises more than a
		// machine with a small disk has, and none of them comes near its bound.
		conf.MaxStore = 64 << 30
	}
	conf.Logger = logger(t)
	s, err := natsbus.StartServer(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t testing.TB, conf natsbus.Config) *natsbus.Bus {
	t.Helper()
	conf.Logger = logger(t)
	b, err := natsbus.Connect(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), time.Millisecond)
		defer done()
		_ = b.Close(ctx) // what a test left unanswered is given back
	})
	return b
}

// small is the topology with limits that let dozens of them share a disk.
func small() []events.Stream {
	topology := events.Topology()
	for i := range topology {
		topology[i].MaxBytes = 16 << 20
	}
	return topology
}

// TestConformance runs the suite on one server, every test with a prefix of
// its own, so that it also shows that prefixes do not meet.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := startServer(t, natsbus.ServerConfig{Token: "secret"})
	var n atomic.Int64
	bustest.Run(t, func(t *testing.T, opts bustest.Options) (func(string) bustest.Bus, func(bustest.Bus)) {
		t.Helper()
		prefix := fmt.Sprintf("test.n%d", n.Add(1))
		if prefix == "test.n1" {
			prefix = "" // the default
		}
		if opts.Topology == nil {
			opts.Topology = small()
		}
		return func(name string) bustest.Bus {
				return connect(t, natsbus.Config{
					URL: s.URL(), Token: "secret", Prefix: prefix, Name: name,
					Topology: opts.Topology, AckWait: time.Second,
				})
			}, func(b bustest.Bus) {
				natsbus.Kill(b.(*natsbus.Bus))
			}
	})
}
