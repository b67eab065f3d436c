package transfer

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// wide is a change to a space of 40,000 designs.
func wide(s *events.Spec) {
	s.Parameters[1].Values = nil
	for i := range 4000 {
		s.Parameters[1].Values = append(s.Parameters[1].Values, float64(i+1))
	}
}

// manyTrials is a log of n trials that takes no memory: the first 40,000 have
// designs of their own, the others repeat them.
func manyTrials(n int) *archiver.SourceLog {
	log := archiver.Source{Study: "earlier", Run: "0000000a", Spec: another(wide)}.Log()
	log.Trials = trials(n)
	return log
}

func trials(n int) iter.Seq2[archiver.Trial, error] {
	flows := [2]string{"ws", "os"}
	return func(yield func(archiver.Trial, error) bool) {
		for i := range n {
			memory, lanes := 1024*math.Exp2(float64(i%5)), float64(1+i/10*7919%4000)
			t := archiver.Trial{
				Trial: i, Design: []space.Value{number(memory), number(lanes), {Label: flows[i/5%2]}},
				Outcome: events.OutcomeMeasured, Values: measure(memory, lanes),
			}
			if int(lanes)%11 == 0 {
				t.Outcome, t.Values = events.OutcomeInfeasible, []float64{math.NaN(), math.NaN()}
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}

func TestALargeSourceIsSelectedFrom(t *testing.T) {
	t.Parallel()
	limit := 800.0
	spec := targetSpec(func(s *events.Spec) { wide(s); s.Constraints[0].Max = &limit })
	c, k, pins, err := add(t, spec, manyTrials(20_000))
	if err != nil {
		t.Fatal(err)
	}
	observations := k.Tasks[0].Observations
	if n := len(observations); n > maxKept || pins[0].Kept != n || c.Kept != n || pins[0].Trials != 20_000 {
		t.Errorf("%d observations of 20,000, pin %+v; want up to %d", n, pins[0], maxKept)
	}
	// The best feasible designs are there, and some of every kind.
	kinds, got := map[string]int{}, map[int]bool{}
	for _, o := range observations {
		got[o.Trial] = true
		switch {
		case o.Status == optimizer.Measured:
			kinds["feasible"]++
		case o.Values != nil:
			kinds["over the limit"]++
		default:
			kinds["not measured"]++
		}
	}
	var feasible []archiver.Trial
	for tr, err := range trials(20_000) {
		if err != nil {
			t.Fatal(err)
		}
		if tr.Outcome == events.OutcomeMeasured && tr.Values[1] <= limit {
			feasible = append(feasible, tr)
		}
	}
	slices.SortStableFunc(feasible, func(a, b archiver.Trial) int { return cmp.Compare(a.Values[0], b.Values[0]) })
	for i, tr := range feasible[:keptBest] {
		if !got[tr.Trial] {
			t.Fatalf("trial %d, the best but %d, is not kept", tr.Trial, i)
		}
	}
	// A stratum of the objective may hold no feasible design.
	if kinds["feasible"] < keptBest+keptOthers/2 || kinds["over the limit"] != keptInfeasible/2 || kinds["not measured"] != keptInfeasible/2 {
		t.Errorf("kinds %v", kinds)
	}
	// The others come from all strata alike, late trials as well as early ones.
	late := 0
	for _, o := range observations {
		if o.Trial >= 10_000 {
			late++
		}
	}
	if late < maxKept/3 || late > 2*maxKept/3 {
		t.Errorf("%d of %d are from the second half", late, maxKept)
	}
	_, again, _, err := add(t, spec, manyTrials(20_000))
	if d := gocmp.Diff(k.Tasks, again.Tasks, cmpopts.IgnoreUnexported(space.Space{})); err != nil || d != "" {
		t.Errorf("another selection the second time: %v\n%s", err, d)
	}
}
