package transfer

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/events"
)

func reportSpec() *events.Spec {
	return &events.Spec{
		Study: "later", Seed: 3, Metrics: []events.Metric{{Name: "latency_s", Unit: "s"}},
		Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
	}
}

// arms interleaves a search arm with a control arm, one control trial in k.
func arms(n, k int, search, control func(i int) float64) (out []Tried) {
	s, c := 0, 0
	for i := range n {
		t := Tried{Trial: i, Origin: "gp", Feasible: true}
		if i%k == k-1 {
			t.Origin, t.Value = "control/gp", control(c)
			c++
		} else {
			t.Value = search(s)
			s++
		}
		t.Feasible = !math.IsNaN(t.Value)
		out = append(out, t)
	}
	return out
}

func TestReportSaysWhatTheArmsShow(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func(mean float64) func(int) float64 {
		return func(i int) float64 { return mean / math.Sqrt(float64(i+1)) * (1 + 0.2*rng.Float64()) }
	}
	for name, c := range map[string]struct {
		search, control func(int) float64
		want            string
		alarms          int
	}{
		"a better start":   {noise(1), noise(3), Helped, 0},
		"a worse start":    {noise(3), noise(1), Hurt, 1},
		"the same":         {noise(1), noise(1), unclear, 0},
		"nothing feasible": {func(int) float64 { return math.NaN() }, func(int) float64 { return math.NaN() }, unclear, 0},
	} {
		r := NewReport(reportSpec(), "r", nil, arms(400, 10, c.search, c.control))
		if r.Verdict != c.want || len(r.Alarms) != c.alarms {
			t.Errorf("%s: verdict %q, alarms %q, saved %+v, p %.3f; want %q and %d alarms", name, r.Verdict, r.Alarms, *r.Saved, *r.P, c.want, c.alarms)
		}
		if r.Control.Trials != 40 || r.Search.Trials != 360 || r.Compared != 40 || len(r.Search.Curve) != 361 {
			t.Errorf("%s: %d search and %d control trials, %d compared", name, r.Search.Trials, r.Control.Trials, r.Compared)
		}
	}
	r := NewReport(reportSpec(), "r", nil, arms(50, 100, noise(1), noise(1)))
	if r.Verdict != NoControl || r.Saved != nil {
		t.Errorf("without control: %q, %+v", r.Verdict, r.Saved)
	}
}

// An effect that is worth having is seen with 40 control trials.
func TestEffectsAreSeen(t *testing.T) {
	t.Parallel()
	const studies = 60
	helped := 0
	for seed := range uint64(studies) {
		rng := rand.New(rand.NewPCG(seed, 10))
		value := func(factor float64) func(int) float64 {
			return func(i int) float64 {
				if rng.IntN(3) == 0 {
					return math.NaN()
				}
				return factor * math.Exp(rng.NormFloat64()*0.5) / math.Pow(float64(i+1), 0.3)
			}
		}
		spec := reportSpec()
		spec.Seed = seed
		r := NewReport(spec, "r", nil, arms(200, 5, value(1), value(3)))
		if r.Verdict == Helped {
			helped++
		}
		if r.Verdict == Hurt {
			t.Errorf("seed %d: a search arm that is three times as good is said to hurt", seed)
		}
	}
	t.Logf("%d of %d", helped, studies)
	if helped < studies*8/10 {
		t.Errorf("%d of %d large effects are seen, want most", helped, studies)
	}
}

// When the sources change nothing, few reports may claim that they do.
func TestFalseClaimsAreRare(t *testing.T) {
	t.Parallel()
	claims, covered := 0, 0
	const studies = 300
	for seed := range uint64(studies) {
		rng := rand.New(rand.NewPCG(seed, 9))
		// A search that gets better as it goes on, with a third infeasible.
		value := func(i int) float64 {
			if rng.IntN(3) == 0 {
				return math.NaN()
			}
			return math.Exp(rng.NormFloat64()*0.5) / math.Pow(float64(i+1), 0.3)
		}
		spec := reportSpec()
		spec.Seed = seed
		r := NewReport(spec, "r", nil, arms(200, 5, value, value))
		if r.Verdict != unclear {
			claims++
		}
		if r.Saved.Low <= 0 && r.Saved.High >= 0 {
			covered++
		}
	}
	t.Logf("%d of %d claims, %d intervals hold 0", claims, studies, covered)
	// 5 % of 300 is 15; 24 lies 2.4 standard deviations above.
	if claims > 24 || studies-covered > 24 {
		t.Errorf("%d of %d studies without any effect get a verdict and %d an interval without 0, want about 5 %% at most", claims, studies, studies-covered)
	}
}
