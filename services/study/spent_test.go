package study_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/study"
)

// A study ends when its evaluations have taken their time together: at the same
// trial after restarts at any place.
func TestEvaluatorTimeIsABudget(t *testing.T) {
	t.Parallel()
	var want *world
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := newWorld(t, testSpec(func(s *events.Spec) { s.Budget.EvaluatorSeconds = 20 }), study.Knowledge{})
		w.seconds = 0.5
		w.run(first, func() {
			if seed > 0 && rng.IntN(3) == 0 {
				w.restart()
			}
		})
		s := w.summary()
		// 40 trials take the 20 s: five batches of 8, and those that lag behind.
		if end := w.log[len(w.log)-1].(events.StudyCompleted); end.Reason != "budget" || s.Trials < 40 || s.Trials > 40+8*4 {
			t.Fatalf("it ends for %s after %d trials", end.Reason, s.Trials)
		}
		if want == nil {
			want = w
		}
		if diff := cmp.Diff(want.log, w.log); diff != "" {
			t.Fatalf("seed %d: another log (-want +got):\n%s", seed, diff)
		}
	}
}
