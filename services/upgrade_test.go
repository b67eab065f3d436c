package services_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/proposer"
	"apollo/services/study"
	"apollo/services/worker"
)

// A study that began with one version of the model does not quietly go on with
// another: it pauses, and goes on with the build that began it.
func TestAStudyKeepsItsModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		version := "1"
		s.start("proposer", func(b events.Bus) service {
			return &proposer.Proposer{Bus: b, Catalog: toyCatalog(toy{version: version}), Logger: slog.New(slog.DiscardHandler)}
		})
		s.start("evaluator", func(b events.Bus) service {
			return &worker.Evaluator{Bus: b, Name: "toy", Catalog: toyCatalog(s.toy), Logger: slog.New(slog.DiscardHandler)}
		})
		s.submit("sim", "x1", toyStudy("sim", 4000, ""))
		s.submit("two", "x2", toyStudy("two", 400, ""))
		time.Sleep(300 * time.Millisecond)
		version = "2"
		s.kill("proposer")
		for _, name := range []string{"sim", "two"} {
			view := s.wait(name)
			if view.State != study.Paused || !strings.Contains(view.Reason, "version 1") || !strings.Contains(view.Reason, "version 2") {
				t.Fatalf("after an upgrade: %s (%s), want paused with both versions", view.State, view.Reason)
			}
		}
		s.control("sim", "c1", "cancel", 0)
		if view := s.wait("sim"); view.State != study.Cancelled {
			t.Errorf("cancelled by the new build: %s (%s)", view.State, view.Reason)
		}
		s.submit("two", "x3", toyStudy("two", 400, ""))
		time.Sleep(time.Second)
		rejected := s.log("rejected.two")
		if len(rejected) != 1 || !strings.Contains(rejected[0].(events.StudyRejected).Errors[0].Message, `/evaluator/version: "1", now "2"`) {
			t.Errorf("the same file under another model: %+v, want a rejection that says so", rejected)
		}
		version = "1"
		s.kill("proposer")
		time.Sleep(time.Second)
		s.control("two", "c2", "resume", 0)
		if view := s.wait("two"); view.State != study.Completed {
			t.Errorf("with the old build again: %s (%s), want completed", view.State, view.Reason)
		}
	})
}
