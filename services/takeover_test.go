package services_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// idle is a service that is gone.
type idle struct{}

func (idle) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func TestAnotherProposerGoesOnWhenOneIsGone(t *testing.T) {
	t.Parallel()
	names := []string{"proposer-1", "proposer-2"}
	for _, gone := range names {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, 1, membus.Faults{}, 0)
				defer s.close()
				var ended atomic.Bool
				for _, name := range names {
					s.start(name, func(b events.Bus) service {
						if name == gone && ended.Load() {
							return idle{}
						}
						return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
					})
				}
				s.start("evaluator", func(b events.Bus) service {
					return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
				})
				time.Sleep(time.Second) // both are there when the study comes
				s.submit("sim", "x1", toyStudy("sim", 400, ""))
				time.Sleep(500 * time.Millisecond)
				ended.Store(true)
				s.kill(gone)
				if view := s.wait("sim"); view.State != study.Completed {
					t.Errorf("%s (%s), want completed by the other proposer", view.State, view.Reason)
				}
			})
		})
	}
}
