package services_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
)

// The queue of an evaluator goes when no study needs it and nobody works for it, not
// before, and comes back with the next study. Two proposers look after it.
func TestQueuesThatNobodyNeedsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		for _, name := range []string{"proposer", "other"} {
			s.start(name, func(b events.Bus) service {
				return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently}
			})
		}
		bus := s.hub.Client("user")
		after := func(wait time.Duration, what string, want ...string) {
			t.Helper()
			time.Sleep(wait)
			if got, err := bus.Evaluators(s.ctx); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: queues of %q (%v), want %q", what, got, err, want)
			}
		}
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		if err := ask(s, bus, "", "a", toyStudy("a", 40, "")); err != nil {
			t.Fatal(err)
		}
		after(3*time.Hour, "a study waits", "toy")
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "pause"}); err != nil {
			t.Fatal(err)
		}
		after(3*time.Hour, "it is paused", "toy")
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "a", Verb: "cancel"}); err != nil {
			t.Fatal(err)
		}
		after(30*time.Minute, "it was cancelled just now", "toy")
		workers := s.startSometimes("worker", toyWorker(toy{}, 1))
		after(3*time.Hour, "somebody works", "toy")
		s.leave("worker", workers)
		after(30*time.Minute, "nobody works since just now", "toy")
		after(time.Hour, "nobody needs it")
		if err := ask(s, bus, "", "b", toyStudy("b", 40, "")); err != nil {
			t.Fatal(err)
		}
		after(time.Second, "the next study", "toy")
		// As if another proposer had looked before this study was accepted.
		if err := bus.RemoveEvaluator(s.ctx, "toy"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		work, err := bus.Queue(1).Subscribe(ctx, "work.toy") // it makes no queue, as a worker does
		if err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-work:
			m.Nack()
		case <-time.After(time.Minute):
			t.Error("the work of a study has no queue, and nobody makes one")
		}
	})
}

// noQueues is a bus that makes no queue while it refuses.
type noQueues struct {
	events.Bus
	refuses *atomic.Bool
}

func (b noQueues) ProvisionEvaluator(ctx context.Context, name string) error {
	if b.refuses.Load() {
		return errors.New("the server makes no more queues")
	}
	return b.Bus.ProvisionEvaluator(ctx, name)
}

// Where the queue of a run is gone and cannot be made again, work that is lost is looked for
// all the same: the study pauses with the reason. That the items can be looked at is no
// news meanwhile.
func TestLostWorkIsFoundWithoutAQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		var refuses atomic.Bool
		var said strings.Builder // a handler writes one line after the other
		logger := slog.New(slog.NewTextHandler(&said, nil))
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: noQueues{b, &refuses}, Catalog: toyCatalog(toy{}), Logger: logger}
		})
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		if err := ask(s, bus, "", "sim", toyStudy("sim", 40, "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		refuses.Store(true)
		if err := bus.RemoveEvaluator(s.ctx, "toy"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if state := s.state("sim"); state != study.Running {
			t.Errorf("while all its work is in the stream it is %s", state)
		}
		if err := bus.Purge(s.ctx, "work.toy.>"); err != nil {
			t.Fatal(err)
		}
		if view := s.wait("sim"); view.State != study.Paused || !strings.Contains(view.Reason, "makes no more queues") {
			t.Errorf("%s (%s), want paused with why there is no queue", view.State, view.Reason)
		}
		s.close()
		warned := strings.Count(said.String(), "make the queue of the evaluator again")
		if over := strings.Count(said.String(), "can be looked at again") + strings.Count(said.String(), "the queue of the evaluator is there"); warned == 0 || warned > 6 || over > 0 {
			t.Errorf("it warned %d times and said %d times that it is over, want once a minute and never:\n%s", warned, over, &said)
		}
	})
}
