package services_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// ownEvaluator is a study of the toy's space that somebody else measures.
func ownEvaluator(name string, trials int) string {
	return toyStudy(name, trials, `,"evaluator":{"name":"mine","metrics":[{"name":"latency","unit":"s"},{"name":"area","unit":"mm2"},{"name":"energy","unit":"J"}]}`)
}

// program is a worker for the evaluator "mine".
func (s *sim) program(name string, t toy, p *events.Program) {
	s.start(name, func(b events.Bus) service {
		return &worker.Evaluator{
			Bus: b, Name: "mine", Backend: t, Catalog: toyCatalog(t), Program: p, Worker: name, Logger: slog.New(slog.DiscardHandler),
		}
	})
}

func prog(word string) *events.Program {
	return &events.Program{Args: []string{word}, Path: "/bin/" + word}
}

// The first answer decides who measures a study that names somebody's
// evaluator; everybody else's answers do not count from then on, also for an
// archiver that comes later.
func TestTheFirstAnswerBindsAStudy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var view *client.StudyView
	var bound []events.Payload
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 3, allFaults, 0)
		defer s.close()
		s.startAll(0)
		s.program("a", toy{}, prog("a"))
		s.program("b", toy{skew: skewed}, prog("b"))
		s.program("c", toy{version: "2", skew: 2 * skewed}, prog("a"))
		s.program("old", toy{version: " ", skew: 3 * skewed}, nil)
		s.submit("sim", "x1", ownEvaluator("sim", 160))
		view = s.wait("sim")
		bound = s.log("study.sim.*.bound")
		s.startArchiver(dir, nil)
		s.final(view)
		for _, e := range s.log("study.sim.*.refused") {
			if r := e.(events.BatchRefused); r.Asked == r.Answered {
				t.Errorf("refused although it is the one that was asked: %+v", r)
			}
		}
	})
	if view.State != study.Completed || len(bound) != 1 {
		t.Fatalf("%s (%s), bound %d times, want completed and bound once", view.State, view.Reason, len(bound))
	}
	checkLog(t, dir, view)
	skew := map[string]float64{"a": 0, "b": skewed, "c": 2 * skewed, "old": 3 * skewed}[bound[0].(events.StudyBound).Worker]
	for _, r := range inFiles(t, dir, view) {
		x, y, z := r.Design[0].Num, r.Design[1].Num, r.Design[2].Num
		if want := skew + 1e-3*(1+(x-9)*(x-9)+(y-5)*(y-5)+(z-3)*(z-3)); r.Outcome == events.OutcomeMeasured && r.Values[0] != want {
			t.Fatalf("trial %d: latency %v, want %v of the program that the run is bound to", r.Trial, r.Values[0], want)
		}
	}
}

// A log that does not tell programs is of the program that the run was bound to: what the
// same one measures is merged, and another one is refused before its run begins.
func TestTheRunSaysWhoMeasuredItsLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		log := &sources{}
		s.startWith(map[string]proposer.Sources{"proposer": log})
		s.program("a", toy{}, prog("a"))
		s.submit("first", "x0", ownEvaluator("first", 40))
		first := s.wait("first")
		trials := sourceTrials(2e-3)
		trials[0].Identity = events.Identity{Version: "1"}
		log.source.Store(&archiver.Source{Study: "first", Run: first.Run, Spec: first.Spec, Trials: trials})
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		for word, want := range map[string]string{"a": "", "b": "it is not the same measurement"} {
			body := strings.Replace(ownEvaluator("by-"+word, 40), `"algorithm"`, `"transfer":{"method":"merge","sources":[{"study":"first"}]},"algorithm"`, 1)
			_, err := client.Submit(s.ctx, bus, "", "by-"+word, "", events.StudyRequested{Study: []byte(body), EvaluatorVersion: "1", Program: prog(word)}, nil)
			if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("program %s: %v, want %q", word, err, want)
			}
		}
		if view := s.wait("by-a"); view.State != study.Completed || view.Sources[0].Use != "merge" {
			t.Errorf("the same program: %s (%s), sources %+v", view.State, view.Reason, view.Sources)
		}
	})
}

// An archiver that finds answers which nobody judged yet comes to the same end
// as the proposer that does so later.
func TestAnArchiverBindsAsTheProposerDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var view *client.StudyView
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		away := make(chan struct{})
		first := true
		s.start("proposer", func(b events.Bus) service {
			if !first {
				<-away
			}
			first = false
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", ownEvaluator("sim", 160))
		for len(s.log("study.sim.*.proposed")) < 4 {
			time.Sleep(10 * time.Millisecond)
		}
		s.kill("proposer") // its work is published, and nobody answered yet
		s.program("a", toy{}, prog("a"))
		s.program("b", toy{skew: skewed}, prog("b"))
		s.startArchiver(dir, nil)
		time.Sleep(time.Minute)
		if n := len(s.log("study.sim.*.bound")); n != 0 {
			t.Fatalf("bound %d times without a proposer", n)
		}
		close(away)
		view = s.wait("sim")
		s.final(view)
		if n := len(s.log("study.sim.*.refused")); n == 0 {
			t.Error("no answer was refused, although two programs answered")
		}
	})
	checkLog(t, dir, view)
}

// An archiver that had to guess goes by the log as soon as that says who
// measures.
func TestTheLogSaysWhoMeasures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var view *client.StudyView
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		drive := s.startSometimes("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently}
		})
		s.submit("sim", "x1", ownEvaluator("sim", 160))
		for len(s.log("study.sim.*.proposed")) < 4 {
			time.Sleep(10 * time.Millisecond)
		}
		s.leave("proposer", drive)
		s.program("a", toy{}, prog("a"))
		s.startArchiver(dir, nil)
		time.Sleep(time.Minute) // it has archived what a says
		run := s.log("study.sim.*.accepted")[0].(events.StudyAccepted).Run
		bound := events.StudyBound{Study: "sim", Run: run, Identity: events.Identity{Version: "1", Program: prog("b").Digest()}, Worker: "b"}
		data, err := events.Encode("bound", "test", "sim", time.Now(), bound)
		if err != nil {
			t.Fatal(err)
		}
		m := events.Message{Subject: events.StudySubject("sim", run, "bound"), ID: "bound", Data: data}
		if _, err := s.hub.Client("user").Log().Append(s.ctx, m, events.Fence{}); err != nil {
			t.Fatal(err)
		}
		s.program("b", toy{}, prog("b"))
		drive.away.Store(false)
		view = s.wait("sim")
		s.final(view)
	})
	checkLog(t, dir, view)
}

// Work that only others could do waits for as long as it takes, and is no dead
// letter: it goes on when the right one appears.
func TestWorkWaitsForTheRightVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(0)
		var wrong worker.Evaluator
		s.start("newer", func(b events.Bus) service {
			wrong = worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{version: "2"}), Worker: "newer", Slots: 4, Logger: slog.New(slog.DiscardHandler)}
			return &wrong
		})
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		time.Sleep(20 * time.Minute) // of fake time: more than MaxDeliver deliveries
		if wrong.HandedBack() < 4*2*events.MaxDeliver {
			t.Errorf("%d hand-backs are too few for this test", wrong.HandedBack())
		}
		before := wrong.HandedBack()
		time.Sleep(5 * time.Minute) // a copy takes the place of each item three times
		const items, rounds = 4, int(5 * time.Minute / (2 * time.Second))
		if n, most := wrong.HandedBack()-before, uint64(items*(rounds+4)); n > most {
			t.Errorf("%d hand-backs in five minutes, want %d at most: copies wait as the items did", n, most)
		}
		for _, subject := range []string{"dlq.>", "result.>", "study.sim.*.paused"} {
			if n := len(s.log(subject)); n != 0 {
				t.Errorf("%d messages on %s, want none", n, subject)
			}
		}
		s.start("right", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "right", Logger: slog.New(slog.DiscardHandler)}
		})
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("%s (%s), want completed", view.State, view.Reason)
		}
	})
}

// earlier is the bus of a worker of a release before there was an identity: it
// does not look at what is asked, and does not say that it is there.
type earlier struct{ unasked }

func (earlier) Notify(context.Context, string, []byte) error { return nil }

// A study that only workers of earlier releases answer, with another model, says
// for which version it waits, and goes on when one appears.
func TestAStudyThatOnlyOthersAnswerSaysSo(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		serve := func(name string, of toy) *outage {
			return s.startSometimes(name, func(b events.Bus) service {
				return &worker.Evaluator{Bus: earlier{unasked{b}}, Name: "toy", Catalog: toyCatalog(of), Worker: name, Logger: silently}
			})
		}
		old := serve("old", toy{version: "0"})
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		w := s.waitsFor("sim", events.WaitsWrongVersion)
		for _, want := range []string{"waits for version 1 of evaluator toy", "worker old", "version 0"} {
			if !strings.Contains(w.Message, want) {
				t.Errorf("it waits for %q, want %q in it", w.Message, want)
			}
		}
		s.leave("old", old)
		serve("right", toy{})
		if view := s.wait("sim"); view.State != study.Completed || len(view.Waiting) > 0 {
			t.Errorf("%s, waits for %v; want completed", view.State, view.Waiting)
		}
	})
}

// Workers of earlier releases with another model that stay do not keep the study
// from going on: what they answer is asked again soon where somebody else is there.
func TestWorkersThatTakeNoNoticeDelayLittle(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.start("old", func(b events.Bus) service {
			return &worker.Evaluator{Bus: earlier{unasked{b}}, Name: "toy", Catalog: toyCatalog(toy{version: "0"}), Worker: "old", Logger: silently}
		})
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		time.Sleep(10 * time.Minute) // of fake time: every batch is held back as long as can be
		before := len(s.log("study.sim.*.refused"))
		if before > 200 {
			t.Errorf("%d answers were refused, want the work to be held back", before)
		}
		s.start("right", toyWorker(toy{}, 1))
		began := time.Now()
		view := s.wait("sim")
		// Chance decides how often the old one is faster.
		refused := len(s.log("study.sim.*.refused")) - before
		limit := 30*time.Second + time.Duration(refused)*1500*time.Millisecond
		if took := time.Since(began); view.State != study.Completed || took > limit {
			t.Errorf("%s after %s and %d refused answers, want completed within %s: a second for each", view.State, took, refused, limit)
		}
	})
}

// A worker of one run takes nothing else, and the work of a run that is gone
// goes nowhere.
func TestAWorkerOfOneRunServesNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(0)
		s.submit("a", "x1", ownEvaluator("a", 80))
		s.submit("b", "x2", ownEvaluator("b", 80))
		var served sync.Map
		only := func(who, name string) {
			key := s.accepted(name)
			s.start(who, func(b events.Bus) service {
				return &worker.Evaluator{
					Bus: b, Name: "mine", OnlyStudy: name, OnlyRun: key, Worker: who, Program: prog(name),
					Backend: toy{evaluations: func(int) { served.Store(name, true) }}, Catalog: toyCatalog(toy{}), Logger: slog.New(slog.DiscardHandler),
				}
			})
		}
		only("for b", "b")
		if view := s.wait("b"); view.State != study.Completed {
			t.Errorf("b: %s (%s), want completed", view.State, view.Reason)
		}
		if len(s.log("result.mine.a.>")) != 0 {
			t.Error("a was answered by the worker of b")
		}
		only("for a", "a")
		if view := s.wait("a"); view.State != study.Completed {
			t.Errorf("a: %s (%s), want completed", view.State, view.Reason)
		}
	})
}

// Another evaluator cannot use up the names of the copies that take the place of items
// which are handed back for long: the items would be gone.
func TestNobodyTakesTheNamesOfCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var away atomic.Bool
		s.propose(&away) // it would publish again what is gone
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		time.Sleep(time.Second)
		away.Store(true)
		s.kill("proposer")
		run := s.log("study.sim.*.accepted")[0].(events.StudyAccepted).Run
		mallory := s.hub.Client("mallory")
		for batch := range 4 {
			for seq := range 8 {
				taken := message.NewMessage(fmt.Sprintf("%s.again.%d", events.WorkSubject("toy", "sim", run, batch), seq), nil)
				if err := mallory.Queue(1).Publish(events.WorkSubject("other", "sim", run, 8*batch+seq), taken); err != nil {
					t.Fatal(err)
				}
			}
		}
		var wrong worker.Evaluator
		s.start("other run", func(b events.Bus) service {
			wrong = worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), OnlyStudy: "another", OnlyRun: run, Slots: 4, Logger: slog.New(slog.DiscardHandler)}
			return &wrong
		})
		time.Sleep(4 * time.Minute) // of fake time: more than half of MaxDeliver deliveries, within the window of ids
		if wrong.HandedBack() < 4*events.MaxDeliver/2 {
			t.Errorf("%d hand-backs are too few for this test", wrong.HandedBack())
		}
		for batch := range 4 {
			if held, err := mallory.Queued(t.Context(), events.WorkSubject("toy", "sim", run, batch)); err != nil || !held {
				t.Errorf("the item of batch %d is gone (%v)", batch, err)
			}
		}
	})
}
