package services_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/study"
	"apollo/services/worker"
)

// atOnce is a toy that takes long, and the most of its evaluations that there
// were at a time.
func atOnce(each time.Duration) (toy, *atomic.Int64) {
	var now, most atomic.Int64
	return toy{evaluations: func(int) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(each)
		now.Add(-1)
	}}, &most
}

// wide is a toy study that asks for designs one by one, many at a time.
func wide(name string, trials, parallelism int) string {
	return strings.NewReplacer(`"batch":8,"parallelism":4`, fmt.Sprintf(`"batch":1,"parallelism":%d`, parallelism),
		`"name":"evolution"`, `"name":"random"`).Replace(toyStudy(name, trials, ""))
}

// Workers that say how many items they take do not keep the others, of whom only
// the queue knows, from the rest of a study's work.
func TestWorkersThatSayNothingGetTheirPortion(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		slow, most := atOnce(30 * time.Second)
		s.start("known", toyWorker(slow, 1))
		for i := range 10 {
			s.start(fmt.Sprintf("plain-%d", i), func(b events.Bus) service {
				return &worker.Evaluator{Bus: earlier{unasked{b}}, Name: "toy", Catalog: toyCatalog(slow), Worker: "plain", Logger: silently}
			})
		}
		time.Sleep(10 * time.Second) // the proposer has heard of the one
		s.submit("sim", "x1", wide("sim", 60, 16))
		began := time.Now()
		if view := s.wait("sim"); view.State != study.Completed {
			t.Fatalf("%s (%s)", view.State, view.Reason)
		}
		// Two of them take 900 s, and all 180 s.
		if took := time.Since(began); most.Load() < 11 || took > 250*time.Second {
			t.Errorf("at most %d of 11 workers were busy, and it took %s", most.Load(), took)
		}
	})
}

// What a notice says about its worker may be anything.
func TestAWorkerWithLessThanNoSlots(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.start("worker", func(b events.Bus) service {
			return &worker.Evaluator{Bus: earlier{unasked{b}}, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "plain", Logger: silently}
		})
		liar := s.hub.Client("user")
		lie, err := json.Marshal(events.Presence{Evaluator: "toy", Worker: "liar/1", Version: "1", Slots: -3})
		if err != nil {
			t.Fatal(err)
		}
		tell := time.NewTicker(events.PresentEvery)
		defer tell.Stop()
		s.wg.Go(func() {
			for {
				if err := liar.Notify(s.ctx, events.PresenceSubject("toy"), lie); err != nil {
					return
				}
				select {
				case <-s.ctx.Done():
					return
				case <-tell.C:
				}
			}
		})
		time.Sleep(5 * time.Second)
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		time.Sleep(time.Minute)
		if state := s.state("sim"); state != study.Completed {
			t.Errorf("the study is %s, want completed: a worker is there", state)
		}
	})
}

// Two containers may have one host name, and process 1 each.
func TestWorkersOfOneNameAreTwo(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		slow, most := atOnce(8 * time.Second)
		for i := range 2 {
			s.start(fmt.Sprintf("worker-%d", i), toyWorker(slow, 4))
		}
		time.Sleep(10 * time.Second)
		s.submit("sim", "x1", wide("sim", 200, 64))
		time.Sleep(time.Minute)
		seen := map[string]bool{}
		for _, p := range s.notices(3 * time.Second) {
			seen[p.Worker+" "+p.Process] = true
		}
		if len(seen) != 2 {
			t.Errorf("the workers of one name are %v, want two", seen)
		}
		if view := s.wait("sim"); view.State != study.Completed || most.Load() != 8 {
			t.Errorf("%s with %d evaluations at a time, want 8", view.State, most.Load())
		}
	})
}
