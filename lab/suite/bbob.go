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

// The lattice: ten parameters from -5 to 5 in steps of a quarter, which has no
// rounding, 41^10 points.
const (
	bbobDims  = 10
	bbobLevel = 41
	bbobStep  = 0.25
	bbobBound = 5
)

// bbobInstance is the instance of every function. Chosen: any would do.
const bbobInstance = 1

// bbobSuite is the field's standard functions, made discrete.
func bbobSuite() bench.Suite {
	return bench.Suite{
		Name: "bbob",
		Doc: "The 24 noiseless BBOB functions (Hansen et al., INRIA RR-6829) in ten dimensions on a lattice of 41 levels each; the " +
			"optimum is shifted to the nearest lattice point, so that it is known exactly.",
		Lanes: []bench.Lane{bench.KnownArea},
		Tasks: bbobTasks,
	}
}

// bbobDevelopment are the families that defaults may be chosen on.
func bbobDevelopment() []string { return []string{"sphere", "ellipsoid", "rastrigin", "rosenbrock"} }

func bbobTasks(bench.Environment) ([]bench.Task, error) {
	var tasks []bench.Task
	for _, f := range bbobFunctions() {
		in := newInstance(&f, bbobInstance, bbobDims)
		in.snap()
		spec := declared("bbob", bbobParams(), []events.Metric{{Name: "value"}}, "value")
		tasks = append(tasks, bench.Task{
			Name: fmt.Sprintf("f%02d-%s", f.id, f.name), Family: f.family, Split: split(f.family, bbobDevelopment()...),
			Spec: spec, Evaluator: closedForm{func(x []float64) []float64 { return []float64{in.fopt + f.value(in, x)} }},
			Known: func(context.Context) (bench.Known, error) { return in.known(&f), nil },
		})
	}
	return tasks, nil
}

func bbobParams() []space.Param {
	params := make([]space.Param, bbobDims)
	for i := range params {
		params[i].Name = fmt.Sprintf("x%d", i)
		for level := range bbobLevel {
			params[i].Values = append(params[i].Values, float64(level)*bbobStep-bbobBound)
		}
	}
	return params
}

// snap moves the optimum to the nearest lattice point that has no zero: two
// functions treat the sides of zero differently.
func (in *instance) snap() {
	for i, x := range in.xopt {
		level := max(1, min(math.Round(math.Abs(x)/bbobStep), bbobBound/bbobStep))
		in.xopt[i] = math.Copysign(level*bbobStep, x)
	}
	if in.peaks != nil {
		multiply(in.peaks[0].at, in.r, in.xopt)
	}
}

// known is the optimum, with the median of random designs above it as the
// scale of regret: the optimal values themselves mean nothing.
func (in *instance) known(f *bbobFunction) bench.Known {
	const draws = 1001
	rng := rand.New(rand.NewPCG(0, uint64(f.id)))
	values := make([]float64, draws)
	x := make([]float64, bbobDims)
	for i := range values {
		for j := range x {
			x[j] = float64(rng.IntN(bbobLevel))*bbobStep - bbobBound
		}
		values[i] = f.value(in, x)
	}
	slices.Sort(values)
	return bench.Known{Best: in.fopt + f.value(in, in.xopt), Scale: values[draws/2], Proven: true, Source: "closed form"}
}

// closedForm evaluates a formula of numeric parameters, whose values are the
// metrics.
type closedForm struct{ of func(x []float64) []float64 }

var _ evaluator.Evaluator = closedForm{}

// Evaluate implements evaluator.Evaluator.
func (c closedForm) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := ctx.Err(); err != nil {
		return evaluator.Result{}, err
	}
	x := make([]float64, len(r.Design))
	for i, v := range r.Design {
		x[i] = v.Num
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: c.of(x)}, nil
}
