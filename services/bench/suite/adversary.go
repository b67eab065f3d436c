package suite

import (
	"context"
	"errors"
	"hash/fnv"
	"math"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/bench"
)

// transferAdversarialSuite learns from sources that mislead.
func transferAdversarialSuite() bench.Suite {
	return bench.Suite{
		Name: "transfer-adversarial",
		Doc: "Three tasks of the suite apollo with sources that mislead: another network's latency negated, replaced by noise, " +
			"or with 30 % of its values a million times too large or small; and another template's.",
		Lanes: []bench.Lane{bench.KnownArea}, Algorithms: []string{withSources, withoutSources}, Reference: withoutSources,
		Trials: 100, Marks: []int{5, 20, 40, 100},
		Tasks: adversarialTasks,
	}
}

// distortions are what can be wrong with a source's latency; uniform is a
// number of the design between 0 and 1.
func distortions() []struct {
	name   string
	change func(seconds, uniform float64) float64
} {
	return []struct {
		name   string
		change func(seconds, uniform float64) float64
	}{
		// The order of all designs is turned round about a millisecond.
		{"negated", func(seconds, _ float64) float64 { return 1e-6 / seconds }},
		// Two decades of latency that have nothing to do with the design.
		{"noise", func(_, uniform float64) float64 { return 1e-4 * math.Pow(100, uniform) }},
		{"corrupt", func(seconds, uniform float64) float64 {
			switch {
			case uniform < 0.15:
				return seconds * 1e6
			case uniform < 0.3:
				return seconds * 1e-6
			}
			return seconds
		}},
	}
}

func adversarialTasks(env bench.Environment) ([]bench.Task, error) {
	all, err := apolloTasks(env)
	if err != nil {
		return nil, err
	}
	var sources, targets []bench.Task
	foreign, err := foreignTask()
	if err != nil {
		return nil, err
	}
	for i := range all {
		// Of each pair of families one misleads the other.
		source, ok := map[string]string{"mobilenetv2-6p8": "mobiledet-6p8", "mobiledet-6p8": "ppocrrec-6p8", "ppocrrec-6p8": "mobilenetv2-6p8"}[all[i].Name]
		if !ok {
			continue
		}
		for k := range all {
			if all[k].Name != source {
				continue
			}
			for _, d := range distortions() {
				s := distorted(&all[k], d.name, d.change)
				sources = append(sources, s)
				targets = append(targets, learning(&all[i], all[i].Name+"-"+d.name, bench.Origin{Suite: "transfer-adversarial", Task: &s}))
			}
		}
		targets = append(targets, learning(&all[i], all[i].Name+"-template", bench.Origin{Suite: "transfer-adversarial", Task: &foreign}))
	}
	return append(append(targets, sources...), foreign), nil
}

// distorted is a task that measures something else and says nothing of it. It
// is only there to be learnt from.
func distorted(task *bench.Task, name string, change func(seconds, uniform float64) float64) bench.Task {
	out := *task
	out.Name, out.Family, out.Split = task.Name+"-is-"+name, "source", bench.Source
	out.Evaluator = &liar{Evaluator: task.Evaluator, metric: task.Spec.MetricIndex("latency_s"), change: change}
	return out
}

// liar changes one metric of another evaluator.
type liar struct {
	evaluator.Evaluator
	metric int
	change func(value, uniform float64) float64
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
	values := append([]float64(nil), result.Values...)
	values[l.metric] = l.change(values[l.metric], noiseOf(r.Design))
	result.Values = values
	return result, nil
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
	for _, t := range template.All() {
		if t.Name != "simba" {
			continue
		}
		n := networks()[0]
		s, ev, err := n.bound(&t)
		if err != nil {
			return bench.Task{}, err
		}
		s.Objectives = []events.Objective{{Metric: "latency_s", Goal: "minimize"}}
		return bench.Task{
			Name: n.short + "-on-" + t.Name, Family: "source", Split: bench.Source, Spec: s, Evaluator: ev, Features: t.Features,
		}, nil
	}
	return bench.Task{}, errors.New("this build has no template simba")
}
