package study_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/services/study"
)

// noisySpec is testSpec without infeasible designs, with an evaluator whose
// answers differ.
func noisySpec(noise *events.Noise, trials int) *events.Spec {
	return testSpec(func(s *events.Spec) {
		s.Algorithm.Name = "default"
		s.Evaluator.Deterministic, s.Evaluator.Noise = false, noise
		s.Budget = events.Budget{Trials: trials, Batch: 1, Parallelism: 1}
	})
}

// truth is the value of a design of noisySpec.
func truth(x, y float64) float64 { return 10 + (x-7)*(x-7) + (y-3)*(y-3) }

// shaky answers truth times what a trial's error makes of it.
func shaky(errorOf func(trial int) float64) func(*events.BatchRequested) *events.BatchEvaluated {
	return func(work *events.BatchRequested) *events.BatchEvaluated {
		r := &events.BatchEvaluated{Study: work.Study, Run: work.Run, Batch: work.Batch, Evaluator: work.Evaluator, Metrics: []string{"latency_s", "area_mm2"}}
		for i, d := range work.Designs {
			v := truth(d[0].Num, d[1].Num) * math.Exp(errorOf(work.Trials[i]))
			r.Trials = append(r.Trials, events.TrialResult{
				Trial: work.Trials[i], Outcome: events.OutcomeMeasured, Attempts: 1, Values: events.Numbers{v, d[0].Num + d[1].Num},
			})
		}
		return r
	}
}

// white is an error of independent trials.
func white(deviation float64) func(int) float64 {
	return func(trial int) float64 {
		return deviation * rand.New(rand.NewPCG(1, uint64(trial))).NormFloat64()
	}
}

// drive runs a study on an evaluator to its end; every restart-th answer the machine
// is folded anew (0: never).
func drive(t *testing.T, spec *events.Spec, answer func(*events.BatchRequested) *events.BatchEvaluated, restart int) *world {
	t.Helper()
	w := newWorld(t, spec, study.Knowledge{})
	for k := 1; ; k++ {
		w.appendNext()
		if state, _ := w.machine.State(); state.Terminal() {
			return w
		}
		for _, b := range slices.Collect(firsts(w.machine.Outstanding)) {
			w.record(answer(w.machine.Work(b)))
		}
		if restart > 0 && k%restart == 0 {
			w.restart()
		}
	}
}

// firsts are the batches of what is outstanding.
func firsts(outstanding func(func(string, int) bool)) func(func(int) bool) {
	return func(yield func(int) bool) {
		outstanding(func(_ string, batch int) bool { return yield(batch) })
	}
}

func TestNoisyRunReplays(t *testing.T) {
	t.Parallel()
	for name, noise := range map[string]*events.Noise{"by rule": {}, "each twice": {Repeats: 2}, "reference": {Reference: 5}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := drive(t, noisySpec(noise, 30), shaky(white(0.1)), 0)
			pieces := drive(t, noisySpec(noise, 30), shaky(white(0.1)), 3)
			if diff := cmp.Diff(whole.machine.Summary(), pieces.machine.Summary()); diff != "" {
				t.Errorf("restarts change the answer (-without +with):\n%s", diff)
			}
			if diff := cmp.Diff(whole.log, pieces.log); diff != "" {
				t.Errorf("restarts change the log (-without +with):\n%s", diff)
			}
		})
	}
}

// repeats are the trials by which each design was measured.
func repeats(w *world) map[string][]int {
	out := map[string][]int{}
	for _, p := range w.proposed() {
		for i, d := range p.Designs {
			key := fmt.Sprint(d)
			out[key] = append(out[key], p.FirstTrial+i)
		}
	}
	return out
}

func TestEachDesignIsMeasuredSoOften(t *testing.T) {
	t.Parallel()
	for design, trials := range repeats(drive(t, noisySpec(&events.Noise{Repeats: 3}, 30), shaky(white(0.1)), 0)) {
		if len(trials) != 3 {
			t.Errorf("design %s was measured in trials %v, want three", design, trials)
		}
	}
}

func TestEqualAnswersEndTheRule(t *testing.T) {
	t.Parallel()
	w := drive(t, noisySpec(&events.Noise{}, 60), shaky(func(int) float64 { return 0 }), 0)
	if n := w.machine.Summary().Noise.Repeated; n != 1 {
		t.Errorf("%d trials measured a design again, want 1: it answered the same", n)
	}
}

func TestAnswerIsNoLuckyMeasurement(t *testing.T) {
	t.Parallel()
	lucky := func(trial int) float64 {
		if trial == 5 {
			return math.Log(0.2) // a fifth of what it is
		}
		return white(0.05)(trial)
	}
	s := drive(t, noisySpec(&events.Noise{}, 60), shaky(lucky), 0).machine.Summary()
	e := s.Best.Estimate
	if got := truth(s.Best.Design["x"].(float64), s.Best.Design["y"].(float64)); got > 13 || s.Best.Trial == 5 {
		t.Errorf("the answer is trial %d, worth %.3g, want at most 13", s.Best.Trial, got)
	}
	if !(e.Low < e.Value && e.Value < e.High) {
		t.Errorf("the interval of %.4g is %.4g to %.4g", e.Value, e.Low, e.High)
	}
	if s.Noise == nil || s.Noise.Repeated == 0 {
		t.Errorf("noise %+v, want designs that were measured again", s.Noise)
	}
}

func TestDriftIsSeenAndTakenOut(t *testing.T) {
	t.Parallel()
	drifting := func(trial int) float64 { return 0.02*float64(trial) + white(0.02)(trial) }
	s := drive(t, noisySpec(&events.Noise{Reference: 4}, 60), shaky(drifting), 0).machine.Summary()
	d := s.Noise.Drift
	if d == nil || d.Low <= 0 || d.Value < 1.8 || d.Value > 2.6 {
		t.Fatalf("drift %+v, want about %.2f", d, math.Expm1(0.02*56))
	}
	if !slices.ContainsFunc(s.Noise.Warnings, func(w string) bool { return strings.Contains(w, "drifts") }) {
		t.Errorf("warnings %q do not speak of the drift", s.Noise.Warnings)
	}
	if got := truth(s.Best.Design["x"].(float64), s.Best.Design["y"].(float64)); got > 13 {
		t.Errorf("the answer is worth %.3g, want at most 13: late trials are no worse", got)
	}
	steady := drive(t, noisySpec(&events.Noise{Reference: 4}, 60), shaky(white(0.02)), 0).machine.Summary()
	if len(steady.Noise.Warnings) > 0 {
		t.Errorf("warnings without a drift: %q", steady.Noise.Warnings)
	}
}

// Errors that follow each other are told, with what to do; independent ones are not, nor
// is anything said of too few pairs.
func TestErrorsThatFollowEachOtherAreTold(t *testing.T) {
	t.Parallel()
	follows := func(trial int) float64 {
		e := 0.0
		for i := range trial + 1 {
			e = 0.8*e + white(0.03)(i)
		}
		return e
	}
	for _, c := range []struct {
		name    string
		errorOf func(int) float64
		trials  int
		warned  bool
	}{{"correlated", follows, 90, true}, {"independent", white(0.05), 90, false}, {"few", follows, 30, false}} {
		spec := noisySpec(&events.Noise{}, c.trials)
		spec.Algorithm.Name = "random" // what is measured does not depend on the errors
		s := drive(t, spec, shaky(c.errorOf), 0).machine.Summary()
		warned := slices.ContainsFunc(s.Noise.Warnings, func(w string) bool {
			return strings.Contains(w, "measurements follow each other") && strings.Contains(w, "set spec.evaluator.reference to 10")
		})
		if warned != c.warned || warned && s.Noise.Serial.Low <= 0 || c.name == "few" && s.Noise.Serial != nil {
			t.Errorf("%s: serial %+v, warnings %q, want one: %v", c.name, s.Noise.Serial, s.Noise.Warnings, c.warned)
		}
	}
}

// A deterministic evaluator is never asked twice, and says nothing of noise.
func TestNoNoiseNoRepeats(t *testing.T) {
	t.Parallel()
	w := drive(t, noisySpec(nil, 40), shaky(white(0.1)), 0)
	for design, trials := range repeats(w) {
		if len(trials) > 1 {
			t.Errorf("design %s was measured in trials %v", design, trials)
		}
	}
	if s := w.machine.Summary(); s.Noise != nil || s.Best.Estimate != nil {
		t.Errorf("noise %+v, estimate %+v: want none", s.Noise, s.Best.Estimate)
	}
}
