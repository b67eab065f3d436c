package study_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/study"
)

// addSome adds up to n designs of one's own that the study does not have, as an owner does.
func (w *world) addSome(id string, rng *rand.Rand, n int) {
	w.t.Helper()
	c := events.StudyControl{Study: "sim", ID: id, Verb: "add"}
	for range n {
		c.Designs = append(c.Designs, events.AddedDesign{Design: map[string]any{"x": float64(rng.IntN(8)), "y": float64(rng.IntN(8)), "flow": w.spec.Parameters[2].Labels[rng.IntN(3)]}})
	}
	for {
		e, err := w.machine.Command(&c)
		if err != nil || e == nil {
			return // the study has them all, or no more
		}
		w.append(e)
	}
}

// shared are the batches of a world with their answers, up to a trial.
func (w *world) shared(before int) (out []study.Shared) {
	answers := map[int]events.TrialResult{}
	for _, r := range w.results {
		for _, t := range r.Trials {
			if t.Values == nil { // as who reads the answers leaves it
				t.Values = events.Numbers{math.NaN(), math.NaN()}
			}
			answers[t.Trial] = t
		}
	}
	for _, p := range w.proposed() {
		for _, r := range p.Reused {
			answers[r.Trial] = r
		}
		if p.FirstTrial >= before {
			break
		}
		b := study.Shared{TrialsProposed: p}
		for i := range p.Designs {
			b.Answers = append(b.Answers, answers[p.FirstTrial+i])
		}
		out = append(out, b)
	}
	return out
}

// forkAt runs a fork of a world that shares its first trials and has so many in all.
func (w *world) forkAt(trials, total int, restarts *rand.Rand) *world {
	w.t.Helper()
	spec := *w.spec
	spec.Budget.Trials = total
	spec.Fork = &events.Fork{Study: "other", Run: "0a1b2c3d", Trials: trials}
	f := newWorld(w.t, &spec, study.Knowledge{})
	share := func() {
		for f.machine.Stale() || restarts.IntN(3) == 0 {
			f.restart()
		}
		if f.machine.LacksShared() {
			f.machine.Share(w.shared(trials))
		}
	}
	for range 1000 {
		share()
		e, err := f.machine.Next()
		if err != nil {
			w.t.Fatal(err)
		}
		if e != nil {
			f.append(e)
			continue
		}
		if state, _ := f.machine.State(); state.Terminal() {
			return f
		}
		for _, k := range f.machine.Outstanding {
			f.record(toy{}.answer(f.machine.Work(k)))
			break
		}
	}
	w.t.Fatal("the fork does not end")
	return nil
}

// A fork has the trials that its budget says and counts those that the study voided
// before as voided, whatever users added and measured anew, wherever it begins; a fork of
// a fork is no other. One that has the budget of the study goes on to the study's hash.
func TestForksCountAddedAndVoidedTrials(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, testSpec(func(s *events.Spec) {
				s.Budget.Trials, s.Budget.Batch, s.Budget.Parallelism, s.Budget.Lag = 30+rng.IntN(20), 4, 1, 0
				if seed%4 == 3 {
					s.Order = "relaxed"
				}
			}), study.Knowledge{})
			alter := func(i int) {
				id := fmt.Sprintf("c%d", i)
				if rng.IntN(2) == 0 {
					w.addSome(id, rng, 1+rng.IntN(6))
				} else {
					_ = w.retry(id, rng.IntN(8), 8+rng.IntN(8), 16+rng.IntN(8)) // refused where all are
				}
				for w.machine.Stale() {
					w.restart()
				}
			}
			w.run(first, nil)
			for i := range 3 {
				alter(i)
				w.run(first, func() {
					for w.machine.Stale() {
						w.restart()
					}
				})
			}
			total, voids, added := 0, map[int]int{}, 0
			for _, p := range w.proposed() {
				total += len(p.Designs)
				for i := range p.Voids {
					voids[p.Voids[i]] = p.FirstTrial + i
				}
				if p.Added {
					added += len(p.Designs)
				}
			}
			if total != w.spec.Budget.Trials+added {
				t.Fatalf("the study has %d trials, want %d and %d that were added", total, w.spec.Budget.Trials, added)
			}
			w.append(events.StudyExtended{Study: "sim", Run: "r1", Command: "more", Trials: total + 12})
			w.run(first, nil)
			end := w.summary()
			at := 1 + rng.IntN(total)
			for _, f := range []*world{w.forkAt(at, total+12, rng), w.forkAt(total, total+12, rng)} {
				at := f.spec.Fork.Trials
				want := 0
				for _, by := range voids {
					if by < at {
						want++
					}
				}
				for _, f := range []*world{f, f.forkAt(at, total+12, rng)} {
					f.restart()
					s, p := f.machine.Summary(), f.machine.Progress()
					if s.Trials != total+12 || p.Budget != total+12 || s.Voided != want || s.Measured+s.Infeasible+s.Failed+s.Voided != s.Trials || f.summary().Hash != s.Hash {
						t.Errorf("shared %d of %d, %d voided: %+v, budget %d", at, total+12, want, s, p.Budget)
					}
					if at == total && (s.Hash != end.Hash || !cmp.Equal(s.Best, end.Best)) {
						t.Errorf("shared %d of %d: %+v, the study has %+v", at, total+12, s, end)
					}
				}
			}
		})
	}
}
