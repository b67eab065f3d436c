package services_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/worker"
)

// slowWorker measures for evaluator mine, a minute a design.
func slowWorker(s *sim, slots int) {
	slow := toy{evaluations: func(int) {
		select {
		case <-s.ctx.Done():
		case <-time.After(time.Minute):
		}
	}}
	s.start("slow", func(b events.Bus) service {
		return &worker.Evaluator{Bus: b, Name: "mine", Backend: slow, Catalog: toyCatalog(slow), Slots: slots, Worker: "host/1", Logger: silently}
	})
}

// idleFor waits until a study says that workers are idle for a code.
func (s *sim) idleFor(code string) events.Waiting {
	s.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Second / 4) {
		view := s.looked("sim")
		switch {
		case view.Idle != nil && view.Idle.Code == code:
			return *view.Idle
		case time.Since(began) > named+2*time.Second: // a notice of presence comes first
			s.t.Fatalf("the %s study says %+v of its workers, want %q", view.State, view.Idle, code)
		}
	}
}

// TestIdleWorkersAreNamed has more workers than the study has work for.
func TestIdleWorkersAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, budget, code, message, hint string
	}{
		{"parallelism", `"batch":1,"parallelism":2,"lag":8`, events.IdleParallelism, "3 of 5 workers of evaluator mine have nothing to do: 2 work items", "parallelism: auto, or 5"},
		{"strict order", `"batch":1,"parallelism":8,"lag":1`, events.IdleOrder, "3 of 5 workers of evaluator mine have nothing to do: in strict order the next ask waits for batch 0", "lag: 10 or more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			waiting(t, func(s *sim) {
				slowWorker(s, 5)
				s.submit("sim", "x1", strings.Replace(ownEvaluator("sim", 40), `"batch":8,"parallelism":4`, c.budget, 1))
				w := s.idleFor(c.code)
				if !strings.Contains(w.Message, c.message) || !strings.Contains(w.Hint, c.hint) {
					t.Errorf("it says %+v, want %q and %q", w, c.message, c.hint)
				}
				// The end of the budget is no reason: nothing is left to propose.
				if view := s.looked("sim"); len(view.Waiting) > 0 {
					t.Errorf("it waits for %+v although its workers are at it", view.Waiting)
				}
			})
		})
	}
}

// TestReasonsThatTakeTurnsAreNamed has answers of which every other one changes why
// workers are idle.
func TestReasonsThatTakeTurnsAreNamed(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		var calls atomic.Int64
		turns := toy{evaluations: func(int) {
			time.Sleep(time.Second + time.Duration(calls.Add(1)%2)*time.Second)
		}}
		s.start("turns", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "mine", Backend: turns, Catalog: toyCatalog(turns), Slots: 4, Worker: "host/1", Logger: silently}
		})
		s.submit("sim", "x1", strings.Replace(ownEvaluator("sim", 40), `"batch":8,"parallelism":4`, `"batch":1,"parallelism":2,"lag":1`, 1))
		for began := time.Now(); ; time.Sleep(time.Second / 4) {
			if s.looked("sim").Idle != nil {
				return
			}
			if time.Since(began) > named+2*time.Second {
				s.t.Fatal("the study does not say why two of four workers are idle")
			}
		}
	})
}

// TestParallelismOfTheWorkers submits a study that leaves its parallelism to them.
func TestParallelismOfTheWorkers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"five": 5, "none": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting(t, func(s *sim) {
				if name == "five" {
					slowWorker(s, 5)
				}
				time.Sleep(events.PresentEvery) // a notice of presence
				s.submit("sim", "x1", strings.Replace(ownEvaluator("sim", 40), `"parallelism":4`, `"parallelism":"auto"`, 1))
				time.Sleep(named)
				view := s.looked("sim")
				if view.Spec == nil || view.Spec.Budget.Parallelism != want || view.Spec.Budget.Lag != 2*want {
					t.Fatalf("the study was accepted as %+v, want a parallelism of %d and twice the lag", view.Spec, want)
				}
				if name == "five" && (view.Idle != nil || s.looked("sim").Spec.Budget.Parallelism != 5) {
					t.Errorf("workers are idle: %+v", view.Idle)
				}
			})
		})
	}
}
