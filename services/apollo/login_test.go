package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"apollo/events/natsbus"
	"apollo/services/cli"
)

// The passwords of these tests, which no output may hold.
const secretWord = "hunter2hunter2"

// loginServer starts a server with JetStream on the loopback.
func loginServer(t *testing.T, change func(*server.Options)) string {
	t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 8 << 20}
	change(opts)
	return strings.Replace(natsServer(t, opts, nil), "0.0.0.0", "127.0.0.1", 1)
}

// natsServer runs a server until the test ends. log may be nil.
func natsServer(t *testing.T, opts *server.Options, log server.Logger) (url string) {
	t.Helper()
	ns, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	if log != nil {
		ns.SetLogger(log, false, false)
	}
	go ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return ns.ClientURL()
}

// confServer runs a server with the text of a configuration file, beside files that
// it includes.
func confServer(t *testing.T, dir, text string, log server.Logger) (url string, opts *server.Options) {
	t.Helper()
	conf := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, log == nil
	return natsServer(t, opts, log), opts
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes a key and a certificate, signed by an authority or by itself.
func certificate(t *testing.T, name string, by *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, []byte, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-99 * time.Hour), NotAfter: time.Now().Add(100 * time.Minute),
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, IsCA: by == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if by == nil {
		by, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})
}

// operatorMode makes an operator with one account that may use JetStream, and the
// credentials of a user of it.
func operatorMode(t *testing.T, opts *server.Options) (creds []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		k, err := make()
		must(err)
		public, err := k.PublicKey()
		must(err)
		return k, public
	}
	operatorKey, operatorID := pair(nkeys.CreateOperator)
	systemKey, systemID := pair(nkeys.CreateAccount)
	accountKey, accountID := pair(nkeys.CreateAccount)
	userKey, userID := pair(nkeys.CreateUser)
	operator := jwt.NewOperatorClaims(operatorID)
	operator.SystemAccount = systemID
	_ = systemKey
	accounts := &server.MemAccResolver{}
	for _, id := range []string{systemID, accountID} {
		a := jwt.NewAccountClaims(id)
		if id == accountID {
			a.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
		}
		token, err := a.Encode(operatorKey)
		must(err)
		must(accounts.Store(id, token))
	}
	claimed := jwt.NewUserClaims(userID)
	claimed.Expires = time.Now().Add(30*24*time.Hour + time.Minute).Unix()
	user, err := claimed.Encode(accountKey)
	must(err)
	seed, err := userKey.Seed()
	must(err)
	creds, err = jwt.FormatUserConfig(user, seed)
	must(err)
	encoded, err := operator.Encode(operatorKey)
	must(err)
	claims, err := jwt.DecodeOperatorClaims(encoded)
	must(err)
	opts.TrustedOperators, opts.SystemAccount, opts.AccountResolver = []*jwt.OperatorClaims{claims}, systemID, accounts
	return creds
}

// Every way to log in reaches a server that wants it, and none is reached
// without. No output holds a secret.
func TestLogIn(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := user.PublicKey()
	seed, _ := user.Seed()
	ca, caKey, caPEM, _ := certificate(t, "authority", nil, nil)
	_, _, serverPEM, serverKey := certificate(t, "server", ca, caKey)
	_, _, clientPEM, clientKey := certificate(t, "client", ca, caKey)
	pair, err := tls.X509KeyPair(serverPEM, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	secured := func(both bool) func(*server.Options) {
		return func(o *server.Options) {
			o.TLSConfig, o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots, MinVersion: tls.VersionTLS12}, true
			if both {
				o.TLSVerify, o.TLSConfig.ClientAuth = true, tls.RequireAndVerifyClientCert
			}
		}
	}
	caFile := writeFile(t, "ca.pem", caPEM)
	var creds []byte
	for _, test := range []struct {
		name   string
		server func(*server.Options)
		flags  func() []string
		// ends is what doctor says of what runs out.
		ends []string
	}{
		{"user", func(o *server.Options) { o.Username, o.Password = "ada", secretWord }, func() []string {
			return []string{"--user", "ada", "--password-file", writeFile(t, "password", []byte(secretWord+"\n"))}
		}, nil},
		{"nkey", func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, func() []string {
			return []string{"--nkey", writeFile(t, "user.nk", seed)}
		}, nil},
		{"creds", func(o *server.Options) { creds = operatorMode(t, o) }, func() []string {
			return []string{"--creds", writeFile(t, "user.creds", creds)}
		}, []string{"credentials ok valid until", "for 30 days"}},
		{"private authority", secured(false), func() []string { return []string{"--tls-ca", caFile} }, []string{"server certificate BAD runs out at", "in 1."}},
		{"both certificates", secured(true), func() []string {
			return []string{"--tls-ca", caFile, "--tls-cert", writeFile(t, "client.pem", clientPEM), "--tls-key", writeFile(t, "client.key", clientKey)}
		}, []string{"server certificate BAD runs out at", "client certificate BAD runs out at"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := loginServer(t, test.server)
			flags := test.flags()
			provisionAs(t, url, flags)
			var stdout, stderr bytes.Buffer
			if code := Main(t.Context(), append([]string{"study", "ls", "--nats", url, "--inbox-prefix", "_INBOX_ada"}, flags...), nil, &stdout, &stderr); code != cli.ExitOK {
				t.Errorf("with %q: exit code %d\n%s", flags, code, &stderr)
			}
			if test.ends != nil {
				stdout.Reset()
				Main(t.Context(), append([]string{"doctor", "--nats", url}, flags...), nil, &stdout, &stderr)
			}
			said := strings.Join(strings.Fields(stdout.String()), " ")
			for _, want := range test.ends {
				if !strings.Contains(said, want) {
					t.Errorf("doctor does not say %q:\n%s", want, &stdout)
				}
			}
			for name, wrong := range map[string][]string{"nothing": nil, "another user": {"--user", "eve", "--password-file", writeFile(t, "other", []byte(secretWord+"3"))}} {
				var out bytes.Buffer
				if code := Main(t.Context(), append([]string{"study", "ls", "--nats", url}, wrong...), nil, &out, &out); code == cli.ExitOK {
					t.Errorf("with %s: the server lets us in", name)
				}
				if strings.Contains(out.String(), secretWord) {
					t.Errorf("with %s: a password is printed:\n%s", name, &out)
				}
			}
		})
	}
}

// provisionAs makes the streams, as who the flags say.
func provisionAs(t *testing.T, url string, flags []string) {
	t.Helper()
	a := &app{Terminal: cli.NewTerminal(nil, &bytes.Buffer{}, &bytes.Buffer{}, version), nats: url}
	root := a.root()
	if err := root.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	conf := natsbus.Config{URL: url, Logger: slog.New(slog.DiscardHandler)}
	if err := a.login.fill(&conf); err != nil {
		t.Fatal(err)
	}
	bus, err := natsbus.Connect(t.Context(), conf)
	if err != nil {
		t.Fatalf("log in with %q: %v", flags, err)
	}
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := bus.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A context of the nats tool names the server and the user.
func TestLogInByContext(t *testing.T) {
	url := loginServer(t, func(o *server.Options) { o.Username, o.Password = "ada", secretWord })
	provisionAs(t, url, []string{"--user", "ada", "--password-file", writeFile(t, "password", []byte(secretWord))})
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	dir := filepath.Join(home, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(map[string]string{"url": url, "user": "ada", "password": secretWord})
	if err := os.WriteFile(filepath.Join(dir, "lab.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "torn.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"study", "ls", "--context", "lab"}, cli.ExitOK, ""},
		{[]string{"study", "ls", "--context", "torn"}, cli.ExitUsage, "the context \"torn\" cannot be read"},
		{[]string{"study", "ls", "--context", "lab", "--data", t.TempDir()}, cli.ExitOK, ""},
		{[]string{"study", "ls", "--context", "lba"}, cli.ExitUsage, "there are lab, torn"},
		{[]string{"study", "ls", "--context", "lab", "--nats", "nats://127.0.0.1:1"}, cli.ExitUnreachable, "127.0.0.1:1"},
	} {
		var stdout, stderr bytes.Buffer
		code := Main(t.Context(), test.args, nil, &stdout, &stderr)
		if code != test.code || !strings.Contains(stderr.String(), test.says) || strings.Contains(stderr.String(), secretWord) ||
			strings.Contains(stderr.String(), "there are") != strings.HasPrefix(test.says, "there are") {
			t.Errorf("%q: exit code %d, want %d and %q\n%s", test.args, code, test.code, test.says, &stderr)
		}
	}
	// What was typed goes before the environment.
	t.Setenv("APOLLO_NATS", "nats://127.0.0.1:1")
	var out bytes.Buffer
	if code := Main(t.Context(), []string{"study", "ls", "--context", "lab"}, nil, &out, &out); code != cli.ExitOK {
		t.Errorf("--context beside APOLLO_NATS: exit code %d\n%s", code, &out)
	}
	t.Setenv("APOLLO_NATS", "")
	t.Setenv("APOLLO_CONTEXT", "lab")
	out.Reset()
	if code := Main(t.Context(), []string{"serve", "proposer", "--data", t.TempDir()}, nil, &out, &out); code == cli.ExitOK || !strings.Contains(out.String(), "APOLLO_CONTEXT was left aside") {
		t.Errorf("--data beside APOLLO_CONTEXT: exit code %d, want a hint\n%s", code, &out)
	}
}

// What is missing or contradicts itself is told without asking the server.
func TestLogInMistakes(t *testing.T) {
	t.Parallel()
	there := writeFile(t, "file", []byte("x"))
	for _, test := range []struct {
		flags []string
		says  string
	}{
		{[]string{"--creds", "none.creds"}, "open none.creds"},
		{[]string{"--creds", there, "--user", "ada"}, "give one"},
		{[]string{"--password-file", there}, "needs --user"},
		{[]string{"--tls-cert", there}, "belong together"},
		{[]string{"--nkey", there}, ""},
		{[]string{"--tls-ca", there}, ""},
	} {
		var out bytes.Buffer
		if code := Main(t.Context(), append([]string{"study", "ls", "--nats", "nats://127.0.0.1:1"}, test.flags...), nil, &out, &out); code == cli.ExitOK || !strings.Contains(out.String(), test.says) {
			t.Errorf("%q: exit code %d, want a message with %q\n%s", test.flags, code, test.says, &out)
		}
	}
}
