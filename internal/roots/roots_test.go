package roots

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// A machine without certificates has those of the bundle, after it was asked for them.
func TestEnsure(t *testing.T) {
	const child = "APOLLO_ROOTS_CHILD"
	if os.Getenv(child) == "" {
		c := exec.Command(os.Args[0], "-test.run", "^TestEnsure$")
		c.Env = append(os.Environ(), child+"=1", "SSL_CERT_FILE=/nonexistent", "SSL_CERT_DIR=/nonexistent")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	Ensure()
	Ensure() // once is enough, twice is no mistake
	pool, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	if pool.Equal(x509.NewCertPool()) {
		t.Error("there are no roots")
	}
}
