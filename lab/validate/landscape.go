package validate

import (
	"fmt"
	"math"
	"slices"

	"apollo/evaluator/edge"
	"apollo/evaluator/workload"
)

// The published statistics are compared with this many uniform draws at this
// seed.
const (
	landscapeDraws = 100_000
	landscapeSeed  = 1
)

// primeLandscape compares the shape of the landscape for the published
// networks; rows of networks that nobody outside knows are left out.
func primeLandscape(t *table) ([]Row, error) {
	var rows []Row
	var out []string
	var public []entriesRow
	for i := range t.rows {
		l := t.line(i)
		name := l.text("network")
		if l.err != nil {
			return nil, l.err
		}
		w := publicNetwork(name)
		if w == nil {
			out = append(out, name+": the network is not published")
			continue
		}
		infeasible, least := l.float("infeasible_share"), l.above("runtime_min")
		mean, most := l.above("mean_over_min"), l.above("max_over_min")
		if l.err != nil {
			return nil, l.err
		}
		ours, err := edge.Spec().Landscape(w, landscapeDraws, landscapeSeed)
		if err != nil {
			return nil, err
		}
		public = append(public, entriesRow{name, w, infeasible, mean})
		share := float64(ours.Infeasible) / float64(ours.Draws)
		const micros = 1e6
		rows = append(rows,
			difference(name+" infeasible", infeasible, share, 0.10),
			factor(name+" minimum", "us", least, ours.MinSeconds*micros),
			factor(name+" mean / minimum", "ratio", mean, ours.MeanSeconds/ours.MinSeconds),
			noted(name+" maximum / minimum", "ratio", most, ours.MaxSeconds/ours.MinSeconds,
				ours.MaxSeconds/ours.MinSeconds/most-1),
		)
	}
	refitted, err := entriesWithoutTheNetwork(public)
	return slices.Concat(rows, refitted, omitted(len(t.rows), len(out), out)), err
}

// publicNetwork returns the built-in network that the reference names, nil for
// one that is not published.
func publicNetwork(name string) *workload.Workload {
	for _, n := range workload.Names() {
		// The reference means the large one of the third generation.
		if bare(n) == bare(name) || bare(n) == bare(name)+"large" {
			if w, err := workload.Builtin(n); err == nil {
				return w
			}
		}
	}
	return nil
}

// difference judges two shares by their difference.
func difference(metric string, theirs, ours, most float64) Row {
	r := Row{Metric: metric, Theirs: theirs, Ours: ours, Unit: "share", Error: ours - theirs, Verdict: Pass}
	r.Tolerance = fmt.Sprintf("within %g", most)
	if !(math.Abs(r.Error) <= most) {
		r.Verdict = Fail
	}
	return r
}

// landscapeFactor is how far published and own runtimes may be apart.
const landscapeFactor = 1.7

func factor(metric, unit string, theirs, ours float64) Row {
	r := Row{Metric: metric, Theirs: theirs, Ours: ours, Unit: unit, Error: ours/theirs - 1, Verdict: Pass}
	r.Tolerance = fmt.Sprintf("within a factor %g", landscapeFactor)
	if !(ours <= theirs*landscapeFactor && ours >= theirs/landscapeFactor) {
		r.Verdict = Fail
	}
	return r
}
