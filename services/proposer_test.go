package services_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// calm runs test in a bubble with the proposer and one evaluator, without faults.
func calm(t *testing.T, test func(s *sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(1)
		test(s)
	})
}

// log returns the kinds of a study's events, and its rejections, in order.
func (s *sim) log(filters ...string) (out []events.Payload) {
	s.t.Helper()
	for m, err := range s.hub.Client("reader").Log().Read(s.ctx, 0, filters...) {
		if errors.Is(err, events.ErrUnreachable) {
			return s.log(filters...) // it has waited already
		}
		if err != nil {
			s.t.Fatal(err)
		}
		_, e, err := events.Decode(m.Data)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func (s *sim) control(name, id, verb string, trials int) {
	s.t.Helper()
	data, err := events.Encode(id, "test", name, time.Now(), events.StudyControl{Study: name, ID: id, Verb: verb, Trials: trials})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.hub.Client("user").Queue(1).Publish(events.ControlSubject(name), message.NewMessage(id, data)); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(time.Second)
}

func TestTheSameRequestStartsOneRun(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		body := toyStudy("sim", 40, "")
		s.submit("sim", "x1", body)
		s.submit("sim", "x1", body)
		s.wait("sim")
		time.Sleep(15 * time.Minute) // beyond the bus's memory of ids
		s.submit("sim", "x1", body)
		time.Sleep(time.Second)
		if n := len(s.log("study.sim.*.accepted")); n != 1 {
			t.Errorf("%d runs of a request that came three times, want 1", n)
		}
		if r := s.log("rejected.*"); len(r) != 0 {
			t.Errorf("the repeated request was rejected: %+v", r)
		}
	})
}

func TestTheSameStudyTwiceIsRefused(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		s.wait("sim")
		for i, c := range []struct{ body, message, hint string }{
			{toyStudy("sim", 40, ""), "same content", "fresh"},
			{toyStudy("sim", 80, ""), "80", "apollo study extend sim --trials 80"},
			{toyStudy("sim", 80, `,"order":"relaxed"`), "relaxed", "another name"},
		} {
			s.submit("sim", fmt.Sprintf("y%d", i), c.body)
			time.Sleep(time.Second)
			rejected := s.log("rejected.sim")
			if len(rejected) != i+1 {
				t.Fatalf("request %d: %d rejections, want %d", i, len(rejected), i+1)
			}
			m := rejected[i].(events.StudyRejected).Errors[0]
			if m.Pointer == "" || m.Code != "duplicate" || !strings.Contains(m.Message, c.message) || !strings.Contains(m.Hint, c.hint) {
				t.Errorf("request %d: %+v, want %q and hint %q", i, m, c.message, c.hint)
			}
		}
		s.submit("sim", "z", `{"specversion":"1.0","type":"apollo.study.requested.v1","id":"z","source":"test","time":"2026-01-01T00:00:00Z","data":{"fresh":true,"study":`+toyStudy("sim", 80, "")+`}}`)
		if view := s.wait("sim"); view.Summary.Trials != 80 {
			// The first run has ended already: wait saw it.
			time.Sleep(time.Minute)
			if view = s.wait("sim"); view.Summary == nil || view.Summary.Trials != 80 {
				t.Errorf("the fresh run ended with %+v, want 80 trials", view.Summary)
			}
		}
		if n := len(s.log("study.sim.*.accepted")); n != 2 {
			t.Errorf("%d runs, want 2", n)
		}
	})
}

func TestAFreshRunCancelsAnUnfinishedOne(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 1000, ""))
		time.Sleep(500 * time.Millisecond)
		s.submit("sim", "x2", `{"specversion":"1.0","type":"apollo.study.requested.v1","id":"z","source":"test","time":"2026-01-01T00:00:00Z","data":{"fresh":true,"study":`+toyStudy("sim", 80, "")+`}}`)
		s.wait("sim")
		views, err := client.ListStudies(s.ctx, s.hub.Client("reader").Log())
		if err != nil || len(views) != 2 {
			t.Fatalf("ListStudies() = %d views, %v", len(views), err)
		}
		if views[0].State != study.Cancelled || views[1].State != study.Completed {
			t.Errorf("states %s, %s; want cancelled, completed", views[0].State, views[1].State)
		}
	})
}

func TestBadRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "b1", `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"sim"},"spec":{"sead":3,"budget":{"trials":-1}}}`)
		s.submit("sim", "b2", `not json`)
		s.submit("other", "b3", toyStudy("sim", 40, ""))
		s.submit("sim", "b4", toyStudy("sim", 40, `,"transfer":{"sources":[{"study":"nothing"}]}`))
		s.control("nobody", "c1", "pause", 0)
		time.Sleep(time.Second)
		rejected := s.log("rejected.*")
		if len(rejected) != 5 {
			t.Fatalf("%d rejections, want 5: %+v", len(rejected), rejected)
		}
		if n := len(rejected[0].(events.StudyRejected).Errors); n < 2 {
			t.Errorf("%d mistakes of a document with several", n)
		}
		for i, r := range rejected {
			for _, m := range r.(events.StudyRejected).Errors {
				if m.Code == "" || m.Message == "" || m.Hint == "" && i != 0 {
					t.Errorf("rejection %d: %+v lacks a code, a message or a hint", i, m)
				}
			}
		}
		if n := len(s.log("study.>")); n != 0 {
			t.Errorf("%d events of studies that were rejected", n)
		}
	})
}

func TestControls(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 400, ""))
		time.Sleep(300 * time.Millisecond)
		s.control("sim", "1", "pause", 0)
		view := s.wait("sim")
		before := view.Proposed
		time.Sleep(time.Minute)
		if view = s.wait("sim"); view.State != study.Paused || view.Proposed != before {
			t.Fatalf("a paused study is %s and went from %d to %d trials", view.State, before, view.Proposed)
		}
		s.control("sim", "2", "extend", 440)
		s.control("sim", "3", "resume", 0)
		if view = s.wait("sim"); view.State != study.Completed || view.Summary.Trials != 440 {
			t.Fatalf("after resume: %s with %+v, want 440 trials", view.State, view.Summary)
		}
		s.control("sim", "4", "extend", 480)
		time.Sleep(time.Minute)
		if view = s.wait("sim"); view.State != study.Completed || view.Summary.Trials != 480 {
			t.Fatalf("after extending an ended study: %s with %+v, want 480 trials", view.State, view.Summary)
		}
		s.control("sim", "5", "pause", 0)
		if r := s.log("rejected.sim"); len(r) != 1 || !strings.Contains(r[0].(events.StudyRejected).Errors[0].Message, "completed") {
			t.Errorf("pausing an ended study: %+v, want one rejection that says completed", r)
		}
	})
}

func TestStopKeepsWhatRunsAndCancelDropsIt(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("one", "x1", toyStudy("one", 4000, ""))
		s.submit("two", "x2", toyStudy("two", 4000, ""))
		time.Sleep(500 * time.Millisecond)
		s.control("one", "1", "stop", 0)
		s.control("two", "2", "cancel", 0)
		one, two := s.wait("one"), s.wait("two")
		if one.State != study.Stopped || one.Summary.Trials != one.Proposed {
			t.Errorf("stopped study: %s, %d of %d trials finished", one.State, one.Summary.Trials, one.Proposed)
		}
		if two.State != study.Cancelled {
			t.Errorf("cancelled study: %s", two.State)
		}
	})
}

// broken is a toy whose network layers no evaluator of the study can bind.
type broken struct{ toy }

func (broken) New(evaluator.Task) (evaluator.Evaluator, error) {
	return nil, errors.New("this worker was built without the toy")
}

func TestWorkThatNobodyCanDoPausesTheStudy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		logger := slog.New(slog.DiscardHandler)
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: logger}
		})
		backend := evaluator.Backend(broken{})
		s.start("worker", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Backend: backend, Catalog: toyCatalog(s.toy), Logger: logger}
		})
		s.submit("sim", "x1", toyStudy("sim", 80, ""))
		view := s.wait("sim")
		if view.State != study.Paused || !strings.Contains(view.Reason, "dead letters") {
			t.Fatalf("%s (%s), want paused with a pointer to the dead letters", view.State, view.Reason)
		}
		letters := s.log("dlq.*.*")
		if len(letters) == 0 || !strings.Contains(letters[0].(events.DeadLetter).Reason, "built without the toy") {
			t.Fatalf("dead letters: %+v", letters)
		}
		backend = toy{}
		s.kill("worker")
		for i := range 10 {
			s.control("sim", fmt.Sprintf("r%d", i), "resume", 0)
			time.Sleep(time.Minute)
			if view = s.wait("sim"); view.State == study.Completed {
				return
			}
		}
		t.Errorf("after the cause was mended: %s (%s), want completed", view.State, view.Reason)
	})
}

// kill ends a process as SIGKILL would; it is started again.
func (s *sim) kill(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.procs[name]; p != nil {
		p.client.Kill()
		p.cancel()
	}
}

func TestTwoProposersShareARun(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 160, "")
	alone := simulate(t, 0, membus.Faults{}, 0, 1, body)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 5, allFaults, 10)
		defer s.close()
		s.startAll(2)
		s.start("proposer-2", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", body)
		if got := s.wait("sim"); hashOf(got) != alone.Summary.Hash {
			t.Errorf("two owners made another study: %s %s", got.State, got.Reason)
		}
	})
}

// sources is a trial log with one study in it.
type sources struct {
	source atomic.Pointer[archiver.Source]
}

func (s *sources) Open(context.Context, events.Source) (*archiver.SourceLog, error) {
	source := s.source.Load()
	if source == nil {
		return nil, archiver.ErrNoSource
	}
	return source.Log(), nil
}

func (s *sources) Studies(context.Context) ([]archiver.LoggedStudy, error) { return nil, nil }

// sourceTrials are what a source of the toy study holds.
func sourceTrials(latency float64) []archiver.Trial {
	return []archiver.Trial{
		{Trial: 0, Design: events.Design{{Num: 9}, {Num: 5}, {Num: 4}}, Outcome: "measured", Values: []float64{latency, 14, 1e-6}, Feasible: true},
	}
}

// first runs the study "first" and returns what it left as a source.
func (s *sim) first() *archiver.Source {
	s.t.Helper()
	s.submit("first", "x0", toyStudy("first", 40, ""))
	view := s.wait("first")
	return &archiver.Source{Study: "first", Run: view.Run, Spec: view.Spec, Trials: sourceTrials(2e-3)}
}

func TestAMovedSourceRefusesToGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		log := &sources{}
		s.startWith(map[string]proposer.Sources{"proposer": log})
		first := *s.first()
		put := func(latency float64) {
			moved := first
			moved.Trials = sourceTrials(latency)
			log.source.Store(&moved)
		}
		put(2e-3)
		s.submit("sim", "x1", toyStudy("sim", 400, `,"transfer":{"sources":[{"study":"first"}]}`))
		time.Sleep(300 * time.Millisecond)
		put(3e-3)
		s.kill("proposer")
		view := s.wait("sim")
		if view.State != study.Paused || !strings.Contains(view.Reason, "source first") {
			t.Fatalf("%s (%s), want paused because of the source", view.State, view.Reason)
		}
		if view.Sources[0].Use != "merge" || view.Sources[0].Trials != 1 {
			t.Errorf("pins %+v, want one merge of one trial", view.Sources)
		}
		s.control("sim", "r1", "resume", 0)
		if r := s.log("rejected.sim"); len(r) != 1 || !strings.Contains(r[0].(events.StudyRejected).Errors[0].Message, "source first") {
			t.Errorf("resuming with a moved source: %+v, want a rejection that names it", r)
		}
		put(2e-3)
		s.control("sim", "r2", "resume", 0)
		if view = s.wait("sim"); view.State != study.Completed {
			t.Errorf("with the source restored: %s (%s), want completed", view.State, view.Reason)
		}
		p := s.log("study.sim.*.proposed")[0].(events.TrialsProposed)
		if p.Origins[0] != "reuse:first/0" || len(p.Reused) != 1 {
			t.Errorf("the first trial has origin %q and %d are reused, want the merged one", p.Origins[0], len(p.Reused))
		}
	})
}

func TestTheTraceTravels(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		_, err := client.Submit(s.ctx, bus, "", "sim", "", events.StudyRequested{Study: []byte(toyStudy("sim", 40, ""))},
			map[string]string{"traceparent": trace})
		if err != nil {
			t.Fatal(err)
		}
		s.wait("sim")
		for _, filter := range []string{"study.sim.*.*", "result.>"} {
			for m, err := range bus.Log().Read(s.ctx, 0, filter) {
				if err != nil {
					t.Fatal(err)
				}
				if m.Header["traceparent"] != trace {
					t.Errorf("%s has no trace", m.Subject)
				}
			}
		}
	})
}
