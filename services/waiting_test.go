package services_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
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
	"apollo/services/worker"
)

// named is how soon a cause has its name, and how soon it is gone after it was
// mended.
const named = 10 * time.Second

// looked is a study as who looks at it sees it: what its log says with what is
// heard at this moment.
func (s *sim) looked(name string) *client.StudyView {
	s.t.Helper()
	bus := s.hub.Client("looker")
	view, err := client.ReadStudy(s.ctx, bus.Log(), name, "")
	if errors.Is(err, client.ErrNoStudy) {
		return &client.StudyView{} // not accepted yet
	}
	if err == nil {
		err = client.LookAt(s.ctx, bus, view, false)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return view
}

// waitsFor waits until a study says that it waits for a code, "" for nothing,
// and fails when that takes longer than named.
func (s *sim) waitsFor(name, code string) events.Waiting {
	s.t.Helper()
	began := time.Now()
	for {
		took := time.Since(began) // until it is asked: the answer listens for a while
		view := s.looked(name)
		switch {
		case took > named:
			s.t.Fatalf("after %s the %s study %s waits for %+v, want %q", took, view.State, name, view.Waiting, code)
		case code == "" && len(view.Waiting) == 0 && view.State != "":
			return events.Waiting{}
		case len(view.Waiting) > 0 && view.Waiting[0].Code == code:
			return view.Waiting[0]
		}
		time.Sleep(time.Second / 4)
	}
}

// says waits until the log of the study sim says the same, in words that have
// all of want in them.
func (s *sim) says(code string, want ...string) {
	s.t.Helper()
	const name = "sim"
	var last *events.Waiting
	for began := time.Now(); time.Since(began) <= named && (last == nil || last.Code != code); time.Sleep(time.Second) {
		for _, e := range s.log(events.StudySubject(name, "*", "waiting")) {
			last = e.(events.StudyWaiting).Waiting
		}
	}
	if last == nil || last.Code != code || last.Hint == "" {
		s.t.Fatalf("the log of %s says %+v, want %s with a hint", name, last, code)
	}
	for _, text := range want {
		if !strings.Contains(last.Message, text) {
			s.t.Errorf("the log of %s says %q, want %q in it", name, last.Message, text)
		}
	}
}

// outage runs a service that can be away.
type outage struct {
	away atomic.Bool
	make func(events.Bus) service
}

type unlessAway struct {
	o *outage
	b events.Bus
}

func (u unlessAway) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for u.o.away.Load() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
	return u.o.make(u.b).Run(ctx)
}

func (s *sim) startSometimes(name string, make func(events.Bus) service) *outage {
	o := &outage{make: make}
	s.start(name, func(b events.Bus) service { return unlessAway{o, b} })
	return o
}

// leave kills a service, and keeps it away.
func (s *sim) leave(name string, o *outage) {
	o.away.Store(true)
	s.kill(name)
}

var silently = slog.New(slog.DiscardHandler)

func toyWorker(t toy, slots int) func(events.Bus) service {
	return func(b events.Bus) service {
		return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(t), Slots: slots, Worker: "host/1", Logger: silently}
	}
}

// waiting runs test with a proposer, an archiver and no worker.
func waiting(t *testing.T, test func(s *sim)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently}
		})
		s.startArchiver(dir, nil)
		test(s)
	})
}

func TestNobodyRunsTheEvaluator(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		w := s.waitsFor("sim", events.WaitsNoEvaluator)
		if !strings.Contains(w.Message, "evaluator toy") || !strings.Contains(w.Hint, "apollo serve evaluator") {
			t.Errorf("%+v, want the evaluator and what to do", w)
		}
		s.says(events.WaitsNoEvaluator, "toy")
		time.Sleep(time.Minute)
		if n := len(s.log("study.sim.*.waiting")); n != 1 {
			t.Errorf("said %d times, want once", n)
		}
		worker := s.startSometimes("worker", toyWorker(toy{}, 2))
		s.waitsFor("sim", "")
		s.leave("worker", worker) // killed with work in hand
		s.waitsFor("sim", events.WaitsNoEvaluator)
		worker.away.Store(false)
		s.waitsFor("sim", "")
		if view := s.wait("sim"); view.State != study.Completed {
			t.Errorf("with workers: %s (%s)", view.State, view.Reason)
		}
		said := s.log("study.sim.*.waiting")
		if last := said[len(said)-1].(events.StudyWaiting); last.Waiting != nil || len(said) != 4 {
			t.Errorf("%d events, the last %+v; want 4, two causes and that each is gone", len(said), last)
		}
	})
}

// A worker of a plain NATS client tells nobody that it is there.
func TestAWorkerThatSaysNothingIsThere(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		bus := s.hub.Client("plain")
		work, err := bus.Queue(1).Subscribe(s.ctx, "work.toy")
		if err != nil {
			t.Fatal(err)
		}
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		msg := <-work
		time.Sleep(time.Minute) // it takes long, and it is at it
		s.waitsFor("sim", "")
		if said := s.log("study.sim.*.waiting"); len(said) != 0 {
			t.Errorf("said %+v of a study whose work is done", said)
		}
		msg.Nack()
		bus.Kill()
		time.Sleep(events.AckWait)
		s.waitsFor("sim", events.WaitsNoEvaluator)
	})
}

// An item whose answer is refused comes again later and later, in the end after minutes: in
// between the workers are not said to be free.
func TestItemsThatComeLateKeepTheirReason(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.start("worker", func(b events.Bus) service {
			return &worker.Evaluator{
				Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Slots: 4, Worker: "host/1", Logger: silently,
				Failpoint: func(string) error { return errors.New("it takes nothing") },
			}
		})
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		time.Sleep(2 * named)
		looks, told := 0, 0
		for began := time.Now(); time.Since(began) < 20*time.Minute; time.Sleep(7 * time.Second) {
			looks++
			view := s.looked("sim")
			if len(view.Waiting) == 0 {
				continue // it is measured once more
			}
			told++
			if w := view.Waiting[0]; !strings.Contains(w.Message, "it takes nothing") {
				t.Fatalf("after %s it waits for %+v, want why the items were given back", time.Since(began), w)
			}
		}
		if told < looks*3/4 {
			t.Errorf("the reason was told at %d of %d looks", told, looks)
		}
	})
}

func TestAllWorkersAreBusyElsewhere(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		slow := toy{evaluations: func(int) {
			select {
			case <-s.ctx.Done():
			case <-time.After(time.Minute):
			}
		}}
		s.start("slow", toyWorker(slow, 2))
		s.submit("hog", "x0", toyStudy("hog", 400, ""))
		time.Sleep(time.Second)
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		s.waitsFor("sim", events.WaitsEvaluatorsBusy)
		s.says(events.WaitsEvaluatorsBusy, "all 2 workers", "hog (2)")
		s.waitsFor("hog", "")
		s.start("quick", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "host/2", Slots: 8, Logger: silently}
		})
		s.waitsFor("sim", "")
	})
}

func TestOnlyAnotherVersionIsThere(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.start("newer", toyWorker(toy{version: "2"}, 2))
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		s.waitsFor("sim", events.WaitsWrongVersion)
		s.says(events.WaitsWrongVersion, "version 1 of evaluator toy", "host/1 (version 2)")
		older := s.startSometimes("older", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "host/2", Logger: silently}
		})
		s.waitsFor("sim", "")
		s.leave("older", older)
		s.waitsFor("sim", events.WaitsWrongVersion)
		older.away.Store(false)
		s.waitsFor("sim", "")
	})
}

func TestWhoServesAnotherStudyIsNobody(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.start("theirs", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "host/1", OnlyStudy: "other", OnlyRun: "0badcafe", Logger: silently}
		})
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		s.waitsFor("sim", events.WaitsNoEvaluator)
		s.says(events.WaitsNoEvaluator, "host/1 (serves other)")
		s.start("ours", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(toy{}), Worker: "host/2", Logger: silently}
		})
		s.waitsFor("sim", "")
	})
}

func TestAnArchiverThatCannotWriteIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(1)
		block := filepath.Join(dir, "trials", "gen-1", "study=sim")
		if err := os.MkdirAll(filepath.Dir(block), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(block, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		time.Sleep(2 * time.Second)
		s.waitsFor("sim", events.WaitsNoArchiver)
		s.says(events.WaitsNoArchiver)
		s.startArchiver(dir, nil)
		s.waitsFor("sim", events.WaitsArchiveStuck)
		s.says(events.WaitsArchiveStuck, "study=sim", "not a directory")
		view := s.wait("sim")
		if view.State != study.Completed {
			t.Fatalf("%s (%s): the study itself does not need the disk", view.State, view.Reason)
		}
		w := s.waitsFor("sim", events.WaitsArchiveStuck)
		if !strings.Contains(w.Message, "trials are not on disk yet") || !strings.Contains(w.Hint, "nothing is lost") {
			t.Errorf("of the ended run the archiver says %+v", w)
		}
		if err := os.Remove(block); err != nil {
			t.Fatal(err)
		}
		s.waitsFor("sim", "")
		s.final(view)
	})
}

func TestTheTrialsOfAnEndedRunWaitForAnArchiver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(1)
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		view := s.wait("sim")
		s.waitsFor("sim", events.WaitsNoArchiver)
		s.startArchiver(dir, nil)
		s.waitsFor("sim", "")
		s.final(view)
	})
}

func TestNobodyDrivesTheStudy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		proposer := s.startSometimes("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{}), Logger: silently}
		})
		s.start("worker", toyWorker(toy{}, 2))
		s.startArchiver(dir, nil)
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		time.Sleep(3 * time.Second)
		s.waitsFor("sim", "")
		s.leave("proposer", proposer)
		s.waitsFor("sim", events.WaitsNoProposer)
		proposer.away.Store(false)
		s.waitsFor("sim", "")
	})
}

func TestAFullStreamIsNamed(t *testing.T) {
	t.Parallel()
	var work, log atomic.Bool
	full := func(b *atomic.Bool) error {
		if b.Load() {
			return events.ErrFull
		}
		return nil
	}
	f := faulty{
		working: func() error { return full(&work) },
		appending: func(subject string) error {
			if strings.HasPrefix(subject, "study.") {
				return full(&log)
			}
			return nil
		},
	}
	dir := t.TempDir()
	troubled(t, f, nil, func(s *sim) {
		s.startArchiver(dir, nil)
		s.submit("sim", "x1", toyStudy("sim", 40000, ""))
		time.Sleep(300 * time.Millisecond)
		work.Store(true)
		s.waitsFor("sim", events.WaitsStreamFull)
		s.says(events.WaitsStreamFull, "full")
		work.Store(false)
		s.waitsFor("sim", "")
		log.Store(true) // now it cannot be said in the log, only be heard
		s.waitsFor("sim", events.WaitsStreamFull)
		log.Store(false)
		s.waitsFor("sim", "")
	})
}

func TestASourceThatIsMissingIsNamedAndWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startArchiver(dir, nil)
		log := &sources{}
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(s.toy), Sources: log, Logger: silently}
		})
		s.start("worker", toyWorker(toy{}, 2))
		source := s.first()
		log.source.Store(source)
		s.submit("sim", "x1", toyStudy("sim", 800, `,"transfer":{"sources":[{"study":"first"}]}`))
		time.Sleep(300 * time.Millisecond)
		log.source.Store(nil)
		s.kill("proposer")
		s.waitsFor("sim", events.WaitsSourceMissing)
		s.says(events.WaitsSourceMissing, "cannot be opened")
		s.control("sim", "c1", "pause", 0)
		if r := s.log("rejected.sim"); len(r) != 1 || !strings.Contains(r[0].(events.StudyRejected).Errors[0].Message, "cannot be opened") {
			t.Errorf("a request while it waits is answered with %+v, want what it waits for", r)
		}
		log.source.Store(source)
		s.waitsFor("sim", "")
		if view := s.wait("sim"); view.State != study.Completed || view.Summary.Trials != 800 {
			t.Errorf("with its source again: %s (%s)", view.State, view.Reason)
		}
	})
}

// What a run waits for is no part of its answer: the hash is that of a run that
// never waited, also when the proposer restarts on such a log.
func TestWaitingChangesNothing(t *testing.T) {
	t.Parallel()
	want := simulate(t, 0, membus.Faults{}, 0, 1, toyStudy("sim", 160, ""))
	waiting(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		s.waitsFor("sim", events.WaitsNoEvaluator)
		s.kill("proposer")
		time.Sleep(20 * time.Second)
		if n := len(s.log("study.sim.*.waiting")); n != 1 {
			t.Errorf("a restart says it again: %d events", n)
		}
		s.start("worker", toyWorker(toy{}, 2))
		if view := s.wait("sim"); hashOf(view) != want.Summary.Hash {
			t.Errorf("%s (%s), hash %.12s, want %.12s", view.State, view.Reason, hashOf(view), want.Summary.Hash)
		}
	})
}

// The ticks and the API say the same words as the log.
func TestTheSameWordsEverywhere(t *testing.T) {
	t.Parallel()
	waiting(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		want := s.waitsFor("sim", events.WaitsNoEvaluator)
		bus := s.hub.Client("client")
		reply, err := client.API(bus)["get"](s.ctx, []byte("sim"))
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Waiting []events.Waiting }
		if err := json.Unmarshal(reply, &got); err != nil || len(got.Waiting) != 1 || got.Waiting[0] != want {
			t.Errorf("the API says %s, %v; want %+v", reply, err, want)
		}
		first := true
		for m, err := range bus.Notices(s.ctx, events.ProgressSubject("sim", "*")) {
			if err != nil {
				t.Fatal(err)
			}
			if first { // it may have been on its way when the log said it
				first = false
				continue
			}
			var p events.Progress
			if err := json.Unmarshal(m.Data, &p); err != nil || p.Waiting == nil || *p.Waiting != want {
				t.Errorf("a tick says %s, %v; want %+v", m.Data, err, want)
			}
			break
		}
	})
}
