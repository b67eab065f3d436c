package suite

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

// templatesSuite makes the published accelerators into larger problems.
func templatesSuite() bench.Suite {
	return bench.Suite{
		Name: "templates",
		Doc: "Systems of two to five accelerators of one template (gemmini, eyeriss, simba) that share an area budget, one network " +
			"each: 12 to 28 parameters, which one template alone (4 to 8) does not have; optima proven from the fronts of the parts.",
		Lanes: []bench.Lane{bench.KnownArea, bench.AllKnown, bench.Paper},
		Tasks: templatesTasks,
	}
}

// system is a task: one accelerator for each network.
type system struct {
	template string
	networks []string // short names
	areaMM2  float64  // about the parts' baselines together
}

func systems() []system {
	return []system{
		{"gemmini", []string{"mobilenetv2", "mobilenetedgetpu", "mobiledet"}, 1.5},
		{"gemmini", []string{"mobilenetv2", "mobilenetedgetpu", "mobiledet", "ssdmobilenetv2", "ppocrdet"}, 2.5},
		{"eyeriss", []string{"mobilenetv2", "mobiledet"}, 0.8},
		{"eyeriss", []string{"mobilenetv2", "mobiledet", "mobilenetedgetpu", "ssdmobilenetv2"}, 1.6},
		{"simba", []string{"mobilenetv2", "mobiledet"}, 2.4},
		{"simba", []string{"mobilenetv2", "mobiledet", "mobilenetedgetpu"}, 3.6},
	}
}

// kept returns the levels that a system's parts have of a template's
// parameters: fewer, so that every part can be enumerated, in one to two minutes
// of a processor. Parameters that are not named keep all.
func kept(templateName string) map[string][]float64 {
	const kib, giga = 1 << 10, 1e9
	switch templateName {
	case "eyeriss":
		return map[string][]float64{
			"rows": {8, 12, 24}, "cols": {8, 14, 24}, "filter_words": {160, 224, 384}, "input_words": {8, 12, 24},
			"sum_words": {16, 24, 48}, "buffer": {50 * kib, 100 * kib, 400 * kib}, "io_bandwidth": {giga, 2 * giga, 8 * giga},
		}
	case "simba":
		return map[string][]float64{
			"pes_x": {2, 4, 8}, "pes_y": {2, 4, 8}, "lanes": {4, 8, 16}, "vector": {4, 8, 16},
			"weight_buffer": {16 * kib, 32 * kib, 64 * kib}, "input_buffer": {4 * kib, 8 * kib, 16 * kib},
			"global_buffer": {64 * kib, 256 * kib, 1024 * kib}, "io_bandwidth": {4 * giga, 16 * giga, 32 * giga},
		}
	}
	return nil
}

func templatesTasks(env bench.Environment) ([]bench.Task, error) {
	var tasks []bench.Task
	for _, s := range systems() {
		spec, ok := template.Named(s.template)
		if !ok {
			return nil, fmt.Errorf("there is no template %s", s.template)
		}
		t := spec.Template()
		task, err := s.task(env, &t)
		if err != nil {
			return nil, fmt.Errorf("%d x %s: %w", len(s.networks), s.template, err)
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

func (s system) task(env bench.Environment, t *evaluator.Template) (bench.Task, error) {
	params, err := restrict(t.Params, kept(t.Name))
	if err != nil {
		return bench.Task{}, err
	}
	part := *t
	part.Params = params
	d := t.Backend.Describe()
	c := &chips{each: len(params), metrics: d.Of(nil)}
	var all []space.Param
	var baseline events.Design
	var features []evaluator.Feature
	var specs []*events.Spec
	for i, short := range s.networks {
		n := slices.IndexFunc(networks(), func(n network) bool { return n.short == short })
		if n < 0 {
			return bench.Task{}, fmt.Errorf("there is no network %s", short)
		}
		spec, ev, err := networks()[n].onTemplate(&part)
		if err != nil {
			return bench.Task{}, err
		}
		prefix := fmt.Sprintf("c%d_", i)
		for _, p := range params {
			p.Name = prefix + p.Name
			all = append(all, p)
		}
		for _, f := range t.Features {
			features = append(features, prefixed(f, prefix))
		}
		c.parts = append(c.parts, ev)
		specs = append(specs, spec)
		baseline = append(baseline, t.Baseline...)
	}
	spec := declared("chips", all, specs[0].Metrics, "latency_s")
	spec.Evaluator.Version = version + "-" + specs[0].Evaluator.Version
	spec.Constraints = []events.Constraint{atMost("area_mm2", s.areaMM2)}
	return bench.Task{
		Name: fmt.Sprintf("%s-x%d", s.template, len(s.networks)), Family: s.template, Split: split(s.template, "gemmini"),
		Spec: spec, Evaluator: c, Features: features, Baseline: baseline,
		Known: func(ctx context.Context) (bench.Known, error) {
			return bestSystem(ctx, env.Proofs, specs, c.parts, s.areaMM2)
		},
	}, nil
}

// restrict keeps the named levels. The error is for a level that is not one.
func restrict(params []space.Param, levels map[string][]float64) ([]space.Param, error) {
	params = slices.Clone(params)
	for i := range params {
		keep := levels[params[i].Name]
		if keep == nil {
			continue
		}
		for _, v := range keep {
			if !slices.Contains(params[i].Values, v) {
				return nil, fmt.Errorf("parameter %s has no level %v", params[i].Name, v)
			}
		}
		params[i].Values = keep
	}
	return params, nil
}

// prefixed is a part's feature in the system.
func prefixed(f evaluator.Feature, prefix string) evaluator.Feature {
	rename := func(names []string) []string {
		var out []string
		for _, n := range names {
			out = append(out, prefix+n)
		}
		return out
	}
	terms := slices.Clone(f.Terms)
	for i := range terms {
		terms[i].Times, terms[i].Over = rename(terms[i].Times), rename(terms[i].Over)
		terms[i].Where = slices.Clone(terms[i].Where)
		for k := range terms[i].Where {
			terms[i].Where[k].Param = prefix + terms[i].Where[k].Param
		}
	}
	f.Name, f.Terms = prefix+f.Name, terms
	return f
}

// chips evaluates a system: areas, energies and latencies of its parts add up,
// the time to run every network once, one after the other.
type chips struct {
	parts   []evaluator.Evaluator
	each    int // parameters of a part
	metrics []evaluator.Metric
}

var (
	_ evaluator.Evaluator = (*chips)(nil)
	_ evaluator.Checker   = (*chips)(nil)
)

// Check implements evaluator.Checker: the cheap metrics.
func (c *chips) Check(design []space.Value, dst []float64) {
	const most = 16 // metrics
	var total [most]float64
	for i, part := range c.parts {
		part.(evaluator.Checker).Check(design[i*c.each:(i+1)*c.each], dst)
		for k, v := range dst {
			total[k] += v
		}
	}
	copy(dst, total[:])
}

// Evaluate implements evaluator.Evaluator.
func (c *chips) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	total := evaluator.Result{Outcome: evaluator.Measured, Values: make([]float64, len(c.metrics))}
	for i, part := range c.parts {
		answer, err := part.Evaluate(ctx, evaluator.Request{Study: r.Study, Trial: r.Trial, Design: r.Design[i*c.each : (i+1)*c.each]})
		if err != nil {
			return evaluator.Result{}, err
		}
		for k, v := range answer.Values {
			total.Values[k] += v
		}
		if answer.Outcome != evaluator.Measured && total.Outcome == evaluator.Measured {
			total.Outcome, total.Reason = answer.Outcome, answer.Reason
		}
	}
	if total.Outcome != evaluator.Measured {
		for k, m := range c.metrics {
			if !m.Cheap {
				total.Values[k] = math.NaN()
			}
		}
	}
	return total, nil
}
