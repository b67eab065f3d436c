package main

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/client"
)

// randomTrials are trials of a study with so many objectives; values repeat.
func randomTrials(seed uint64, n, objectives int) *ledger {
	rng := rand.New(rand.NewPCG(seed, uint64(objectives)))
	spec := &events.Spec{}
	for i := range objectives {
		name := string(rune('a' + i))
		spec.Metrics = append(spec.Metrics, events.Metric{Name: name})
		spec.Objectives = append(spec.Objectives, events.Objective{Metric: name, Goal: []string{"minimize", "maximize"}[i%2]})
	}
	l := newLedger(&client.StudyView{Spec: spec})
	for i := range n {
		t := trial{number: i, result: &events.TrialResult{Trial: i, Outcome: events.OutcomeMeasured}}
		for range objectives {
			t.result.Values = append(t.result.Values, float64(rng.IntN(200)))
		}
		t.judgement.Feasible = rng.IntN(3) > 0
		l.trials = append(l.trials, t)
	}
	return l
}

func numbersOf(t *testing.T, c choice, l *ledger) (out []int) {
	t.Helper()
	trials, err := c.of(l.view.Spec, l.all)
	if err != nil {
		t.Fatal(err)
	}
	for one, err := range trials {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, one.number)
	}
	return out
}

// The best and the last trials of a stream are those of all trials at once.
func TestChosenTrialsOfAStream(t *testing.T) {
	t.Parallel()
	for objectives := 1; objectives <= 3; objectives++ {
		for seed := range uint64(1) {
			l := randomTrials(seed, 1700, objectives)
			var all []int
			for _, one := range ranked(l.view.Spec, l.feasible()) {
				all = append(all, one.number)
			}
			for _, n := range []int{1, 60, 1700} {
				if diff := cmp.Diff(all[:min(n, len(all))], numbersOf(t, choice{feasible: true, best: n}, l)); diff != "" {
					t.Errorf("%d objectives, seed %d: the best %d (-want +got):\n%s", objectives, seed, n, diff)
				}
				var last []int
				for _, one := range l.feasible()[max(0, len(all)-n):] {
					last = append(last, one.number)
				}
				if got := numbersOf(t, choice{feasible: true, last: n}, l); !slices.Equal(got, last) {
					t.Errorf("%d objectives, seed %d: the last %d are %v, want %v", objectives, seed, n, got, last)
				}
			}
			if got := numbersOf(t, choice{feasible: true, best: 7, last: 2}, l); !slices.Equal(got, all[5:7]) {
				t.Errorf("the last two of the best seven are %v, want %v", got, all[5:7])
			}
		}
	}
}
