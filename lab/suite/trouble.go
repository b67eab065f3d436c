package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// troubleSuite is tasks of other suites whose evaluators answer some designs
// with something else than their value.
func troubleSuite() bench.Suite {
	return bench.Suite{
		Name: "trouble",
		Doc: "Two networks of the suite apollo and the tables of kernels, each clean, negated, and with answers that are none: values a million times " +
			"too bad for a tenth of the designs, a penalty, an infeasible answer or one of both signs for a fifth, answers for a fifth that no gap tells from those of others, a part that always fails, and noise of 10 %, of which the study is told or not, with repeats or without.",
		Lanes: []bench.Lane{bench.KnownArea}, Trials: 60, Marks: []int{10, 20, 40, 60},
		Tasks: troubleTasks,
	}
}

// trouble is what an evaluator does with some designs.
type trouble struct {
	name string
	// share of the designs, by a hash that no model can foresee.
	share float64
	// answer is what a design that is hit answers in place of its value; nil where
	// it is infeasible.
	answer func(value float64) float64
	// negated: the objective is the value times -1, to be maximised.
	negated bool
	// shifted: the objective is the value less a typical one, so that it has both signs.
	shifted bool
	// typical: a design that is hit answers so many times what a typical one does.
	typical float64
	// noise is the deviation of the logarithm of a measurement; unsaid: the study
	// does not know that there is any; once: it measures no design again.
	noise        float64
	unsaid, once bool
	// fails: designs beyond failsFrom of the longest parameter's range fail.
	fails bool
}

const (
	// penalty is an answer of the kind that programs give for designs that do not
	// work: an hour in seconds.
	penalty = 3600
	// outlying is how many times too bad an outlier is.
	outlying = 1e6
	// nearOutlying and nearPenalty are those that lie within the range of a landscape, in
	// values of the design and of a typical one.
	nearOutlying, nearPenalty = 20, 2
	// failsFrom leaves 70 % of a parameter's range, as in the report of Optuna 5664.
	failsFrom = 0.7
)

func troubles() []trouble {
	hour := func(float64) float64 { return penalty }
	return []trouble{
		{name: "clean"},
		{name: "outliers", share: 0.1, answer: func(v float64) float64 { return v * outlying }},
		{name: "infeasible", share: 0.2},
		{name: "penalty", share: 0.2, answer: hour},
		{name: "negated", negated: true},
		{name: "negated-penalty", share: 0.2, answer: hour, negated: true},
		{name: "signed-outliers", share: 0.1, answer: func(v float64) float64 { return math.Abs(v) * outlying }, shifted: true},
		{name: "near-outliers", share: 0.2, answer: func(v float64) float64 { return v * nearOutlying }},
		{name: "near-penalty", share: 0.2, typical: nearPenalty},
		{name: "failing", fails: true},
		{name: "noise", noise: 0.1},
		{name: "noise-once", noise: 0.1, once: true},
		{name: "noise-unsaid", noise: 0.1, unsaid: true},
	}
}

func troubleTasks(env bench.Environment) ([]bench.Task, error) {
	all, err := apolloTasks(env)
	if err != nil {
		return nil, err
	}
	var tasks []bench.Task
	for i := range all {
		if all[i].Name != "mobilenetv2-6p8" && all[i].Name != "mobilenetedgetpu-6p8" {
			continue
		}
		sp, err := all[i].Spec.Space()
		if err != nil {
			return nil, err
		}
		baseline, err := sp.Point(all[i].Baseline)
		if err != nil {
			return nil, err
		}
		for _, kind := range troubles() {
			task, err := kind.of(&all[i], sp, baseline)
			if err != nil {
				return nil, err
			}
			task.Known = task.Evaluator.(*troubled).ofOptimum(all[i].Known)
			tasks = append(tasks, task)
		}
	}
	for _, path := range env.Tables {
		of, err := troublesOfTable(path)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", path, err)
		}
		tasks = append(tasks, of...)
	}
	return tasks, nil
}

func troublesOfTable(path string) ([]bench.Task, error) {
	t, err := openTable(path)
	if err != nil {
		return nil, err
	}
	base, err := t.task(tableName(path))
	if err != nil {
		return nil, err
	}
	sp, err := base.Spec.Space()
	if err != nil {
		return nil, err
	}
	var valid []int
	for i, v := range t.values {
		if !math.IsNaN(v) {
			valid = append(valid, i)
		}
	}
	slices.SortStableFunc(valid, func(a, b int) int { return cmp.Compare(t.values[a], t.values[b]) })
	var tasks []bench.Task
	for _, kind := range troubles() {
		task, err := kind.of(&base, sp, t.rows[valid[len(valid)/2]])
		if err != nil {
			return nil, err
		}
		e := task.Evaluator.(*troubled)
		task.Known = func(context.Context) (bench.Known, error) {
			for _, i := range valid {
				if design := sp.Values(t.rows[i]); !e.hit(design) {
					return e.known(t.values[i], t.values[valid[0]], "table"), nil
				}
			}
			return bench.Known{}, errNoAnswer
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// of is a task in trouble, without its answer. The value of typical is what is
// between good and bad.
func (k trouble) of(base *bench.Task, sp space.Space, typical space.Point) (bench.Task, error) {
	objective := base.Spec.Objectives[0]
	e := &troubled{Evaluator: base.Evaluator, trouble: k, metric: base.Spec.MetricIndex(objective.Metric)}
	for i, p := range sp.Params() {
		if !p.Categorical() && p.Len() > sp.Param(e.longest).Len() {
			e.longest = i
		}
	}
	levels := sp.Param(e.longest).Values
	e.last = levels[int(failsFrom*float64(len(levels)-1))]
	if k.shifted || k.typical > 0 {
		r, err := base.Evaluator.Evaluate(context.Background(), evaluator.Request{Trial: -1, Design: sp.Values(typical)})
		if err != nil || r.Outcome != evaluator.Measured {
			return bench.Task{}, errors.Join(err, fmt.Errorf("task %s: a typical design is %s", base.Name, r.Outcome))
		}
		if v := r.Values[e.metric]; k.shifted {
			e.zero = v
		} else {
			e.answer = func(float64) float64 { return k.typical * v }
		}
	}
	out, spec := *base, *base.Spec
	spec.Objectives = []events.Objective{objective}
	if k.negated {
		spec.Objectives[0].Goal = "maximize"
	}
	spec.Evaluator.Version += "-" + k.name
	spec.Evaluator.MaxFailures = 0 // what a pause costs is not compared here
	if k.noise > 0 && !k.unsaid {
		spec.Evaluator.Deterministic, spec.Evaluator.Noise = false, &events.Noise{}
		if k.once {
			spec.Evaluator.Noise.Repeats = 1
		}
	}
	out.Name, out.Spec, out.Evaluator = base.Name+"-"+k.name, &spec, e
	if k.noise > 0 {
		out.True = e.truth
	}
	return out, nil
}

// truth is the value of a design without noise.
func (t *troubled) truth(ctx context.Context, design events.Design) (float64, error) {
	r, err := t.Evaluator.Evaluate(ctx, evaluator.Request{Trial: -1, Design: design})
	if err != nil || r.Outcome != evaluator.Measured {
		return 0, errors.Join(err, fmt.Errorf("the answer is a design that is %s", r.Outcome))
	}
	return t.objective(r.Values[t.metric]), nil
}

// measurement is a factor on the value of one trial: log-normal, by study and
// trial.
func (t *troubled) measurement(r *evaluator.Request) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Study)) // a hash takes everything
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(r.Trial)))
	return math.Exp(t.noise * rng.NormFloat64())
}

// troubled changes what another evaluator answers.
type troubled struct {
	evaluator.Evaluator
	trouble
	metric int
	zero   float64 // what is taken from each value

	longest int     // the position of the longest parameter
	last    float64 // its last level that does not fail
}

var _ evaluator.Checker = (*troubled)(nil)

// Check implements evaluator.Checker.
func (t *troubled) Check(design []space.Value, dst []float64) {
	t.Evaluator.(evaluator.Checker).Check(design, dst)
}

// hit reports whether a design does not answer its value.
func (t *troubled) hit(design []space.Value) bool {
	return t.fails && design[t.longest].Num > t.last || noiseOf(design) < t.share
}

// objective is the objective of a value.
func (t *troubled) objective(value float64) float64 {
	if t.negated {
		return t.zero - value
	}
	return value - t.zero
}

// known is the answer where no design that is not hit has a better value. Regrets
// are relative to the value of the clean task.
func (t *troubled) known(best, clean float64, source string) bench.Known {
	return bench.Known{Best: t.objective(best), Scale: clean, Proven: true, Source: source}
}

// ofOptimum is the answer of a task whose best design is not hit.
func (t *troubled) ofOptimum(of func(context.Context) (bench.Known, error)) func(context.Context) (bench.Known, error) {
	return func(ctx context.Context) (bench.Known, error) {
		k, err := of(ctx)
		if err != nil {
			return bench.Known{}, err
		}
		if t.hit(k.Design) {
			return bench.Known{}, fmt.Errorf("the best design is one that %s hits: the answer is not known", t.name)
		}
		return t.known(k.Best, k.Best, k.Source), nil
	}
}

// Evaluate implements evaluator.Evaluator.
func (t *troubled) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	result, err := t.Evaluator.Evaluate(ctx, r)
	if err != nil || result.Outcome != evaluator.Measured {
		return result, err
	}
	result.Values = slices.Clone(result.Values)
	value := result.Values[t.metric]
	if t.hit(r.Design) {
		reason := &evaluator.Reason{Code: "trouble", Message: "this design is one of those that cannot be measured"}
		switch {
		case t.fails:
			return evaluator.Result{Outcome: evaluator.Failed, Reason: reason}, nil
		case t.answer == nil:
			result.Values[t.metric] = math.NaN()
			return evaluator.Result{Outcome: evaluator.Infeasible, Values: result.Values, Reason: reason}, nil
		}
		value = t.zero + t.answer(value-t.zero)
	}
	if t.noise > 0 {
		value *= t.measurement(&r)
	}
	result.Values[t.metric] = t.objective(value)
	return result, nil
}
