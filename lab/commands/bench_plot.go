package commands

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"apollo/lab/bench"
	"apollo/services/cli"
	"apollo/services/draw"
)

// plotFloor is the least regret that figures tell from none.
const plotFloor = 1e-4

// plots are the figures of a lane: regret over trials, and the share of
// searches that came close.
func plots(r *bench.Report, l *bench.LaneReport) [][]draw.Plot {
	regret := draw.Plot{
		Title: "Median regret", X: "trials", Y: "regret", Log: true, Floor: plotFloor,
	}
	const mostBands = 4 // more hide each other
	profiles := map[float64]*draw.Plot{}
	var order []float64
	var banded []string
	for i, a := range l.Algorithms {
		line := draw.Line{Name: a.Algorithm, Y: curveOf(a.Regret)}
		if i == 0 || a.Algorithm == r.Reference || len(l.Algorithms) <= mostBands {
			line.Low, line.High = curveOf(a.Quartile1), curveOf(a.Quartile3)
			banded = append(banded, a.Algorithm)
		}
		regret.Lines = append(regret.Lines, line)
		for _, w := range a.Within {
			if profiles[w.Regret] == nil {
				profiles[w.Regret] = &draw.Plot{
					Title: fmt.Sprintf("Searches within %.0f %% of the best known design", 100*w.Regret), X: "trials", Y: "share",
				}
				order = append(order, w.Regret)
			}
			profiles[w.Regret].Lines = append(profiles[w.Regret].Lines, draw.Line{Name: a.Algorithm, Y: w.Profile})
		}
	}
	regret.Title += "; band: quartiles"
	if len(banded) < len(l.Algorithms) {
		regret.Title += " of " + strings.Join(banded, ", ")
	}
	all := []draw.Plot{regret}
	for _, tolerance := range order {
		all = append(all, *profiles[tolerance])
	}
	if len(all) <= 2 {
		return [][]draw.Plot{all}
	}
	return [][]draw.Plot{all[:2], all[2:]}
}

// taskPlots are the regrets of every task, some in a row.
func taskPlots(l *bench.LaneReport) [][]draw.Plot {
	const inRow = 3
	var rows [][]draw.Plot
	for i, t := range l.Tasks {
		p := draw.Plot{Title: t.Task, X: "trials", Y: "regret", Log: true, Floor: plotFloor}
		for _, a := range t.Algorithms {
			p.Lines = append(p.Lines, draw.Line{Name: a.Algorithm, Y: curveOf(a.Regret)})
		}
		if i%inRow == 0 {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], p)
	}
	return rows
}

// pairChart compares the tasks of a suite of transfer one by one, with and
// without sources; nil where nothing was run without.
func pairChart(r *bench.Report, l *bench.LaneReport) *draw.PairChart {
	if !strings.HasSuffix(r.Reference, withoutSources) || len(l.Algorithms) == 0 || l.Algorithms[0].Algorithm == r.Reference {
		return nil
	}
	const most = 3 // columns
	shown := shownMarks(l)
	shown = shown[max(0, len(shown)-most):]
	c := &draw.PairChart{
		Title: plotTitle(r, l) + ": median regret of each", Before: r.Reference, After: l.Algorithms[0].Algorithm, Floor: plotFloor,
	}
	for _, n := range shown {
		c.Columns = append(c.Columns, cli.Count(n)+" trials")
	}
	for _, t := range l.Tasks {
		c.Pairs = append(c.Pairs, draw.Pair{Name: t.Task, Before: regretAt(&t, c.Before, shown), After: regretAt(&t, c.After, shown)})
	}
	return c
}

// regretAt are an algorithm's median regrets on a task after some numbers of
// trials; NaN where it has none.
func regretAt(t *bench.TaskReport, algorithm string, trials []int) []float64 {
	out := slices.Repeat([]float64{math.NaN()}, len(trials))
	for _, a := range t.Algorithms {
		for k, n := range trials {
			if a.Algorithm == algorithm && n <= len(a.Regret) {
				out[k] = curveOf(a.Regret[n-1 : n])[0]
			}
		}
	}
	return out
}

// curveOf puts NaN where a report has no number.
func curveOf(values []*float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = math.NaN()
		if v != nil {
			out[i] = *v
		}
	}
	return out
}

func plotTitle(r *bench.Report, l *bench.LaneReport) string {
	what := l.Tasks[0].Task
	if len(l.Tasks) > 1 {
		what = fmt.Sprintf("%d tasks (%s)", len(l.Tasks), r.Split)
	}
	return fmt.Sprintf("%s, %s, lane %s, %d seeds", r.Suite, what, l.Lane, len(r.Seeds))
}

// drawReport draws all lanes into one picture.
func drawReport(r *bench.Report) func(io.Writer, string) error {
	return func(w io.Writer, format string) error {
		if len(r.Lanes) > 1 {
			return cli.Usagef("a picture shows one lane: choose one with --lane, or write all of them with --svg FOLDER")
		}
		return draw.Plots(w, format, plotTitle(r, &r.Lanes[0]), plots(r, &r.Lanes[0]))
	}
}

// writeFigures writes the figures of every lane into a folder.
func writeFigures(folder string, r *bench.Report) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("write figures: %w", err)
	}
	var written []string
	write := func(name string, picture func(w io.Writer, format string) error) error {
		var b bytes.Buffer
		if err := picture(&b, "svg"); err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		path := filepath.Join(folder, name)
		written = append(written, path)
		return os.WriteFile(path, b.Bytes(), 0o644)
	}
	rows := func(title string, rows [][]draw.Plot) func(io.Writer, string) error {
		return func(w io.Writer, format string) error { return draw.Plots(w, format, title, rows) }
	}
	for i := range r.Lanes {
		l := &r.Lanes[i]
		base := fmt.Sprintf("%s-%s", r.Suite, l.Lane)
		if err := write(base+".svg", rows(plotTitle(r, l), plots(r, l))); err != nil {
			return written, err
		}
		if len(l.Tasks) > 1 {
			if err := write(base+"-tasks.svg", rows(plotTitle(r, l)+": median regret", taskPlots(l))); err != nil {
				return written, err
			}
		}
		if c := pairChart(r, l); c != nil {
			if err := write(base+"-pairs.svg", c.Draw); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}
