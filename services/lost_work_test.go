package services_test

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services"
	"apollo/services/study"
)

// TestLostWorkIsPublishedAgain takes work out of the queue that nobody has
// answered, as a server does that comes back without its last second.
func TestLostWorkIsPublishedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &services.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		time.Sleep(time.Second)
		if err := s.hub.Client("operator").Purge(t.Context(), "work.>"); err != nil {
			t.Fatal(err)
		}
		s.start("evaluator", func(b events.Bus) service {
			return &services.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		// The ids of the lost items are known for 10 minutes: a server that was
		// started again has forgotten them.
		time.Sleep(11 * time.Minute)
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("%s (%s), want completed", view.State, view.Reason)
		}
	})
}
