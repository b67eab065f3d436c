package template

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// No design of spatial is below the floor of its own units and interface, and one of
// more units is not above it.
func TestSpatialFloor(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 3))
	x, _ := Named("spatial")
	for _, name := range []string{"mobilenet_v2", "squeezenet"} {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		n := evaluator.Network{Workload: w, Weight: 1}
		for range 6 {
			values, units := drawnSpatial(rng)
			d, err := x.Inspect([]evaluator.Network{n}, report.Point{Values: values}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Feasible {
				continue
			}
			io := int64(values[spatialIO].Num)
			seconds, joules, err := SpatialFloor(n, units, io)
			if err != nil {
				t.Fatal(err)
			}
			latency, energy := *d.Metrics[0].Value, *d.Metrics[2].Value
			if latency < seconds || energy < joules {
				t.Errorf("%s on %v takes %g s and %g J, the floor is %g and %g", name, values, latency, energy, seconds, joules)
			}
			if more, _, _ := SpatialFloor(n, 2*units, io); more > seconds || more < seconds/2 {
				t.Errorf("%s: twice the units take the floor from %g to %g s", name, seconds, more)
			}
		}
	}
}

// The floor of a transposed convolution has all its outputs cross, not only those
// that its loops know: here 64 times as many.
func TestFloorHasOutputsBesideTheLoops(t *testing.T) {
	t.Parallel()
	w, err := workload.Parse("up.yaml", []byte(`{schema: apollo.workload/v1, name: up, inputs: [{name: x, shape: [1, 4, 4, 8]}],
layers: [{id: up, op: deconv, K: 8, P: 32, Q: 32, R: 1, S: 1, stride: [8, 8], in: [x]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const units, rate, bytes = 1 << 16, 1e9, 4*4*8 + 8*8 + 32*32*8 // inputs, weights, outputs
	seconds, _, err := SpatialFloor(evaluator.Network{Workload: w, Weight: 1}, units, rate)
	if want := bytes / rate; err != nil || seconds < want || seconds > 1.01*want {
		t.Errorf("the floor is %g s, %v, want the %g s that %d bytes take", seconds, err, want, bytes)
	}
}

// Controllers with one order of loops find no cheaper mapping than those with all, and
// with one of three the same.
func TestOneOrderIsNoBetter(t *testing.T) {
	t.Parallel()
	list := layers(t, "mobilenet_v2")
	all := spatialSpec()
	v := []int64{7, 16, 16, 2, 0, 1, 128, 256 * kib, 64, 16e9}
	for _, p := range list[:8] {
		least, found := -1.0, false
		var m model.Mapping
		whole := declared(&all).machine(v)
		want, misfit := whole.Cheapest(&p, &m)
		if misfit != nil {
			t.Fatal(misfit.What)
		}
		for i := range freeOrders {
			one := spatialIn(freeOrders[i : i+1])
			machine := declared(&one).machine(v)
			c, misfit := machine.Cheapest(&p, &m)
			if misfit != nil {
				t.Fatal(misfit.What)
			}
			if c.EnergyPJ < want.EnergyPJ {
				t.Errorf("order %d alone takes %g pJ, all %g", i, c.EnergyPJ, want.EnergyPJ)
			}
			if least < 0 || c.EnergyPJ < least {
				least = c.EnergyPJ
			}
			found = found || c == want
		}
		if !found {
			t.Errorf("all orders take %g pJ, the best of single ones %g", want.EnergyPJ, least)
		}
	}
}

// drawnSpatial draws a design of spatial and returns its units.
func drawnSpatial(rng *rand.Rand) (values []space.Value, units int64) {
	s := spatialSpec()
	units = 1
	for i := range s.Params {
		p := &s.Params[i]
		if p.Categorical() {
			values = append(values, space.Value{Label: p.Labels[rng.IntN(p.Len())]})
			continue
		}
		const most = 10 // levels: arrays that take a layer in milliseconds
		values = append(values, space.Value{Num: p.Values[rng.IntN(min(p.Len(), most))]})
	}
	for i := range strings.Split(values[spatialAxes].Label, "+") {
		units *= int64(values[spatialX+i].Num)
	}
	return values, units
}

// What a proof is told of a partial design holds for its completions, and the last
// stage is the evaluation.
func TestSpatialBoundsPartialDesigns(t *testing.T) {
	t.Parallel()
	w, err := workload.Builtin("mobilenet_v2")
	if err != nil {
		t.Fatal(err)
	}
	x, _ := Named("spatial")
	tm := x.Template()
	e, err := tm.Backend.New(evaluator.Task{Params: tm.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	prover := e.(evaluator.Prover)
	last := len(prover.Stages()) - 1
	probe := prover.NewProbe(nil)
	rng := rand.New(rand.NewPCG(7, 2))
	low, values := make([]float64, 3), make([]float64, 3)
	nearest := math.Inf(1)
	for range 12 {
		design, _ := drawnSpatial(rng)
		if !probe.Fix(0, design, low) {
			t.Fatalf("every completion of %v is refused", design)
		}
		ok := probe.Fix(last, design, values)
		r, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
		if err != nil {
			t.Fatal(err)
		}
		if ok != (r.Outcome == evaluator.Measured) {
			t.Errorf("%v: Fix says %t, Evaluate %s", design, ok, r.Outcome)
		}
		if !ok {
			continue
		}
		for i := range values {
			if values[i] != r.Values[i] || low[i] > values[i] {
				t.Errorf("%v: metric %d is %g at the last stage, %g evaluated, bound %g", design, i, values[i], r.Values[i], low[i])
			}
		}
		nearest = min(nearest, values[0]/low[0])
	}
	if nearest > 1.5 {
		t.Errorf("the nearest bound of a latency is %.2f times below it", nearest)
	}
}
