package suite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// oddSuite is what accelerators are not: spaces that are large, or not a product
// of numbers.
func oddSuite() bench.Suite {
	return bench.Suite{
		Name: "odd",
		Doc: "Large and odd spaces: 10 parameters of 100 levels, 64 switches, 8 slots of 30 categories, trees of conditional parameters, and " +
			"permutations by rules. Regret is relative to the median of random designs; the optimum is known from the way each is made.",
		Lanes: []bench.Lane{bench.KnownArea}, Trials: 100, Marks: []int{10, 20, 40, 60, 100},
		Tasks: func(bench.Environment) ([]bench.Task, error) { return oddTasks(), nil },
	}
}

// odd is a problem whose best value is known by how it is made.
type odd struct {
	name   string
	split  bench.Split
	params []events.Parameter
	rules  []events.Rule
	of     func(p space.Point) float64 // at least best
	best   func() float64
}

func oddTasks() []bench.Task {
	var tasks []bench.Task
	for _, o := range []odd{
		levels("levels-valley", bench.Development, bent), levels("levels-waves", bench.Test, rippled),
		chained("switches-pairs", bench.Development, 64, 2, 2), chained("switches-triples", bench.Test, 64, 2, 3),
		chained("slots-pairs", bench.Development, 8, 30, 2), distances("slots-distances", bench.Test),
		caches(), engines(),
		permuted("order-one", bench.Development, 8), permuted("order-two", bench.Test, 5, 6),
	} {
		tasks = append(tasks, o.task())
	}
	return tasks
}

func (o odd) task() bench.Task {
	params := make([]space.Param, len(o.params))
	for i, p := range o.params {
		params[i] = space.Param{Name: p.Name, Values: p.Values, Labels: p.Labels}
	}
	spec := declared("odd", nil, []events.Metric{{Name: "value"}}, "value")
	spec.Parameters, spec.Rules = o.params, o.rules
	e := oddEvaluator{params: params, of: o.of}
	return bench.Task{
		Name: o.name, Family: o.name, Split: o.split, Spec: spec, Evaluator: e,
		Known: func(context.Context) (bench.Known, error) { return o.known(spec) },
	}
}

// known is the best value, with the median of random legal designs above it as
// the scale of regret.
func (o odd) known(spec *events.Spec) (bench.Known, error) {
	judge, err := events.NewJudge(spec)
	if err != nil {
		return bench.Known{}, fmt.Errorf("task %s: %w", o.name, err)
	}
	sp, err := spec.Space()
	if err != nil {
		return bench.Known{}, fmt.Errorf("task %s: %w", o.name, err)
	}
	const designs, draws = 501, 1 << 23
	rng := rand.New(rand.NewPCG(0, 0))
	var values []float64
	var p space.Point
	for draw := 0; draw < draws && len(values) < designs; draw++ {
		p = sp.Draw(p, rng)
		judge.Inactive(sp.Values(p), func(i int) { p[i] = 0 })
		if judge.RulesOK(sp.Values(p)) {
			values = append(values, o.of(p))
		}
	}
	if len(values) < designs {
		return bench.Known{}, fmt.Errorf("task %s: %d legal designs in %d draws, want %d", o.name, len(values), draws, designs)
	}
	slices.Sort(values)
	best := o.best()
	return bench.Known{Best: best, Scale: values[designs/2] - best, Proven: true, Source: "closed form"}, nil
}

// oddEvaluator measures points.
type oddEvaluator struct {
	params []space.Param
	of     func(space.Point) float64
}

var _ evaluator.Evaluator = oddEvaluator{}

// Evaluate implements evaluator.Evaluator.
func (e oddEvaluator) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := ctx.Err(); err != nil {
		return evaluator.Result{}, err
	}
	p := make(space.Point, len(r.Design))
	for i, v := range r.Design {
		level, ok := e.params[i].Level(v)
		if !ok {
			return evaluator.Result{}, fmt.Errorf("parameter %s has no level %s", e.params[i].Name, v)
		}
		p[i] = level
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{e.of(p)}}, nil
}

// numbered is a parameter with the levels 0 to n-1, labelled one with the labels k0, k1, ….
func numbered(name string, n int) events.Parameter {
	p := events.Parameter{Name: name}
	for i := range n {
		p.Values = append(p.Values, float64(i))
	}
	return p
}

func labelled(name string, n int) events.Parameter {
	p := events.Parameter{Name: name}
	for i := range n {
		p.Labels = append(p.Labels, fmt.Sprint("k", i))
	}
	return p
}

// levels is a function of ten coordinates, whose optimum of 1 is somewhere at
// the level i·37+23 of a hundred.
func levels(name string, split bench.Split, of func(d []float64) float64) odd {
	const dims, count = 10, 100
	o := odd{name: name, split: split, best: func() float64 { return 1 }}
	for i := range dims {
		o.params = append(o.params, numbered(fmt.Sprint("x", i), count))
	}
	o.of = func(p space.Point) float64 {
		d := make([]float64, dims)
		for i, level := range p {
			d[i] = float64(level-(i*37+23)%count) / 10 // a range of ten
		}
		return 1 + of(d)
	}
	return o
}

// bent is Rosenbrock's function with its optimum at 0.
func bent(d []float64) (sum float64) {
	for i := range len(d) - 1 {
		a := d[i] + 1
		b := d[i+1] + 1 - a*a
		sum += b*b + d[i]*d[i]/100
	}
	return sum
}

// rippled is a rotated bowl with shallow waves.
func rippled(d []float64) (sum float64) {
	for i := range d {
		turned := (d[i] + d[(i+1)%len(d)]) / math.Sqrt2
		sum += turned*turned + d[i]*d[i]/10 + 3*(1-math.Cos(2*math.Pi*d[i]/2.5))
	}
	return sum
}

// chained is a sum of terms over window neighbouring categories each, drawn at random: its
// optimum is that of dynamic programming over the last window-1 of them.
func chained(name string, split bench.Split, slots, labels, window int) odd {
	o := odd{name: name, split: split}
	for i := range slots {
		o.params = append(o.params, labelled(fmt.Sprint("s", i), labels))
	}
	states := 1
	for range window {
		states *= labels
	}
	rng := rand.New(rand.NewPCG(uint64(slots), uint64(states)))
	terms := make([][]float64, slots)
	for i := range terms {
		for range states {
			terms[i] = append(terms[i], rng.Float64())
		}
	}
	o.of = func(p space.Point) (sum float64) {
		state := 0
		for i, level := range p {
			state = (state*labels + level) % states
			sum += terms[i][state]
		}
		return sum
	}
	o.best = func() float64 { return shortest(terms, labels) }
	return o
}

// shortest is the least sum of terms, each of a state that has the labels of
// the last slots as its digits.
func shortest(terms [][]float64, labels int) float64 {
	states := len(terms[0])
	least := slices.Repeat([]float64{math.Inf(1)}, states)
	least[0] = 0 // before the first slot all labels are the first
	for _, term := range terms {
		next := slices.Repeat([]float64{math.Inf(1)}, states)
		for state, value := range least {
			for label := range labels {
				to := (state*labels + label) % states
				next[to] = min(next[to], value+term[to])
			}
		}
		least = next
	}
	return slices.Min(least)
}

// distances has 8 slots of 30 categories that are places of a plane: each has a
// place where it is wanted, and neighbours want to be near each other.
func distances(name string, split bench.Split) odd {
	const slots, labels = 8, 30
	o := odd{name: name, split: split}
	rng := rand.New(rand.NewPCG(slots, labels))
	places, wanted := make([][2]float64, labels), make([][2]float64, slots)
	for i := range places {
		places[i] = [2]float64{rng.Float64(), rng.Float64()}
	}
	for i := range wanted {
		wanted[i] = [2]float64{rng.Float64(), rng.Float64()}
		o.params = append(o.params, labelled(fmt.Sprint("s", i), labels))
	}
	apart := func(a, b [2]float64) float64 { return math.Hypot(a[0]-b[0], a[1]-b[1]) }
	terms := make([][]float64, slots)
	for i := range terms {
		for state := range labels * labels {
			term := 1.0/slots + 2*apart(places[state%labels], wanted[i])
			if i > 0 {
				term += apart(places[state/labels], places[state%labels])
			}
			terms[i] = append(terms[i], term)
		}
	}
	o.of = func(p space.Point) (sum float64) {
		before := 0
		for i, level := range p {
			sum += terms[i][before*labels+level]
			before = level
		}
		return sum
	}
	o.best = func() float64 { return shortest(terms, labels) }
	return o
}
