package services_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// TestLostWorkIsPublishedAgain takes work out of the queue that nobody has
// answered, as a server does that comes back without its last second.
func TestLostWorkIsPublishedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		time.Sleep(time.Second)
		if err := s.hub.Client("operator").Purge(t.Context(), "work.>"); err != nil {
			t.Fatal(err)
		}
		s.start("evaluator", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		time.Sleep(time.Minute) // the ids of the lost items are known for 10
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("%s (%s), want completed", view.State, view.Reason)
		}
	})
}

// TestLostWorkBehindOthers takes an item out of the queue that stands behind more items
// than one look asks about, while none of those is answered for long.
func TestLostWorkBehindOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		slow := make(chan struct{})
		defer close(slow)
		const slots = 80
		s.start("evaluator", func(b events.Bus) service {
			c := toyCatalog(toy{evaluations: func(int) { <-slow }})
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: c, Logger: slog.New(slog.DiscardHandler), Slots: slots}
		})
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", strings.Replace(toyStudy("sim", 300, ""), `"batch":8,"parallelism":4`, `"batch":1,"parallelism":300,"lag":300`, 1))
		time.Sleep(time.Minute)
		user := s.hub.Client("user")
		view, err := client.ReadStudy(s.ctx, user.Log(), "sim", "")
		if err != nil {
			t.Fatal(err)
		}
		item := events.WorkSubject("toy", "sim", view.Run, 2*slots-1)
		held := func() bool {
			held, err := user.Queued(s.ctx, item)
			if err != nil {
				t.Fatal(err)
			}
			return held
		}
		if !held() {
			t.Fatalf("%s was never published", item)
		}
		if err := user.Purge(s.ctx, item); err != nil {
			t.Fatal(err)
		}
		if held() {
			t.Fatalf("%s is still in the queue", item)
		}
		time.Sleep(2 * time.Minute)
		if !held() {
			t.Errorf("%s is not in the queue, two minutes after the server lost it", item)
		}
	})
}

// TestLostLogIsNoticed takes events out of the middle of a run's log, as a cut
// block of the server's store does, which says nothing.
func TestLostLogIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.start("evaluator", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		time.Sleep(300 * time.Millisecond)
		s.mu.Lock()
		s.crash("proposer", "lost log")
		s.mu.Unlock()
		if err := s.hub.Client("disk").Purge(t.Context(), events.StudySubject("sim", "*", "improved")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		view := s.wait("sim")
		if view.State != study.Paused || !strings.Contains(view.Reason, "the server has lost a part of the run's log") {
			t.Errorf("%s (%s), want paused with what is lost", view.State, view.Reason)
		}
	})
}

// TestLostResultsAreSoonReplaced takes the last results away while those of the
// work in hand come: soon there are as many as before, and the count says
// nothing. Some of them lie before the place from where the owner follows them.
func TestLostResultsAreSoonReplaced(t *testing.T) {
	t.Parallel()
	for _, lost := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 400 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, 1, membus.Faults{}, 0)
			defer s.close()
			s.startAll(2)
			s.submit("sim", "x1", toyStudy("sim", 800, ""))
			time.Sleep(time.Second)
			moment := s.hub.Moment()
			time.Sleep(lost)
			s.hub.Restore(moment, "APOLLO_RESULT")
			time.Sleep(5 * time.Minute)
			if state := s.state("sim"); state != study.Completed {
				t.Errorf("the results of the last %s lost: %s after five minutes, want completed", lost, state)
			}
		})
	}
}
