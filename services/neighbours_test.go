package services_test

import (
	"context"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/study"
)

// slowSources take a minute to open, as on a network disk that hangs.
type slowSources struct{ sources }

func (s *slowSources) Open(ctx context.Context, ref events.Source) (*archiver.SourceLog, error) {
	time.Sleep(time.Minute)
	return s.sources.Open(ctx, ref)
}

// The sources of one study do not hold up the commands of the others.
func TestSlowSourcesHoldUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		log := &slowSources{}
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Sources: log, Logger: silently}
		})
		s.start("worker", toyWorker(toy{}, 2))
		log.source.Store(s.first())
		s.submit("slow", "x1", toyStudy("slow", 40, `,"transfer":{"sources":[{"study":"first"}]}`))
		s.submit("sim", "x2", toyStudy("sim", 40, ""))
		began := time.Now()
		if view := s.wait("sim"); view.State != study.Completed || time.Since(began) > named {
			t.Errorf("the other study: %s after %s", view.State, time.Since(began))
		}
		s.waitsFor("slow", events.WaitsLoading)
		began = time.Now()
		s.control("slow", "c1", "pause", 0)
		for len(s.log("rejected.slow")) == 0 && time.Since(began) <= named {
			time.Sleep(time.Second)
		}
		if r := s.log("rejected.slow"); len(r) != 1 || r[0].(events.StudyRejected).Errors[0].Code != "busy" || time.Since(began) > named {
			t.Errorf("after %s a request is answered with %+v, want that the study is busy", time.Since(began), r)
		}
		s.submit("given-up", "x3", toyStudy("given-up", 40, `,"transfer":{"sources":[{"study":"first"}]}`))
		s.waitsFor("given-up", events.WaitsLoading)
		s.control("given-up", "c2", "cancel", 0)
		if got := s.state("given-up"); got != study.Cancelled {
			t.Errorf("cancelled while its sources are read: %s", got)
		}
		if view := s.wait("slow"); view.State != study.Completed || len(view.Sources) != 1 {
			t.Errorf("the study with slow sources: %s (%s), sources %+v", view.State, view.Reason, view.Sources)
		}
	})
}

// A study with long evaluations and a large parallelism does not fill the queue
// before one that comes later.
func TestALaterStudyGetsItsTurn(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		const item = 8 * time.Second // of eight designs
		s.start("worker", toyWorker(toy{evaluations: func(int) {
			select {
			case <-s.ctx.Done():
			case <-time.After(item / 8):
			}
		}}, 2))
		time.Sleep(3 * time.Second) // the proposer knows of it
		s.submit("hog", "x0", strings.Replace(toyStudy("hog", 1600, ""), `"parallelism":4`, `"parallelism":200`, 1))
		time.Sleep(20 * time.Second)
		s.submit("sim", "x1", toyStudy("sim", 8, ""))
		began := time.Now()
		s.wait("sim")
		// What the hog has in hand and two for each slot are before it, and then
		// its own item: four rounds with some room for the evaluations' own time.
		if took := time.Since(began); took > 5*item {
			t.Errorf("the later study waited %s for its one item", took)
		}
		if state := s.state("hog"); state != study.Running {
			t.Errorf("the hog is %s: it was to be in the way", state)
		}
	})
}

// deafBus carries no notices while deaf, as through a server that is frozen.
type deafBus struct {
	events.Bus
	deaf *atomic.Bool
}

func (b deafBus) Notices(ctx context.Context, filter string) iter.Seq2[events.Message, error] {
	from := b.Bus.Notices(ctx, filter)
	return func(yield func(events.Message, error) bool) {
		for m, err := range from {
			if (err != nil || !b.deaf.Load()) && !yield(m, err) {
				return
			}
		}
	}
}

// Who hears nothing does not say that nobody is there, neither meanwhile nor
// right after.
func TestADeafProposerCallsNobodyAbsent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var deaf atomic.Bool
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: deafBus{b, &deaf}, Catalog: toyCatalog(toy{}), Logger: silently}
		})
		s.startArchiver(dir, nil)
		worker := s.startSometimes("worker", toyWorker(toy{evaluations: func(int) {
			select {
			case <-s.ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}}, 1))
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		time.Sleep(30 * time.Second)
		deaf.Store(true)
		time.Sleep(time.Minute)
		deaf.Store(false)
		time.Sleep(time.Minute)
		if said := s.log("study.sim.*.waiting"); len(said) != 0 {
			t.Errorf("said %+v of a study that did not wait", said)
		}
		s.leave("worker", worker)
		s.waitsFor("sim", events.WaitsNoEvaluator) // it hears again
	})
}
