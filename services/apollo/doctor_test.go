package main

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A health page behind https has the roots of the bundle to prove itself where the machine
// has none.
func TestProbeHasRoots(t *testing.T) {
	t.Parallel()
	const child = "APOLLO_ROOTS_CHILD"
	if os.Getenv(child) == "" {
		c := exec.Command(os.Args[0], "-test.run", "^TestProbeHasRoots$")
		c.Env = append(os.Environ(), child+"=1", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	page := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is nobody's
	defer page.Close()
	if f := probe(t.Context(), page.URL); f.OK || !strings.Contains(f.Text, "unknown authority") {
		t.Errorf("%+v, want an unknown authority", f)
	}
	if pool, err := x509.SystemCertPool(); err != nil || pool.Equal(x509.NewCertPool()) {
		t.Errorf("there are no roots: %v", err)
	}
}
