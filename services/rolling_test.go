package services_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"apollo/archiver"
	"apollo/archiver/storage/storagetest"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// drain stops a service as its supervisor does, so that it ends its work; it
// starts again as sim.start says.
func (s *sim) drain(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.procs[name]; p != nil {
		p.cancel()
	}
}

// A rolling upgrade: two of each role, one after the other is stopped and comes
// back, in the order of docs/operate.md, with a study running. The trials are those
// of a run that nobody disturbed, and each is in the log once. Where the upgrade
// brings another version of what measures, none of its answers counts.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 800, "")
	alone := simulate(t, 0, membus.Faults{}, 0, 2, body)
	silent := slog.New(slog.DiscardHandler)
	for name, after := range map[string]string{"the same model": "1", "another model": "2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var view *client.StudyView
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, 1, membus.Faults{}, 0)
				defer s.close()
				starts := map[string]int{}
				upgraded := func(name string) bool { s.mu.Lock(); defer s.mu.Unlock(); starts[name]++; return starts[name] > 1 }
				for i := range 2 {
					proposes, measures := fmt.Sprintf("proposer-%d", i), fmt.Sprintf("evaluator-%d", i)
					s.start(proposes, func(b events.Bus) service {
						upgraded(proposes)
						return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silent}
					})
					s.start(measures, func(b events.Bus) service {
						version := "1"
						if upgraded(measures) && i == 1 { // one of the old build stays until the run has ended
							version = after
						}
						slow := toy{version: version, evaluations: func(int) { time.Sleep(5 * time.Millisecond) }}
						return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(slow), Worker: measures, Logger: silent}
					})
				}
				s.start("archiver", func(b events.Bus) service {
					upgraded("archiver")
					return &archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: silent}
				})
				s.submit("sim", "x1", body)
				for _, role := range []string{"evaluator-0", "evaluator-1", "archiver", "proposer-0", "proposer-1"} {
					time.Sleep(300 * time.Millisecond)
					if now := s.looked("sim"); now.State != study.Running {
						t.Errorf("the study is %s (%s) before %s is upgraded: it should be running", now.State, now.Reason, role)
					}
					s.drain(role)
				}
				if view = s.wait("sim"); view.State == study.Completed {
					s.final(view)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, role := range []string{"evaluator-0", "evaluator-1", "archiver", "proposer-0", "proposer-1"} {
					if starts[role] != 2 {
						t.Errorf("%s was started %d times, want 2", role, starts[role])
					}
				}
			})
			if hashOf(view) != alone.Summary.Hash {
				t.Fatalf("an upgrade made another study: %s (%s), %+v", view.State, view.Reason, view.Summary)
			}
			checkLog(t, dir, view)
			if rows := inFiles(t, dir, view); len(rows) != view.Summary.Trials {
				t.Errorf("%d rows, want %d", len(rows), view.Summary.Trials)
			}
		})
	}
}

// Two archivers of one bucket: one writes and the other stands by, and each goes on
// where the other was stopped.
func TestTwoArchiversOfABucket(t *testing.T) {
	storagetest.New(t)
	place := storagetest.Place("turns")
	silent := slog.New(slog.DiscardHandler)
	s := newSim(t, 1, membus.Faults{}, 0)
	defer s.close()
	var taken atomic.Int64 // how often one that stood by began to write
	var gone atomic.Value  // the one that is stopped
	names := []string{"archiver-a", "archiver-b"}
	for _, name := range names {
		s.start(name, func(b events.Bus) service {
			if gone.Load() == name {
				return idle{}
			}
			return &archive.Archiver{Bus: b, Dir: place, Worker: name, Logger: slog.New(counting{slog.DiscardHandler, &taken, "the trial log is written here now"})}
		})
		time.Sleep(500 * time.Millisecond) // the first one writes
	}
	s.start("proposer", func(b events.Bus) service {
		return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silent}
	})
	s.start("evaluator", func(b events.Bus) service {
		slow := toy{evaluations: func(int) { time.Sleep(10 * time.Millisecond) }}
		return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(slow), Slots: 2, Logger: silent}
	})
	s.submit("sim", "x1", toyStudy("sim", 800, ""))
	for before, name := range names {
		time.Sleep(time.Second)
		gone.Store(name)
		s.drain(names[1-before]) // it comes back, and stands by
		time.Sleep(500 * time.Millisecond)
		s.drain(name)
		for began := time.Now(); taken.Load() == int64(before) && time.Since(began) < time.Minute; {
			time.Sleep(20 * time.Millisecond)
		}
	}
	view := s.wait("sim")
	s.final(view)
	files, err := archiver.Files(place)
	if err != nil {
		t.Fatal(err)
	}
	src, err := archiver.LoadSource(files, events.Source{Study: "sim"})
	if err != nil {
		t.Fatal(err)
	}
	if taken.Load() != 2 || src.SHA256 != view.Summary.Hash || len(src.Trials) != 800 {
		t.Errorf("taken over %d times, %d trials with hash %.12s in the bucket; want twice, and 800 with %.12s", taken.Load(), len(src.Trials), src.SHA256, view.Summary.Hash)
	}
}

// counting counts the lines that say one thing.
type counting struct {
	slog.Handler
	n    *atomic.Int64
	what string
}

func (c counting) Enabled(context.Context, slog.Level) bool { return true }
func (c counting) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c counting) Handle(_ context.Context, r slog.Record) error {
	if r.Message == c.what {
		c.n.Add(1)
	}
	return nil
}
