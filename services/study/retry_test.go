package study_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/study"
)

// retry carries out a request as an owner does, and makes the machine anew where
// that is what it asks for.
func (w *world) retry(id string, trials ...int) error {
	w.t.Helper()
	designs := map[int]events.Design{}
	for _, p := range w.proposed() {
		for i, d := range p.Designs {
			designs[p.FirstTrial+i] = d
		}
	}
	for {
		e, err, read := w.machine.Retry(&events.StudyControl{ID: id, Verb: "retry", Retry: trials}, func() (map[int]events.Design, error) { return designs, nil })
		if read != nil {
			w.t.Fatal(read)
		}
		if err != nil || e == nil {
			return err
		}
		w.append(e)
	}
}

func (w *world) summary() events.Summary {
	w.t.Helper()
	e, ok := w.log[len(w.log)-1].(events.StudyCompleted)
	if !ok {
		w.t.Fatalf("the log ends with %T", w.log[len(w.log)-1])
	}
	return e.Summary
}

// What is measured anew counts for nothing from then on: the answer is another
// one, and what follows is that of a study that never knew it, also after restarts
// at any place.
func TestRetriedTrialsCountForNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*events.Spec){
		"one objective": func(*events.Spec) {},
		"two objectives": func(s *events.Spec) {
			s.Objectives = append(s.Objectives, events.Objective{Metric: "area_mm2", Goal: "minimize"})
			s.Algorithm.Name = "nsga2"
		},
		"relaxed": func(s *events.Spec) { s.Order = "relaxed" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want *world
			for seed := range uint64(6) {
				rng := rand.New(rand.NewPCG(seed, 5))
				w := newWorld(t, testSpec(change), study.Knowledge{})
				chaos := func() {
					if w.machine.Stale() || seed > 0 && rng.IntN(4) == 0 {
						w.restart()
					}
				}
				w.run(first, chaos)
				before := w.summary()
				best := before.Best
				if best == nil {
					best = &before.Front[0]
				}
				old := []int{best.Trial, 11, 12, 13, 14, 15, 16, 17, 18, 19}
				old = slices.Compact(old)
				if err := w.retry("r1", old...); err != nil {
					t.Fatal(err)
				}
				if !w.machine.Stale() {
					t.Fatal("the machine knows what was voided")
				}
				if e, err := w.machine.Next(); e != nil || err != nil {
					t.Fatalf("a stale machine says %T, %v", e, err)
				}
				w.restart()
				w.append(events.StudyExtended{Study: "sim", Run: "r1", Command: "more", Trials: 160})
				w.run(first, chaos)
				after := w.summary()
				if after.Trials != 160 || after.Voided != len(old) || after.Measured+after.Infeasible+after.Failed != 160-len(old) {
					t.Fatalf("%+v of 160 trials, %d voided", after, len(old))
				}
				if b := after.Best; b != nil && slices.Contains(old, b.Trial) || slices.ContainsFunc(after.Front, func(b events.BestTrial) bool { return slices.Contains(old, b.Trial) }) {
					t.Errorf("the answer has a voided trial: %+v", after)
				}
				if want == nil {
					want = w
				}
				if diff := cmp.Diff(want.proposed(), w.proposed(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ObservedThrough" }, cmp.Ignore())); diff != "" {
					t.Fatalf("seed %d: other trials (-want +got):\n%s", seed, diff)
				}
			}
		})
	}
}

func TestRetryRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Budget.Trials = 16 }), study.Knowledge{})
	w.appendNext()
	for _, trials := range [][]int{nil, {-1}, {99}, {0}} { // 0 has no answer yet
		if err := w.retry("r1", trials...); err == nil {
			t.Errorf("trials %v are measured anew", trials)
		}
	}
	w.run(first, nil)
	if err := w.retry("r2", 3, 3, 4); err != nil {
		t.Fatal(err)
	}
	last := w.proposed()[len(w.proposed())-1]
	if !cmp.Equal(last.Voids, []int{3, 4}) || !cmp.Equal(last.Origins, []string{"retry:3", "retry:4"}) || last.Command != "r2" {
		t.Errorf("the log says %+v", last)
	}
	if err := w.retry("r3", 3); err == nil {
		t.Error("a trial is voided twice")
	}
	if opened, ok := w.log[len(w.log)-2].(events.StudyExtended); !ok || opened.Trials != 16 {
		t.Errorf("the run that had ended goes on after %T", w.log[len(w.log)-2])
	}
	for w.machine.Stale() {
		w.restart()
	}
	w.run(first, nil)
	if err := w.retry("r4", 18); err == nil { // 0 to 17 are there
		t.Error("the trial after the last one is measured anew")
	}
	if err := w.retry("r5", 5, 6, 7, 8, 9, 10, 11, 12, 13, 14); err != nil {
		t.Fatal(err)
	}
	all := w.proposed()
	if a, b := all[len(all)-2], all[len(all)-1]; len(a.Voids) != w.spec.Budget.Batch || a.Command != "" || len(b.Voids) != 2 || b.Command != "r5" {
		t.Errorf("ten trials are measured anew in %+v and %+v", a, b)
	}
}
