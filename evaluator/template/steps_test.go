package template

import (
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/tech"
	"apollo/evaluator/workload"
)

// What a proof is told of a partial design of spatial holds whatever its mapper
// minimises and where levels of memories lie on both sides of steps, at which the
// larger one costs less per access.
func TestSpatialBoundsHoldAcrossSteps(t *testing.T) {
	t.Parallel()
	const latency, energy = 0, 2
	w, err := workload.Builtin("mobilenet_v2")
	if err != nil {
		t.Fatal(err)
	}
	first := *w
	first.Layers = w.Layers[:2]
	x, _ := Named("spatial")
	tm := x.Template()
	for at, g := range evaluator.MapperGoals() {
		rng := rand.New(rand.NewPCG(69, uint64(at)))
		measured := 0
		for range 4 {
			task := evaluator.Task{Params: slices.Clone(tm.Params), Networks: []evaluator.Network{{Workload: &first, Weight: 1}}, MapperGoal: g}
			for _, i := range []int{spatialLocal, spatialShared} {
				p := &task.Params[i]
				falls := evaluatortest.Falls(tech.Node22(), 1, p.Values[0], p.Values[len(p.Values)-1], 2)
				pair := falls[rng.IntN(len(falls))]
				p.Values = pair[:]
			}
			e, err := tm.Backend.New(task)
			if err != nil {
				t.Fatal(err)
			}
			probe, bounds := e.(evaluator.Prover).NewProbe(nil), make([]float64, 3)
			design, _ := drawnSpatial(rng)
			for range 2 {
				for _, i := range []int{spatialLocal, spatialShared} {
					design[i].Num = task.Params[i].Values[rng.IntN(2)]
				}
				got, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
				if err != nil {
					t.Fatal(err)
				}
				if got.Outcome != evaluator.Measured {
					continue
				}
				measured++
				if !probe.Fix(0, design, bounds) {
					t.Fatalf("%s: every completion of the feasible %v is refused", g, design)
				}
				for i, bound := range bounds {
					if bound > got.Values[i] {
						t.Errorf("%s: metric %d of %v is bounded by %g, above its %g", g, i, design, bound, got.Values[i])
					}
				}
				if bound, edp := bounds[latency]*bounds[energy], got.Values[latency]*got.Values[energy]; bound > edp {
					t.Errorf("%s: the product of latency and energy of %v is bounded by %g, above its %g", g, design, bound, edp)
				}
			}
		}
		if measured < 2 {
			t.Errorf("%s: %d of 8 designs were measured, want 2", g, measured)
		}
	}
}
