package natsbus

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/jsm.go/natscontext"
)

// ErrLogin is wrapped by errors about how somebody wants to log in: nobody was
// asked yet.
var ErrLogin = errors.New("log in")

// Login is who we are for a server, as the tools of NATS take it. Paths are of
// files; empty fields say nothing.
type Login struct {
	// Context is the name of a context of the nats tool. The other fields go
	// before what it says.
	Context string
	Token   string
	// Creds and NKey are files; User has a Password.
	Creds, NKey, User, Password string
	// CA signs the server's certificate, Cert and Key are ours.
	CA, Cert, Key string
	InboxPrefix   string
}

// Server is the URL of the context; "" without one.
func (l Login) Server() (string, error) {
	if l.Context == "" {
		return "", nil
	}
	c, err := l.load()
	if err != nil {
		return "", err
	}
	return c.ServerURL(), nil
}

// Fill says who we are. A file that cannot be read is told before the server is
// asked. The errors wrap ErrLogin.
func (l Login) Fill(conf *Config) error {
	ways := 0
	for _, way := range []string{l.Token, l.User, l.Creds, l.NKey} {
		if way != "" {
			ways++
		}
	}
	switch {
	case ways > 1:
		return fmt.Errorf("%w: a token, a user, credentials and an nkey are four ways to say who we are: give one", ErrLogin)
	case (l.Cert == "") != (l.Key == ""):
		return fmt.Errorf("%w: a certificate and its key belong together", ErrLogin)
	}
	for _, file := range []string{l.Creds, l.NKey, l.CA, l.Cert, l.Key} {
		if file == "" {
			continue
		}
		if _, err := os.ReadFile(file); err != nil {
			return fmt.Errorf("%w: %w", ErrLogin, err)
		}
	}
	c, err := l.load()
	if err != nil {
		return err
	}
	if c.JSDomain() != "" || c.JSAPIPrefix() != "" {
		return fmt.Errorf("%w: the context %q names a JetStream domain or API prefix, which is not used here: connect to the server that has the streams", ErrLogin, l.Context)
	}
	conf.hidden = []string{c.Password(), c.Token(), c.UserSeed()}
	options, err := c.NATSOptions()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLogin, conf.redactError(err))
	}
	conf.login, conf.credentials, conf.certificate = options, c.Creds(), c.Certificate()
	return nil
}

// load is the context with the other fields beside it.
func (l Login) load() (*natscontext.Context, error) {
	var options []natscontext.Option
	for _, o := range []struct {
		value string
		with  func(string) natscontext.Option
	}{
		{l.Token, natscontext.WithToken},
		{l.User, natscontext.WithUser},
		{l.Password, natscontext.WithPassword},
		{l.Creds, natscontext.WithCreds},
		{l.NKey, natscontext.WithNKey},
		{l.CA, natscontext.WithCA},
		{l.Cert, natscontext.WithCertificate},
		{l.Key, natscontext.WithKey},
		{l.InboxPrefix, natscontext.WithInboxPrefix},
	} {
		if o.value != "" {
			options = append(options, o.with(o.value))
		}
	}
	c, err := natscontext.New(l.Context, l.Context != "", options...)
	if err != nil {
		names := natscontext.KnownContexts()
		switch {
		case l.Context == "":
			return nil, fmt.Errorf("%w: %w", ErrLogin, err)
		case slices.Contains(names, l.Context):
			return nil, fmt.Errorf("%w: the context %q cannot be read: %w", ErrLogin, l.Context, err)
		case len(names) == 0:
			return nil, fmt.Errorf("%w: there is no context %q: %w; `nats context save` makes one", ErrLogin, l.Context, err)
		}
		return nil, fmt.Errorf("%w: there is no context %q: %w; there are %s", ErrLogin, l.Context, err, strings.Join(names, ", "))
	}
	return c, nil
}
