package validate

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"

	"apollo/evaluator/edge"
	"apollo/evaluator/frame"
	"apollo/evaluator/gemmini"
	"apollo/evaluator/workload"
)

// Constants that were set from rows are set again without each row, and the row is
// compared with what they then say: the error that a row which nobody saw would have.

// candidate is a choice of constants and what it says for each row.
type candidate struct {
	name string
	ours []float64
}

// withoutTheRow chooses the candidate of the least loss on the other rows, for each
// row, and returns its relative errors there and a line for each.
func withoutTheRow(theirs []float64, list []candidate, loss func(errors []float64) float64) (all []float64, details []string) {
	off := func(c *candidate, i int) float64 { return math.Abs(c.ours[i]/theirs[i] - 1) }
	for i := range theirs {
		best, least := 0, math.Inf(1)
		for at := range list {
			var others []float64
			for j := range theirs {
				if j != i {
					others = append(others, off(&list[at], j))
				}
			}
			if l := loss(others); l < least {
				best, least = at, l
			}
		}
		c := &list[best]
		all = append(all, off(c, i))
		details = append(details, fmt.Sprintf("theirs %g, ours %.4g, error %+.1f %% with %s", theirs[i], c.ours[i], 100*(c.ours[i]/theirs[i]-1), c.name))
	}
	return all, details
}

// refitRow is the median error, with the worst in its details.
func refitRow(metric string, all []float64, details []string) Row {
	middle := median(all)
	r := noted(metric, "share", slices.Max(all), middle, middle)
	r.Misses = details
	return r
}

// issueWithoutTheRow sets coralIssuePercent by its rule, the least worst error,
// without each row. One row cannot be left out.
func issueWithoutTheRow(rows []coralRow) ([]Row, error) {
	if len(rows) < 2 {
		return nil, nil
	}
	var theirs []float64
	for i := range rows {
		theirs = append(theirs, rows[i].theirs)
	}
	var list []candidate
	k := edge.Coral()
	for k.IssuePercent = 300; k.IssuePercent <= 420; k.IssuePercent++ {
		c := candidate{name: strconv.FormatInt(k.IssuePercent, 10)}
		for i := range rows {
			e, err := k.Estimate(rows[i].w)
			if err != nil {
				return nil, err
			}
			c.ours = append(c.ours, float64(e.OnChipCycles))
		}
		list = append(list, c)
	}
	all, details := withoutTheRow(theirs, list, slices.Max[[]float64])
	return []Row{refitRow("cycles, coralIssuePercent without the row, median (theirs: worst)", all, details)}, nil
}

// hostWithoutTheRow sets coralStreamRate and coralHostMicros to the least mean error
// without each row.
func hostWithoutTheRow(rows []coralRow) ([]Row, error) {
	if len(rows) < 3 {
		return nil, nil
	}
	const millis = 1e3
	var theirs []float64
	for i := range rows {
		theirs = append(theirs, rows[i].theirs)
	}
	var list []candidate
	k := edge.Coral()
	for k.StreamRate = 200e6; k.StreamRate <= 800e6; k.StreamRate += 20e6 {
		for k.HostMicros = 200; k.HostMicros <= 2000; k.HostMicros += 100 {
			c := candidate{name: fmt.Sprintf("%d MB/s and %d us", k.StreamRate/1e6, k.HostMicros)}
			for i := range rows {
				e, err := k.Estimate(rows[i].w)
				if err != nil {
					return nil, err
				}
				c.ours = append(c.ours, e.LatencySeconds*millis)
			}
			list = append(list, c)
		}
	}
	all, details := withoutTheRow(theirs, list, mean)
	return []Row{refitRow("latency, coralStreamRate and coralHostMicros without the row, median (theirs: worst)", all, details)}, nil
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x
	}
	return sum / float64(len(list))
}

// entriesRow is a network of the landscape: what is published of it.
type entriesRow struct {
	name            string
	w               *workload.Workload
	share, overMean float64
}

// entriesWithoutTheNetwork sets the entries of a program without each network, to
// the least mean of both judged differences, each over its tolerance, and says how
// far the network's share of infeasible designs then is off.
func entriesWithoutTheNetwork(rows []entriesRow) ([]Row, error) {
	if len(rows) < 3 {
		return nil, nil
	}
	const draws, shareTolerance, factorTolerance = 2000, 0.10, 1.7
	type entries struct{ tile, pe int64 }
	var names []entries
	var loss, off [][]float64 // by choice and network
	for _, tile := range []int64{8, 12, 16, 24, 32} {
		for _, pe := range []int64{1, 2, 4} {
			s := edge.Spec()
			declare := s.Declare
			s.Declare = func() frame.Constants {
				k := declare()
				for _, c := range k.Rows() {
					switch at, whole := c.At.(*int64); {
					case whole && c.Name == "tile_entries":
						*at = tile
					case whole && c.Name == "pe_entries":
						*at = pe
					}
				}
				return k
			}
			var l, o []float64
			for i := range rows {
				r := &rows[i]
				x, err := s.Landscape(r.w, draws, landscapeSeed)
				if err != nil {
					return nil, err
				}
				share := float64(x.Infeasible)/float64(x.Draws) - r.share
				ratio := math.Abs(math.Log(x.MeanSeconds / x.MinSeconds / r.overMean))
				l, o = append(l, math.Abs(share)/shareTolerance+ratio/math.Log(factorTolerance)), append(o, share)
			}
			names, loss, off = append(names, entries{tile, pe}), append(loss, l), append(off, o)
		}
	}
	var all []float64
	var details []string
	for i := range rows {
		best, least := 0, math.Inf(1)
		for at := range names {
			if l := mean(slices.Delete(slices.Clone(loss[at]), i, i+1)); l < least {
				best, least = at, l
			}
		}
		all = append(all, math.Abs(off[best][i]))
		details = append(details, fmt.Sprintf("%s: infeasible share off by %+.3f with %d and %d", rows[i].name, off[best][i], names[best].tile, names[best].pe))
	}
	return []Row{refitRow("infeasible, tileEntries and peEntries without the network, median (theirs: worst)", all, details)}, nil
}

// gemminiWithoutTheChip fits Gemmini's six constants again without the rows of each
// chip, those of the other file included where it is there, and says how well they
// rank and time what was left out.
func gemminiWithoutTheChip(t *table, rows []gemminiRow) ([]Row, error) {
	const second = "gemmini_rtl_mappings.csv"
	all := slices.Clone(rows)
	switch others, err := readTable(t.folder, second); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("%s: %w", second, err)
	default:
		more, err := gemminiRows(others)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", second, err)
		}
		all = append(all, more...)
	}
	var chips []string
	for i := range all {
		if !slices.Contains(chips, all[i].chip) {
			chips = append(chips, all[i].chip)
		}
	}
	if len(chips) < 2 {
		return nil, nil
	}
	var here, elsewhere []gemminiRow // what was left out, with the time of the others' constants
	var details []string
	for _, chip := range chips {
		var kept, left []gemminiRow
		for i := range all {
			if all[i].chip == chip {
				left = append(left, all[i])
			} else {
				kept = append(kept, all[i])
			}
		}
		fit := refitGemmini(kept)
		for i := range left {
			left[i].ours = fit.Total(&left[i].counts)
		}
		if slices.ContainsFunc(rows, func(r gemminiRow) bool { return r.chip == chip }) {
			here = append(here, left...)
		} else {
			elsewhere = append(elsewhere, left...)
		}
		rank, off := compareCycles(left, ours)
		details = append(details, fmt.Sprintf("%s: %d rows, rank %.3f, mean error %.0f %%, with %.1f B a cycle, %.1f, %.2f, %.1f and %.0f cycles, %.0f %% exposed", chip,
			len(left), rank, 100*off, fit.BusBytes, fit.SwitchCycles, fit.InputRowCycles, fit.OutputRowCycles, fit.TileCycles, 100*fit.Exposed))
	}
	rank, off := compareCycles(here, ours)
	first := noted("cycles, six constants without the chip, Spearman", "rank", 1, rank, rank)
	first.Misses = details
	list := []Row{first, noted("cycles, six constants without the chip, mean error", "share", 0, off, off)}
	if len(elsewhere) > 0 {
		rank, off := compareCycles(elsewhere, ours)
		list = append(list, noted("cycles, six constants without "+second+", Spearman there", "rank", 1, rank, rank),
			noted("cycles, six constants without "+second+", mean error there", "share", 0, off, off))
	}
	return list, nil
}

// refitGemmini returns the constants with the least mean logarithmic error on rows.
func refitGemmini(rows []gemminiRow) gemmini.Fit {
	start := gemmini.Fitted()
	// Factors of the constants in the code, as logarithms: all stay positive.
	at := func(x []float64) gemmini.Fit {
		return gemmini.Fit{
			BusBytes: start.BusBytes * math.Exp(x[0]), SwitchCycles: start.SwitchCycles * math.Exp(x[1]), InputRowCycles: start.InputRowCycles * math.Exp(x[2]),
			OutputRowCycles: start.OutputRowCycles * math.Exp(x[3]), TileCycles: start.TileCycles * math.Exp(x[4]), Exposed: start.Exposed * math.Exp(x[5]),
		}
	}
	loss := func(x []float64) float64 {
		fit, sum := at(x), 0.0
		for i := range rows {
			sum += math.Abs(math.Log(fit.Total(&rows[i].counts) / rows[i].rtl))
		}
		return sum / float64(len(rows))
	}
	x := make([]float64, 6)
	for range 5 { // a simplex that has shrunk too early starts again
		x = minimize(loss, x, 600)
	}
	return at(x)
}
