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

// The peak power that a study asks for is what the report says of the layer that draws
// most, on every template, and no mean over a run is above it.
func TestPeakPowerIsTheReports(t *testing.T) {
	t.Parallel()
	w, err := workload.Builtin("mobilenet_v1")
	if err != nil {
		t.Fatal(err)
	}
	networks := []evaluator.Network{{Workload: w, Weight: 1}}
	for _, s := range All() {
		peak := evaluator.Metric{Name: "peak_power_w", Unit: "W"}
		backend := s.Template().Backend
		d := backend.Describe()
		if len(d.Of(networks)) != 3 {
			t.Errorf("%s: a study that asks for no peak has %d metrics, want 3", s.Name, len(d.Of(networks)))
		}
		task := evaluator.Task{Params: s.Template().Params, Networks: networks, Metrics: []evaluator.Metric{peak}}
		e, err := backend.New(task)
		if err != nil {
			t.Fatal(err)
		}
		p := report.Point{Preset: "baseline", Values: s.Template().Baseline}
		got, err := e.Evaluate(t.Context(), evaluator.Request{Design: p.Values})
		if err != nil || got.Outcome != evaluator.Measured || len(got.Values) != len(d.For(task)) {
			t.Fatalf("%s: %v, %+v", s.Name, err, got)
		}
		s.Asked = task.Metrics
		r, err := s.Inspect(networks, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		power, v := r.Networks[0].Power, got.Values[3]
		if *r.Metrics.Of(peak.Name) != v || math.Abs(v/power.Peak-1) > 1e-12 || v <= power.Mean {
			t.Errorf("%s: measured a peak of %g W, inspected %g, reported %+v", s.Name, v, *r.Metrics.Of(peak.Name), power)
		}
	}
}
