// Package roots gives TLS connections root certificates where the machine has none, as in
// the image.
package roots

import (
	"crypto/x509"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Ensure is called before a connection to a server that a public authority may have
// signed. It is not done at the start of the program, because to read some hundred
// certificates takes longer than many a command.
var Ensure = sync.OnceFunc(func() {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		c, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // one that this version of Go does not know
		case root.Constraint == nil:
			pool.AddCert(c)
		default:
			pool.AddCertWithConstraint(c, root.Constraint)
		}
	}
	x509.SetFallbackRoots(pool)
})
