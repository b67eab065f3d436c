package services_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/events"
	"apollo/events/membus"
	"apollo/services/study"
)

// A run ends when its wall time is over, whoever dies in between, and goes on as
// long again when it is extended.
func TestWallTimeIsABudget(t *testing.T) {
	t.Parallel()
	n := seeds(t, 3)
	for seed := range n {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			faults, kills := membus.Faults{}, 0
			if seed > 0 {
				faults, kills = allFaults, 8
			}
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, seed, faults, kills)
				defer s.close()
				s.toy.evaluations = func(int) { time.Sleep(2 * time.Second) }
				s.startAll(1)
				s.submit("sim", "x1", strings.Replace(toyStudy("sim", 1000, ""), `"trials"`, `"wall":"2 min","trials"`, 1))
				view := s.wait("sim")
				if view.State != study.Stopped || view.Reason != "the budget of 2m0s of wall time is spent" || view.Summary.Trials == 0 || view.Summary.Trials != view.Proposed {
					t.Fatalf("%s %q, %d of %d trials", view.State, view.Reason, view.Summary.Trials, view.Proposed)
				}
				var stopping int
				for _, e := range s.log(events.StudySubject("sim", view.Run, "stopping")) {
					if e.(events.StudyStopping).Command == "" {
						stopping++
					}
				}
				if stopping != 1 {
					t.Errorf("the log says %d times that the time is over", stopping)
				}
				lasted := view.Updated.Sub(view.Accepted)
				if lasted < 2*time.Minute {
					t.Errorf("it lasted %s", lasted)
				}
				if seed > 0 {
					return
				}
				s.control("sim", "e1", "extend", 2000)
				if again := s.wait("sim"); again.State != study.Stopped || again.Updated.Sub(view.Updated) < 2*time.Minute {
					t.Errorf("extended: %s %q after %s", again.State, again.Reason, again.Updated.Sub(view.Updated))
				}
			})
		})
	}
}
