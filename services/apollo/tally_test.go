package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/client"
)

// What a tally keeps of the trials gives what counting the trials themselves gives, also
// where later ones void them, and where some have no answer.
func TestTallyCountsTheTrials(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		view := reportLedger().view
		c, err := newTally(view.Spec)
		if err != nil {
			t.Fatal(err)
		}
		l := &ledger{view: view}
		for batch := range 1 + random.IntN(5) {
			b := randomBatch(random, batch, len(l.trials))
			l.add(b, c.add(b))
		}

		var want events.Counts
		reasons, places, dropped, hash, gap := map[bool][]reasonCount{false: {}, true: {}}, map[bool]map[string]int{false: {}, true: {}}, 0, events.NewTrialHash(), false
		for i := range l.trials {
			one := &l.trials[i]
			if gap = gap || one.result == nil; !gap {
				hash.Add(one.number, one.design, one.result.Outcome, one.result.Values)
			}
			if one.result == nil {
				continue
			}
			want.Add(one.result.Outcome, one.judgement.Feasible, one.voidedBy > 0, !view.Spec.Full(one.design))
			if one.result.Extra[events.ExtraDropped] > 0 {
				dropped++
			}
			if why := one.judgement.Reason; why != nil {
				failed := one.result.Outcome == events.OutcomeFailed
				if places[failed][why.Code] == 0 {
					reasons[failed] = append(reasons[failed], reasonCount{Code: why.Code})
					places[failed][why.Code] = len(reasons[failed])
				}
				reasons[failed][places[failed][why.Code]-1].Trials++
			}
		}
		if diff := cmp.Diff(want, c.counts()); diff != "" {
			t.Errorf("seed %d: counts (-want +got):\n%s", seed, diff)
		}
		if diff := cmp.Diff(reasons, map[bool][]reasonCount{false: c.reasons(false), true: c.reasons(true)}); diff != "" {
			t.Errorf("seed %d: reasons (-want +got):\n%s", seed, diff)
		}
		if c.dropped != dropped || c.hash() != hash.String() {
			t.Errorf("seed %d: %d without their extra numbers and hash %s, want %d and %s", seed, c.dropped, c.hash(), dropped, hash)
		}
	}
}

// randomBatch is a batch of the study of reportLedger.
func randomBatch(random *rand.Rand, batch, first int) *client.Batch {
	n := 1 + random.IntN(6)
	b := &client.Batch{TrialsProposed: events.TrialsProposed{Batch: batch, FirstTrial: first}, Known: make([]bool, n)}
	for i := range n {
		b.Designs = append(b.Designs, events.Design{{Num: float64(int(1) << random.IntN(3))}, {Label: "ws"}, {Num: 3}})
		r := &events.TrialResult{Trial: first + i, Outcome: outcomes[1+random.IntN(3)], Values: events.Numbers{1, float64(random.IntN(10))}}
		if r.Outcome != events.OutcomeMeasured {
			r.Reason = &events.Reason{Code: fmt.Sprint("code", random.IntN(3))}
		}
		if random.IntN(4) == 0 {
			r.Extra = map[string]float64{events.ExtraDropped: 3}
		}
		if random.IntN(12) == 0 {
			r = nil
		}
		b.Answers = append(b.Answers, r)
	}
	for range n {
		if first > 0 && random.IntN(2) == 0 {
			b.Voids = append(b.Voids, random.IntN(first))
		}
	}
	return b
}
