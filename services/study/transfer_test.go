package study_test

import (
	"strings"
	"testing"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/study"
)

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
	knowledge, pins, err := study.Learn(spec, nil, []archiver.Source{sourceOf(first1)})
	if err != nil {
		t.Fatal(err)
	}
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
	knowledge, pins, err := study.Learn(spec, study.Legality(spec, sp, judge, toy{}), []archiver.Source{sourceOf(w)})
	if err != nil {
		t.Fatal(err)
	}
	if pins[0].Use != "seed" || len(knowledge.Seeds) != 3 || len(knowledge.Merged) != 0 {
		t.Fatalf("use %s, %d seeds, %d merged; want 3 seeds", pins[0].Use, len(knowledge.Seeds), len(knowledge.Merged))
	}
	later := newWorld(t, spec, knowledge)
	later.run(first, later.restart)
	p := later.proposed()[0]
	for i := range 3 {
		if !strings.HasPrefix(p.Origins[i], "seed:earlier/") {
			t.Errorf("trial %d has origin %q, want a seed", i, p.Origins[i])
		}
		if p.Designs[i][0].Num+p.Designs[i][1].Num > limit {
			t.Errorf("seed %v is not legal here", p.Designs[i])
		}
	}
}

// The same design has another number under another version of the model: such
// a source gives seeds, which are measured again.
func TestAnotherVersionIsAnotherMeasurement(t *testing.T) {
	t.Parallel()
	version := func(v string) *events.Spec {
		return testSpec(func(s *events.Spec) { s.Evaluator.Version = v })
	}
	for _, c := range []struct{ here, there, want string }{
		{"", "", "merge"}, {"2", "2", "merge"}, {"2", "1", "seed"}, {"2", "", "seed"}, {"", "2", "seed"},
	} {
		if got, err := study.Use(version(c.here), version(c.there)); err != nil || got != c.want {
			t.Errorf("Use() of version %q in a study of version %q = %s, %v; want %s", c.there, c.here, got, err, c.want)
		}
	}
}

func TestSourcesThatDoNotFit(t *testing.T) {
	t.Parallel()
	spec := testSpec(nil)
	other := testSpec(func(s *events.Spec) { s.Parameters[1].Unit = "B" })
	if _, err := study.Use(spec, other); err == nil || !strings.Contains(err.Error(), `"y"`) {
		t.Errorf("Use() = %v, want an error that names the parameter", err)
	}
}

func TestControlArmIgnoresSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) {
		s.Transfer = &events.Transfer{Control: 0.25}
	}), study.Knowledge{})
	w.run(first, w.restart)
	control := 0
	for _, p := range w.proposed() {
		for _, o := range p.Origins {
			if strings.HasPrefix(o, "control/") {
				control++
			}
		}
	}
	if control != 25 {
		t.Errorf("%d of 100 trials are the control arm's, want 25", control)
	}
}
