package study

import (
	"math/rand/v2"
	"testing"

	"apollo/events"
)

// A plateau of a study with fidelity counts the trials that were seen and count, in whatever
// order they come: neither cheaper ones nor those in flight.
func TestPlateauOfFullTrials(t *testing.T) {
	t.Parallel()
	seen := newTracker(fidelityPlateau(3))
	cheap, full := events.Design{{Num: 1}, {Num: 10}}, events.Design{{Num: 1}, {Num: 200}}
	for i, s := range []struct {
		trial int
		full  bool
		value float64 // 0 of one that is not feasible
		ends  bool
	}{
		{4, true, 9, false},
		{40, false, 0, false},
		{2, true, 0, false},
		{5, true, 10, false},
		{41, false, 0, false},
		{9, true, 0, false},
		{7, true, 8, false},
		{6, true, 0, false},
		{8, true, 9, false},
		{3, true, 0, false},
		{30, true, 0, true},
	} {
		design := cheap
		if s.full {
			design = full
		}
		if s.value > 0 {
			seen.feasible(s.trial, design, []float64{s.value})
		} else {
			seen.other(s.trial, design)
		}
		if got := seen.reached(0) == "plateau"; got != s.ends {
			t.Fatalf("after answer %d, of trial %d: ended is %v", i, s.trial, got)
		}
	}
	if got := seen.reached(30); got != "" {
		t.Errorf("a study that goes on from trial 30 has ended for %q", got)
	}
}

// fidelityPlateau is a study that ends after so many trials at a trace of 200 without a
// better one.
func fidelityPlateau(trials int) *events.Spec {
	spec := &events.Spec{
		Parameters: []events.Parameter{{Name: "x", Values: []float64{1, 2}}, {Name: "trace", Values: []float64{10, 200}}},
		Metrics:    []events.Metric{{Name: "time"}}, Objectives: []events.Objective{{Metric: "time", Goal: "minimize"}},
		Fidelity: &events.Fidelity{Parameter: "trace"},
	}
	spec.Stop.Plateau = &events.Plateau{Trials: trials}
	return spec
}

// A better trial that is answered late, after worse ones with higher numbers, moves the
// plateau's begin back to it: those count again.
func TestPlateauBeginsAtALateBetterTrial(t *testing.T) {
	t.Parallel()
	full := events.Design{{Num: 1}, {Num: 200}}
	seen := newTracker(fidelityPlateau(3))
	for _, trial := range []int{5, 6, 8} {
		seen.other(trial, full)
	}
	seen.feasible(9, full, []float64{10})
	if got := seen.reached(0); got != "" {
		t.Fatalf("the study has ended for %q right at its best trial", got)
	}
	seen.feasible(4, full, []float64{9})
	if got := seen.after(4); got != 4 {
		t.Errorf("%d trials after trial 4, want 4", got)
	}
	if got := seen.reached(0); got != "plateau" {
		t.Errorf("reached is %q, want a plateau", got)
	}
}

// In whatever order trials come, a plateau is as many answered trials above the last
// improvement and the floor as it says: all of a study without fidelity, those up to the
// last that was seen; the full ones of a study with fidelity.
func TestPlateauInAnyOrder(t *testing.T) {
	t.Parallel()
	ends, goesOn := 0, 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		spec := fidelityPlateau(1 + r.IntN(6))
		if seed%4 == 0 {
			spec.Fidelity = nil
		}
		seen, floor := newTracker(spec), r.IntN(8)
		best, mark, last, answered := 0.0, -1, -1, []int{}
		for _, trial := range r.Perm(40) {
			design, value := events.Design{{Num: 1}, {Num: []float64{10, 200}[r.IntN(2)]}}, float64(1+r.IntN(20))
			full := spec.Full(design)
			if last = max(last, trial); full {
				answered = append(answered, trial)
			}
			if full && r.IntN(3) > 0 {
				seen.feasible(trial, design, []float64{value})
				if mark < 0 || value < best {
					best, mark = value, trial
				}
			} else {
				seen.other(trial, design)
			}
			after, begin := 0, max(mark, floor-1)
			for _, n := range answered {
				if n > begin {
					after++
				}
			}
			if spec.Fidelity == nil {
				after = last - begin
			}
			want := mark >= 0 && after >= spec.Stop.Plateau.Trials
			if got := seen.reached(floor) == "plateau"; got != want {
				t.Fatalf("seed %d, trial %d: ended is %v, want %v", seed, trial, got, want)
			}
			if want {
				ends++
			} else {
				goesOn++
			}
		}
	}
	if ends == 0 || goesOn == 0 {
		t.Errorf("a plateau was reached %d times and not %d times: want both", ends, goesOn)
	}
}
