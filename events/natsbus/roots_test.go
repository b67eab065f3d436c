package natsbus_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"apollo/events/natsbus"
)

// A server that wants TLS has the roots of the bundle to prove itself where the machine has
// none: also one on this machine, and one that another server named.
func TestTLSHasRoots(t *testing.T) {
	t.Parallel()
	const child = "APOLLO_ROOTS_CHILD"
	if os.Getenv(child) == "" {
		c := exec.Command(os.Args[0], "-test.run", "^TestTLSHasRoots$")
		c.Env = append(os.Environ(), child+"=1", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
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
	if pool, err := x509.SystemCertPool(); err != nil || pool.Equal(x509.NewCertPool()) {
		t.Errorf("there are no roots: %v", err)
	}
}
