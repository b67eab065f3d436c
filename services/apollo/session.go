package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/internal/nearest"
	"apollo/services/cli"
	"apollo/services/client"
)

// need is what a command wants from a bus.
type need int

const (
	// forReading: the store is opened when no server runs, but not created.
	forReading need = iota
	// forWriting: the same, to change what is stored.
	forWriting
	// forServer: a server with its services must be running already.
	forServer
	// forRunning: the store is created and opened when no server runs.
	forRunning
	// forMoment: the same, by a command that ends as soon as it has said something.
	forMoment
)

// session is a connection to a bus, with the embedded server when this process
// opened the store.
type session struct {
	bus    *natsbus.Bus
	server *natsbus.Server // nil when another process had it at the start
	url    string          // for people: without credentials
	// remote: the bus was named by --nats, so that its trial logs are
	// somewhere else.
	remote bool
	log    *slog.Logger
	heir   *heir // nil where the session has its own server, or one that --nats names
	// meters count what the services of this process do.
	meters *meters
	// metrics is where this process serves them, for a browser; "" where it does not.
	metrics string
	// tracer makes their spans; nil makes none.
	tracer trace.Tracer
}

// settleTimeout is how long another process may take to make its streams.
const settleTimeout = 5 * time.Second

// drainTimeout bounds every way to the end: Ctrl-C promises ten seconds.
const drainTimeout = 8 * time.Second

// close drains the connection and stops the embedded server, also when ctx is
// done. What is not drained in time is delivered again: nothing is lost.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := s.bus.Close(ctx); err != nil {
		s.log.Warn("the connection was not drained", "error", err)
	}
	if s.heir != nil {
		s.heir.close(ctx)
	}
	if s.server != nil {
		s.server.Shutdown()
	}
}

// heir opens the data directory in this process when the process has ended whose
// server a session used.
type heir struct {
	mu     sync.Mutex
	closed bool
	opened *session // nil as long as another process has the directory
}

// open starts the server, unless another process was faster: its error is
// natsbus.ErrLocked then.
func (h *heir) open(ctx context.Context, conf natsbus.ServerConfig) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.opened != nil {
		return nil
	}
	s, err := ownSession(ctx, conf)
	if err == nil {
		h.opened = s
	}
	return err
}

func (h *heir) close(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed = true; h.opened != nil {
		h.opened.close(ctx)
		h.opened = nil
	}
}

// open connects to the server that --nats names, to the one that holds the
// data directory, or to one that it starts on the data directory.
func (a *app) open(ctx context.Context, c *cobra.Command, want need) (*session, error) {
	tracer, err := a.trace(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := a.openBus(ctx, c, want)
	if s != nil {
		s.tracer = tracer
	}
	return s, err
}

func (a *app) openBus(ctx context.Context, c *cobra.Command, want need) (*session, error) {
	// What the server says about its recovery after a crash is no news to
	// people; what goes wrong is told by the services.
	logger := a.Logger(c, slog.LevelError)
	// A connection to another process that is lost and regained is news.
	heard := a.Logger(c, slog.LevelInfo)
	if a.nats != "" {
		conf := natsbus.Config{URL: a.nats, Logger: heard}
		if err := a.login.fill(&conf); err != nil {
			return nil, err
		}
		return connect(ctx, conf, true)
	}
	if want == forReading || want == forWriting {
		if _, err := os.Stat(filepath.Join(a.Data, "nats")); errors.Is(err, fs.ErrNotExist) {
			return nil, cli.Hinted(cli.ExitNotFound, a.elsewhere("`apollo run STUDY.yaml` makes one; --data says where it is, --nats where a server is"),
				fmt.Errorf("%s holds no studies", a.Data))
		}
	}
	return a.openData(ctx, logger, heard, want)
}

// openData attaches to the process that holds the data directory, or opens it.
func (a *app) openData(ctx context.Context, logger, heard *slog.Logger, want need) (*session, error) {
	for began := time.Now(); ; {
		url, token, there := natsbus.Attach(a.Data)
		var err error
		switch {
		case there && want != forServer && time.Since(began) < holderWait && a.holderBrief():
			// Its server goes with it, and what drives the study: this one's turn is next.
		case there:
			var s *session
			if s, err = a.borrow(ctx, url, token, logger, heard, want); err == nil {
				s.settle(ctx)
				return s, nil
			}
			if !errors.Is(err, events.ErrUnreachable) {
				return nil, err
			}
		case want == forServer:
			return nil, cli.Hinted(cli.ExitUnreachable, a.elsewhere("start one with `apollo up`, or name one with --nats"), fmt.Errorf("no server runs on %s", a.Data))
		default:
			var s *session
			if s, err = ownSession(ctx, a.serverConfig(logger, want)); err == nil || !errors.Is(err, natsbus.ErrLocked) {
				return s, err
			}
		}
		// Another process may just have taken the directory and not have said yet
		// where it listens, or be just leaving; one that is stopped does neither.
		if time.Since(began) > holderWait || a.holderStopped() {
			return nil, a.heldError(err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (a *app) serverConfig(logger *slog.Logger, want need) natsbus.ServerConfig {
	return natsbus.ServerConfig{Dir: a.Data, Token: rand.Text(), Command: a.commandLine(), Brief: want == forWriting || want == forMoment, Logger: logger}
}

// borrow connects to the server of the process that holds the data directory. When
// that process ends, the session goes on with the next one that holds it; a command
// that needs no services of it opens the directory itself when nobody does.
func (a *app) borrow(ctx context.Context, url, token string, logger, heard *slog.Logger, want need) (*session, error) {
	heir := &heir{}
	conf := natsbus.Config{URL: url, Token: token, Logger: heard, Dir: a.Data}
	if want == forReading || want == forWriting {
		conf.TakeOver = func() error { return heir.open(context.WithoutCancel(ctx), a.serverConfig(logger, want)) }
	}
	s, err := connect(ctx, conf, false)
	if err == nil {
		s.heir = heir
	}
	return s, err
}

// settle waits a moment for the streams, which a process that has just started
// its server still makes.
func (s *session) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := s.bus.Ready(ctx); err != nil {
		s.log.Debug("the streams are not there", "error", err) // whoever needs them says so
	}
}

// ownSession starts a server on a data directory and connects to it.
func ownSession(ctx context.Context, conf natsbus.ServerConfig) (*session, error) {
	server, err := natsbus.StartServer(conf) //nolint:contextcheck // starting waits half a second at most
	if err != nil {
		return nil, err
	}
	return startedSession(ctx, server, conf.Token, conf.Logger)
}

// startedSession connects to a server that this process started.
func startedSession(ctx context.Context, server *natsbus.Server, token string, logger *slog.Logger) (*session, error) {
	s, err := connect(ctx, natsbus.Config{URL: server.URL(), Server: server, Token: token, Logger: logger, FreshConsumers: true}, false)
	if err != nil {
		server.Shutdown()
		return nil, err
	}
	s.server = server
	if err := s.bus.Provision(ctx); err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

func connect(ctx context.Context, conf natsbus.Config, remote bool) (*session, error) {
	conf.Name = "apollo"
	wait, err := ackWait()
	if err != nil {
		return nil, err
	}
	conf.AckWait = wait
	bus, err := natsbus.Connect(ctx, conf)
	if err != nil {
		return nil, err
	}
	return &session{bus: bus, url: events.Redact(conf.URL), remote: remote, log: conf.Logger, meters: newMeters()}, nil
}

// study returns the view of a study, or an error that says that there is none.
func (s *session) study(ctx context.Context, name, run string) (*client.StudyView, error) {
	return s.studyBy(ctx, name, run, func() (*client.StudyView, error) { return client.ReadStudy(ctx, s.bus.Log(), name, run) })
}

// studyBy is study for who reads more of it.
func (s *session) studyBy(ctx context.Context, name, run string, read func() (*client.StudyView, error)) (*client.StudyView, error) {
	if !events.IsName(name) {
		hint := "`apollo study ls` lists the studies"
		if study, trial, ok := strings.Cut(name, "/"); ok && events.IsName(study) {
			hint = "`apollo trial show " + study + " " + shellWord(trial) + "` shows one trial"
		}
		return nil, cli.Hinted(cli.ExitUsage, hint, fmt.Errorf("%q is no name of a study: names have a-z, 0-9 and \"-\"", name))
	}
	view, err := read()
	if !errors.Is(err, client.ErrNoStudy) {
		return view, err
	}
	if latest, failed := client.ReadStudy(ctx, s.bus.Log(), name, ""); run != "" && failed == nil {
		return nil, cli.Hinted(cli.ExitNotFound, "its latest is "+latest.Run+"; `apollo study ls --all` lists them", fmt.Errorf("study %s has no run %q", name, run))
	}
	return nil, s.misnamed(ctx, name)
}

// lookTimeout bounds the search for a study that a wrong name may mean.
const lookTimeout = 3 * time.Second

// misnamed says that there is no study of a name, and which one may be meant.
func (s *session) misnamed(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	views, err := client.ListStudies(ctx, s.bus.Log())
	if err != nil {
		return noStudy(name)
	}
	var names []string
	for _, v := range slices.Backward(views) { // of two that are as near, the later one
		names = append(names, v.Study)
	}
	near := nearest.Name(name, names)
	if near == "" {
		return noStudy(name)
	}
	return cli.Hinted(cli.ExitNotFound, "did you mean "+near+"? `apollo study ls` lists the studies", fmt.Errorf("there is no study %q", name))
}

func noStudy(name string) error {
	return cli.Hinted(cli.ExitNotFound, "`apollo study ls` lists the studies", fmt.Errorf("there is no study %q", name))
}
