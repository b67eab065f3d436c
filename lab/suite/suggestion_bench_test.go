package suite

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer"
)

// BenchmarkSuggestion reports the CPU time of a suggestion of the default strategy at 100
// trials: the median of trials 91 to 110, and their mean, with the fits that fall due.
// Objectives are the latency of MobileNetV2, and its energy; the area is at most 1.2 times
// the baseline's. `make long` runs it.
func BenchmarkSuggestion(b *testing.B) {
	const first, last = 91, 110
	network := networks()[0]
	for _, t := range template.All() {
		for _, objectives := range []string{"one", "two"} {
			b.Run(fmt.Sprintf("%s/%s", t.Name, objectives), func(b *testing.B) {
				tm := t.Template()
				spec, ev, err := network.onTemplate(&tm)
				if err != nil {
					b.Fatal(err)
				}
				base, err := ev.Evaluate(context.Background(), evaluator.Request{Design: tm.Baseline})
				if err != nil || base.Outcome != evaluator.Measured {
					b.Fatal(base.Reason, err)
				}
				spec.Objectives = []events.Objective{{Metric: "latency_s", Goal: "minimize"}}
				if objectives == "two" {
					spec.Objectives = append(spec.Objectives, events.Objective{Metric: "energy_j", Goal: "minimize"})
				}
				spec.Constraints = []events.Constraint{atMost("area_mm2", 1.2*base.Values[spec.MetricIndex("area_mm2")])}
				task := bench.Task{Name: tm.Name, Spec: spec, Evaluator: ev, Features: tm.Features, Baseline: tm.Baseline}
				var cpu []float64
				for seed := range b.N {
					cell := bench.Cell{Task: &task, Lane: bench.KnownArea, By: bench.Contender{Name: "default"}, Seed: uint64(seed + 1), Trials: last, Batch: 1}
					job := bench.Job{Task: tm.Name, Lane: bench.KnownArea, Run: "00000001", Spec: cell.Spec("x"), Contender: cell.By}
					number := 0
					if err := bench.Search(context.Background(), &job, &task, optimizer.GP{}, func(done *bench.Batch) error {
						if number++; number >= first {
							cpu = append(cpu, 1e3*done.Evaluated.Trials[0].Extra["suggest_cpu_s"])
						}
						return nil
					}); err != nil {
						b.Fatal(err)
					}
				}
				slices.Sort(cpu)
				var mean float64
				for _, ms := range cpu {
					mean += ms / float64(len(cpu))
				}
				b.ReportMetric(cpu[len(cpu)/2], "median-ms")
				b.ReportMetric(mean, "mean-ms")
			})
		}
	}
}
