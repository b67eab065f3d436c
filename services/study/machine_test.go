package study_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
)

func TestStrictOrderDoesNotDependOnTiming(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"random", "evolution", "ga"} {
		testTiming(t, testSpec(func(s *events.Spec) { s.Algorithm.Name = algorithm }))
		testTiming(t, testSpec(func(s *events.Spec) { s.Algorithm.Name, s.Budget.Batch, s.Budget.Lag = algorithm, 3, 0 }))
	}
}

// TestLagZero: no batch is asked for before all answers are in.
func TestLagZero(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Budget.Batch, s.Budget.Lag = 3, 0 }), study.Knowledge{})
	w.run(first, nil)
	for _, e := range w.log {
		if p, ok := e.(events.TrialsProposed); ok && p.Told != p.Batch {
			t.Errorf("batch %d was asked for after %d batches were told", p.Batch, p.Told)
		}
	}
}

// testTiming runs a study undisturbed and 60 times disturbed: one study.
func testTiming(t *testing.T, spec *events.Spec) {
	t.Helper()
	algorithm := fmt.Sprintf("%s, lag %d", spec.Algorithm.Name, spec.Budget.Lag)
	calm := newWorld(t, spec, study.Knowledge{})
	calm.run(first, nil)
	want := calm.machine.Summary()
	if want.Trials != 100 || want.Best == nil || want.Infeasible == 0 {
		t.Fatalf("%s: the undisturbed run is not a fair test: %+v", algorithm, want)
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, spec, study.Knowledge{})
		w.run(rng.IntN, func() {
			switch rng.IntN(6) {
			case 0:
				w.restart()
			case 1: // a duplicate of an old answer
				w.machine.Result(1, w.results[rng.IntN(len(w.results))])
			}
		})
		got := w.machine.Summary()
		got.LastResult = want.LastResult
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s, seed %d: another study (-calm +disturbed):\n%s", algorithm, seed, diff)
		}
		if n, m := improvements(calm.log), improvements(w.log); !slices.Equal(n, m) {
			t.Errorf("%s, seed %d: improved at %v, want %v", algorithm, seed, m, n)
		}
	}
}

func improvements(log []events.Payload) (trials []int) {
	for _, e := range log {
		if i, ok := e.(events.StudyImproved); ok {
			trials = append(trials, i.Best.Trial)
		}
	}
	return trials
}

func TestRelaxedOrderReplaysExactly(t *testing.T) {
	t.Parallel()
	spec := testSpec(func(s *events.Spec) { s.Order = "relaxed" })
	for seed := range uint64(20) {
		calm, shaken := newWorld(t, spec, study.Knowledge{}), newWorld(t, spec, study.Knowledge{})
		calm.run(rand.New(rand.NewPCG(seed, 2)).IntN, nil)
		shaken.run(rand.New(rand.NewPCG(seed, 2)).IntN, shaken.restart)
		if diff := cmp.Diff(calm.machine.Summary(), shaken.machine.Summary()); diff != "" {
			t.Fatalf("seed %d: a restart changed the study:\n%s", seed, diff)
		}
	}
}

func TestNoDesignIsPaidForTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Budget.Trials = 10_000 }), study.Knowledge{})
	w.run(first, nil)
	seen := map[string]bool{}
	for _, p := range w.proposed() {
		for _, d := range p.Designs {
			key := fmt.Sprint(d)
			if seen[key] {
				t.Fatalf("design %s was proposed twice", key)
			}
			seen[key] = true
			if d[0].Num+d[1].Num > 18 {
				t.Fatalf("design %s breaks a constraint that is free to check", key)
			}
		}
	}
	if state, reason := w.machine.State(); state != study.Completed || reason != "exhausted" {
		t.Errorf("State() = %s (%s), want completed (exhausted)", state, reason)
	}
	legal := 0
	for x := range 12 {
		for y := range 12 {
			if x+y <= 18 {
				legal += 3
			}
		}
	}
	if len(seen) != legal {
		t.Errorf("%d designs were tried, the space has %d legal ones", len(seen), legal)
	}
}

func TestHiddenConstraintsCostTrials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.KnownConstraints, s.Algorithm.Name = "hidden", "random" }), study.Knowledge{})
	w.run(first, nil)
	s := w.machine.Summary()
	if s.Feasible >= s.Measured {
		t.Errorf("feasible %d of %d measured: no design broke the hidden constraint", s.Feasible, s.Measured)
	}
	if s.Best.Metrics["area_mm2"] > 18 {
		t.Errorf("the best trial breaks the constraint: %v", s.Best.Metrics)
	}
}

func TestStopConditions(t *testing.T) {
	t.Parallel()
	target := 6.0
	for name, change := range map[string]func(*events.Spec){
		"budget":  nil,
		"target":  func(s *events.Spec) { s.Objectives[0].Target = &target },
		"plateau": func(s *events.Spec) { s.Stop.Plateau = &events.Plateau{Trials: 10, Improvement: 0.5} },
		"exhausted": func(s *events.Spec) {
			s.Parameters[0].Values, s.Parameters[1].Values = []float64{1}, []float64{2, 3}
		},
	} {
		w := newWorld(t, testSpec(change), study.Knowledge{})
		w.run(first, nil)
		if state, reason := w.machine.State(); state != study.Completed || reason != name {
			t.Errorf("%s: State() = %s (%s)", name, state, reason)
		}
	}
}

// A strategy that finds nothing tries what lint knows; the run then ends with a
// reason that its schema has, with or without a trial.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	many := make([]float64, 1000)
	for i := range many {
		many[i] = float64(i)
	}
	spec := func(rule string) *events.Spec {
		return testSpec(func(s *events.Spec) {
			s.Parameters[0].Values, s.Parameters[1].Values, s.Constraints = many, many, nil
			s.Rules = []events.Rule{{ID: "rare", Expr: rule}}
			s.Algorithm = events.Algorithm{Name: "random", Options: []byte(`{"maxChecks":1}`)}
		})
	}
	for name, c := range map[string]struct {
		rule     string
		baseline []space.Value
		trials   int
	}{
		"nothing is legal": {`x == 7 and y == 11 and flow == "os" and x + y > 100`, nil, 0},
		"the baseline is":  {`x == 777 and y == 111 and flow == "is"`, []space.Value{{Num: 777}, {Num: 111}, {Label: "is"}}, 1},
		"the largest is":   {`x == 999 and y == 999 and flow == "is"`, nil, 1},
		"the smallest is":  {`x + y == 0 and flow == "ws"`, []space.Value{{Num: 0}, {Num: 0}, {Label: "ws"}}, 1},
		"a sampled one is": {sampledRule(t, spec("x >= 0")), nil, 1},
	} {
		w := newWorld(t, spec(c.rule), study.Knowledge{})
		w.baseline = c.baseline
		w.restart()
		w.run(first, w.restart)
		state, reason := w.machine.State()
		if got := w.machine.Summary().Trials; state != study.Completed || reason != "gave_up" || got != c.trials {
			t.Errorf("%s: %s (%s) after %d trials, want completed (gave_up) after %d", name, state, reason, got, c.trials)
		}
		for _, p := range w.proposed() {
			if p.Origins[0] != "known" {
				t.Errorf("%s: the origin is %q, want known", name, p.Origins[0])
			}
		}
	}
}

// sampledRule allows the thousandth design that lint samples, and no other.
func sampledRule(t *testing.T, spec *events.Spec) string {
	sp, err := spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		t.Fatal(err)
	}
	var last []space.Value
	for p := range study.Sample(sp, judge, 1000) {
		last = sp.Values(p)
	}
	return fmt.Sprintf("x == %s and y == %s and flow == %q", last[0], last[1], last[2])
}

// What people see of a run with fidelity leaves out the trials that could not be
// feasible, also those that broke a limit or could not run.
func TestProgressCountsWhatIsBelowTheFullFidelity(t *testing.T) {
	t.Parallel()
	spec := testSpec(func(s *events.Spec) { s.Fidelity, s.KnownConstraints = &events.Fidelity{Parameter: "flow"}, "" })
	w := newWorld(t, spec, study.Knowledge{})
	w.run(first, nil)
	want, infeasible := 0, 0
	for _, e := range w.log {
		p, ok := e.(events.TrialsProposed)
		if !ok {
			continue
		}
		for _, d := range p.Designs {
			if d[2].Label != "is" {
				want++
				if int(d[0].Num+2*d[1].Num)%5 == 0 {
					infeasible++
				}
			}
		}
	}
	if p := w.machine.Progress(); p.LowFidelity != want || want == 0 || infeasible == 0 || p.Feasible > p.Trials-want {
		t.Errorf("progress %+v, want %d trials below the full fidelity, %d of them infeasible", p, want, infeasible)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	command := func(id, verb string, trials int) error {
		e, err := w.machine.Command(&events.StudyControl{Study: "sim", ID: id, Verb: verb, Trials: trials})
		if e != nil {
			w.append(e)
		}
		return err
	}
	if err := command("1", "pause", 0); err != nil {
		t.Fatal(err)
	}
	w.appendNext()
	if w.machine.Progress().InFlight != 0 {
		t.Error("a paused study proposes trials")
	}
	for _, c := range []struct {
		verb   string
		trials int
	}{{"resume", 0}, {"resume", 0}, {"extend", 120}, {"extend", 120}} {
		if err := command(c.verb+"-1", c.verb, c.trials); err != nil {
			t.Fatalf("%s: %v", c.verb, err)
		}
	}
	if err := command("less", "extend", 50); err == nil {
		t.Error("extend to fewer trials was not refused")
	}
	w.run(first, w.restart)
	if s := w.machine.Summary(); s.Trials != 120 {
		t.Errorf("after extend: %d trials, want 120", s.Trials)
	}
	if err := command("more", "extend", 160); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.run(first, w.restart)
	if s := w.machine.Summary(); s.Trials != 160 {
		t.Errorf("after extending a completed study: %d trials, want 160", s.Trials)
	}
	if err := command("x", "cancel", 0); err == nil {
		t.Error("a completed study was cancelled")
	}
}

func TestExtendedPlateauSurvivesARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(func(s *events.Spec) { s.Stop.Plateau = &events.Plateau{Trials: 16, Improvement: 0.9} }), study.Knowledge{})
	w.run(first, nil)
	before := w.machine.Summary().Trials
	if _, reason := w.machine.State(); reason != "plateau" {
		t.Fatalf("the study ended for %q, want plateau", reason)
	}
	w.append(events.StudyExtended{Study: "sim", Run: "r1", Command: "more", Trials: 200})
	w.restart()
	w.run(first, w.restart)
	if after := w.machine.Summary().Trials; after < before+16 {
		t.Errorf("the extended study ran %d trials after the first %d, want a plateau of its own", after-before, before)
	}
}

func TestFailuresPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testSpec(nil), study.Knowledge{})
	for range 20 {
		w.appendNext()
		if state, _ := w.machine.State(); state == study.Paused {
			break
		}
		for _, k := range w.machine.Outstanding {
			w.record(&events.BatchEvaluated{Study: "other", Batch: k}) // does not fit: every trial fails
		}
		w.restart()
	}
	if state, reason := w.machine.State(); state != study.Paused || reason == "" {
		t.Fatalf("State() = %s (%q) after many failures, want paused with a reason", state, reason)
	}
	w.append(events.StudyResumed{Study: "sim", Run: "r1", Command: "go"})
	w.restart()
	w.run(first, w.restart)
	if state, _ := w.machine.State(); state != study.Completed {
		t.Errorf("State() = %s after resuming, want completed", state)
	}
}

// Forty parameters that may mean nothing leave one point in a hundred million
// legal; every strategy finds its designs all the same.
func TestManyConditions(t *testing.T) {
	t.Parallel()
	spec := testSpec(func(s *events.Spec) {
		s.Budget.Trials, s.Algorithm.Name = 40, "random"
		for i := range 40 {
			flag, level := fmt.Sprint("flag", i), fmt.Sprint("level", i)
			s.Parameters = append(s.Parameters, events.Parameter{Name: flag, Values: []float64{0, 1}},
				events.Parameter{Name: level, Values: []float64{1, 2, 3, 4}, When: flag + " == 1"})
		}
	})
	for _, name := range []string{"random", "evolution", "sobol", "tpe", "nsga2"} {
		spec.Algorithm.Name = name
		w := newWorld(t, spec, study.Knowledge{})
		w.run(first, nil)
		if state, reason := w.machine.State(); state != study.Completed || reason != "budget" || w.machine.Summary().Trials != 40 {
			t.Errorf("%s: %s (%s) after %d trials, want completed (budget) after 40", name, state, reason, w.machine.Summary().Trials)
		}
	}
}
