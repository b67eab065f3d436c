package study_test

import (
	"strings"
	"testing"

	"apollo/archiver"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
	"apollo/services/transfer"
)

// learn takes one source.
func learn(t *testing.T, spec *events.Spec, legal func(space.Point) bool, source archiver.Source) (study.Knowledge, []events.SourcePin) {
	t.Helper()
	l, err := transfer.NewLearner(transfer.Target{Spec: spec, Legal: legal})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Add(source.Log(), ""); err != nil {
		t.Fatal(err)
	}
	return l.Knowledge()
}

// sourceOf makes a source of a finished world.
func sourceOf(w *world) archiver.Source {
	s := archiver.Source{Study: "earlier", Run: "r0", Spec: w.spec, SHA256: "h"}
	byTrial := map[int]events.TrialResult{}
	for _, r := range w.results {
		for _, t := range r.Trials {
			byTrial[t.Trial] = t
		}
	}
	for _, p := range w.proposed() {
		for i, d := range p.Designs {
			r := byTrial[p.FirstTrial+i]
			s.Trials = append(s.Trials, archiver.Trial{Trial: r.Trial, Design: d, Outcome: r.Outcome, Values: r.Values, Reason: r.Reason})
		}
	}
	return s
}

func TestMergeJudgesAgainAndNeverStartsWorse(t *testing.T) {
	t.Parallel()
	first1 := newWorld(t, testSpec(nil), study.Knowledge{})
	first1.run(first, nil)
	limit := 9.0
	spec := testSpec(func(s *events.Spec) { s.Study, s.Constraints[0].Max = "later", &limit })
	knowledge, pins := learn(t, spec, nil, sourceOf(first1))
	if len(pins) != 1 || pins[0].Use != "merge" || pins[0].Trials != 100 {
		t.Fatalf("pins = %+v, want one merge of 100 trials", pins)
	}
	if len(knowledge.Merged) != 100 || len(knowledge.Best) == 0 {
		t.Fatalf("%d merged, %d best", len(knowledge.Merged), len(knowledge.Best))
	}
	known := map[string]bool{}
	for _, k := range knowledge.Merged {
		known[strings.Join([]string{k.Design[0].String(), k.Design[1].String(), k.Design[2].String()}, " ")] = true
	}
	w := newWorld(t, spec, knowledge)
	w.run(first, w.restart)
	for _, p := range w.proposed() {
		for i, d := range p.Designs {
			reused := strings.HasPrefix(p.Origins[i], "reuse:earlier/")
			if known[strings.Join([]string{d[0].String(), d[1].String(), d[2].String()}, " ")] != reused {
				t.Fatalf("trial %d (%s): a known design is not reused, or a new one is", p.FirstTrial+i, p.Origins[i])
			}
			if d[0].Num+d[1].Num > limit {
				t.Fatalf("trial %d breaks this study's constraint", p.FirstTrial+i)
			}
		}
	}
	for i := 1; i < len(knowledge.Best); i++ {
		if knowledge.Best[i-1].Values[0] > knowledge.Best[i].Values[0] {
			t.Error("the best known designs are not in order")
		}
	}
	if got := w.machine.Summary().Best.Metrics["latency_s"]; got > knowledge.Best[0].Values[0] {
		t.Errorf("the answer %v is worse than what was known, %v", got, knowledge.Best[0].Values[0])
	}
}

func TestSeedsComeFirstAndAreLegal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Constraints = nil }), study.Knowledge{})
	w.run(first, nil)
	limit := 6.0
	spec := testSpec(func(s *events.Spec) {
		s.Study, s.Constraints[0].Max = "other-network", &limit
		s.Networks = []events.Network{{Name: "n", Weight: 1, SHA256: "x"}}
		s.Transfer = &events.Transfer{Seeds: 3, Sources: []events.Source{{Study: "earlier"}}}
	})
	sp, _ := spec.Space()
	judge, err := events.NewJudge(spec)
	if err != nil {
		t.Fatal(err)
	}
	knowledge, pins := learn(t, spec, study.Legality(spec, sp, judge, toy{}), sourceOf(w))
	if pins[0].Use != transfer.UseModel || len(knowledge.Tasks) != 1 || len(knowledge.Merged) != 0 {
		t.Fatalf("use %s, %d tasks, %d merged; want 1 task", pins[0].Use, len(knowledge.Tasks), len(knowledge.Merged))
	}
	later := newWorld(t, spec, knowledge)
	later.run(first, later.restart)
	p := later.proposed()[0]
	for i, origin := range p.Origins {
		if seed := strings.HasPrefix(origin, "seed:earlier/"); seed != (i == 0) {
			t.Errorf("trial %d has origin %q, want one seed of the source first", i, origin)
		}
		if p.Designs[i][0].Num+p.Designs[i][1].Num > limit {
			t.Errorf("design %v is not legal here", p.Designs[i])
		}
	}
}

// The control arm makes its share of the trials from what its own trials said,
// also where the other arm was first to measure a design: then the answer is
// reused. A strategy never proposes what it was told, so a reused design shows
// that the arm was not told of the other's.
func TestControlArmIsARunOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) {
		// 25 designs, of which some are proposed by both arms.
		s.Parameters = s.Parameters[:2]
		s.Parameters[0].Values, s.Parameters[1].Values = s.Parameters[0].Values[:5], s.Parameters[1].Values[:5]
		s.Parameters = append(s.Parameters, events.Parameter{Name: "flow", Labels: []string{"ws"}})
		s.Budget = events.Budget{Trials: 24, Batch: 2, Parallelism: 1, Lag: 1}
		s.Transfer = &events.Transfer{Control: 0.5}
	}), study.Knowledge{})
	w.run(first, w.restart)
	control, reused := 0, 0
	for _, p := range w.proposed() {
		for _, o := range p.Origins {
			if strings.HasPrefix(o, "control/") {
				control++
			}
		}
		for _, r := range p.Reused {
			reused++
			if o := p.Origins[r.Trial-p.FirstTrial]; !strings.HasPrefix(o, "control/") {
				t.Errorf("trial %d of %q is reused", r.Trial, o)
			}
		}
	}
	if control != 12 || reused == 0 {
		t.Errorf("%d of 24 trials are the control arm's and %d of them reused; want 12 and some", control, reused)
	}
}
