package validate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator/edge"
	"apollo/evaluator/workload"
)

// coralRow is a network on the Coral chip: a published number beside ours and
// beside the multiply-accumulates at the peak rate.
type coralRow struct {
	theirs, ours, macs float64
	w                  *workload.Workload
}

// noNetwork ends the name of a row whose network nobody here knows.
const noNetwork = ": no such network here"

// coralRows reads a reference of the Coral chip; of returns the published
// number and ours, and false for a row that the comparison leaves out. unknown
// names the rows whose network nobody here knows.
func coralRows(t *table, of func(*line, *workload.Workload, *edge.Estimate) (theirs, ours float64, ok bool)) (rows []coralRow, details, unknown []string, err error) {
	for i := range t.rows {
		l := t.line(i)
		name := l.text("model") + " " + l.text("input")
		if l.err != nil {
			return nil, nil, nil, l.err
		}
		w, err := network(t.folder, l.text("model"), l.text("input"))
		if _, missing := errors.AsType[errUnknown](err); missing {
			unknown = append(unknown, name+noNetwork)
			continue
		}
		if err != nil {
			return nil, nil, nil, t.bad(i, err)
		}
		e, err := edge.Coral().Estimate(w)
		if err != nil {
			return nil, nil, nil, t.bad(i, fmt.Errorf("network %s: %w", name, err))
		}
		theirs, ours, ok := of(l, w, &e)
		if l.err != nil {
			return nil, nil, nil, l.err
		}
		if !ok {
			continue
		}
		if !(theirs > 0) {
			return nil, nil, nil, t.bad(i, fmt.Errorf("the published number is %g", theirs))
		}
		rows = append(rows, coralRow{theirs, ours, float64(w.Totals().MACs) / float64(e.MACsPerCycle), w})
		details = append(details, fmt.Sprintf("%s: theirs %g, ours %.4g, error %+.1f %%", name, theirs, ours, 100*(ours/theirs-1)))
	}
	return rows, details, unknown, nil
}

// errorsOf returns the absolute relative errors.
func errorsOf(rows []coralRow, of func(*coralRow) float64) (all []float64, worst float64) {
	for i := range rows {
		e := math.Abs(of(&rows[i])/rows[i].theirs - 1)
		all, worst = append(all, e), max(worst, e)
	}
	return all, worst
}

func coralOurs(r *coralRow) float64 { return r.ours }

// byMACs predicts from the multiply-accumulates alone, with the factor that
// makes the median ratio 1: the best that one factor can do.
func byMACs(rows []coralRow) func(*coralRow) float64 {
	var ratios []float64
	for _, r := range rows {
		ratios = append(ratios, r.theirs/r.macs)
	}
	factor := median(ratios)
	return func(r *coralRow) float64 { return r.macs * factor }
}

// edgeTPUEstimates compares the estimates of the chip's own compiler.
func edgeTPUEstimates(t *table) ([]Row, error) {
	rows, details, unknown, err := coralRows(t, func(l *line, _ *workload.Workload, e *edge.Estimate) (float64, float64, bool) {
		return l.float("estimated_cycles"), float64(e.OnChipCycles), true
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	all, worst := errorsOf(rows, coralOurs)
	macs, macsWorst := errorsOf(rows, byMACs(rows))
	middle := atMost("cycles, median error (theirs: MACs x factor)", median(macs), median(all), 0.12)
	middle.Misses = slices.Concat(details, unknown)
	refitted, err := issueWithoutTheRow(rows)
	return append([]Row{middle, atMost("cycles, worst error (theirs: MACs x factor)", macsWorst, worst, 0.30)}, refitted...), err
}

// coralLatency compares measured latencies on the development board. Those of
// networks with operations on the host are compared with the chip's part alone.
func coralLatency(t *table) ([]Row, error) {
	const millis = 1e3
	of := func(l *line, _ *workload.Workload, e *edge.Estimate) (float64, float64, bool) {
		if l.text("devboard_ms") == "" {
			return 0, 0, false
		}
		return l.float("devboard_ms"), e.LatencySeconds * millis, true
	}
	rows, details, unknown, err := coralRows(t, of)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var out []string
	for i := range t.rows {
		l := t.line(i)
		name := l.text("model") + " " + l.text("input")
		switch {
		case l.text("devboard_ms") == "":
			out = append(out, name+": no time on the development board")
		case slices.Contains(unknown, name+noNetwork):
			out = append(out, name+noNetwork)
		}
	}
	all, worst := errorsOf(rows, coralOurs)
	macs, _ := errorsOf(rows, byMACs(rows))
	middle := atMost("latency, median error (theirs: MACs x factor)", median(macs), median(all), 0.15)
	middle.Misses = slices.Concat(details, unknown)
	refitted, err := hostWithoutTheRow(rows)
	judged := []Row{middle, noted("latency, worst error", "share", 0, worst, worst)}
	return slices.Concat(judged, refitted, omitted(len(t.rows), len(out), out)), err
}
