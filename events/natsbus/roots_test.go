package natsbus_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"apollo/events/natsbus"
	"apollo/internal/roots/rootstest"
)

// A server that wants TLS has the roots of the bundle to prove itself where the machine has
// none: also one on this machine, and one that another server named.
func TestTLSHasRoots(t *testing.T) {
	t.Parallel()
	rootstest.Bare(t, func(t *testing.T) {
		secured := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate, which nobody signed
		defer secured.Close()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				info, _ := json.Marshal(map[string]any{"server_id": "x", "tls_required": true, "max_payload": 1 << 20})
				_, _ = c.Write([]byte("INFO " + string(info) + "\r\n"))
				_ = tls.Server(c, secured.TLS).Handshake()
				c.Close()
			}
		}()
		if _, err := natsbus.Connect(t.Context(), natsbus.Config{URL: "nats://" + l.Addr().String(), ConnectWait: time.Nanosecond}); err == nil || !strings.Contains(err.Error(), "unknown authority") {
			t.Fatalf("connect: %v, want an unknown authority", err)
		}
	})
}
