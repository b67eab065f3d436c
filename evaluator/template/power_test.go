package template

import (
	"math"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
)

// The clock's constant was set from a chip and from what this model thinks the
// logic of that chip is: what the published chip spends comes back, 107.7 mW in 65
// nm at 1 V, which the scaling brings to 22 nm and 0.8 V.
func TestClockOfThePublishedChip(t *testing.T) {
	t.Parallel()
	spec := eyerissSpec()
	k := declared(&spec)
	var values []int64
	for _, p := range spec.Params {
		values = append(values, int64(p.Baseline.Num))
	}
	m := k.machine(values)
	const published, scaling = 0.1077, 0.1437
	if got := m.ClockW / scaling; math.Abs(got/published-1) > 0.01 {
		t.Errorf("the clock network of the published chip takes %g W at its node, want %g within 1 %%", got, published)
	}
}

// Power of the machine that no work explains is named, part by part, and the
// parts are all there is.
func TestEnergyPartsSumToTheTotal(t *testing.T) {
	t.Parallel()
	w, err := workload.Builtin("mobilenet_v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range All() {
		p := report.Point{Preset: "baseline"}
		for i := range s.Params {
			p.Values = append(p.Values, s.Params[i].Baseline)
		}
		r, err := s.Inspect([]evaluator.Network{{Workload: w, Weight: 1}}, p, nil)
		if err != nil || !r.Feasible {
			t.Fatalf("%s: %v, %+v", s.Name, err, r.Reason)
		}
		n := r.Networks[0]
		if total, parts := *n.Metrics.Of("energy_j"), n.Energy.Total(); math.Abs(parts/total-1) > 1e-12 {
			t.Errorf("%s: the parts are %g J, the whole %g", s.Name, parts, total)
		}
		named := map[string]float64{}
		for _, part := range n.Energy {
			named[part.Name] = part.Value
		}
		for _, name := range []string{"clock", "leakage"} {
			if !(named[name] > 0) || named[name] > *n.Metrics.Of("energy_j")/2 {
				t.Errorf("%s: %s is %g J of %g: want some, and less than half", s.Name, name, named[name], *n.Metrics.Of("energy_j"))
			}
		}
	}
}
