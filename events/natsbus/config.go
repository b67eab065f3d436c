package natsbus

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"apollo/events"
)

// Config is the configuration of a Bus.
type Config struct {
	// URL of the server, or several with commas, "nats://127.0.0.1:4222".
	URL string
	// Server is the embedded server to connect to: through memory, which costs
	// the processor less than the loopback. URL is for messages only then. Nil
	// means over the network.
	Server *Server
	// Dir is the data directory whose server this is: each connect and reconnect
	// goes to the one that holds it then, with its token. URL is for messages only
	// then. "" means that URL says where the server is.
	Dir string
	// TakeOver is asked, at a reconnect, when nobody holds Dir any more: it may start
	// a server there. Nil waits for somebody else to do it.
	TakeOver func() error
	// Token, or User and Password, or Credentials (the path of a .creds file),
	// or NKeySeed (the path of a seed file) prove who we are; all may be empty (Login knows more ways).
	Token, User, Password, Credentials, NKeySeed string
	// TLS is needed for servers with private certificates; nil leaves it to
	// the URL's scheme.
	TLS *tls.Config
	// login and hidden are Login's: options of the client, and the secrets in
	// them, which no text may quote.
	login  []nats.Option
	hidden []string
	// credentials and certificate are files that Login names: they run out.
	credentials, certificate string
	// Prefix comes before every subject; empty means events.DefaultPrefix.
	// Its tokens are DNS labels.
	Prefix string
	// InboxPrefix is where replies come in, for servers whose permissions
	// separate users; empty means "_INBOX".
	InboxPrefix string
	// Name is what the server's operator sees; empty means "apollo".
	Name string
	// Logger gets what happens to the connection; nil means slog.Default().
	Logger *slog.Logger
	// Replicas of every stream; 0 means 3 where the cluster has three servers,
	// and 1 elsewhere.
	Replicas int
	// Topology replaces events.Topology(), for example with small limits; nil
	// means events.Topology().
	Topology []events.Stream
	// Patience bounds how long an operation retries an unreachable server. 0
	// means 30 s: a server restarts in less.
	Patience time.Duration
	// ConnectWait bounds how long Connect tries to reach a server that does
	// not answer. 0 means one attempt.
	ConnectWait time.Duration
	// FreshConsumers makes Provision delete and re-create the consumers of the
	// queues, so that what a dead process held is delivered at once and not
	// after events.AckWait. Only for a process that has the server to itself.
	FreshConsumers bool
	// AckWait replaces events.AckWait, with heartbeats three times as often.
	// 0 means events.AckWait; shorter only for tests, which wait in real time.
	AckWait time.Duration
}

func (c Config) withDefaults() (Config, error) {
	if c.Prefix == "" {
		c.Prefix = events.DefaultPrefix
	}
	for token := range strings.SplitSeq(c.Prefix, ".") {
		if !events.IsName(token) {
			return c, fmt.Errorf("prefix %q: %q is not a DNS label", c.Prefix, token)
		}
	}
	if err := c.checkURL(); err != nil {
		return c, err
	}
	if c.Name == "" {
		c.Name = "apollo"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Topology == nil {
		c.Topology = events.Topology()
	}
	if c.Patience <= 0 {
		c.Patience = 30 * time.Second
	}
	if c.AckWait <= 0 {
		c.AckWait = events.AckWait
	}
	return c, nil
}
