package main

import (
	"fmt"
	"io"

	"apollo/events"
	"apollo/services/cli"
)

// estimateText is a value with its interval.
func estimateText(e *events.Estimate, unit string) string {
	return fmt.Sprintf("%s (95 %%: %s to %s)", cli.Quantity(e.Value, unit), cli.Quantity(e.Low, unit), cli.Quantity(e.High, unit))
}

// noiseText says what was learned of an evaluator whose answers differ.
func noiseText(w io.Writer, spec *events.Spec, best *events.BestTrial, r *events.NoiseReport) {
	metric := spec.Metrics[spec.MetricIndex(spec.Objectives[0].Metric)]
	if best != nil && best.Estimate != nil {
		fmt.Fprintf(w, "\nestimate  %s %s, measured %s\n", cli.Bare(metric.Name, metric.Unit), estimateText(best.Estimate, metric.Unit), times(best.Estimate.Measurements))
	}
	deviation := cli.Quantity(r.Deviation, metric.Unit)
	if r.Relative {
		deviation = fmt.Sprintf("%.2g %%", 100*r.Deviation)
	}
	fmt.Fprintf(w, "noise     one measurement deviates by %s; %s measured a design again\n", deviation, cli.Plural(r.Repeated, "trial"))
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning   %s\n", warning)
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return cli.Count(n) + " times"
}
