package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"apollo/services/external"
	"apollo/services/inspect"
	"apollo/services/proposer"
	"apollo/services/worker"
)

// role is a service of this process.
type role struct {
	name string
	run  func(ctx context.Context) error
}

// roleGroup runs roles together: when one breaks, or when it is stopped, all
// end, those in first before those in last, so that the archiver still sees
// what the evaluators finished.
type roleGroup struct {
	stages [2]context.Context
	cancel [2]context.CancelFunc
	groups [2]sync.WaitGroup

	mu     sync.Mutex // guards errs
	errs   []error
	broken chan struct{} // closed when a role ended by itself
	once   sync.Once
}

// startRoles starts the roles.
func startRoles(ctx context.Context, first, last []role) *roleGroup {
	p := &roleGroup{broken: make(chan struct{})}
	for i := range p.stages {
		// Detached: the way to the end goes through stop.
		p.stages[i], p.cancel[i] = context.WithCancel(context.WithoutCancel(ctx))
	}
	p.start(first, last) //nolint:contextcheck // see above
	return p
}

// start starts more roles beside those that run.
func (p *roleGroup) start(first, last []role) {
	for i, roles := range [2][]role{first, last} {
		for _, r := range roles {
			p.groups[i].Go(func() { p.serve(p.stages[i], r) })
		}
	}
}

func (p *roleGroup) serve(ctx context.Context, r role) {
	err := r.run(ctx)
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return
	}
	if err == nil {
		err = errors.New("ended by itself")
	}
	p.mu.Lock()
	p.errs = append(p.errs, fmt.Errorf("%s: %w", r.name, err))
	p.mu.Unlock()
	p.once.Do(func() { close(p.broken) })
}

// errLate: services were left behind at the end.
var errLate = errors.New("some services did not end")

// stop ends the roles in order and returns what broke. Roles that take longer
// than drainTimeout are left behind, which is an errLate: everything durable is on disk.
func (p *roleGroup) stop() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range p.groups {
			p.cancel[i]()
			p.groups[i].Wait()
		}
	}()
	var late error
	select {
	case <-done:
	case <-time.After(drainTimeout):
		late = fmt.Errorf("%w within %s", errLate, drainTimeout)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(append(p.errs, late)...)
}

// stopAfter is stop for who has an answer, or says why there is none: services that are
// left behind take nothing from it, and are a warning.
func (p *roleGroup) stopAfter(log *slog.Logger) error {
	err := p.stop()
	if !errors.Is(err, errLate) {
		return err
	}
	log.Warn("the services ended late", "error", err)
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// proposer returns the proposer of this process.
func (a *app) proposer(c *cobra.Command, s *session) *proposer.Proposer {
	notices := ownNotices()
	return &proposer.Proposer{
		Webhooks: notices.Check,
		Bus:      s.bus, Catalog: inspect.Builtins(), Sources: trialLogs{a.archive()}, Files: !s.remote,
		Logger: a.Logger(c, slog.LevelWarn), Build: thisBuild().name(), Tracer: s.tracer,
	}
}

// workerName is the name of this process in results.
func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// builtinEvaluators returns one evaluator role for every template of this
// build, with slots workers each.
func (a *app) builtinEvaluators(s *session, slots int, logger *slog.Logger, fail func(string) error) []role {
	var roles []role
	for _, t := range inspect.Builtins().Templates {
		roles = append(roles, evaluatorRole(s, t.Backend.Describe().Name, slots, logger, fail))
	}
	return roles
}

// evaluatorRole is an evaluator of what is built in.
func evaluatorRole(s *session, name string, slots int, logger *slog.Logger, fail func(string) error) role {
	return role{"evaluator " + name, newEvaluator(s, name, slots, logger, fail).Run}
}

func newEvaluator(s *session, name string, slots int, logger *slog.Logger, fail func(string) error) *worker.Evaluator {
	return &worker.Evaluator{
		Bus: s.bus, Name: name, Catalog: inspect.Builtins(), Slots: slots, Worker: workerName(),
		Logger: logger.With("service", "evaluator"), Meter: s.meters.of(name), Tracer: s.tracer, Failpoint: fail,
	}
}

// programRole is an evaluator that is a program of the user, for all studies or
// for one run alone. It closes the program at its end.
func programRole(e *worker.Evaluator, backend *external.Backend) role {
	e.Backend, e.Program = backend, backend.Program()
	return role{"evaluator " + e.Name, func(ctx context.Context) error { return errors.Join(e.Run(ctx), backend.Close()) }}
}

// httpRole serves health and metrics on an address, and says where.
func (a *app) httpRole(ctx context.Context, s *session, address string) (role, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return role{}, fmt.Errorf("serve health and metrics: %w", err)
	}
	a.Say("health and metrics on http://%s", listener.Addr())
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsUnspecified() {
		s.metrics = fmt.Sprintf("http://%s/metrics", at)
	}
	m := newMonitor(s.bus, s.meters)
	return role{"http", func(ctx context.Context) error { return m.run(ctx, listener) }}, nil
}
