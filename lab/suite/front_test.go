package suite

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

func TestPrune(t *testing.T) {
	t.Parallel()
	got := prune([][2]float64{{3, 1}, {1, 3}, {2, 2}, {2, 2}, {2, 3}, {4, 1}, {1, 4}})
	if d := cmp.Diff(front{{1, 3}, {2, 2}, {3, 1}}, got); d != "" {
		t.Error(d)
	}
}

// areaPart is a part of a system whose area and latency follow from one
// parameter in a way that has no order.
type areaPart struct{ seed uint64 }

func (a areaPart) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	rng := rand.New(rand.NewPCG(a.seed, uint64(r.Design[0].Num)))
	v := []float64{rng.Float64() / 3, rng.Float64() / 7, 1}
	if rng.IntN(5) == 0 {
		return evaluator.Result{Outcome: evaluator.Infeasible, Values: []float64{math.NaN(), v[1], math.NaN()}}, nil
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: v}, nil
}

func (a areaPart) Check(design []space.Value, dst []float64) {
	r, _ := a.Evaluate(context.Background(), evaluator.Request{Design: design})
	dst[0], dst[1], dst[2] = math.NaN(), r.Values[1], math.NaN()
}

// The optimum from the fronts of the parts is, bit for bit, the best that the
// system's own evaluator gives for any design.
func TestBestSystemIsTheBestOfAllDesigns(t *testing.T) {
	t.Parallel()
	const levels, parts = 12, 3
	for seed := range uint64(20) {
		one := declared("part", []space.Param{grid("x", 0, levels-1, levels)}, []events.Metric{{Name: "latency_s"}, {Name: "area_mm2"}, {Name: "energy_j"}}, "latency_s")
		c := &chips{each: 1, metrics: []evaluator.Metric{{Name: "latency_s"}, {Name: "area_mm2", Cheap: true}, {Name: "energy_j"}}}
		var specs []*events.Spec
		for i := range uint64(parts) {
			c.parts = append(c.parts, areaPart{100*seed + i})
			specs = append(specs, one)
		}
		limit := 0.05 + 0.01*float64(seed)
		best := math.Inf(1)
		for i := range levels * levels * levels {
			design := []space.Value{{Num: float64(i % levels)}, {Num: float64(i / levels % levels)}, {Num: float64(i / levels / levels)}}
			r, err := c.Evaluate(t.Context(), evaluator.Request{Design: design})
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome == evaluator.Measured && r.Values[1] <= limit {
				best = min(best, r.Values[0])
			}
		}
		known, err := bestSystem(t.Context(), "", specs, c.parts, limit)
		if math.IsInf(best, 1) {
			if err == nil {
				t.Errorf("seed %d: no system fits in %v, but %v is said to be the best", seed, limit, known.Best)
			}
			continue
		}
		if err != nil || known.Best != best {
			t.Errorf("seed %d: %v, %v; the best of all designs is %v", seed, known.Best, err, best)
		}
	}
}

func TestFrontsAreKept(t *testing.T) {
	t.Parallel()
	spec := declared("part", []space.Param{grid("x", 0, 1, 2)}, []events.Metric{{Name: "value"}}, "value")
	data := t.TempDir()
	made := 0
	for range 2 {
		got, err := keptFront(data, spec, "enumeration", func() (front, error) { made++; return front{{0.1, 0.2}}, nil })
		if err != nil || got[0] != [2]float64{0.1, 0.2} {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if made != 1 {
		t.Errorf("the front was made %d times, want once", made)
	}
}

// The exact fronts of the closed forms have, for every design that is tried, one
// that is at least as good in both objectives.
func TestExactFronts(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := p.exact()
			if len(f) < 10 {
				t.Fatalf("the front has %d points", len(f))
			}
			task := p.task()
			known, err := task.Known(t.Context())
			if err != nil || !(known.Volume > 0) {
				t.Fatalf("volume %v, %v", known.Volume, err)
			}
			behind(t, &task, known)
			rng := rand.New(rand.NewPCG(1, 2))
			sp, err := space.New(p.params...)
			if err != nil {
				t.Fatal(err)
			}
			for range 3000 {
				at := sp.At(rng.Uint64N(sp.Size()))
				if rng.IntN(2) == 0 { // near the front of ZDT and DTLZ
					for i := 1; i < len(at); i++ {
						if rng.IntN(4) > 0 {
							at[i] = map[bool]int{true: 0, false: 10}[p.family == "zdt" && p.name != "zdt4"]
						}
					}
				}
				x := make([]float64, len(at))
				for i, v := range sp.Values(at) {
					x[i] = v.Num
				}
				v := p.of(x)
				// Sums differ in the last digits by their order.
				const digits = 1e-9
				if !slices.ContainsFunc(f, func(q [2]float64) bool { return q[0] <= v[0]+digits && q[1] <= v[1]+digits }) {
					t.Fatalf("no point of the front is as good as %v (%v)", x, v)
				}
			}
		})
	}
}

// behind checks that a design in twenty at least, of those drawn at random, has
// some hypervolume, and that the ends of the front have some too: by a reference
// just behind the front no search of a hundred trials got anything.
func behind(t *testing.T, task *bench.Task, known bench.Known) {
	t.Helper()
	sp, err := task.Spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	const draws = 200
	counts := 0
	for range draws {
		r, err := task.Evaluator.Evaluate(t.Context(), evaluator.Request{Design: sp.Values(sp.At(rng.Uint64N(sp.Size())))})
		if err != nil {
			t.Fatal(err)
		}
		if r.Values[0] < known.Reference[0] && r.Values[1] < known.Reference[1] {
			counts++
		}
	}
	if counts < draws/20 {
		t.Errorf("%d of %d random designs are better than the reference %v", counts, draws, known.Reference)
	}
}

// Pareto local search finds the whole front of a small problem.
func TestClimb(t *testing.T) {
	t.Parallel()
	z := zdts()[0].pair()
	z.params = []space.Param{grid("x0", 0, 1, 30), grid("x1", 0, 1, 6), grid("x2", 0, 1, 6)}
	task := z.task()
	limit := 0.9
	task.Spec.Constraints = []events.Constraint{{Metric: "first", Max: &limit}}
	got, err := climb(t.Context(), task.Spec, task.Evaluator)
	if err != nil {
		t.Fatal(err)
	}
	sp, err := task.Spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	var all [][2]float64
	for _, q := range sp.All() {
		values := sp.Values(q)
		if v := z.of([]float64{values[0].Num, values[1].Num, values[2].Num}); v[0] <= limit {
			all = append(all, v)
		}
	}
	want := prune(all)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("front (-want +got):\n%s", d)
	}
}
