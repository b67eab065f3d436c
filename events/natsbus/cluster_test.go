package natsbus_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"apollo/events"
	"apollo/events/bustest"
	"apollo/events/natsbus"
)

// startCluster starts three servers that are one to their clients, and returns
// their URLs.
func startCluster(t *testing.T) string {
	t.Helper()
	var routes []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends at once
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, l.Addr().String())
		_ = l.Close()
	}
	var nodes []*server.Server
	var urls []string
	for i, route := range routes {
		var port int
		if _, err := fmt.Sscanf(route[strings.LastIndex(route, ":"):], ":%d", &port); err != nil {
			t.Fatal(err)
		}
		ns, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("s%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 64 << 30, MaxPayload: 8 << 20,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port},
			Routes:  server.RoutesFromStr("nats://" + strings.Join(routes, ",nats://")),
		})
		if err != nil {
			t.Fatal(err)
		}
		go ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		nodes = append(nodes, ns)
	}
	for _, ns := range nodes {
		if !ns.ReadyForConnections(30 * time.Second) {
			t.Fatal("a server is not ready")
		}
		urls = append(urls, ns.ClientURL())
	}
	return strings.Join(urls, ",")
}

// TestConformanceReplicated runs the suite on a cluster of three servers, where
// the server checks ids before fences, answers may come from one that lags, and
// leaders are elected.
func TestConformanceReplicated(t *testing.T) {
	t.Parallel()
	if os.Getenv("APOLLO_REPLICATED") == "" {
		t.Skip("it elects leaders of hundreds of streams: `make chaos-cluster` runs it")
	}
	urls := startCluster(t)
	var n atomic.Int64
	bustest.Run(t, func(t *testing.T, opts bustest.Options) (func(string) bustest.Bus, func(bustest.Bus)) {
		t.Helper()
		prefix := fmt.Sprintf("test.n%d", n.Add(1))
		topology := opts.Topology
		if topology == nil {
			topology = small()
		}
		return func(name string) bustest.Bus {
			return connect(t, natsbus.Config{URL: urls, Prefix: prefix, Name: name, Topology: topology, AckWait: time.Second, Replicas: 3})
		}, func(b bustest.Bus) { natsbus.Kill(b.(*natsbus.Bus)) }
	})
}

// TestReplicas makes three copies of a stream in a cluster, without being told.
func TestReplicas(t *testing.T) {
	t.Parallel()
	b := connect(t, natsbus.Config{URL: startCluster(t), Topology: small()})
	if err := b.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := natsbus.StreamInfo(t.Context(), b, "result.>")
	if err != nil {
		t.Fatal(err)
	}
	if info.Config.Replicas != 3 || len(info.Cluster.Replicas) != 2 {
		t.Errorf("the results have %d copies, want 3", info.Config.Replicas)
	}
	if _, err := b.Facts().Record(t.Context(), events.Message{Subject: events.ResultSubject("edge", "demo", "r", 0), ID: "id"}); err != nil {
		t.Error(err)
	}
	// The others may not have all of it yet, and one that is busy is heard of late.
	var told events.StreamInfo
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if told, err = b.Facts().Info(t.Context(), "result.>"); err != nil {
			t.Fatal(err)
		}
		if told.Current == 3 {
			break
		}
	}
	if told.Copies != 3 || told.Wanted != 3 || told.Current != 3 {
		t.Errorf("%d of %d copies current, %d wanted; want 3 of 3, and 3", told.Current, told.Copies, told.Wanted)
	}
}
