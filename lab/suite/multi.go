package suite

import (
	"context"
	"fmt"
	"math"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
)

// multiSuite has two objectives and more.
func multiSuite() bench.Suite {
	return bench.Suite{
		Name: "multi",
		Doc: "Two objectives: latency and energy of the template edge under 6.8 mm2 for four networks (best known front), ZDT 1, 2, 3, 4 " +
			"and 6, DTLZ 1 and 2, and two pairs of shifted functions on a lattice (exact fronts). Three and four objectives: DTLZ 2 and 7, " +
			"C2-DTLZ2, WFG4, DTLZ2 with the mean of its squares for their sum, its front in the middle of the space or not, and C2-DTLZ2 and DTLZ7 off it (exact fronts).",
		Lanes: []bench.Lane{bench.KnownArea},
		Tasks: multiTasks,
	}
}

func multiTasks(env bench.Environment) ([]bench.Task, error) {
	tasks, err := multiEdge(env)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs() {
		tasks = append(tasks, p.task())
	}
	for _, p := range manies() {
		tasks = append(tasks, p.task())
	}
	return tasks, nil
}

// multiEdge are the product's own tasks.
func multiEdge(env bench.Environment) ([]bench.Task, error) {
	const areaMM2 = 6.8
	t := edge.Spec().Template()
	var tasks []bench.Task
	for _, n := range networks() {
		switch n.short {
		case "mobilenetv2", "mobilenetedgetpu", "mobiledet", "ppocrdet":
		default:
			continue
		}
		task, err := n.task(&t, n.short+"-6p8", areaMM2)
		if err != nil {
			return nil, err
		}
		task.Spec.Objectives = append(task.Spec.Objectives, events.Objective{Metric: "energy_j", Goal: "minimize"})
		spec, ev := task.Spec, task.Evaluator
		task.Known = func(ctx context.Context) (bench.Known, error) {
			f, err := keptFront(env.Proofs, spec, climbing, func() (front, error) { return climb(ctx, spec, ev) })
			if err != nil {
				return bench.Known{}, fmt.Errorf("find the best known front: %w", err)
			}
			if len(f) == 0 {
				return bench.Known{}, errNoAnswer
			}
			return f.known(ctx, spec, ev, "best found", false)
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// margin is how far the reference lies at least beyond the worst of the front,
// as a share of its extent: 0.1 is usual (H. Ishibuchi et al., GECCO 2017,
// discuss the choice).
const margin = 0.1

// known is the answer that a front gives. Its reference is the median of random
// designs, where that lies beyond the front: a search that is on its way there
// gets better by the measure too, as on bbob.
func (f front) known(ctx context.Context, spec *events.Spec, ev evaluator.Evaluator, source string, proven bool) (bench.Known, error) {
	typical, err := medians(ctx, spec, ev)
	if err != nil {
		return bench.Known{}, fmt.Errorf("find the reference point: %w", err)
	}
	first, last := f[0], f[len(f)-1]
	reference := []float64{
		max(typical[0], last[0]+margin*(last[0]-first[0])), max(typical[1], first[1]+margin*(first[1]-last[1])),
	}
	points := make([][]float64, len(f))
	for i := range f {
		points[i] = f[i][:]
	}
	return bench.Known{Volume: pareto.Hypervolume(points, reference), Reference: reference, Proven: proven, Source: source}, nil
}

// pair is a problem with two objectives whose front on the lattice is known.
type pair struct {
	name, family string
	params       []space.Param
	of           func(x []float64) [2]float64
	// exact returns the front of the whole lattice.
	exact func() front
}

// pairs are the problems with closed forms.
func pairs() []pair {
	all := []pair{sphereSphere(), sphereRastrigin()}
	for _, z := range zdts() {
		all = append(all, z.pair())
	}
	return append(all, dtlz("dtlz1", dtlz1), dtlz("dtlz2", dtlz2))
}

func (p pair) task() bench.Task {
	metrics := []events.Metric{{Name: "first"}, {Name: "second"}}
	spec := declared("multi", p.params, metrics, "first", "second")
	ev := closedForm{func(x []float64) []float64 { v := p.of(x); return v[:] }}
	return bench.Task{
		Name: p.name, Family: p.family, Split: split(p.family, "zdt"), Spec: spec, Evaluator: ev,
		Known: func(ctx context.Context) (bench.Known, error) {
			return p.exact().known(ctx, spec, ev, "closed form", true)
		},
	}
}

// grid is a parameter with n levels from low to high.
func grid(name string, low, high float64, n int) space.Param {
	p := space.Param{Name: name}
	for i := range n {
		p.Values = append(p.Values, low+(high-low)*float64(i)/float64(n-1))
	}
	return p
}

// Lattices of ten parameters: the first, along which the front runs, has more
// levels.
const (
	multiDims   = 10
	alongLevels = 101
	otherLevels = 21
)

// along is the front over the first parameter with the others at their best.
func (p pair) along(rest float64) front {
	x := make([]float64, len(p.params))
	for i := range x {
		x[i] = rest
	}
	var all [][2]float64
	for _, v := range p.params[0].Values {
		x[0] = v
		all = append(all, p.of(x))
	}
	return prune(all)
}

// zdt is a problem of E. Zitzler, K. Deb, L. Thiele, Comparison of
// Multiobjective Evolutionary Algorithms, Evolutionary Computation 8, 2000: the
// first objective f depends on the first parameter alone, the second is
// g·h(f/g), which rises with g, and g is 1 where the others are 0. So the front
// of the lattice is found along the first parameter. ZDT5, over bit strings, is
// left out.
type zdt struct {
	name      string
	low, high float64 // of the other parameters
	first     func(x float64) float64
	g         func(rest []float64) float64
	h         func(ratio, first float64) float64
}

func zdts() []zdt {
	same := func(x float64) float64 { return x }
	afar := func(rest []float64) float64 { return 1 + 9*mean(rest) }
	convex := func(ratio, _ float64) float64 { return 1 - math.Sqrt(ratio) }
	concave := func(ratio, _ float64) float64 { return 1 - ratio*ratio }
	return []zdt{
		{"zdt1", 0, 1, same, afar, convex},
		{"zdt2", 0, 1, same, afar, concave},
		{"zdt3", 0, 1, same, afar, func(ratio, first float64) float64 {
			return 1 - math.Sqrt(ratio) - ratio*math.Sin(10*math.Pi*first)
		}},
		{"zdt4", -5, 5, same, func(rest []float64) float64 {
			g := 1 + 10*float64(len(rest))
			for _, x := range rest {
				g += x*x - 10*math.Cos(4*math.Pi*x)
			}
			return g
		}, convex},
		{"zdt6", 0, 1, func(x float64) float64 {
			return 1 - math.Exp(-4*x)*math.Pow(math.Sin(6*math.Pi*x), 6)
		}, func(rest []float64) float64 { return 1 + 9*math.Pow(mean(rest), 0.25) }, concave},
	}
}

func (z zdt) pair() pair {
	p := pair{name: z.name, family: "zdt", params: []space.Param{grid("x0", 0, 1, alongLevels)}}
	for i := 1; i < multiDims; i++ {
		p.params = append(p.params, grid(fmt.Sprintf("x%d", i), z.low, z.high, otherLevels))
	}
	p.of = func(x []float64) [2]float64 {
		f, g := z.first(x[0]), z.g(x[1:])
		return [2]float64{f, g * z.h(f/g, f)}
	}
	p.exact = func() front { return p.along(0) }
	return p
}

// dtlz is a problem of K. Deb, L. Thiele, M. Laumanns, E. Zitzler, Scalable
// Test Problems for Evolutionary Multiobjective Optimization, 2005, with two
// objectives: both are scaled by 1+g, and g is 0 where the other parameters
// are 1/2.
func dtlz(name string, of func(x []float64) [2]float64) pair {
	p := pair{name: name, family: "dtlz", params: []space.Param{grid("x0", 0, 1, alongLevels)}, of: of}
	for i := 1; i < multiDims; i++ {
		p.params = append(p.params, grid(fmt.Sprintf("x%d", i), 0, 1, otherLevels))
	}
	p.exact = func() front { return p.along(0.5) }
	return p
}

func dtlz1(x []float64) [2]float64 {
	g := float64(len(x) - 1)
	for _, v := range x[1:] {
		g += (v-0.5)*(v-0.5) - math.Cos(20*math.Pi*(v-0.5))
	}
	scale := 0.5 * (1 + 100*g)
	return [2]float64{scale * x[0], scale * (1 - x[0])}
}

func dtlz2(x []float64) [2]float64 {
	scale := 1.0
	for _, v := range x[1:] {
		scale += (v - 0.5) * (v - 0.5)
	}
	return [2]float64{scale * math.Cos(x[0]*math.Pi/2), scale * math.Sin(x[0]*math.Pi/2)}
}

func sum(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s
}
