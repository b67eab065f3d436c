package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/certify"
	"apollo/services/client"
	"apollo/services/health"
	"apollo/services/messages"
	"apollo/services/transfer"
)

// Bounds of what a server does at a time.
const (
	maxWatches  = 32               // runs whose folds are kept
	maxStreams  = 200              // clients that listen to changes
	maxDrawings = 8                // pages and answers of a run's trials that are made
	catchUpTime = 3 * time.Second  // a page waits for a fold that still reads
	headerTime  = 5 * time.Second  // a client may take to ask
	drainTime   = 2 * time.Second  // requests may take to end
	idleTime    = 60 * time.Second // a connection without a request
	bodyTime    = 60 * time.Second // a client may take to send a body
	answerTime  = 2 * time.Minute  // an answer may take, but for one that is written on and on
	writeTime   = 30 * time.Second // a client may take no part of an answer that goes on
)

// Server serves the pages. It reads the bus, and changes a study by the commands that
// everybody sends.
type Server struct {
	Bus    health.Bus
	Logger *slog.Logger
	// Token is what a client must have; "" asks for none, and then the loopback
	// alone is served unless Open says otherwise.
	Token string
	Open  bool
	// Owner is whose studies it asks for, where the bus lets it ask as one; "" is all.
	Owner string
	// Alone is the only study that is run beside the dashboard: it takes no others. "" is
	// for a server that does.
	Alone string
	// Optimum returns the proven optimum of a study's only objective, nil where there is
	// none; nil knows of none. It is called once for a run that is looked at.
	Optimum func(ctx context.Context, spec *events.Spec) *float64

	// Holdings says what the trial log in Place has of every study; nil where the server
	// reads none.
	Holdings func() ([]archiver.Holding, error)
	Place    string
	// Metrics is where this process serves its metrics; "" where it does not.
	Metrics string
	// Candidates says what of a study's sources is matched, as `apollo transfer candidates`
	// does; nil where the server reads no trial log.
	Candidates func(ctx context.Context, spec *events.Spec) ([]transfer.Candidate, error)

	// Proven returns the proven optima of a study with one objective under limits on a
	// metric, by rising limit, and those of a sweep over it; nil knows of none.
	Proven func(ctx context.Context, spec *events.Spec, metric string, limits []float64) []certify.Optimum

	index   *index
	roles   *roles
	streams chan struct{} // a token per client that listens
	eyes    chan struct{} // a token per design that is evaluated
	exports chan struct{} // a token per run that is written as a file
	// drawings has a token per page or answer that is made of trials: each may take as much
	// memory as they do.
	drawings chan struct{}

	holdings holdings
	shared   shared

	ctx     context.Context //nolint:containedctx // that of Run: it ends the watches
	mu      sync.Mutex      // guards watches, looks and provens
	watches map[messages.RunKey]*watch
	looks   uint64
	provens map[string]provenRungs // what was proven of ladders
	reading sync.WaitGroup
}

// Run serves on a listener until ctx ends.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.reading.Wait()
	defer cancel()
	s.start(ctx)
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: 1 << 16,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the dashboard: %w", err)
	case <-ctx.Done():
	}
	limited, stop := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer stop()
	if err := server.Shutdown(limited); err != nil {
		return fmt.Errorf("stop serving the dashboard: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// start begins to read the bus, until ctx ends.
func (s *Server) start(ctx context.Context) {
	s.ctx, s.index, s.roles = ctx, newIndex(), newRoles()
	s.eyes, s.exports = make(chan struct{}, looking), make(chan struct{}, maxExports)
	s.drawings = make(chan struct{}, maxDrawings)
	s.streams, s.watches, s.provens = make(chan struct{}, maxStreams), map[messages.RunKey]*watch{}, map[string]provenRungs{}
	s.shared.pages = map[string]*sharedPage{}
	s.index.told = s.told
	s.reading.Go(func() {
		if err := s.index.follow(ctx, s.Bus); err != nil && ctx.Err() == nil {
			s.Logger.Error("the list of studies is no longer followed", "error", err)
		}
	})
	s.reading.Go(func() { s.index.listen(ctx, s.Bus, s.roles.waits.Tick) })
	s.reading.Go(func() { s.index.prune(ctx, s.Bus) })
	s.followRoles(ctx)
}

// look returns the watch of a run, and begins it where nobody looked yet. The one
// that nobody looked at for longest makes room; nil where clients listen to all.
func (s *Server) look(v *client.StudyView) *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := messages.RunKey{Study: v.Study, Run: v.Run}
	s.looks++
	w := s.watches[key]
	if w == nil || w.broken() {
		if w == nil && !s.makeRoom() {
			return nil
		}
		w = newWatch(v)
		ctx, cancel := context.WithCancel(s.ctx)
		w.cancel = cancel
		s.watches[key] = w
		s.reading.Go(func() { w.run(ctx, s.Bus, v.Spec.Evaluator.Name, s.Optimum) })
	}
	w.used = s.looks
	return w
}

func (s *Server) makeRoom() bool {
	if len(s.watches) < maxWatches {
		return true
	}
	var oldest messages.RunKey
	least := ^uint64(0)
	for key, w := range s.watches {
		if w.used < least && w.listeners.Load() == 0 {
			oldest, least = key, w.used
		}
	}
	if least == ^uint64(0) {
		return false
	}
	s.watches[oldest].cancel()
	delete(s.watches, oldest)
	return true
}

// told has a run read where it is watched: something happened to it that is no trial.
func (s *Server) told(key messages.RunKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.watches[key]; w != nil && w.listeners.Load() > 0 {
		w.ask()
	}
}

// listen counts a client that listens to a watch, until the function that it returns
// is called: the watch stays meanwhile.
func (s *Server) listen(w *watch) (done func()) {
	w.listeners.Add(1)
	w.rouse()
	return func() { w.listeners.Add(-1) }
}

// ready waits until a watch has read what is stored now, or catchUpTime. Whoever follows a
// page is content with what was read last.
func (w *watch) ready(ctx context.Context, follows bool) {
	var asked uint64
	if !follows || w.listeners.Load() == 0 {
		asked = w.ask()
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.moved.Broadcast()
	})()
	w.mu.Lock()
	defer w.mu.Unlock()
	for (w.caught < 2 || w.log.read < asked || w.facts.read < asked) && w.err == nil && ctx.Err() == nil {
		w.moved.Wait()
	}
}

func (w *watch) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil
}

func (w *watch) now() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.version
}
