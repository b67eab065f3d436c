package edge

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
)

// A metric is one row: the evaluator, the report and the bounds of proofs follow
// from it. One that falls while area, time or energy grow bounds nothing before
// a design is complete.
func TestMetricIsARow(t *testing.T) {
	t.Parallel()
	s := Spec()
	s.Metrics = append(frame.Metrics(),
		frame.Metric{
			Metric: evaluator.Metric{Name: "power_w", Unit: "W"},
			Of:     func(_ frame.Machine, x frame.Totals) float64 { return x.Joules / x.Seconds },
		},
		frame.Metric{
			Metric: evaluator.Metric{Name: "price_chf", Unit: "CHF", Cheap: true}, Rises: true,
			Of: func(m frame.Machine, _ frame.Totals) float64 { return 2 * m.AreaMM2 },
		})
	x := s.Template()
	networks := evaluatortest.Networks(t, published()...)
	e, err := x.Backend.New(evaluator.Task{Params: x.Params, Networks: networks})
	if err != nil {
		t.Fatal(err)
	}
	const latency, area, energy = 0, 1, 2
	// The network generates nothing and the task asks for nothing more, so that it has no such metrics.
	metrics := slices.DeleteFunc(slices.Clone(s.Metrics), func(m frame.Metric) bool { return m.Generation || m.Asked })
	power, price := len(metrics)-2, len(metrics)-1
	wanted := make([]bool, len(metrics))
	wanted[latency], wanted[power], wanted[price] = true, true, true
	costly := 0
	for _, m := range metrics {
		if !m.Cheap {
			costly++
		}
	}
	p := e.(evaluator.Prover).NewProbe(wanted)
	last := len(e.(evaluator.Prover).Stages()) - 1
	feasible := 0
	rng := rand.New(rand.NewPCG(17, 0))
	for range 200 {
		design := randomChip(rng).values()
		got, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
		if err != nil {
			t.Fatal(err)
		}
		checked := make([]float64, len(metrics))
		e.(evaluator.Checker).Check(design, checked)
		if checked[price] != 2*checked[area] || checked[price] != got.Values[price] || !math.IsNaN(checked[power]) {
			t.Fatalf("Check gives %v, Evaluate %v", checked, got.Values)
		}
		if got.Outcome != evaluator.Measured {
			continue
		}
		feasible++
		// The mean of quotients is the quotient of means, but for rounding.
		if want := got.Values[energy] / got.Values[latency]; math.Abs(got.Values[power]-want) > 1e-9*want {
			t.Fatalf("the power is %g, want %g", got.Values[power], want)
		}
		if n := len(got.Extra); n != 2*costly || got.Extra[costly-1].Name != "power_w.mobilenet_v2" {
			t.Fatalf("the networks' metrics are %v", got.Extra)
		}
		r, err := s.Inspect(networks, report.Point{Values: design}, nil)
		if err != nil || *r.Metrics.Of("power_w") != got.Values[power] {
			t.Fatalf("the report has %v, %v, the evaluator %v", r.Metrics, err, got.Values)
		}
		bounds := make([]float64, len(metrics))
		for stage := range last + 1 {
			if !p.Fix(stage, design, bounds) {
				t.Fatalf("stage %d rejects a feasible design", stage)
			}
			switch {
			case stage < last && !math.IsInf(bounds[power], -1):
				t.Fatalf("stage %d bounds the power by %g", stage, bounds[power])
			case stage == last && (bounds[power] != got.Values[power] || !math.IsNaN(bounds[energy])):
				t.Fatalf("the probe says %v, Evaluate %v", bounds, got.Values)
			case !(bounds[price] <= got.Values[price]):
				t.Fatalf("stage %d bounds the price by %g, it is %g", stage, bounds[price], got.Values[price])
			}
		}
	}
	if feasible < 10 {
		t.Errorf("only %d designs were feasible", feasible)
	}
	// A cheap metric that may fall leaves nothing to prove by.
	s.Metrics[len(s.Metrics)-1].Rises = false
	if e, err = x.Backend.New(evaluator.Task{Params: x.Params, Networks: networks}); err != nil {
		t.Fatal(err)
	}
	if _, ok := e.(evaluator.Prover); ok {
		t.Error("a template is proven by a cheap metric that may fall")
	}
}
