package services_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/client"
	"apollo/services/proposer"
	"apollo/services/study"
)

// freshly is a request for a new run of a study document.
func freshly(body string) string {
	return `{"specversion":"1.0","type":"apollo.study.requested.v1","id":"z","source":"test","time":"2026-01-01T00:00:00Z","data":{"fresh":true,"study":` + body + `}}`
}

func TestABadCommandHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		user := s.hub.Client("user")
		if err := user.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		// The log of a study that nobody can read: its requests cannot be
		// carried out, however often they come.
		if _, err := user.Log().Append(s.ctx, events.Message{Subject: "study.sim.00000000.accepted", Data: []byte("garbage")}, events.Fence{}); err != nil {
			t.Fatal(err)
		}
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		s.submit("Not_A_Name", "x2", toyStudy("sim", 40, ""))
		s.submit("sim", strings.Repeat("x", 100_000), toyStudy("sim", 40, ""))
		control := func(id, data string) {
			body := `{"specversion":"1.0","type":"apollo.study.control.v1","id":"c","source":"test","time":"2026-01-01T00:00:00Z","data":` + data + `}`
			if err := user.Queue(1).Publish(events.ControlSubject("sim"), message.NewMessage(id, []byte(body))); err != nil {
				t.Fatal(err)
			}
		}
		control("c1", `{"study":"sim","run":">","id":"c1","verb":"pause"}`)
		control("c2", `{"study":"sim","run":"a b","id":"c2","verb":"pause"}`)
		control("c3", `{"study":"sim","id":"`+strings.Repeat("x", 100_000)+`","verb":"pause"}`)
		s.submit("demo", "x9", toyStudy("demo", 40, ""))
		time.Sleep(time.Minute)
		if view, err := client.ReadStudy(s.ctx, user.Log(), "demo", ""); err != nil || view.State != study.Completed {
			t.Errorf("the good study behind bad commands: %+v, %v; want it completed", view, err)
		}
		if n := len(s.log("dlq.proposer.*")); n != 3 {
			t.Errorf("%d dead letters, want 3: one that cannot be carried out, one of no study, one with a huge id", n)
		}
		rejected := s.log("rejected.*")
		if len(rejected) != 3 {
			t.Fatalf("%d rejections, want 3", len(rejected))
		}
		for i, code := range []string{"not_found", "not_found", "too_long"} {
			if m := rejected[i].(events.StudyRejected).Errors[0]; m.Code != code {
				t.Errorf("rejection %d: %+v, want %s", i, m, code)
			}
		}
	})
}

// A crash between the two writes of a fresh request leaves both runs open.
func TestAFreshRunCancelsTheOldOneAfterACrash(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		s.submit("sim", "x1", toyStudy("sim", 1000, ""))
		time.Sleep(500 * time.Millisecond)
		old := s.log("study.sim.*.accepted")[0].(events.StudyAccepted)
		accepted := events.StudyAccepted{Study: "sim", Run: "0000000a", Spec: old.Spec, SpecSHA256: old.SpecSHA256, Command: "x2"}
		data, err := events.Encode("a", "test", "sim", time.Now(), accepted)
		if err != nil {
			t.Fatal(err)
		}
		user := s.hub.Client("user")
		if _, err := user.Log().Append(s.ctx, events.Message{Subject: events.StudySubject("sim", "0000000a", "accepted"), ID: "a", Data: data}, events.Fence{}); err != nil {
			t.Fatal(err)
		}
		s.submit("sim", "x2", freshly(toyStudy("sim", 1000, "")))
		time.Sleep(time.Second)
		view, err := client.ReadStudy(s.ctx, user.Log(), "sim", old.Run)
		if err != nil || view.State != study.Cancelled {
			t.Errorf("the old run: %+v, %v; want it cancelled", view, err)
		}
	})
}

func TestARunWithoutItsSourcesCanStillEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		log := &sources{}
		s.startWith(map[string]proposer.Sources{"proposer": log})
		log.source.Store(s.first())
		transfer := `,"transfer":{"sources":[{"study":"first"}]}`
		s.submit("ended", "x1", toyStudy("ended", 40, transfer))
		s.wait("ended")
		s.submit("open", "x2", toyStudy("open", 4000, transfer))
		time.Sleep(300 * time.Millisecond)
		log.source.Store(nil)
		s.kill("proposer")
		s.waitsFor("open", events.WaitsSourceMissing)

		s.control("ended", "c1", "extend", 80)
		if view := s.wait("ended"); view.State != study.Completed {
			t.Errorf("extending an ended run without its sources made it %s (%s), want it to stay completed", view.State, view.Reason)
		}
		if r := s.log("rejected.ended"); len(r) != 1 {
			t.Errorf("%d rejections, want 1 that names the source", len(r))
		}
		s.control("open", "c2", "cancel", 0)
		view := s.wait("open")
		if view.State != study.Cancelled {
			t.Fatalf("%s (%s), want cancelled: nothing of the sources is needed for that", view.State, view.Reason)
		}
		proposed := len(s.log("study.open.*.proposed"))
		time.Sleep(time.Minute)
		if n := len(s.log("study.open.*.proposed")); n != proposed || view.Summary.Trials == 0 {
			t.Errorf("%d batches after the end of %d, and an answer of %d trials", n, proposed, view.Summary.Trials)
		}
	})
}

// answers is a result for a batch of 8 trials from first on, with wrong numbers.
func answers(t *testing.T, evaluator, name, run string, batch, first int) events.Message {
	t.Helper()
	r := events.BatchEvaluated{Study: name, Run: run, Batch: batch, Evaluator: evaluator, Metrics: []string{"latency_s", "area_mm2", "energy_j"}}
	for i := range 8 {
		r.Trials = append(r.Trials, events.TrialResult{Trial: first + i, Outcome: events.OutcomeMeasured, Values: events.Numbers{1e-9, 1, 1}})
	}
	data, err := events.Encode("rogue", "test", name, time.Now(), r)
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Subject: events.ResultSubject(evaluator, name, run, batch), ID: fmt.Sprintf("rogue.%s.%d", evaluator, batch), Data: data}
}

func TestResultsOfStrangersChangeNothing(t *testing.T) {
	t.Parallel()
	alone := simulate(t, 0, membus.Faults{}, 0, 1, toyStudy("sim", 160, ""))
	archiving(t, func(s *sim, dir string) func() {
		user := s.hub.Client("user")
		s.submit("sim", "x1", toyStudy("sim", 160, ""))
		var run string
		for run == "" {
			time.Sleep(time.Millisecond)
			for _, e := range s.log("study.sim.*.accepted") {
				run = e.(events.StudyAccepted).Run
			}
		}
		// One in the name of another evaluator for each batch, and one for a
		// batch that is not proposed yet.
		for batch := range 20 {
			if _, err := user.Facts().Record(s.ctx, answers(s.t, "evil", "sim", run, batch, 8*batch)); err != nil {
				s.t.Fatal(err)
			}
		}
		if _, err := user.Facts().Record(s.ctx, answers(s.t, "toy", "sim", run, 19, 152)); err != nil {
			s.t.Fatal(err)
		}
		view := s.wait("sim")
		s.final(view)
		if view.State != study.Completed || view.Summary.Hash != alone.Summary.Hash {
			s.t.Errorf("%s (%s) with another hash than undisturbed", view.State, view.Reason)
		}
		return func() { checkLog(t, dir, view) }
	})
}

func TestOneUnreadableLogHidesNoOther(t *testing.T) {
	t.Parallel()
	calm(t, func(s *sim) {
		user := s.hub.Client("user")
		s.submit("sim", "x1", toyStudy("sim", 40, ""))
		want := s.wait("sim")
		paused, err := events.Encode("p", "test", "headless", time.Now(), events.StudyPaused{Study: "headless", Run: "00000002"})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []events.Message{
			{Subject: "study.junk.00000000.accepted", Data: []byte("{garbage")},
			{Subject: "study.newer.00000001.accepted", Data: []byte(`{"specversion":"1.0","type":"apollo.study.accepted.v2","id":"n","source":"s","data":{}}`)},
			{Subject: "study.headless.00000002.paused", Data: paused},
		} {
			if _, err := user.Log().Append(s.ctx, m, events.Fence{}); err != nil {
				t.Fatal(err)
			}
			_, name, _ := strings.Cut(m.Subject, ".")
			name, _, _ = strings.Cut(name, ".")
			if _, err := client.ReadStudy(s.ctx, user.Log(), name, ""); err == nil {
				t.Errorf("ReadStudy(%s) = nil error, want what is wrong with it", name)
			}
		}
		views, err := client.ListStudies(s.ctx, user.Log())
		if err != nil || len(views) != 4 || views[0].State != want.State || views[0].Summary.Hash != want.Summary.Hash {
			t.Fatalf("ListStudies() = %d views, %v; want the good one and three others", len(views), err)
		}
		for _, v := range views[1:] {
			if v.State != client.Unreadable || v.Err == nil || v.Study == "" || v.Spec == nil {
				t.Errorf("view %+v, want an unreadable run", v)
			}
		}
	})
}
