//go:build unix

package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// issuer gives out the credentials of one user.
type issuer struct {
	t       *testing.T
	account nkeys.KeyPair
	file    string
}

// issue writes credentials that are valid for a while.
func (i *issuer) issue(life time.Duration) {
	i.t.Helper()
	user, public := pair(i.t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(public)
	claims.Expires = time.Now().Add(life).Unix()
	token, err := claims.Encode(i.account)
	seed, failed := user.Seed()
	creds, formatted := jwt.FormatUserConfig(token, seed)
	if err := errors.Join(err, failed, formatted, os.WriteFile(i.file, creds, 0o600)); err != nil {
		i.t.Fatal(err)
	}
}

func pair(t *testing.T, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

// newOperated is a service on a server of this process in operator mode, with one
// account, whose processes log in with a file of credentials.
func newOperated(t *testing.T) (*watched, *issuer) {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), services: map[string]*child{}, exits: make(chan *child, 1024)}
	if err := os.Mkdir(c.logs(), 0o755); err != nil {
		t.Fatal(err)
	}
	operatorKey, operatorID := pair(t, nkeys.CreateOperator)
	_, systemID := pair(t, nkeys.CreateAccount)
	accountKey, accountID := pair(t, nkeys.CreateAccount)
	operator, accounts := jwt.NewOperatorClaims(operatorID), &server.MemAccResolver{}
	operator.SystemAccount = systemID
	for _, id := range []string{systemID, accountID} {
		a := jwt.NewAccountClaims(id)
		if id == accountID {
			a.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
		}
		token, err := a.Encode(operatorKey)
		if err := errors.Join(err, accounts.Store(id, token)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := operator.Encode(operatorKey); err != nil {
		t.Fatal(err)
	}
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: filepath.Join(c.dir, "store"), MaxPayload: 8 << 20,
		TrustedOperators: []*jwt.OperatorClaims{operator}, SystemAccount: systemID, AccountResolver: accounts,
	})
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(bindPatience) {
		t.Fatal("the server is not ready")
	}
	i := &issuer{t, accountKey, filepath.Join(c.dir, "user.creds")}
	i.issue(settled * 10)
	c.url, c.credentials = ns.ClientURL(), i.file
	c.connect()
	t.Cleanup(c.close)
	return watchOver(c), i
}

// credentialFaults are those of who logs in with credentials.
func (w *watched) credentialFaults(i *issuer) []fault {
	// begin ends when the monitor, which logged in, has so much left of its credentials.
	begin := func(life, left time.Duration) func() {
		return func() {
			until := time.Now().Add(life)
			i.issue(life)
			w.kill("monitor")
			w.startMonitor()
			for !strings.HasPrefix(w.page("/readyz"), "200") {
				if time.Now().After(until) {
					w.t.Fatalf("the monitor did not log in within %s\n%s", life, w.tail("monitor"))
				}
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(time.Until(until.Add(-left)))
		}
	}
	renew := func() { i.issue(settled * 10) }
	return []fault{
		{
			"credentials run out soon", `^warns: credentials: runs out`, "", `^apollo_credentials_expire_seconds\{what="credentials"\} 1?[0-9](\.[0-9]+)?$`, `^credentials +warn`,
			begin(100*time.Second, 20*time.Second), renew,
		},
		{"credentials have run out", `^bus: `, `^503`, `^apollo_faults [1-9]`, `^[1-9]`, begin(20*time.Second, 0), renew},
	}
}
