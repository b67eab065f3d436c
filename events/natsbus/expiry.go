package natsbus

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
)

// The keys of Expiries.
const (
	ourCredentials    = "credentials"
	ourCertificate    = "client certificate"
	serverCertificate = "server certificate"
)

// Expiries says of what proves who is who on this connection when it runs out: the
// user's credentials, our certificate, the server's. What has no end, and what cannot
// be read, is left out. The files are read anew: the connection does so too when it
// is made again.
func (b *Bus) Expiries() map[string]time.Time {
	ends := map[string]time.Time{}
	if at, known := userEnds(cmp.Or(b.conf.Credentials, b.conf.credentials)); known {
		ends[ourCredentials] = at
	}
	if at, known := certificateEnds(b.conf.certificate); known {
		ends[ourCertificate] = at
	}
	if state, err := b.nc.TLSConnectionState(); err == nil {
		if at, known := earliest(state); known {
			ends[serverCertificate] = at
		}
	}
	return ends
}

// userEnds returns when the user of a file of credentials ends.
func userEnds(path string) (at time.Time, known bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return at, false
	}
	token, err := jwt.ParseDecoratedJWT(text)
	if err != nil {
		return at, false
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil || claims.Expires == 0 {
		return at, false
	}
	return time.Unix(claims.Expires, 0), true
}

// certificateEnds returns when the first certificate of a file ends: ours, before
// those that sign it.
func certificateEnds(path string) (at time.Time, known bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return at, false
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return at, false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return at, false
	}
	return c.NotAfter, true
}

// earliest returns when the server's certificates end.
func earliest(state tls.ConnectionState) (at time.Time, known bool) {
	for _, c := range state.PeerCertificates {
		if !known || c.NotAfter.Before(at) {
			at, known = c.NotAfter, true
		}
	}
	return at, known
}
