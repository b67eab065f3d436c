// Package rootstest runs a test as on a machine without root certificates.
package rootstest

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

const child = "APOLLO_ROOTS_CHILD"

// Bare runs f in a process of its own, where the machine has no certificates, and then
// demands that there are some. It has to be all that the test does: that process runs the
// test again.
func Bare(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Getenv(child) == "" {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
		c.Env = append(os.Environ(), child+"=1", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	f(t)
	if pool, err := x509.SystemCertPool(); err != nil || pool.Equal(x509.NewCertPool()) {
		t.Errorf("there are no roots: %v", err)
	}
}
