package commands

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"apollo/lab/bench"
	"apollo/lab/stats"
	"apollo/services/cli"
)

// writeMarkdown replaces what stands between the marks of each lane of a report
// in a document:
//
//	<!-- bench: SUITE LANE -->
//	…
//	<!-- bench: end -->
func writeMarkdown(path string, r *bench.Report) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write tables: %w", err)
	}
	for i := range r.Lanes {
		l := &r.Lanes[i]
		mark := fmt.Sprintf("<!-- bench: %s %s -->\n", r.Suite, l.Lane)
		before, rest, ok := bytes.Cut(text, []byte(mark))
		_, after, ended := bytes.Cut(rest, []byte("<!-- bench: end -->"))
		if !ok || !ended {
			return fmt.Errorf("write tables: %s has no part between %q and %q", path, strings.TrimSpace(mark), "<!-- bench: end -->")
		}
		text = slices.Concat(before, []byte(mark), []byte(markdown(r, l)), []byte("<!-- bench: end -->"), after)
	}
	return os.WriteFile(path, text, 0o644)
}

// markdown is the comparison in one lane as tables.
func markdown(r *bench.Report, l *bench.LaneReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nSuite `%s`, lane `%s`: %d tasks (split: %s), %d paired seeds (%s), %d trials, batch %d, build `%s`. %s.\n\n",
		r.Suite, l.Lane, len(l.Tasks), r.Split, len(r.Seeds), seedText(r.Seeds), r.Trials, r.Batch, strings.Join(r.Builds, "`, `"),
		capital(r.Defaults))
	summaryTable(&b, r, l)
	taskTable(&b, l)
	if strings.HasSuffix(r.Reference, withoutSources) {
		changeTable(&b, r, l)
	}
	for _, t := range r.Twins {
		fmt.Fprintf(&b, "Left out: %s.\n\n", t)
	}
	if slices.ContainsFunc(l.Tasks, func(t bench.TaskReport) bool { return t.Baseline != nil }) {
		baselineTable(&b, l)
	}
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// seedText is "1 to 10", or the seeds one by one.
func seedText(seeds []uint64) string {
	if n := len(seeds); n > 2 && seeds[n-1]-seeds[0] == uint64(n-1) {
		return fmt.Sprintf("%d to %d", seeds[0], seeds[n-1])
	}
	var all []string
	for _, s := range seeds {
		all = append(all, strconv.FormatUint(s, 10))
	}
	return strings.Join(all, ", ")
}

func row(b *strings.Builder, cells ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }

// head writes a header; columns after the first are aligned to the right.
func head(b *strings.Builder, cells ...string) {
	row(b, cells...)
	rule := slices.Repeat([]string{"--:"}, len(cells))
	rule[0] = "---"
	row(b, rule...)
}

func summaryTable(b *strings.Builder, r *bench.Report, l *bench.LaneReport) {
	shown := shownMarks(l)
	cells := []string{"algorithm"}
	for _, n := range shown {
		cells = append(cells, fmt.Sprintf("regret at %d", n))
	}
	cells = append(cells, "mean rank", "trials saved", "wins", "within 10 %", "3 %", "1 %", "feasible", "CPU per suggestion")
	head(b, cells...)
	for i := range l.Algorithms {
		a := &l.Algorithms[i]
		cells := []string{"`" + a.Algorithm + "`"}
		if !a.Scored {
			cells = append(cells, slices.Repeat([]string{"not scored"}, len(shown)+6)...)
			row(b, append(cells, cli.Percent(a.FeasibleShare), cpuText(a.CPU.Median))...)
			continue
		}
		var last bench.Mark
		for _, m := range a.Marks {
			last = m
			if slices.Contains(shown, m.Trials) {
				cells = append(cells, percentOf(m.Regret.Value)+rangeText(m.Regret, percentOf))
			}
		}
		cells = append(cells, rankText(last.Rank.Value)+rangeText(last.Rank, rankText), savedText(a.LogEfficiency, a.Censored), winsText(a))
		for _, w := range a.Within {
			cells = append(cells, percentOf(w.Share.Value))
		}
		row(b, append(cells, cli.Percent(a.FeasibleShare), cpuText(a.CPU.Median))...)
	}
	fmt.Fprintf(b, "\nIn brackets: %.0f %% bootstrap intervals over seeds. Trials saved and wins are against `%s`; ~ where nothing can be claimed.\n\n",
		100*r.Confidence, r.Reference)
}

func rankText(v *float64) string { return strconv.FormatFloat(value(v), 'f', 2, 64) }

func rangeText(f bench.Figure, text func(*float64) string) string {
	if f.Low == nil || f.High == nil {
		return ""
	}
	return " [" + strings.TrimSuffix(text(f.Low), " %") + ", " + strings.TrimSuffix(text(f.High), " %") + "]"
}

// taskTable has the median regret of every task at the end.
func taskTable(b *strings.Builder, l *bench.LaneReport) {
	cells := []string{"task", "split", "known best"}
	for _, a := range l.Algorithms {
		cells = append(cells, "`"+a.Algorithm+"`")
	}
	head(b, cells...)
	for _, t := range l.Tasks {
		cells := []string{t.Task, string(t.Split), "-"}
		if t.Best != nil {
			cells[2] = cli.Quantity(*t.Best, t.Unit)
		}
		for _, a := range l.Algorithms {
			i := slices.IndexFunc(t.Algorithms, func(x bench.TaskResult) bool { return x.Algorithm == a.Algorithm })
			if i < 0 {
				cells = append(cells, "-")
				continue
			}
			regret := t.Algorithms[i].Regret
			cells = append(cells, percentOf(regret[len(regret)-1]))
		}
		row(b, cells...)
	}
	b.WriteString("\nMedian regret at the end, task by task.\n\n")
}

// changeTable has what sources change, task by task: the median best value
// against that of the reference, and the trial that is as good as the reference's last.
func changeTable(b *strings.Builder, r *bench.Report, l *bench.LaneReport) {
	shown := shownMarks(l)
	cells := []string{"task", "algorithm"}
	for _, n := range shown {
		cells = append(cells, fmt.Sprintf("change at %d", n))
	}
	head(b, append(cells, "as good after")...)
	var reached []float64
	for _, t := range l.Tasks {
		for _, a := range t.Algorithms {
			if a.Algorithm == r.Reference || len(a.Marks) == 0 {
				continue
			}
			cells := []string{t.Task, "`" + a.Algorithm + "`"}
			for _, m := range a.Marks {
				if slices.Contains(shown, m.Trials) {
					cells = append(cells, changeText(m.Change))
				}
			}
			after, text := math.Inf(1), "not"
			if a.Reaches != nil {
				after, text = *a.Reaches, cli.Count(int(*a.Reaches))
			}
			reached = append(reached, after)
			row(b, append(cells, text)...)
		}
	}
	text := "not"
	if v := stats.Median(reached); !math.IsInf(v, 0) {
		text = strconv.FormatFloat(v, 'g', -1, 64)
	}
	fmt.Fprintf(b, "\nChange of the median best value against `%s`, seeds paired, and %.0f %% interval (~ where it holds 0); the trial at which the "+
		"median is what `%s` reaches in %s (median of the rows: %s).\n\n", r.Reference, 100*r.Confidence, r.Reference, cli.Count(r.Trials), text)
	if g := harmGrid(r, l); g != nil {
		head(b, "algorithm", "trials", "tasks", "worse", "may be", "largest upper end", "task")
		for _, cells := range g.Rows {
			row(b, cells...)
		}
		fmt.Fprintf(b, "\n%s\n\n", strings.ReplaceAll(harmNote(r), "\n", " "))
	}
}

// baselineTable has the speed-up of what was found over the baseline design.
func baselineTable(b *strings.Builder, l *bench.LaneReport) {
	cells := []string{"task", "baseline", "keeps the budget", "optimum"}
	for _, a := range l.Algorithms {
		cells = append(cells, "`"+a.Algorithm+"`")
	}
	head(b, cells...)
	for _, t := range l.Tasks {
		if t.Baseline == nil || t.Best == nil {
			continue
		}
		keeps := "no"
		if t.BaselineFeasible {
			keeps = "yes"
		}
		cells := []string{t.Task, cli.Quantity(*t.Baseline, t.Unit), keeps, speedup(*t.Baseline, *t.Best)}
		for _, a := range l.Algorithms {
			i := slices.IndexFunc(t.Algorithms, func(x bench.TaskResult) bool { return x.Algorithm == a.Algorithm })
			if i < 0 {
				cells = append(cells, "-")
				continue
			}
			end := t.Algorithms[i].Regret[len(t.Algorithms[i].Regret)-1]
			if end == nil {
				cells = append(cells, "none")
				continue
			}
			cells = append(cells, speedup(*t.Baseline, *t.Best*(1+*end)))
		}
		row(b, cells...)
	}
	b.WriteString("\nSpeed-up over the baseline design (its latency over that of the best feasible design found, median over the seeds, less one).\n\n")
}

// speedup is "-" where the values are no times: of 0, or of both signs.
func speedup(baseline, found float64) string {
	if baseline*found <= 0 {
		return "-"
	}
	const digits = 1e3
	share := math.Round((baseline/found-1)*digits)/digits + 0 // no -0.0
	return fmt.Sprintf("%+.1f %%", 100*share)
}
