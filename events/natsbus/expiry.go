package natsbus

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"

	"apollo/events"
)

// The keys of Expiries.
const (
	ourCredentials    = "credentials"
	ourCertificate    = "client certificate"
	ServerCertificate = "server certificate"
)

// Expiries says of what proves who is who on this connection when it runs out: the
// user's credentials, our certificate, and the server's as it was when we connected. What has no end, and what cannot
// be read, is left out. The files are read anew: the connection does so too when it
// is made again.
func (b *Bus) Expiries() map[string]events.Validity {
	ends := map[string]events.Validity{}
	if v, known := userEnds(cmp.Or(b.conf.Credentials, b.conf.credentials)); known {
		ends[ourCredentials] = v
	}
	if v, known := certificateEnds(b.conf.certificate); known {
		ends[ourCertificate] = v
	}
	if state, err := b.nc.TLSConnectionState(); err == nil {
		if v, known := earliest(state); known {
			ends[ServerCertificate] = v
		}
	}
	return ends
}

// userEnds returns how long the user of a file of credentials is valid.
func userEnds(path string) (v events.Validity, known bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return v, false
	}
	token, err := jwt.ParseDecoratedJWT(text)
	if err != nil {
		return v, false
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil || claims.Expires == 0 {
		return v, false
	}
	return events.Validity{From: time.Unix(claims.IssuedAt, 0), Until: time.Unix(claims.Expires, 0)}, true
}

// certificateEnds returns how long the first certificate of a file is valid: ours, before
// those that sign it.
func certificateEnds(path string) (v events.Validity, known bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return v, false
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return v, false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return v, false
	}
	return events.Validity{From: c.NotBefore, Until: c.NotAfter}, true
}

// earliest returns how long all of the server's certificates are valid.
func earliest(state tls.ConnectionState) (v events.Validity, known bool) {
	for _, c := range state.PeerCertificates {
		if !known || c.NotAfter.Before(v.Until) {
			v, known = events.Validity{From: c.NotBefore, Until: c.NotAfter}, true
		}
	}
	return v, known
}
