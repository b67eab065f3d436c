package suite

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// Values of the functions themselves, before their optimum is moved to the
// lattice, as ioh 0.3.22 gives them; coco-experiment 2.8.2 agrees within 1e-9.
// x_i = ((37i + 11f + 5n) mod 41 - 20)/4 of function f, instance n.
func TestBBOBAgreesWithOtherImplementations(t *testing.T) {
	t.Parallel()
	functions := bbobFunctions()
	for _, c := range []struct {
		function, instance, dims int
		optimum, above           float64
	}{
		{1, 1, 10, 79.48, 97.59216976},
		{1, 2, 5, 394.48, 91.54461648},
		{2, 1, 10, -209.88, 7264513.526747569},
		{2, 2, 5, -92.09, 795588.2066033862},
		{3, 1, 10, -462.09, 812.2980435759046},
		{3, 2, 5, 77.66, 922.6261384891479},
		{4, 1, 10, -462.09, 582.909403643778},
		{4, 2, 5, 77.66, 4699.18282451984},
		{5, 1, 10, -9.21, 145.13610436588726},
		{5, 2, 5, 655.99, 84.90440045419257},
		{6, 1, 10, 35.9, 373062.3638442358},
		{6, 2, 5, 31.37, 607280.1648434284},
		{7, 1, 10, 92.94, 1380.747022606528},
		{7, 2, 5, 35.35, 823.3568170141018},
		{8, 1, 10, 149.15, 391746.47181426606},
		{8, 2, 5, -1000.0, 38324.387121243424},
		{9, 1, 10, 123.83, 311853.9737195677},
		{9, 2, 5, 47.51, 2944.4828100560458},
		{10, 1, 10, -54.94, 9201404.17413029},
		{10, 2, 5, 59.13, 4276481.973213935},
		{11, 1, 10, 76.27, 6041828.889795746},
		{11, 2, 5, -22.55, 41625711.61035701},
		{12, 1, 10, -621.11, 2785091175.9185414},
		{12, 2, 5, -254.82, 44486012.57658194},
		{13, 1, 10, 29.97, 3051.176794362964},
		{13, 2, 5, -51.71, 980.1774226968635},
		{14, 1, 10, -52.35, 132.45697722083722},
		{14, 2, 5, -179.54, 53.57789988131833},
		{15, 1, 10, 1000.0, 1021.3208744109352},
		{15, 2, 5, 70.03, 323.7026359471731},
		{16, 1, 10, 71.35, 112.04219163915408},
		{16, 2, 5, -355.22, 117.2880521190859},
		{17, 1, 10, -16.94, 91.13166000574556},
		{17, 2, 5, 18.81, 8.019597523475557},
		{18, 1, 10, -16.94, 101.60581130506716},
		{18, 2, 5, 18.81, 76.50266560240607},
		{19, 1, 10, -102.55, 86.23451469539403},
		{19, 2, 5, 71.69, 15.71488514020443},
		{20, 1, 10, -546.5, 55589.23690413513},
		{20, 2, 5, 1000.0, 747.8747571314764},
		{21, 1, 10, 40.78, 71.02254026273656},
		{21, 2, 5, -1.6, 17.180030979723842},
		{22, 1, 10, -1000.0, 86.33004143172923},
		{22, 2, 5, 1000.0, 70.00511480531054},
		{23, 1, 10, 6.87, 13.310088416475885},
		{23, 2, 5, 0.01, 12.959883602533385},
		{24, 1, 10, 102.61, 398.89553654388783},
		{24, 2, 5, 93.3, 76.45585022742402},
	} {
		f := &functions[c.function-1]
		in := newInstance(f, c.instance, c.dims)
		x := make([]float64, c.dims)
		for i := range x {
			x[i] = float64((37*i+11*c.function+5*c.instance)%41-20) * 0.25
		}
		if in.fopt != c.optimum {
			t.Errorf("f%d (%s), instance %d: optimum %v, want %v", f.id, f.name, c.instance, in.fopt, c.optimum)
		}
		// The other implementation loses digits when it adds the optimal value.
		if got := f.value(in, x); math.Abs(got-c.above) > 1e-9*math.Abs(c.above)+1e-9 {
			t.Errorf("f%d (%s), instance %d, %d dimensions: %v above the optimum, want %v", f.id, f.name, c.instance, c.dims, got, c.above)
		}
	}
}

// What the suite says is the optimum is 0 above it, and nothing else is lower:
// not a neighbour, not a random design.
func TestBBOBOptimumIsOnTheLattice(t *testing.T) {
	t.Parallel()
	sp, err := space.New(bbobParams()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range bbobFunctions() {
		in := newInstance(&f, bbobInstance, bbobDims)
		in.snap()
		values := make([]space.Value, bbobDims)
		for i, x := range in.xopt {
			values[i].Num = x
		}
		p, err := sp.Point(values)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		at := func(p space.Point) float64 {
			x := make([]float64, bbobDims)
			for i, v := range sp.Values(p) {
				x[i] = v.Num
			}
			return f.value(in, x)
		}
		best := at(p)
		if math.Abs(best) > 1e-6 {
			t.Errorf("%s: the optimum is %v above itself", f.name, best)
		}
		for _, q := range sp.Neighbors(p) {
			if v := at(q); v < best {
				t.Fatalf("%s: %v is lower (%v) than the optimum %v (%v)", f.name, q, v, p, best)
			}
		}
		rng := rand.New(rand.NewPCG(7, uint64(f.id)))
		for range 2000 {
			if v := at(sp.At(rng.Uint64N(sp.Size()))); !(v > best) {
				t.Fatalf("%s: a random design has %v, the optimum %v", f.name, v, best)
			}
		}
	}
}

func TestBBOBTasks(t *testing.T) {
	t.Parallel()
	tasks, err := bbobTasks(bench.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	splits := map[bench.Split]int{}
	for _, task := range tasks {
		splits[task.Split]++
		known, err := task.Known(t.Context())
		if err != nil || !known.Proven || !(known.Scale > 0) {
			t.Errorf("%s: Known() = %+v, %v", task.Name, known, err)
		}
		middle := make([]space.Value, bbobDims)
		r, err := task.Evaluator.Evaluate(t.Context(), evaluator.Request{Design: middle})
		if err != nil || r.Outcome != evaluator.Measured || len(r.Values) != 1 || r.Values[0] < known.Best {
			t.Errorf("%s: Evaluate() = %+v, %v; the optimum is %v", task.Name, r, err, known.Best)
		}
	}
	if splits[bench.Development] != 10 || splits[bench.Test] != 14 {
		t.Errorf("splits = %v, want 10 and 14 of 24", splits)
	}
}
