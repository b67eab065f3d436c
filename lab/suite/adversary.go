package suite

import (
	"context"
	"errors"
	"hash/fnv"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

const adversarial = "transfer-adversarial"

// transferAdversarialSuite learns from sources that mislead.
func transferAdversarialSuite() bench.Suite {
	return bench.Suite{
		Name: adversarial,
		Doc: "Four tasks of the suite apollo with sources that mislead: another network's latency negated, shuffled over the designs, with 30 % of its " +
			"values a million times too large or small, best where the design cannot run, or in square millimetres (to be refused); another template's; " +
			"five networks at once whose best designs cannot run; and all of these at once.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{withSources, withoutSources}, Reference: withoutSources,
		Trials: 100, Marks: harmMarks(),
		Tasks: adversarialTasks,
	}
}

// distortion is what is wrong with a source's latency.
type distortion struct {
	name string
	// change returns another latency; uniform is a number of the design between
	// 0 and 1. Nil leaves it.
	change func(seconds, uniform float64) float64
	// shuffled gives every design the latency of another one.
	shuffled bool
	// failing is a latency for designs that cannot run, better than any that
	// can: the best designs of the source are infeasible for whoever learns.
	failing bool
	// unit is the one that the source claims; "" leaves it. Such a source must
	// be refused.
	unit string
}

func distortions() []distortion {
	return []distortion{
		// The order of all designs is turned round about a millisecond.
		{name: "negated", change: func(seconds, _ float64) float64 { return 1e-6 / seconds }},
		{name: "shuffled", shuffled: true},
		{name: "corrupt", change: func(seconds, uniform float64) float64 {
			switch {
			case uniform < 0.15:
				return seconds * 1e6
			case uniform < 0.3:
				return seconds * 1e-6
			}
			return seconds
		}},
		{name: "failing", failing: true},
		{name: "unit", unit: "mm2"},
	}
}

// misleads says which task's searches are distorted for a target: of another
// family, from each split into each.
func misleads() map[string]string {
	return map[string]string{
		"mobilenetv2-6p8": "mobiledet-6p8", "deeplabv3-6p8": "mobilenetedgetpu-6p8",
		"mobiledet-6p8": "ppocrrec-6p8", "ppocrrec-6p8": "mobilenetv2-6p8",
	}
}

// failingSources is how many networks' sources of designs that cannot run are
// learnt from at once.
const failingSources = 5

func adversarialTasks(env bench.Environment) ([]bench.Task, error) {
	all, err := apolloTasks(env)
	if err != nil {
		return nil, err
	}
	foreign, err := foreignTask()
	if err != nil {
		return nil, err
	}
	l := liars{byName: map[string]bench.Task{}}
	var targets []bench.Task
	for i := range all {
		source := slices.IndexFunc(all, func(t bench.Task) bool { return t.Name == misleads()[all[i].Name] })
		if source < 0 {
			continue
		}
		var every []bench.Origin
		for _, d := range distortions() {
			o, err := l.origin(d, &all[source])
			if err != nil {
				return nil, err
			}
			every = append(every, o)
			targets = append(targets, learning(&all[i], all[i].Name+"-"+d.name, o))
		}
		template := bench.Origin{Suite: adversarial, Task: &foreign}
		var failing []bench.Origin
		for _, other := range others(&all[i], all)[:failingSources] {
			o, err := l.origin(distortion{name: "failing", failing: true}, other.Task)
			if err != nil {
				return nil, err
			}
			failing = append(failing, o)
		}
		targets = append(targets, learning(&all[i], all[i].Name+"-template", template),
			learning(&all[i], all[i].Name+"-five", failing...),
			learning(&all[i], all[i].Name+"-every", append(every, template)...))
	}
	for _, name := range l.names {
		targets = append(targets, l.byName[name])
	}
	return append(targets, foreign), nil
}

// liars are the tasks that sources come from, each once.
type liars struct {
	names  []string
	byName map[string]bench.Task
}

func (l *liars) origin(d distortion, from *bench.Task) (bench.Origin, error) {
	t, err := d.of(from)
	if err != nil {
		return bench.Origin{}, err
	}
	if _, ok := l.byName[t.Name]; !ok {
		l.names = append(l.names, t.Name)
		l.byName[t.Name] = t
	}
	return bench.Origin{Suite: adversarial, Task: &t, Refused: d.unit != ""}, nil
}

// of is a task that measures something else and says nothing of it. It is only
// there to be learnt from.
func (d distortion) of(task *bench.Task) (bench.Task, error) {
	sp, err := task.Spec.Space()
	if err != nil {
		return bench.Task{}, err
	}
	out := *task
	out.Name, out.Family, out.Split, out.Known = task.Name+"-is-"+d.name, "source", bench.Source, nil
	metric := task.Spec.MetricIndex("latency_s")
	if d.unit != "" {
		spec := *task.Spec
		spec.Metrics = slices.Clone(spec.Metrics)
		spec.Metrics[metric].Unit = d.unit
		out.Spec = &spec
	}
	out.Evaluator = &liar{Evaluator: task.Evaluator, distortion: d, metric: metric, metrics: len(task.Spec.Metrics), space: sp}
	return out, nil
}

// liar changes one metric of another evaluator.
type liar struct {
	evaluator.Evaluator
	distortion
	metric, metrics int
	space           space.Space
}

var _ evaluator.Checker = (*liar)(nil)

// Check implements evaluator.Checker.
func (l *liar) Check(design []space.Value, dst []float64) {
	l.Evaluator.(evaluator.Checker).Check(design, dst)
}

// Evaluate implements evaluator.Evaluator.
func (l *liar) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	result, err := l.Evaluator.Evaluate(ctx, r)
	if err == nil && l.failing && result.Outcome == evaluator.Infeasible {
		return l.pretend(r), nil
	}
	if err != nil || result.Outcome != evaluator.Measured {
		return result, err
	}
	result.Values = slices.Clone(result.Values)
	if l.change != nil {
		result.Values[l.metric] = l.change(result.Values[l.metric], noiseOf(r.Design))
	}
	if l.shuffled {
		result.Values[l.metric], err = l.another(ctx, r)
	}
	return result, err
}

// pretend measures a design that cannot run, between one and two nanoseconds.
func (l *liar) pretend(r evaluator.Request) evaluator.Result {
	values := make([]float64, l.metrics)
	l.Check(r.Design, values)
	for i, v := range values {
		if math.IsNaN(v) {
			values[i] = 1e-9 * (1 + noiseOf(r.Design))
		}
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: values}
}

// another is the metric of a design that depends on nothing but a hash of the
// one that is asked for: the first that can be measured.
func (l *liar) another(ctx context.Context, r evaluator.Request) (float64, error) {
	const most = 10_000 // of the templates' designs one in four can be measured
	for range most {
		r.Design = l.space.Values(l.space.At(uint64(noiseOf(r.Design) * float64(l.space.Size()))))
		result, err := l.Evaluator.Evaluate(ctx, r)
		if err != nil {
			return 0, err
		}
		if result.Outcome == evaluator.Measured {
			return result.Values[l.metric], nil
		}
	}
	return 0, errors.New("shuffle: no design can be measured")
}

// noiseOf is a number between 0 and 1 that looks random and depends on nothing
// but the design.
func noiseOf(design []space.Value) float64 {
	h := fnv.New64a()
	var b []byte
	for _, v := range design {
		b = append(events.AppendValue(b, v), ' ')
	}
	_, _ = h.Write(b) // a hash takes everything
	// The low bits of FNV differ between neighbours, the high ones hardly: mix
	// them (the finisher of MurmurHash3).
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

// foreignTask is a search on a template that shares a few names and units of
// parameters with edge, and means other things by them.
func foreignTask() (bench.Task, error) {
	simba, ok := template.Named("simba")
	if !ok {
		return bench.Task{}, errors.New("this build has no template simba")
	}
	n, t := networks()[0], simba.Template()
	s, ev, err := n.onTemplate(&t)
	if err != nil {
		return bench.Task{}, err
	}
	s.Objectives = []events.Objective{{Metric: "latency_s", Goal: "minimize"}}
	return bench.Task{
		Name: n.short + "-on-" + t.Name, Family: "source", Split: bench.Source, Spec: s, Evaluator: ev, Features: t.Features,
	}, nil
}
