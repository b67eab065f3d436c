package validate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"apollo/evaluator/gemmini"
	"apollo/evaluator/model"
	"apollo/internal/correlation"
)

// gemminiRow is a row of Gemmini's RTL simulations: the layer and the mapping
// that was run, the time, and what the tool and the peak rate say.
type gemminiRow struct {
	rtl, ours, tool, peak float64
	name                  string
	// chip names the array and its memories, counts is what costs time.
	chip   string
	counts gemmini.Counts
}

func gemminiRows(t *table) ([]gemminiRow, error) {
	var rows []gemminiRow
	for i := range t.rows {
		l := t.line(i)
		p, tiling, err := gemminiNest(l)
		if err != nil {
			return nil, err
		}
		chip := gemmini.Chip{Dim: l.size("arch.meshX")}
		r := gemminiRow{rtl: l.float("target.gemmini_cycle"), tool: l.float("target.cycle"), name: fmt.Sprintf("row %d, %s", i+1, l.text("mapping.mapping"))}
		r.ours, r.counts = float64(chip.Time(&p, &tiling).Total), chip.Counts(&p, &tiling)
		r.chip = fmt.Sprintf("%d x %d with %s and %s entries", chip.Dim, chip.Dim, l.text("arch.mem1_entries"), l.text("arch.mem2_entries"))
		r.peak = float64(p.MACs()) / float64(chip.Dim*chip.Dim)
		if l.err == nil && !(r.rtl > 0) {
			l.fail(fmt.Errorf("the RTL's time is %g cycles", r.rtl))
		}
		if l.err != nil {
			return nil, l.err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// gemminiNest reads the layer and the mapping, such as "L3[WIO] K6 - L2[WI] N1
// K16X - L1[O] K8 C16X - L0[W] P32": factors outermost first, X spatial.
func gemminiNest(l *line) (model.Problem, gemmini.Tiling, error) {
	p := newNest(1).problem
	for d := range model.Dims {
		if d != model.G {
			p.Bound[d] = l.size("prob." + d.String())
		}
	}
	p.Stride = [2]int64{l.size("prob.Hstride"), l.size("prob.Wstride")}
	p.Dilation = [2]int64{l.size("prob.Hdilation"), l.size("prob.Wdilation")}
	t := gemmini.Tiling{Blocks: 1}
	for d := range model.Dims {
		t.Outer[d], t.Tile[d] = 1, 1
	}
	for level := range strings.SplitSeq(l.text("mapping.mapping"), " - ") {
		for f := range strings.FieldsSeq(level) {
			if strings.HasPrefix(f, "L") {
				continue
			}
			d, n, spatial, err := gemminiFactor(f)
			switch {
			case err != nil:
				l.fail(err)
			case strings.HasPrefix(level, "L3"):
				t.Outer[d] *= n
			default:
				t.Tile[d] *= n
				if !spatial && d != model.N && d != model.P && d != model.Q {
					t.Blocks *= n
				}
			}
		}
	}
	for d := range model.Dims {
		if t.Outer[d]*t.Tile[d] != p.Bound[d] {
			l.fail(fmt.Errorf("the mapping covers %d of %d of dimension %s", t.Outer[d]*t.Tile[d], p.Bound[d], d))
		}
	}
	return p, t, l.err
}

func gemminiFactor(f string) (d model.Dim, n int64, spatial bool, err error) {
	if d, err = dimNamed(f[:1]); err != nil {
		return d, 1, false, err
	}
	number, spatial := strings.CutSuffix(f[1:], "X")
	n, err = strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > maxFactor {
		return d, 1, false, fmt.Errorf("factor %q: want a letter and a number from 1 to 2^24", f)
	}
	return d, n, spatial, nil
}

// compareCycles ranks and measures predictions against a measurement.
func compareCycles(rows []gemminiRow, of func(*gemminiRow) float64) (spearman, meanError float64) {
	var x, y []float64
	for i := range rows {
		x, y = append(x, of(&rows[i])), append(y, rows[i].rtl)
		meanError += math.Abs(of(&rows[i])/rows[i].rtl - 1)
	}
	return correlation.Spearman(x, y), meanError / float64(max(len(rows), 1))
}

// ranked is a row that judges a rank correlation; theirs is that of the
// tool that the reference compares with.
func ranked(metric string, theirs, ours, least float64) Row {
	r := Row{Metric: metric, Theirs: theirs, Ours: ours, Unit: "rank", Error: ours, Tolerance: fmt.Sprintf(">= %g", least), Verdict: Pass}
	if !(ours >= least) {
		r.Verdict = Fail
	}
	return r
}

// atMost is a row that judges a mean error.
func atMost(metric string, theirs, ours, most float64) Row {
	r := Row{Metric: metric, Theirs: theirs, Ours: ours, Unit: "share", Error: ours, Tolerance: fmt.Sprintf("<= %g %%", 100*most), Verdict: Pass}
	if !(ours <= most) {
		r.Verdict = Fail
	}
	return r
}

func ours(r *gemminiRow) float64   { return r.ours }
func tools(r *gemminiRow) float64  { return r.tool }
func byPeak(r *gemminiRow) float64 { return r.peak }

// gemminiRTL compares good mappings; theirs is Timeloop's prediction.
func gemminiRTL(t *table) ([]Row, error) {
	rows, err := gemminiRows(t)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	rank, mean := compareCycles(rows, ours)
	toolRank, toolMean := compareCycles(rows, tools)
	peakRank, peakMean := compareCycles(rows, byPeak)
	refitted, err := gemminiWithoutTheChip(t, rows)
	if err != nil {
		return nil, err
	}
	return append([]Row{
		ranked("cycles, Spearman (theirs: Timeloop)", toolRank, rank, 0.97),
		atMost("cycles, mean error (theirs: Timeloop)", toolMean, mean, 0.26),
		noted("MACs/PEs alone, Spearman", "rank", toolRank, peakRank, peakRank),
		noted("MACs/PEs alone, mean error", "share", toolMean, peakMean, peakMean),
	}, refitted...), nil
}

// gemminiMappings compares mostly poor mappings. The tool's column repeats the
// RTL's there, so the peak rate stands beside ours.
func gemminiMappings(t *table) ([]Row, error) {
	rows, err := gemminiRows(t)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	rank, mean := compareCycles(rows, ours)
	peakRank, peakMean := compareCycles(rows, byPeak)
	return []Row{
		ranked("cycles, Spearman (theirs: MACs/PEs)", peakRank, rank, 0.90),
		noted("cycles, mean error (theirs: MACs/PEs)", "share", peakMean, mean, mean),
	}, nil
}
