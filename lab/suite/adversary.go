package suite

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// transferAdversarialSuite learns from sources that mislead.
func transferAdversarialSuite() bench.Suite {
	return bench.Suite{
		Name: "transfer-adversarial",
		Doc: "Four tasks of the suite apollo with sources that mislead: another network's latency negated, shuffled over the designs, with 30 % of its " +
			"values a million times too large or small, or in square millimetres (to be refused); and another template's.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{withSources, withoutSources}, Reference: withoutSources,
		Trials: 100, Marks: []int{5, 20, 40, 100},
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

func adversarialTasks(env bench.Environment) ([]bench.Task, error) {
	all, err := apolloTasks(env)
	if err != nil {
		return nil, err
	}
	foreign, err := foreignTask()
	if err != nil {
		return nil, err
	}
	const suite = "transfer-adversarial"
	byName := map[string]*bench.Task{}
	for i := range all {
		byName[all[i].Name] = &all[i]
	}
	var sources, targets []bench.Task
	for i := range all {
		source := byName[misleads()[all[i].Name]]
		if source == nil {
			continue
		}
		for _, d := range distortions() {
			s, err := d.of(source)
			if err != nil {
				return nil, err
			}
			sources = append(sources, s)
			targets = append(targets, learning(&all[i], all[i].Name+"-"+d.name, bench.Origin{Suite: suite, Task: &s, Refused: d.unit != ""}))
		}
		targets = append(targets, learning(&all[i], all[i].Name+"-template", bench.Origin{Suite: suite, Task: &foreign}))
	}
	return append(append(targets, sources...), foreign), nil
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
	out.Evaluator = &liar{Evaluator: task.Evaluator, distortion: d, metric: metric, space: sp}
	return out, nil
}

// liar changes one metric of another evaluator.
type liar struct {
	evaluator.Evaluator
	distortion
	metric int
	space  space.Space
}

var _ evaluator.Checker = (*liar)(nil)

// Check implements evaluator.Checker.
func (l *liar) Check(design []space.Value, dst []float64) {
	l.Evaluator.(evaluator.Checker).Check(design, dst)
}

// Evaluate implements evaluator.Evaluator.
func (l *liar) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	result, err := l.Evaluator.Evaluate(ctx, r)
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
