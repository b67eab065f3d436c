package services_test

import (
	"sync/atomic"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/study"
)

// A small study beside a huge one, which began before, waits for few of its
// evaluations: it takes at most three times as many turns of the workers as it
// takes alone.
func TestASmallStudyBesideAHugeOne(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		each               time.Duration
		slots, parallelism int
	}{
		"long evaluations, one worker":           {10 * time.Second, 1, 1},
		"long evaluations, more work than slots": {10 * time.Second, 2, 8},
		"long evaluations":                       {10 * time.Second, 4, 2},
		"quick evaluations":                      {20 * time.Millisecond, 4, 4},
		"quick evaluations, one by one":          {20 * time.Millisecond, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting(t, func(s *sim) {
				const trials = 20
				var turns, last atomic.Int64 // of both studies; when the small one had its last
				s.start("worker", toyWorker(toy{evaluations: func(trial int) {
					if n := turns.Add(1); trial < trials {
						last.Store(n) // the other one is beyond these by then
					}
					time.Sleep(test.each)
				}}, test.slots))
				time.Sleep(10 * time.Second) // the proposer has heard of it
				s.submit("huge", "x1", wide("huge", events.MaxTrials, 1024))
				time.Sleep(4 * time.Second) // it does not exhaust its space
				before := turns.Load()
				s.submit("small", "x2", wide("small", trials, test.parallelism))
				if view := s.wait("small"); view.State != study.Completed {
					t.Fatalf("%s (%s)", view.State, view.Reason)
				}
				alone := float64(trials) * float64(test.slots) / float64(min(test.slots, test.parallelism))
				beside := float64(last.Load() - before)
				t.Logf("%.0f turns beside, %.0f alone: factor %.2f", beside, alone, beside/alone)
				if beside < trials/2 || beside > 3*alone {
					t.Errorf("the small study took %.0f turns of the workers, alone it takes %.0f", beside, alone)
				}
			})
		})
	}
}
