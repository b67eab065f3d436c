package natsbus

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
	"apollo/internal/roots"
)

var _ events.Bus = (*Bus)(nil)

// Bus is one process's connection to a server. It implements events.Bus and is
// safe for concurrent use.
type Bus struct {
	conf Config
	log  *slog.Logger
	nc   *nats.Conn
	js   jetstream.JetStream

	// ctx ends with the bus: it is the lifetime of its goroutines.
	ctx  context.Context
	stop context.CancelFunc
	// over is closed when Close has no more time for answers.
	over chan struct{}
	// running counts the goroutines of subscriptions and of Provision.
	running sync.WaitGroup

	// mu guards what follows.
	mu sync.Mutex
	// epoch is closed and replaced whenever the connection is up again; lostAt
	// is when it was lost last.
	epoch    chan struct{}
	lostAt   time.Time
	closed   bool
	attempts map[*attempt]bool
	// walked are the streams on which we may create no consumer.
	walked map[string]bool
	// forwarding is set once the advisories are turned into dead letters.
	forwarding bool
	// services are what ServeMicro started.
	services []interface{ Stop() error }

	// route finds the consumer of a queue's topic, and nackDelay is
	// events.NackDelay; tests replace both before they use the bus.
	route     func(topic string) (route, error)
	nackDelay func(n uint64) time.Duration
}

// attempt is a question that waits for the server's answer, so that a denial or
// a lost connection finds it.
type attempt struct {
	// subject that is asked, or its beginning up to a dot, or anyOf a stream.
	subject string
	cancel  context.CancelCauseFunc
}

// anyOf stands for all questions about a stream.
func anyOf(stream string) string { return "$JS.API.>" + stream }

// about reports whether the attempt asks a subject that was denied.
func (a *attempt) about(denied string) bool {
	if stream, ok := strings.CutPrefix(a.subject, anyOf("")); ok {
		return strings.HasPrefix(denied, "$JS.API.") && slices.Contains(strings.Split(denied, "."), stream)
	}
	return a.subject != "" && strings.HasPrefix(denied, a.subject)
}

// window is how many messages of one Publish wait for their acknowledgement at
// once (docs/events.md: async publish window 256).
const window = 256

// pingEvery is how often the client asks whether the server is there. It is
// gone after three times without an answer, well before the patience of an
// operation ends.
const pingEvery = 3 * time.Second

// Connect connects to the server. It returns an error that wraps
// events.ErrUnreachable when no server answers within ConnectWait or before
// ctx is done, and one that says so when the server refuses the credentials.
func Connect(ctx context.Context, conf Config) (*Bus, error) {
	conf, err := conf.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	b := &Bus{conf: conf, log: conf.Logger, over: make(chan struct{}), epoch: make(chan struct{}), attempts: map[*attempt]bool{}, walked: map[string]bool{}}
	b.route, b.nackDelay = b.defaultRoute, events.NackDelay
	b.ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	options, err := b.options()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if b.nc, err = dial(ctx, conf, options); err != nil {
		b.stop()
		return nil, err
	}
	if b.js, err = jetstream.New(b.nc,
		jetstream.WithPublishAsyncMaxPending(window), jetstream.WithPublishAsyncTimeout(lastAttempt),
		jetstream.WithDefaultTimeout(lastAttempt)); err != nil {
		b.stop()
		b.nc.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return b, nil
}

// trustRoots gives each TLS connection that names no authority of its own the roots to
// trust: whether a server wants TLS is known when it has answered, and it may name others.
func trustRoots(o *nats.Options) error {
	if o.RootCAsCB != nil {
		return nil
	}
	own := o.TLSConfig
	o.RootCAsCB = func() (*x509.CertPool, error) {
		if own != nil && own.RootCAs != nil {
			return own.RootCAs, nil
		}
		roots.Ensure()
		return nil, nil // the machine's
	}
	return nil
}

// dial makes the connection, again and again for ConnectWait.
func dial(ctx context.Context, conf Config, options []nats.Option) (*nats.Conn, error) {
	var pause backoff
	for end := time.Now().Add(conf.ConnectWait); ; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", conf.redact(conf.URL), err)
		}
		nc, err := nats.Connect(conf.URL, options...)
		if err == nil {
			return nc, nil
		}
		err = conf.redactError(err)
		if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) {
			return nil, fmt.Errorf("connect to %s: the server refuses the token or user: %w", conf.redact(conf.URL), err)
		}
		if time.Now().After(end) || pause.wait(ctx) != nil {
			return nil, fmt.Errorf("connect to %s: %w: %w", conf.redact(conf.URL), events.ErrUnreachable, err)
		}
	}
}

func (b *Bus) options() ([]nats.Option, error) {
	c := b.conf
	options := []nats.Option{
		nats.Name(c.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond), // a local server is back in milliseconds
		nats.ReconnectJitter(100*time.Millisecond, time.Second),
		// Nothing is buffered while disconnected: operations retry by
		// themselves and know what became of each message.
		nats.ReconnectBufSize(-1),
		// A server that is frozen leaves its connections open: without an answer
		// for three of these the client goes to another one.
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
		// What cannot be written to it holds up the connection's own pings.
		nats.FlusherTimeout(lastAttempt),
		// A server that starts may not know its users yet.
		nats.IgnoreAuthErrorAbort(),
		nats.PermissionErrOnSubscribe(true),
		nats.ErrorHandler(b.onError),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.disconnected(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { b.reconnected() }),
	}
	if c.Server != nil {
		options = append(options, nats.InProcessServer(c.Server.ns))
	}
	if c.Dir != "" {
		h := &holderDialer{dir: c.Dir, token: c.Token, takeOver: c.TakeOver}
		options = append(options, nats.SetCustomDialer(h), nats.TokenHandler(h.present))
	}
	if c.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(c.InboxPrefix))
	}
	if c.TLS != nil {
		options = append(options, nats.Secure(c.TLS))
	}
	switch {
	case c.Dir != "": // its server's token is known when it is found
	case c.Token != "":
		options = append(options, nats.Token(c.Token))
	case c.User != "":
		options = append(options, nats.UserInfo(c.User, c.Password))
	case c.Credentials != "":
		options = append(options, nats.UserCredentials(c.Credentials))
	case c.NKeySeed != "":
		key, err := nats.NkeyOptionFromSeed(c.NKeySeed)
		if err != nil {
			return nil, fmt.Errorf("read the nkey seed: %w", err)
		}
		options = append(options, key)
	}
	return append(append(options, c.login...), trustRoots), nil
}

// disconnected notes that the connection is lost: nobody's answer comes any
// more.
func (b *Bus) disconnected(err error) {
	if err == nil {
		err = errServerClosed
	}
	b.mu.Lock()
	b.lostAt = time.Now()
	b.mu.Unlock()
	if b.ctx.Err() == nil {
		b.log.Warn("connection lost: connecting again", "error", b.conf.redactError(err))
	}
	b.interrupt(nats.ErrDisconnected, func(*attempt) bool { return true })
}

// errServerClosed is why a connection is lost whose server says nothing.
var errServerClosed = errors.New("the server closed it")

// reconnected tells everyone who waits that the connection is up again.
func (b *Bus) reconnected() {
	b.mu.Lock()
	away := time.Since(b.lostAt)
	close(b.epoch)
	b.epoch = make(chan struct{})
	clear(b.walked) // permissions may be others now
	b.mu.Unlock()
	b.log.Info("connected again", "url", b.URL(), "after", away.Round(time.Millisecond))
}

// next returns the channel that is closed at the next reconnect.
func (b *Bus) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.epoch
}

// onError handles what the connection reports outside of any call. A denied
// publish is reported nowhere else: the call that waits for it is ended here.
func (b *Bus) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	if errors.Is(err, nats.ErrPermissionViolation) {
		// The server quotes the subject first.
		_, quoted, _ := strings.Cut(err.Error(), `"`)
		denied, _, _ := strings.Cut(quoted, `"`)
		if b.interrupt(fmt.Errorf("%w: %w", events.ErrDenied, err), func(a *attempt) bool { return a.about(denied) }) > 0 {
			return // who asked tells it
		}
	}
	b.log.Warn("connection error", "error", b.conf.redactError(err), "subject", subject)
}

// interrupt ends the attempts that match, and says how many: their answer will
// never come.
func (b *Bus) interrupt(cause error, match func(*attempt) bool) (ended int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for a := range b.attempts {
		if match(a) {
			a.cancel(cause)
			ended++
		}
	}
	return ended
}

// Close ends the bus in order: subscriptions take nothing new, Close waits
// until the messages in hand are answered or ctx is done (the rest goes back
// to the queue at once), and then ends the connection.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	services := b.services
	b.mu.Unlock()
	for _, s := range services {
		if err := s.Stop(); err != nil {
			b.log.Warn("stop the micro service", "error", err)
		}
	}
	b.stop()
	done := make(chan struct{})
	go func() {
		b.running.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		close(b.over)
		<-done
	}
	if b.nc.IsConnected() {
		if flush := b.nc.FlushTimeout(flushTimeout); err == nil {
			err = flush
		}
	}
	b.nc.Close()
	return err
}

// flushTimeout bounds the last words of a connection.
const flushTimeout = 2 * time.Second

// started runs f as a goroutine that Close waits for; false after Close.
func (b *Bus) started(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.running.Go(f)
	return true
}

// URL returns the URL of the connected server without credentials.
func (b *Bus) URL() string {
	u, err := url.Parse(b.nc.ConnectedUrl())
	if err != nil {
		return b.conf.redact(b.nc.ConnectedUrl())
	}
	u.User = nil
	return u.String()
}

// Log returns the fenced log.
func (b *Bus) Log() events.Log { return port{b} }

// Facts returns the once-per-subject streams.
func (b *Bus) Facts() events.Facts { return port{b} }

// subject returns a relative subject or filter with its prefix.
func (b *Bus) subject(relative string) string { return b.conf.Prefix + "." + relative }

// relative strips the prefix.
func (b *Bus) relative(subject string) string {
	return strings.TrimPrefix(subject, b.conf.Prefix+".")
}

// streamName returns the server's name of a stream of the topology.
func (b *Bus) streamName(name string) string {
	if b.conf.Prefix == events.DefaultPrefix {
		return name
	}
	return name + "-" + strings.ReplaceAll(b.conf.Prefix, ".", "_")
}

// streamFor returns the server's name of the one stream of all filters.
func (b *Bus) streamFor(filters ...string) (string, error) {
	found := ""
	for _, filter := range filters {
		s, ok := events.StreamOf(b.conf.Topology, filter)
		if !ok {
			return "", fmt.Errorf("%q is not within one stream of the topology", filter)
		}
		if found != "" && found != s.Name {
			return "", fmt.Errorf("%q and others are in different streams", filter)
		}
		found = s.Name
	}
	if found == "" {
		return "", errors.New("no subject given")
	}
	return b.streamName(found), nil
}
