package services_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/worker"
)

// Work of a run that was removed, or that has ended, is dropped and not done.
func TestWorkThatNobodyWaitsForIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var done atomic.Int64
		s.toy = toy{evaluations: func(int) { done.Add(1) }}
		s.startAll(1)
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		view := s.wait("sim")
		evaluated := done.Load()
		user := s.hub.Client("user")
		publish := func(id, run string, batch int) {
			work := events.BatchRequested{
				Study: "sim", Run: run, Batch: batch, Evaluator: "toy", Template: "toy", Metrics: view.Spec.Metrics,
				Trials: []int{0}, Designs: []events.Design{{{Num: 1}, {Num: 1}, {Num: 1}}},
			}
			for _, p := range view.Spec.Parameters {
				work.Parameters = append(work.Parameters, events.Column{Name: p.Name, Unit: p.Unit})
			}
			data, err := events.Encode(id, "test", "sim", time.Now(), work)
			if err == nil {
				err = user.Queue(1).Publish(events.WorkSubject("toy", "sim", run, batch), message.NewMessage(id, data))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		publish("old-1", "00000000", 0)
		s.kill("evaluator-0") // its successor knows of no run
		publish("old-2", view.Run, 99)
		time.Sleep(time.Minute)
		info, err := user.Log().Info(s.ctx, "work.>")
		if err != nil || info.Messages != 0 || done.Load() != evaluated {
			t.Errorf("%d items are left (%v), %d designs were evaluated for nobody", info.Messages, err, done.Load()-evaluated)
		}
	})
}

// Two evaluators under one name are told with both of them, once; a worker of
// one run is nobody's rival.
func TestTwoEvaluatorsOfOneNameAreReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var said logged
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: slog.New(&said)}
		})
		s.program("one", toy{}, prog("left"))
		s.program("two", toy{}, prog("left"))
		time.Sleep(time.Minute)
		if n := said.count("evaluators with one name"); n != 0 {
			t.Errorf("two workers of one program are reported %d times", n)
		}
		s.program("three", toy{version: "2"}, prog("right"))
		s.start("private", func(b events.Bus) service {
			return &worker.Evaluator{
				Bus: b, Name: "mine", Backend: toy{}, Catalog: toyCatalog(toy{}), Program: prog("private"), Worker: "private",
				OnlyStudy: "sim", OnlyRun: "0badcafe", Logger: slog.New(slog.DiscardHandler),
			}
		})
		time.Sleep(time.Minute)
		if n := said.count("evaluators with one name"); n != 1 {
			t.Errorf("reported %d times, want once", n)
		}
		text := said.text("evaluators with one name")
		for _, want := range []string{"2 different evaluators serve the name mine", "one (version 1", "left", "three (version 2", "right"} {
			if !strings.Contains(text, want) {
				t.Errorf("the report %q lacks %q", text, want)
			}
		}
	})
}

// logged keeps what was logged.
type logged struct {
	mu      sync.Mutex // guards records
	records []slog.Record
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }

func (l *logged) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *logged) WithGroup(string) slog.Handler { return l }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
	return nil
}

// text is the attributes of what was logged under a message.
func (l *logged) text(message string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, r := range l.records {
		if r.Message == message {
			r.Attrs(func(a slog.Attr) bool {
				b.WriteString(a.String() + " ")
				return true
			})
		}
	}
	return b.String()
}

func (l *logged) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, r := range l.records {
		if r.Message == message {
			n++
		}
	}
	return n
}

// A client that acknowledges work without an answer that counts (a server takes
// the second answer under one id for a duplicate) holds a study up, and does
// not stop it.
func TestWorkThatWasSwallowedIsPublishedAgain(t *testing.T) {
	t.Parallel()
	want := simulate(t, 0, membus.Faults{}, 0, 1, toyStudy("sim", 80, ""))
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(0)
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		user := s.hub.Client("careless")
		if err := user.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		work, err := user.Queue(1).Subscribe(s.ctx, "work.toy")
		if err != nil {
			t.Fatal(err)
		}
		for range 6 { // each batch once, and some of them twice
			(<-work).Ack()
		}
		user.Kill()
		s.start("right", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "right", Logger: slog.New(slog.DiscardHandler)}
		})
		view := s.wait("sim")
		if hashOf(view) != want.Summary.Hash {
			t.Errorf("%s (%s), hash %.12s, want %.12s", view.State, view.Reason, hashOf(view), want.Summary.Hash)
		}
		// Of fake time: the server forgets the names of the items after ten.
		if took := view.Updated.Sub(view.Accepted); took > 5*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
