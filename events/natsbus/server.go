package natsbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// ErrLocked is returned by StartServer when another process has the directory.
var ErrLocked = errors.New("another apollo runs in this data directory")

const (
	lockFile = "nats.lock"
	urlFile  = "nats.url"
	storeDir = "nats"

	// maxPayload is the largest message with its headers, as the topology has
	// it. The server warns of more.
	maxPayload = 8 << 20
	// syncInterval is how much a power failure may take back. One second
	// costs nothing that can be measured (docs/events.md, Durability).
	syncInterval = time.Second
	// readyTimeout bounds the start; it takes 3 to 14 ms and longer only when
	// much is recovered from a slow disk.
	readyTimeout = time.Minute
	// lockWait bounds how long a start waits for the directory, for one that
	// looks whether someone is there (Attach) or is just leaving.
	lockWait = 500 * time.Millisecond
)

// ServerConfig is the configuration of an embedded server.
type ServerConfig struct {
	// Dir is the data directory; it is created when missing.
	Dir string
	// Host to listen on; empty means 127.0.0.1.
	Host string
	// Port to listen on; 0 means any free one.
	Port int
	// Token that clients must present; empty means none.
	Token string
	// SyncInterval is how often stored messages are flushed to the disk; 0
	// means 1 s.
	SyncInterval time.Duration
	// MaxStore bounds the bytes of all streams; 0 leaves it to the free disk.
	MaxStore int64
	// Command is what the process was started as, without secrets, for those
	// who find the directory taken (HolderOf).
	Command string
	// Brief says that the process ends in a moment: who finds the directory taken had
	// better wait than join a server that is gone at once.
	Brief bool
	// Logger gets the server's lines, at debug level and, when something is
	// wrong, at warn level; nil means slog.Default().
	Logger *slog.Logger
}

// Server is an embedded NATS server with JetStream.
type Server struct {
	ns   *server.Server
	lock *flock.Flock
	dir  string
	url  string
}

// StartServer starts a server that keeps its streams in conf.Dir and returns
// once it takes connections. It holds a lock on the directory, and while it
// runs the file nats.url in it (0600) holds the URL with the token for Attach.
// Errors: ErrLocked, with the URL of the one who has the directory, and errors
// that name the directory or the port that cannot be used.
func StartServer(conf ServerConfig) (*Server, error) {
	if conf.Host == "" {
		conf.Host = "127.0.0.1"
	}
	if conf.Port == 0 {
		conf.Port = server.RANDOM_PORT
	}
	if conf.SyncInterval <= 0 {
		conf.SyncInterval = syncInterval
	}
	if conf.Logger == nil {
		conf.Logger = slog.Default()
	}
	if err := os.MkdirAll(conf.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("data directory, which --data or APOLLO_DATA names: %w", err)
	}
	lock, err := acquire(conf.Dir)
	if err != nil {
		return nil, err
	}
	hold(&conf)
	s := &Server{lock: lock, dir: conf.Dir}
	if err := s.start(conf); err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("start the server in %s: %w", conf.Dir, err)
	}
	return s, nil
}

// acquire takes the lock of a data directory.
func acquire(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	ctx, done := context.WithTimeout(context.Background(), lockWait)
	defer done()
	ok, err := lock.TryLockContext(ctx, lockWait/20)
	switch {
	case ok:
		return lock, nil
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("data directory %s cannot be used: %w", dir, err)
	}
	hint := "it has not written its address yet"
	if address, _, known := readURL(dir); known {
		hint = "it serves " + address
	}
	if h, known := HolderOf(dir); known {
		hint = h.String() + ", " + hint
	}
	return nil, fmt.Errorf("%w: %s (%s); stop it, attach to it, or use another directory", ErrLocked, dir, hint)
}

func (s *Server) start(conf ServerConfig) error {
	log := &serverLog{log: conf.Logger, fatal: make(chan string, 1)}
	ns, err := server.NewServer(&server.Options{
		ServerName: "apollo",
		Host:       conf.Host, Port: conf.Port, Authorization: conf.Token,
		JetStream: true, StoreDir: filepath.Join(conf.Dir, storeDir), JetStreamMaxStore: conf.MaxStore,
		SyncInterval: conf.SyncInterval, MaxPayload: maxPayload, NoSigs: true,
	})
	if err != nil {
		return err
	}
	ns.SetLoggerV2(log, false, false, false)
	ready := make(chan bool, 1)
	go func() {
		ns.Start()
		ready <- ns.ReadyForConnections(readyTimeout)
	}()
	select {
	case ok := <-ready:
		if ok && ns.JetStreamEnabled() {
			break
		}
		err = log.reason("the server was not ready within " + readyTimeout.String())
	case text := <-log.fatal:
		err = explainFatal(text, conf)
	}
	if err != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
		return err
	}
	s.ns = ns
	s.url = ns.ClientURL()
	if err := s.publish(conf.Token); err != nil {
		s.Shutdown()
		return err
	}
	return nil
}

// explainFatal puts the server's last words into ours.
func explainFatal(text string, conf ServerConfig) error {
	switch {
	case strings.Contains(text, "address already in use"):
		return fmt.Errorf("port %d on %s is taken: stop what listens there or choose another port (%s)", conf.Port, conf.Host, text)
	case strings.Contains(text, "permission denied"), strings.Contains(text, "no space left"), strings.Contains(text, "read-only file system"):
		return fmt.Errorf("the store cannot be written: %s", text)
	}
	return errors.New(text)
}

// publish writes the URL file, whole or not at all.
func (s *Server) publish(token string) error {
	u, err := url.Parse(s.url)
	if err != nil {
		return fmt.Errorf("the server's address: %w", err)
	}
	if token != "" {
		u.User = url.User(token)
	}
	f, err := os.CreateTemp(s.dir, urlFile+".*") // created with mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(u.String() + "\n")
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, urlFile))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// URL returns where clients connect, without the token.
func (s *Server) URL() string { return s.url }

// Shutdown stops the server, waits until its streams are closed, and leaves
// the directory to others. Clients should be closed before.
func (s *Server) Shutdown() {
	_ = os.Remove(filepath.Join(s.dir, urlFile))
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	_ = s.lock.Unlock()
}

// Attach finds the server that runs in a data directory, for a second command.
// ok is false when none does.
func Attach(dir string) (address, token string, ok bool) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_RDWR))
	free, err := lock.TryRLock()
	if free {
		_ = lock.Unlock()
		return "", "", false
	}
	if err != nil {
		return "", "", false // no directory or no lock file: nobody ever ran here
	}
	return readURL(dir)
}

func readURL(dir string) (address, token string, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, urlFile))
	if err != nil {
		return "", "", false
	}
	u, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || u.Host == "" {
		return "", "", false
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return "", "", false
	}
	token = u.User.Username()
	u.User = nil
	return u.String(), token, true
}

// serverLog takes the server's lines to slog. The lines are the server's; it
// has no attributes to offer.
type serverLog struct {
	log   *slog.Logger
	fatal chan string
}

func (l *serverLog) line(level slog.Level, format string, v []any) {
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "nats server", "line", fmt.Sprintf(format, v...))
	}
}

// Noticef implements the server's logger.
func (l *serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }

// Warnf implements the server's logger.
func (l *serverLog) Warnf(format string, v ...any) { l.line(slog.LevelWarn, format, v) }

// Errorf implements the server's logger.
func (l *serverLog) Errorf(format string, v ...any) { l.line(slog.LevelWarn, format, v) }

// Debugf implements the server's logger.
func (l *serverLog) Debugf(format string, v ...any) { l.line(slog.LevelDebug, format, v) }

// Tracef implements the server's logger.
func (l *serverLog) Tracef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }

// Fatalf implements the server's logger. Unlike the server's own it does not
// end the process: StartServer returns what it says.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

// reason returns the fatal line, if there was one.
func (l *serverLog) reason(otherwise string) error {
	select {
	case text := <-l.fatal:
		return errors.New(text)
	default:
		return errors.New(otherwise)
	}
}
