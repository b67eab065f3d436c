package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/lab/stats"
	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/studyfile"
)

// The arms of a comparison: what is searched, the rest is the baseline's.
const (
	both        = "joint"
	chipOnly    = "chip"
	networkOnly = "network"
)

func arms() []string { return []string{both, chipOnly, networkOnly} }

// pair is a network and a chip that are searched together.
type pair struct {
	name, title string
	split       bench.Split
	// space and workload are those of a study file, area its limit.
	space, workload, area string
	// chip has the caps and the baseline of template spatial; nil for the template's own.
	chip *chip
	// metric is minimised beside the accuracy, which rises.
	metric string
	// accuracy is that of the reference point, in percent: the least of the family's known ones,
	// rounded down. Its metric is twice the baseline's.
	accuracy float64
}

// baselineTimes is the metric of the reference point over that of the baseline; chosen
// before the first search, so that the baseline dominates a part of the plane.
const baselineTimes = 2

// pairs are the six tasks that results are reported on, and two to develop on. Tasks,
// networks, limits, metrics and reference points were committed before the first search.
func pairs() []pair {
	const (
		edge         = "{template: edge}"
		measured     = "{family: accel_nasbench, accuracies: {scale: proxy, only: measured}}"
		edgeArea     = "6.8 mm2" // that of the examples
		nvdlaArea    = "5.5 mm2" // the baseline has 5.47
		systolicArea = "4.5 mm2" // the baseline has 4.31
		simbaArea    = "3 mm2"   // the baseline has 2.86
		accelLeast   = 42.0      // of the measured ones; of the 10^11 the least is not known
		mobileV2     = "{family: mobilenet_v2, accuracies: {scale: published}}"
		mobileSizes  = "fix: {expansion: 6, kernel: 3}, restrict: {width: [35 %, 50 %, 75 %, 100 %]}"
	)
	eyeriss, nvdla := chips()[3], chips()[2]
	return []pair{
		{"edge-mobilenet-v2", "`edge`, MobileNetV2", bench.Test, "{template: edge, " + mobileSizes + "}", mobileV2, edgeArea, nil, latencyMetric, 45},
		{"edge-measured", "`edge`, Accel-NASBench, measured", bench.Test, edge, measured, edgeArea, nil, latencyMetric, accelLeast},
		{"nvdla-space", "`nvdla`, Accel-NASBench, all 10^11", bench.Test, "{template: nvdla}", "{family: accel_nasbench, accuracies: {scale: proxy}}", nvdlaArea, nil, edpMetric, accelLeast},
		{"systolic-measured", "`systolic`, Accel-NASBench, measured", bench.Test, "{template: systolic}", measured, systolicArea, nil, energyMetric, accelLeast},
		{"eyeriss-mnasnet", "`spatial` under Eyeriss, MnasNet-A1", bench.Test, "{template: spatial, fix: {excite: 1}}", "{family: mnasnet_a1, accuracies: {scale: published}}", "", &eyeriss, edpMetric, 49},
		{"nvdla-256-mobilenet-v2", "`spatial` under NVDLA-256, MobileNetV2", bench.Test, "{template: spatial, " + mobileSizes + "}", mobileV2, "", &nvdla, edpMetric, 45},
		{"edge-mobilenet-v1", "`edge`, MobileNetV1", bench.Development, edge, "{family: mobilenet_v1, accuracies: {scale: published}}", edgeArea, nil, latencyMetric, 41},
		{"simba-measured", "`simba`, Accel-NASBench, measured", bench.Development, "{template: simba}", measured, simbaArea, nil, edpMetric, accelLeast},
	}
}

// study is the study file of a task.
func (p *pair) study() string {
	text := fmt.Sprintf(`apiVersion: apollo/v1
kind: Study
metadata: {name: %s}
spec:
  space: %s
  workload: {search: one, networks: [%s]}
  objectives: [{metric: %s, goal: minimize}, {metric: accuracy, goal: maximize}]
  budget: {trials: 1}
`, p.name, p.space, p.workload, p.short())
	if p.area != "" {
		text += "  constraints: [{metric: area, max: " + p.area + "}]\n"
	}
	return text
}

// short is the metric as a study file names it.
func (p *pair) short() string {
	return map[string]string{latencyMetric: "latency", energyMetric: "energy", edpMetric: "edp"}[p.metric]
}

// ready is a task that can be searched: its baseline, and what volumes are measured from.
type ready struct {
	bench.Task
	base cost2
}

// cost2 is what a design of a task takes and how accurate its network is.
type cost2 struct{ metric, accuracy float64 }

// open makes the task of an arm.
func (p *pair) open(arm string) (*ready, error) {
	doc, err := studyfile.Parse(p.name, []byte(p.study()), inspect.Builtins().Study(), studyfile.Options{})
	if err != nil {
		return nil, err
	}
	s := doc.Spec
	base, err := p.baseline(s)
	if err != nil {
		return nil, err
	}
	if p.chip != nil {
		s.Rules = p.chip.rules()
	}
	for i := range s.Parameters {
		chosen := s.Chooses(s.Parameters[i].Name)
		if arm == chipOnly && chosen || arm == networkOnly && !chosen || p.chip != nil && s.Parameters[i].Name == "io_bandwidth" {
			hold(&s.Parameters[i], base[i])
		}
	}
	if arm == chipOnly { // its network's accuracy is one number
		s.Objectives = s.Objectives[:1]
	}
	known := inspect.Builtins()
	t, ok := known.TemplateOf(s)
	if !ok {
		return nil, fmt.Errorf("there is no template %s", s.Template)
	}
	sp, err := s.Space()
	if err != nil {
		return nil, err
	}
	ev, err := known.Bind(s, sp.Params())
	if err != nil {
		return nil, err
	}
	out := &ready{Task: bench.Task{Name: p.name + "-" + arm, Family: p.name, Split: p.split, Spec: s, Evaluator: ev, Features: t.Features, Baseline: base}}
	r, err := ev.Evaluate(context.Background(), evaluator.Request{Design: base})
	if err != nil {
		return nil, err
	}
	derive, err := events.NewDeriver(s.Metrics)
	if err != nil {
		return nil, err
	}
	values := derive.Row(r.Values)
	out.base = cost2{values[s.MetricIndex(p.metric)], values[s.MetricIndex(accuracyMetric)]}
	return out, nil
}

const accuracyMetric = "accuracy_percent"

// hold leaves a parameter one level.
func hold(p *events.Parameter, v space.Value) {
	if v.Label != "" {
		p.Labels = []string{v.Label}
		return
	}
	p.Values = []float64{v.Num}
}

// baseline is the chip's own design, or the template's, with the network of the study's
// baseline.
func (p *pair) baseline(s *events.Spec) (events.Design, error) {
	t, ok := inspect.Builtins().TemplateOf(s)
	if !ok {
		return nil, fmt.Errorf("there is no template %s", s.Template)
	}
	names := make([]string, len(t.Params))
	for i := range t.Params {
		names[i] = t.Params[i].Name
	}
	own := slices.Clone(t.Baseline)
	if p.chip != nil {
		copy(own, p.chip.design()) // the network's parameters stand behind
	}
	var d events.Design
	for _, q := range s.Parameters {
		at := slices.Index(names, q.Name)
		if at < 0 {
			return nil, fmt.Errorf("template %s has no parameter %s, it has %s", s.Template, q.Name, strings.Join(names, ", "))
		}
		d = append(d, own[at])
	}
	return d, nil
}

// jointSuite has a task for each pair and arm.
func jointSuite() bench.Suite {
	return bench.Suite{
		Name: "joint", Doc: "A chip and its network searched together, and each alone.", Lanes: []bench.Lane{bench.KnownArea},
		Tasks: func(bench.Environment) (tasks []bench.Task, err error) {
			for _, p := range pairs() {
				for _, arm := range arms() {
					t, err := p.open(arm)
					if err != nil {
						return nil, fmt.Errorf("%s, %s: %w", p.name, arm, err)
					}
					tasks = append(tasks, t.Task)
				}
			}
			return tasks, nil
		},
	}
}

// jointCells are the searches of a seed. An arm with fewer designs than trials tries all
// of them.
func (r *run) jointCells(tasks []bench.Task, seed uint64) (cells []*bench.Cell) {
	for i := range tasks {
		t := &tasks[i]
		if t.Split != bench.Split(r.joint) || r.networks != nil && !slices.Contains(r.networks, t.Family) {
			continue
		}
		cells = append(cells, &bench.Cell{
			Suite: "joint", Task: t, Lane: bench.KnownArea, By: bench.Contender{Label: r.strategies[0], Name: r.strategies[0]},
			Seed: seed, Trials: trialsOf(t.Spec, r.trials), Batch: 1,
		})
	}
	return cells
}

func trialsOf(s *events.Spec, most int) int {
	sp, err := s.Space()
	if err != nil || sp.Size() > uint64(most) {
		return most
	}
	return int(sp.Size())
}

// jointVolumes are the hypervolumes of the searches of a task's arm, by seed, in those that
// the baseline dominates.
func (p *pair) jointVolumes(r *run, arm string) (map[uint64]float64, *ready, error) {
	t, err := p.open(arm)
	if err != nil {
		return nil, nil, err
	}
	reference := []float64{baselineTimes * t.base.metric, -p.accuracy}
	unit := pareto.Hypervolume([][]float64{{t.base.metric, -t.base.accuracy}}, reference)
	want, found, seen := trialsOf(t.Spec, r.trials), map[uint64][][]float64{}, map[uint64]int{}
	out := map[uint64]float64{}
	if _, err := os.Stat(r.data); err != nil {
		return out, t, nil
	}
	for row, err := range archiver.Scan(os.DirFS(r.data), archiver.Query{AllRuns: true}) {
		if err != nil {
			return nil, nil, fmt.Errorf("read the log %s: %w", r.data, err)
		}
		spec := row.Columns.Spec
		if spec == nil || spec.Labels["task"] != t.Name || spec.Labels["algorithm"] != r.strategies[0] || spec.Budget.Trials != want {
			continue
		}
		if seen[spec.Seed]++; row.Feasible {
			found[spec.Seed] = append(found[spec.Seed], []float64{row.Metric(p.metric), -row.Metric(accuracyMetric)})
		}
	}
	for seed, n := range seen {
		if n == want {
			out[seed] = pareto.Hypervolume(found[seed], reference) / unit
		}
	}
	return out, t, nil
}

const (
	jointBegin = "<!-- joint: written by make results-joint -->\n"
	jointEnd   = "<!-- joint: end -->\n"
)

// writeJoint replaces the table of the page.
func (r *run) writeJoint() error {
	spent, err := r.spentBefore()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "\n%d trials a search, strategy `%s`, at most %d seeds, %.2f hours of processor time in all.\n\n", r.trials, r.strategies[0], r.seeds, spent/3600)
	out.WriteString("| task | minimised, its reference | accuracy, its reference | joint | chip only | network only | joint over the better | seeds that it leads |\n|---|---|---|--:|--:|--:|--:|--:|\n")
	for _, p := range pairs() {
		if p.split != bench.Split(r.joint) {
			continue
		}
		var by [3]map[uint64]float64
		var t *ready
		for i, arm := range arms() {
			if by[i], t, err = p.jointVolumes(r, arm); err != nil {
				return err
			}
		}
		var values [3][]float64
		var lead []float64
		ahead := 0
		for _, seed := range slices.Sorted(maps.Keys(by[0])) {
			v := by[0][seed]
			chip, ok := by[1][seed]
			network, also := by[2][seed]
			if !ok || !also {
				continue
			}
			for i, x := range []float64{v, chip, network} {
				values[i] = append(values[i], x)
			}
			lead = append(lead, v/max(chip, network))
			if v > max(chip, network) {
				ahead++
			}
		}
		metric := t.Spec.Metrics[t.Spec.MetricIndex(p.metric)]
		fmt.Fprintf(&out, "| %s | %s, %s | %.4g %% |", p.title, p.short(), cli.Quantity(baselineTimes*t.base.metric, metric.Unit), p.accuracy)
		for _, v := range append(values[:], lead) {
			i := stats.MedianInterval(v)
			if math.IsNaN(i.Low) {
				fmt.Fprintf(&out, " %.3f |", i.Value)
				continue
			}
			fmt.Fprintf(&out, " %.3f [%.3f, %.3f] |", i.Value, i.Low, i.High)
		}
		fmt.Fprintf(&out, " %d of %d |\n", ahead, len(lead))
	}
	return replaceBetween(r.page, jointBegin, jointEnd, out.Bytes())
}
