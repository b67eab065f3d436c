package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/services/cli"
)

// login is who a command is for the server of --nats. A password comes from a
// file or the environment, so that no list of processes has it.
type login struct {
	natsbus.Login
	passwordFile string
	owner        string
}

func (l *login) register(f *pflag.FlagSet) {
	text := func(to *string, name, variable, usage string) {
		f.StringVar(to, name, os.Getenv(variable), usage+" ("+variable+")")
		f.Lookup(name).DefValue = "" // the help prints a default: no environment is one
	}
	text(&l.Token, "token", "APOLLO_TOKEN", "`token` for --nats")
	text(&l.Context, "context", "APOLLO_CONTEXT", "`name` of a context of the nats tool: its server and who we are there")
	text(&l.Creds, "creds", "APOLLO_CREDS", "`file` with the user's credentials (.creds)")
	text(&l.NKey, "nkey", "APOLLO_NKEY", "`file` with the seed of the user's nkey")
	text(&l.User, "user", "APOLLO_USER", "`name` of the user; APOLLO_PASSWORD or --password-file has the password")
	text(&l.passwordFile, "password-file", "APOLLO_PASSWORD_FILE", "`file` with the password of --user")
	text(&l.CA, "tls-ca", "APOLLO_TLS_CA", "`file` with the certificates that sign the server's")
	text(&l.Cert, "tls-cert", "APOLLO_TLS_CERT", "`file` with our certificate")
	text(&l.Key, "tls-key", "APOLLO_TLS_KEY", "`file` with its private key")
	text(&l.owner, "owner", "APOLLO_OWNER", "`name` that the server lets us ask as: whose studies we may submit and change")
	text(&l.InboxPrefix, "inbox-prefix", "APOLLO_INBOX_PREFIX", "`subject` that replies come in below (default _INBOX)")
}

// fill says who we are.
func (l *login) fill(conf *natsbus.Config) error {
	if err := l.checkOwner(); err != nil {
		return err
	}
	who := l.Login
	switch {
	case l.passwordFile != "" && l.User == "":
		return cli.Usagef("--password-file needs --user")
	case l.passwordFile != "":
		text, err := os.ReadFile(l.passwordFile)
		if err != nil {
			return cli.Usagef("--password-file: %s", err)
		}
		who.Password = strings.TrimRight(string(text), "\r\n")
	case l.User != "":
		who.Password = os.Getenv("APOLLO_PASSWORD")
	}
	return usage(who.Fill(conf))
}

func (l *login) checkOwner() error {
	if l.owner != "" && (!events.IsName(l.owner) || l.owner == events.ArchiverOwner) {
		return cli.Usagef("--owner %q: want a name of a-z, 0-9 and \"-\", other than %q", l.owner, events.ArchiverOwner)
	}
	return nil
}

// server is the URL of the context; "" without one.
func (l *login) server() (string, error) {
	url, err := l.Server()
	return url, usage(err)
}

// usage turns what is wrong with flags into an error of usage.
func usage(err error) error {
	if errors.Is(err, natsbus.ErrLogin) {
		return cli.Hinted(cli.ExitUsage, "docs/cluster.md has the ways to log in", err)
	}
	return err
}
