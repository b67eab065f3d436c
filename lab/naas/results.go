package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"apollo/archiver"
	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/lab/bench"
)

// cost is what a design takes for a network, in s, J and Js.
type cost struct{ latency, energy, edp float64 }

// search names the searches of a comparison.
type search struct {
	task, strategy string
	trials         int
}

// results are the best designs of searches, by seed.
type results map[search]map[uint64]cost

func (r results) of(task, strategy string, trials int) map[uint64]cost {
	return r[search{task, strategy, trials}]
}

// modelVersion is that of the template spatial in this build.
func modelVersion() (string, error) {
	s, ok := template.Named("spatial")
	if !ok {
		return "", errors.New("there is no template spatial")
	}
	return s.Version, nil
}

// readResults reads the whole searches of a log that the present version of the template
// measured: gains over the chips' own designs are of one version.
func readResults(data string) (results, error) {
	out := results{}
	now, err := modelVersion()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(data); err != nil {
		return out, nil
	}
	type count struct {
		search
		seed uint64
	}
	seen, best := map[count]int{}, map[count]cost{}
	for row, err := range archiver.Scan(os.DirFS(data), archiver.Query{AllRuns: true}) {
		if err != nil {
			return nil, fmt.Errorf("read the log %s: %w", data, err)
		}
		spec := row.Columns.Spec
		if spec == nil {
			continue
		}
		if version, _, _ := strings.Cut(spec.Evaluator.Version, "-"); version != now {
			continue
		}
		at := count{search{spec.Labels["task"], spec.Labels["algorithm"], spec.Budget.Trials}, spec.Seed}
		seen[at]++
		c := cost{row.Metric(latencyMetric), row.Metric(energyMetric), row.Metric(edpMetric)}
		if before, ok := best[at]; row.Feasible && (!ok || c.edp < before.edp) {
			best[at] = c
		}
	}
	for at, c := range best {
		if seen[at] != at.trials {
			continue
		}
		if out[at.search] == nil {
			out[at.search] = map[uint64]cost{}
		}
		out[at.search][at.seed] = c
	}
	return out, nil
}

// measured returns what a chip's own design takes with the loops of a variant.
func measured(ctx context.Context, task *bench.Task) (cost, error) {
	r, err := task.Evaluator.Evaluate(ctx, evaluator.Request{Design: task.Baseline})
	if err != nil {
		return cost{}, err
	}
	if r.Outcome != evaluator.Measured {
		return cost{}, fmt.Errorf("%s: the chip's own design is %s: %s", task.Name, r.Outcome, r.Reason.Message)
	}
	return cost{
		r.Values[task.Spec.MetricIndex(latencyMetric)], r.Values[task.Spec.MetricIndex(energyMetric)], r.Values[task.Spec.MetricIndex(edpMetric)],
	}, nil
}
