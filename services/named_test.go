package services_test

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
)

// ghost says that it is a worker, and takes no work.
func (s *sim) ghost(p events.Presence) {
	bus := s.hub.Client("ghost")
	s.wg.Go(func() {
		for s.ctx.Err() == nil {
			p.Evaluator, p.Worker, p.Version = "toy", "host/9", "1"
			data, err := json.Marshal(p)
			if err == nil {
				err = bus.Notify(s.ctx, events.PresenceSubject("toy"), data)
			}
			if err != nil && s.ctx.Err() == nil {
				s.t.Error(err)
			}
			select {
			case <-s.ctx.Done():
			case <-time.After(events.PresentEvery):
			}
		}
	})
}

// Work that nobody answers although workers are there has a cause in time,
// whatever the reason.
func TestNoAnswerIsNamed(t *testing.T) {
	t.Parallel()
	one := strings.Replace(toyStudy("sim", 4000, ""), `"parallelism":4`, `"parallelism":1`, 1)
	for name, begin := range map[string]func(s *sim) (want string){
		"free workers do not take it": func(s *sim) string {
			s.ghost(events.Presence{Slots: 2})
			s.submit("sim", "x1", one)
			return "1 of 2 workers"
		},
		"the worker that has it is gone": func(s *sim) string {
			slow := s.startSometimes("slow", toyWorker(toy{evaluations: func(int) {
				select {
				case <-s.ctx.Done():
				case <-time.After(time.Hour):
				}
			}}, 1))
			s.submit("sim", "x1", one)
			time.Sleep(time.Minute)
			s.ghost(events.Presence{Slots: 2})
			time.Sleep(time.Minute)
			s.waitsFor("sim", "")
			s.leave("slow", slow)
			return "2 of 2 workers"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting(t, func(s *sim) {
				want := begin(s)
				w := s.waitsFor("sim", events.WaitsNoAnswer)
				if name != "free workers do not take it" && !strings.Contains(w.Message, want) {
					t.Errorf("it waits for %+v, want %q", w, want)
				}
				s.says(events.WaitsNoAnswer, "none has taken")
			})
		})
	}
}

func TestABusThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	dir := t.TempDir()
	f := faulty{working: func() error {
		if down.Load() {
			return events.ErrUnreachable
		}
		return nil
	}}
	troubled(t, f, nil, func(s *sim) {
		s.startArchiver(dir, nil)
		s.submit("sim", "x1", toyStudy("sim", 40000, ""))
		time.Sleep(300 * time.Millisecond)
		down.Store(true)
		s.waitsFor("sim", events.WaitsBus)
		s.says(events.WaitsBus)
		down.Store(false)
		s.waitsFor("sim", "")
	})
}

func TestTrialsThatAreNowhereAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(1)
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		s.wait("sim")
		if err := s.hub.Client("user").Purge(s.ctx, "result.>"); err != nil {
			t.Fatal(err)
		}
		s.startArchiver(dir, nil)
		s.waitsFor("sim", events.WaitsTrialsMissing)
	})
}

// A study that waits again and again for the same workers says so each time
// within the same seconds, and does not fill its log with it.
func TestCausesThatAlternateAreNamedInTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		var mu sync.Mutex
		var taken string
		var at time.Time
		rounds := 0
		s.hub = membus.New(membus.Config{Seed: 1, Trace: func(op membus.Op) {
			s.trace(op)
			if op.Kind != membus.OpDeliver || op.Stage != membus.After || !strings.HasPrefix(op.Subject, "work.") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if name := events.StudyOf(op.Subject); name != taken {
				if taken, at = name, time.Now(); name == "hog" {
					rounds++
				}
			}
		}})
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently}
		})
		s.startArchiver(dir, nil)
		s.start("worker", toyWorker(toy{evaluations: func(int) {
			select {
			case <-s.ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}}, 1))
		s.submit("hog", "x0", toyStudy("hog", 40000, ""))
		s.submit("sim", "x1", toyStudy("sim", 40000, ""))
		began := time.Now()
		for round := 1; round <= 30; round++ {
			for {
				mu.Lock()
				is, since := rounds >= round && taken == "hog", at
				mu.Unlock()
				if is {
					time.Sleep(time.Until(since.Add(named)))
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			logged, err := client.ReadStudy(s.ctx, s.hub.Client("reader").Log(), "sim", "")
			if err != nil {
				t.Fatal(err)
			}
			for what, view := range map[string]*client.StudyView{"who looks": s.looked("sim"), "the log": logged} {
				if len(view.Waiting) != 1 || view.Waiting[0].Code != events.WaitsEvaluatorsBusy {
					t.Errorf("round %d: by %s it waits for %+v, want %s", round, what, view.Waiting, events.WaitsEvaluatorsBusy)
				}
			}
			mu.Lock()
			round = max(round, rounds)
			mu.Unlock()
		}
		if n := len(s.log("study.sim.*.waiting")); n > 40 {
			t.Errorf("%d events in %s, want that they become fewer", n, time.Since(began))
		}
	})
}
