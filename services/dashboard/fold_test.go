package dashboard

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/servicestest"
)

// hostile is what a user may call things.
const hostile = "<script>alert(1)</script>\"'\u202e&"

func spec() *events.Spec {
	s := servicestest.Spec()
	s.Study, s.Labels = "demo", map[string]string{"who": hostile}
	s.Budget.Batch = 1
	return s
}

func message(t testing.TB, seq uint64, e events.Payload) events.Message {
	t.Helper()
	data, err := events.Encode(fmt.Sprintf("e%d", seq), "test", "demo", time.Unix(int64(seq), 0), e)
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Subject: events.StudySubject("demo", servicestest.Run, events.Kind(e.EventType())), Seq: seq, Time: time.Unix(int64(seq), 0), Data: data}
}

func accepted(s *events.Spec) events.StudyAccepted {
	return events.StudyAccepted{Study: "demo", Run: servicestest.Run, Spec: *s, SpecSHA256: events.SpecSHA256(s)}
}

func proposal(s *events.Spec, batch int) events.TrialsProposed {
	design := make(events.Design, len(s.Parameters))
	for i, p := range s.Parameters {
		design[i] = space.Value{Num: p.Values[batch%len(p.Values)]}
	}
	return events.TrialsProposed{
		Study: "demo", Run: servicestest.Run, Batch: batch, FirstTrial: batch, Designs: []events.Design{design}, Origins: []string{hostile},
	}
}

// measured is the answer to a batch: every fourth is over the area, every tenth
// cannot run.
func measured(batch int) events.BatchEvaluated {
	r := events.TrialResult{Trial: batch, Outcome: events.OutcomeMeasured, Values: []float64{latency(batch), 5, 1}}
	switch {
	case batch%10 == 9:
		r.Outcome, r.Values = events.OutcomeInfeasible, nil
		r.Reason = &events.Reason{Code: "no_room", Message: hostile}
	case batch%4 == 3:
		r.Values[1] = 9
	}
	return events.BatchEvaluated{
		Study: "demo", Run: servicestest.Run, Batch: batch, Evaluator: "fake",
		Metrics: []string{"latency_s", "area_mm2", "energy_j"}, Trials: []events.TrialResult{r},
	}
}

func latency(trial int) float64 { return 1e-3 * float64(1+(trial*7919)%1009) }

// folded returns the fold of n trials whose events come in an order.
func folded(t testing.TB, n int, order []int) *Fold {
	t.Helper()
	f, s := &Fold{}, spec()
	if err := f.Event(message(t, 1, accepted(s))); err != nil {
		t.Fatal(err)
	}
	for _, i := range order {
		batch, e := i/2, measured(i/2)
		if i%2 == 1 {
			f.Answer(batch, &e)
		} else if err := f.Event(message(t, uint64(2+batch), proposal(s, batch))); err != nil {
			t.Fatal(err)
		}
	}
	if p, a := f.Open(); p+a > 0 || f.Counts.Trials != n {
		t.Fatalf("%d proposals and %d answers wait, %d trials are counted; want 0, 0 and %d", p, a, f.Counts.Trials, n)
	}
	return f
}

func inOrder(n int) []int {
	order := make([]int, 2*n)
	for i := range order {
		order[i] = i
	}
	return order
}

func TestAFoldShowsWhatTheTrialsWere(t *testing.T) {
	t.Parallel()
	const n = 600
	f := folded(t, n, inOrder(n))
	var want Counts
	best := []Mark{}
	over := 0
	for i := range n {
		want.Trials++
		switch {
		case i%10 == 9:
			want.Infeasible++
			continue
		case i%4 == 3:
			over++
			want.Over++
		default:
			want.Feasible++
			if len(best) == 0 || latency(i) < best[len(best)-1].Value {
				best = append(best, Mark{i, latency(i), hostile})
			}
		}
		want.Measured++
	}
	if f.Counts != want {
		t.Errorf("counts = %+v, want %+v", f.Counts, want)
	}
	if diff := cmp.Diff(best, f.Best); diff != "" {
		t.Errorf("best so far (-want +got):\n%s", diff)
	}
	if c := f.Causes.sorted(); len(c) != 2 || c[0].Trials != over || c[1].Code != "no_room" || c[1].Trials != want.Infeasible {
		t.Errorf("causes = %+v, want %d over the area and %d of no_room", c, over, want.Infeasible)
	}
	if o := f.Origins; len(o) != 1 || o[0].Trials != n || o[0].Feasible != want.Feasible {
		t.Errorf("origins = %+v, want one of %d trials, %d feasible", o, n, want.Feasible)
	}
}

func TestTheOrderOfEventsDoesNotMatter(t *testing.T) {
	t.Parallel()
	const n = 700
	want := folded(t, n, inOrder(n))
	order := inOrder(n)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	got := folded(t, n, order)
	byTrial := func(a, b kept) int { return a.trial - b.trial }
	slices.SortFunc(want.kept, byTrial)
	slices.SortFunc(got.kept, byTrial)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Fold{}, "View"), cmpopts.IgnoreUnexported(Fold{})); diff != "" {
		t.Errorf("in order and shuffled differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.kept, got.kept, cmp.AllowUnexported(kept{}), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("kept trials (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.columns, got.columns); diff != "" || want.width != got.width {
		t.Errorf("columns of %d and %d trials (-want +got):\n%s", want.width, got.width, diff)
	}
}

// The picture of a long run has columns that hold every trial, and the best is
// still exact.
func TestALongRunStaysBounded(t *testing.T) {
	t.Parallel()
	const n = maxTrials + maxTrials/2
	f, s := &Fold{}, spec()
	if err := f.Event(message(t, 1, accepted(s))); err != nil {
		t.Fatal(err)
	}
	for batch := range n {
		p, e := proposal(s, batch), measured(batch)
		f.proposed[batch] = &p
		f.Answer(batch, &e)
	}
	trials := 0
	for _, c := range f.columns {
		trials += c.Trials
	}
	if trials != f.Counts.Measured || len(f.columns) > columns || f.width*columns < n {
		t.Errorf("%d columns of %d trials hold %d, want at most %d columns that hold all %d", len(f.columns), f.width, trials, columns, f.Counts.Measured)
	}
	if len(f.kept) > 2*maxTrials {
		t.Errorf("%d trials are kept, want at most %d", len(f.kept), 2*maxTrials)
	}
	w := watch{fold: *f}
	s1 := w.snapshot()
	if len(s1.kept) != maxTrials || s1.kept[maxTrials-1].trial != n-1 {
		t.Errorf("a page has %d trials, want the last %d", len(s1.kept), maxTrials)
	}
	if last := f.Best[len(f.Best)-1]; last.Value != 1e-3 {
		t.Errorf("best = %+v, want 1 ms", last)
	}
	marks := func(p *picture) (dots, cells int) {
		return strings.Count(string(p.Drawing), `class="cloud`), strings.Count(string(p.Drawing), `class="range"`)
	}
	if dots, bars := marks(s1.drawBest()); dots != 0 || bars != len(f.columns) {
		t.Errorf("%d clouds and %d bars are drawn, want bars only, one per column", dots, bars)
	}
	if dots, cells := marks(s1.drawPlane(1, 0)); dots != 0 || cells == 0 || cells > 64*30 {
		t.Errorf("%d clouds and %d cells are drawn, want cells only", dots, cells)
	}
}

func TestManyCausesAreCountedTogether(t *testing.T) {
	t.Parallel()
	f, s := &Fold{}, spec()
	if err := f.Event(message(t, 1, accepted(s))); err != nil {
		t.Fatal(err)
	}
	for batch := range 3 * maxKinds {
		p, e := proposal(s, batch), measured(9)
		e.Trials[0].Trial, e.Trials[0].Reason = batch, &events.Reason{Code: fmt.Sprintf("code_%d", batch)}
		f.proposed[batch] = &p
		f.Answer(batch, &e)
	}
	if c := f.Causes.sorted(); len(c) != maxKinds+1 || c[0].Code != otherKinds || c[0].Trials != 2*maxKinds {
		t.Errorf("%d causes, the first is %+v; want %d and %d others", len(c), c[0], maxKinds+1, 2*maxKinds)
	}
}

// An answer of somebody who was not chosen counts nowhere.
func TestAnAnswerOfAnotherIdentityDoesNotCount(t *testing.T) {
	t.Parallel()
	f, s := &Fold{}, spec()
	for i, e := range []events.Payload{
		accepted(s), events.StudyBound{Study: "demo", Run: servicestest.Run, Identity: events.Identity{Version: "1"}}, proposal(s, 0),
	} {
		if err := f.Event(message(t, uint64(i+1), e)); err != nil {
			t.Fatal(err)
		}
	}
	other := measured(0)
	other.EvaluatorVersion = "2"
	f.Answer(0, &other)
	if f.Counts.Trials != 0 {
		t.Fatalf("the answer of version 2 counts: %+v", f.Counts)
	}
	right := measured(0)
	right.EvaluatorVersion = "1"
	f.Answer(0, &right)
	if f.Counts.Trials != 1 {
		t.Errorf("%d trials, want the one that version 1 measured", f.Counts.Trials)
	}
}

// encoded is an answer as an evaluator publishes it.
func encoded(t testing.TB, e events.BatchEvaluated) []byte {
	t.Helper()
	data, err := events.Encode(fmt.Sprintf("r%d", e.Batch), "test", "demo", time.Unix(1, 0), e)
	if err != nil || !json.Valid(data) {
		t.Fatal(err)
	}
	return data
}

// BenchmarkFold reads and folds batches of four trials, as they are on the bus.
func BenchmarkFold(b *testing.B) {
	const size = 4
	s := spec()
	f := &Fold{}
	if err := f.Event(message(b, 1, accepted(s))); err != nil {
		b.Fatal(err)
	}
	p, e := proposal(s, 0), measured(0)
	for i := 1; i < size; i++ {
		one := measured(i).Trials[0]
		p.Designs, p.Origins, e.Trials = append(p.Designs, proposal(s, i).Designs[0]), append(p.Origins, "evolution"), append(e.Trials, one)
	}
	log, facts := message(b, 2, p), encoded(b, e)
	for b.Loop() {
		if err := f.Event(log); err != nil {
			b.Fatal(err)
		}
		_, answer, err := events.DecodeAs[events.BatchEvaluated](facts)
		if err != nil {
			b.Fatal(err)
		}
		f.Answer(answer.Batch, &answer)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(size*b.N), "ns/trial")
}

// A trial that was stopped early is a kind of its own, neither failed nor infeasible.
func TestStoppedTrialsAreCounted(t *testing.T) {
	t.Parallel()
	kind := kindOf(&archiver.Row{Outcome: events.OutcomeStopped})
	var f Fold
	f.count(&kept{kind: kind, cause: events.ReasonEarlyStop})
	if kind != kindStopped || !slices.Contains(kinds(), kind) || f.Counts != (Counts{Counts: events.Counts{Trials: 1, Stopped: 1}}) {
		t.Errorf("kind %q counts as %+v, want one stopped", kind, f.Counts)
	}
}

// What a fidelity lets not count is counted however it ended: infeasible ones too.
func TestTrialsBelowTheFullFidelityAreCounted(t *testing.T) {
	t.Parallel()
	f, s := &Fold{}, spec()
	levels := s.Parameters[0].Values
	s.Fidelity = &events.Fidelity{Parameter: s.Parameters[0].Name}
	if err := f.Event(message(t, 1, accepted(s))); err != nil {
		t.Fatal(err)
	}
	below := 0
	for batch := range 40 {
		p, e := proposal(s, batch), measured(batch)
		if err := f.Event(message(t, uint64(2+batch), p)); err != nil {
			t.Fatal(err)
		}
		f.Answer(batch, &e)
		if p.Designs[0][0].Num != levels[len(levels)-1] {
			below++
		}
	}
	if c := f.Counts; c.LowFidelity != below || c.Over == 0 {
		t.Errorf("counts = %+v, want %d of low fidelity, also where they are over a limit", c, below)
	}
}
