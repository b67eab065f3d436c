package certify

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

// A sweep finds under each limit what a proof of its own finds there, ties
// included, with any number of workers.
func TestSweepAgreesWithProofs(t *testing.T) {
	t.Parallel()
	limits := map[string][]float64{"area_mm2": {1, 3, 4.5, 6, 6.25, 8, 12, 30}, "energy_j": {0.0005, 0.0007, 0.001}, "power_w": {1.5, 2, 2.5, 3}}
	for metric, steps := range limits {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(metric, seed), func(t *testing.T) {
				t.Parallel()
				under := func(limit float64) *Problem {
					spec := events.Spec{
						Metrics:     []events.Metric{{Name: "power_w", Unit: "W", Expr: "energy / latency"}},
						Objectives:  []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
						Constraints: []events.Constraint{{Metric: metric, Max: &limit}},
					}
					if metric == "power_w" { // which alone leaves too much to enumerate
						spec.Constraints = append(spec.Constraints, events.Constraint{Metric: "area_mm2", Max: new(8.0)}, events.Constraint{Metric: "latency_s", Max: new(400e-6)})
					}
					p, _ := problem(t, &spec, small(rand.New(rand.NewPCG(seed, 7)), 3), "mobilenet_v2")
					return p
				}
				var want []Optimum
				for _, limit := range steps {
					state, err := under(limit).Run(context.Background(), Options{Workers: 1})
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, Optimum{Limit: limit, Value: state.Value, Index: state.Index, Tied: state.Tied})
				}
				loosest := under(steps[len(steps)-1])
				var counted [2]uint64
				for i, workers := range []int{1, 3} {
					got, evaluated, err := loosest.Sweep(context.Background(), metric, steps, workers, nil)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("Sweep with %d workers differs from single proofs (-want +got):\n%s", workers, diff)
					}
					counted[i] = evaluated
				}
				if counted[0] != counted[1] {
					t.Errorf("1 worker evaluates %d designs, 3 evaluate %d: want the same", counted[0], counted[1])
				}
			})
		}
	}
}

// Limits that the problem does not have, and metrics that nobody bounds, are
// refused.
func TestSweepRefuses(t *testing.T) {
	t.Parallel()
	spec := events.Spec{
		Objectives:  []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		Constraints: []events.Constraint{{Metric: "area_mm2", Max: new(6.8)}},
	}
	p, _ := problem(t, &spec, small(rand.New(rand.NewPCG(1, 7)), 2), "mobilenet_v2")
	for _, c := range []struct {
		metric string
		limits []float64
	}{{"area_mm2", []float64{4, 7}}, {"area_mm2", []float64{6, 4, 6.8}}, {"energy_j", []float64{math.Inf(1)}}, {"power_w", []float64{1}}} {
		if _, _, err := p.Sweep(context.Background(), c.metric, c.limits, 1, nil); err == nil {
			t.Errorf("Sweep(%s, %g): no error, want one", c.metric, c.limits)
		}
	}
}
