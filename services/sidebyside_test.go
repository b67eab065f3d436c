package services_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/study"
	"apollo/services/worker"
)

// sideBySide measures studies of one evaluator name together, each by a program
// of its own, and returns how long they took, of fake time.
func sideBySide(t *testing.T, studies int) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(0)
		began := time.Now()
		name := func(i int) string { return fmt.Sprintf("sim-%d", i) }
		for i := range studies {
			s.submit(name(i), fmt.Sprintf("x%d", i), strings.Replace(ownEvaluator(name(i), 200), `"batch":8`, `"batch":1`, 1))
			run := s.accepted(name(i))
			s.start("worker of "+name(i), func(b events.Bus) service {
				return &worker.Evaluator{
					Bus: b, Name: "mine", OnlyStudy: name(i), OnlyRun: run, Worker: name(i), Program: prog(name(i)), Backend: toy{},
					Catalog: toyCatalog(toy{}), Logger: silently,
				}
			})
		}
		for i := range studies {
			if view := s.wait(name(i)); view.State != study.Completed {
				t.Errorf("%s: %s (%s), want completed", name(i), view.State, view.Reason)
			}
		}
		took = time.Since(began)
	})
	return took
}

// Workers of one study each take the items of the others and hand them back,
// which may cost a study no more than about what it takes alone.
func TestStudiesSideBySideDelayEachOtherLittle(t *testing.T) {
	t.Parallel()
	alone := sideBySide(t, 1)
	for _, studies := range []int{2, 3} {
		if took := sideBySide(t, studies); took > 2*alone {
			t.Errorf("%d studies side by side took %s, one alone %s", studies, took, alone)
		}
	}
}

// accepted waits until a study is accepted, and returns its run.
func (s *sim) accepted(name string) (run string) {
	for {
		if e := s.log("study." + name + ".*.accepted"); len(e) > 0 {
			return e[0].(events.StudyAccepted).Run
		}
		time.Sleep(10 * time.Millisecond)
	}
}
