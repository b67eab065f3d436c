package commands

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apollo/lab/bench"
	"apollo/lab/stats"
	"apollo/lab/suite"
	"apollo/services/cli"
)

func (a *Lab) benchSuitesCommand() *cobra.Command {
	var tables []string
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "suites [NAME]", Short: "List the suites, or the tasks of one",
		Example: "  apollo bench suites\n  apollo bench suites apollo",
		Args:    cli.Between(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listSuites()
			}
			flags := &benchFlags{suite: args[0], split: "all", tables: tables}
			env, err := a.environment(c, flags)
			if err != nil {
				return err
			}
			return a.listTasks(flags, env)
		},
	}
	c.Flags().StringSliceVar(&tables, "table", nil, "CSV `files` for the suite kernels")
	return c
}

func (a *Lab) listSuites() error {
	type row struct {
		Name  string       `json:"name"`
		Doc   string       `json:"doc"`
		Lanes []bench.Lane `json:"lanes"`
	}
	var rows []row
	g := &cli.Grid{Header: []string{"SUITE", "LANES", "TASKS"}}
	for _, s := range suite.All() {
		rows = append(rows, row{s.Name, s.Doc, s.Lanes})
		g.Add(s.Name, joinLanes(s.Lanes), s.Doc)
	}
	return a.Print(cli.Answer{Value: rows, Grid: g})
}

func (a *Lab) listTasks(flags *benchFlags, env bench.Environment) error {
	_, tasks, err := flags.selected(env)
	if err != nil {
		return err
	}
	type row struct {
		Name       string      `json:"name"`
		Family     string      `json:"family"`
		Split      bench.Split `json:"split"`
		Parameters int         `json:"parameters"`
		Designs    uint64      `json:"designs"`
	}
	var rows []row
	g := &cli.Grid{Header: []string{"TASK", "FAMILY", "SPLIT", ">PARAMETERS", ">DESIGNS"}}
	for _, t := range tasks {
		s, err := t.Spec.Space()
		if err != nil {
			return fmt.Errorf("task %s: %w", t.Name, err)
		}
		rows = append(rows, row{t.Name, t.Family, t.Split, s.Len(), s.Size()})
		g.Add(t.Name, t.Family, string(t.Split), strconv.Itoa(s.Len()), cli.Count(s.Size()))
	}
	return a.Print(cli.Answer{Value: rows, Grid: g})
}

func (a *Lab) benchReportCommand() *cobra.Command {
	var flags benchFlags
	var trials, batch, seeds int
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "report", Short: "Report a comparison from its log, without running it",
		Long: `Read the searches that "apollo bench" left in --data and report them as it does. Where the
log holds a search of several builds, the newest counts.`,
		Example: "  apollo bench report --suite apollo\n  apollo bench report --data apollo-bench --lane paper --svg figures -o json",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.benchReport(c, &flags, trials, batch, seeds)
		},
	}
	selectFlags(c, &flags)
	c.Flags().StringSliceVar(&flags.algorithms, "algorithms", nil, "only these `labels`, in this order (default: all)")
	c.Flags().IntVar(&trials, "trials", 0, "the searches with this budget (default: the largest in the log)")
	c.Flags().IntVar(&batch, "batch", 0, "the searches with this batch (default: the smallest in the log)")
	c.Flags().IntVar(&seeds, "seeds", 0, "only the `number` of lowest seeds, where a comparison is not yet complete (default: all)")
	return c
}

func (a *Lab) benchReport(c *cobra.Command, flags *benchFlags, trials, batch, seeds int) error {
	data := a.benchData(c)
	env, err := a.environment(c, flags)
	if err != nil {
		return err
	}
	s, tasks, err := flags.taught(c.Context(), env)
	if err != nil {
		return err
	}
	chosen := flags.algorithms
	flags.complete(s)
	traces, err := a.traces(data, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Hinted(cli.ExitNotFound, "--data says where `apollo bench` put its log", fmt.Errorf("there is no log in %s", data))
	}
	if err != nil {
		return err
	}
	wanted := func(t *bench.Trace) bool {
		return t.Suite == s.Name && slices.ContainsFunc(tasks, func(k *bench.Task) bool { return k.Name == t.Task }) &&
			(len(flags.lanes) == 0 || slices.Contains(flags.lanes, string(t.Lane))) &&
			(len(chosen) == 0 || slices.Contains(chosen, t.Algorithm) || t.Algorithm == flags.reference) &&
			(trials == 0 || t.Budget == trials) && (batch == 0 || t.Batch == batch)
	}
	traces = slices.DeleteFunc(bench.Latest(traces), func(t *bench.Trace) bool { return !wanted(t) })
	if n := len(traces); n > 0 {
		traces = bench.SameVersion(tasks, traces)
		if old := n - len(traces); old > 0 {
			a.Say("%s searches are left out: another version of their evaluator measured them", cli.Count(old))
		}
	}
	if len(traces) == 0 {
		return cli.Hinted(cli.ExitNotFound, "`apollo bench` runs them", fmt.Errorf("the log in %s holds no such searches", data))
	}
	top := slices.MinFunc(traces, func(a, b *bench.Trace) int {
		return cmp.Or(-cmp.Compare(a.Budget, b.Budget), cmp.Compare(a.Batch, b.Batch))
	})
	budget, size := top.Budget, top.Batch
	traces = slices.DeleteFunc(traces, func(t *bench.Trace) bool { return t.Budget != budget || t.Batch != size })
	if seeds > 0 {
		traces = lowestSeeds(traces, seeds)
	}
	report, err := a.newReport(c, tasks, traces, bench.Options{
		Reference: flags.reference, Order: flags.algorithms, Resamples: flags.resamples, Marks: flags.marks,
		Twins: flags.twins,
	})
	if err != nil {
		return err
	}
	return a.printReport(report, flags)
}

// lowestSeeds keeps the traces of the n lowest seeds.
func lowestSeeds(traces []*bench.Trace, n int) []*bench.Trace {
	var seeds []uint64
	for _, t := range traces {
		if !slices.Contains(seeds, t.Seed) {
			seeds = append(seeds, t.Seed)
		}
	}
	slices.Sort(seeds)
	seeds = seeds[:min(n, len(seeds))]
	return slices.DeleteFunc(traces, func(t *bench.Trace) bool { return !slices.Contains(seeds, t.Seed) })
}

func (a *Lab) printReport(r *bench.Report, flags *benchFlags) error {
	if flags.markdown != "" {
		if err := writeMarkdown(flags.markdown, r); err != nil {
			return err
		}
	}
	if flags.svg != "" {
		written, err := writeFigures(flags.svg, r)
		if err != nil {
			return err
		}
		a.Say("figures: %s", strings.Join(written, ", "))
	}
	return a.Print(cli.Answer{
		Draw:  drawReport(r),
		Value: r,
		Text: func(w io.Writer, p cli.Paint) {
			for i := range r.Lanes {
				reportText(w, p, r, &r.Lanes[i])
				if g := harmGrid(r, &r.Lanes[i]); g != nil {
					g.Text(w, p)
					fmt.Fprintln(w, harmNote(r))
					fmt.Fprintln(w)
				}
				if flags.byTask {
					tasksText(w, p, &r.Lanes[i])
				}
			}
			reportEnd(w, r)
		},
		Grid: reportGrid(r),
	})
}

// reportText prints the comparison in one lane.
func reportText(w io.Writer, p cli.Paint, r *bench.Report, l *bench.LaneReport) {
	var proven int
	for _, t := range l.Tasks {
		if t.Proven {
			proven++
		}
	}
	name := l.Tasks[0].Task
	if len(l.Tasks) > 1 {
		name = fmt.Sprintf("%d tasks (%s)", len(l.Tasks), r.Split)
	}
	fmt.Fprintf(w, "%s, %s, lane %s: %d seeds, %s trials, batch %d\n", p.Bold("suite "+r.Suite), name, l.Lane, len(r.Seeds), cli.Count(r.Trials), r.Batch)
	what := "median regret after N trials above the best known design"
	if l.Tasks[0].Best == nil {
		what = "median share of the known hypervolume that is not covered after N trials"
	}
	fmt.Fprintf(w, "%s (proven on %d of %d tasks)\n\n", what, proven, len(l.Tasks))
	g := &cli.Grid{Header: []string{"ALGORITHM"}}
	shown := shownMarks(l)
	for _, m := range shown {
		g.Header = append(g.Header, ">"+cli.Count(m))
	}
	g.Header = append(g.Header, ">RANK", ">TRIALS SAVED", ">WINS", ">WITHIN 1%", ">FEASIBLE", ">CPU/TRIAL")
	for i := range l.Algorithms {
		g.Add(reportRow(&l.Algorithms[i], shown)...)
	}
	g.Text(w, p)
	fmt.Fprintln(w)
}

// shownMarks are the numbers of trials of the table's columns: at most five,
// the last ones.
func shownMarks(l *bench.LaneReport) []int {
	for _, a := range l.Algorithms {
		if !a.Scored {
			continue
		}
		var out []int
		for _, m := range a.Marks {
			out = append(out, m.Trials)
		}
		return out[max(0, len(out)-5):]
	}
	return nil
}

func reportRow(a *bench.AlgorithmReport, shown []int) []string {
	row := []string{a.Algorithm}
	if !a.Scored {
		for range shown {
			row = append(row, "-")
		}
		return append(row, fmt.Sprintf("%d of %d missing", a.Missing, a.Missing+a.Cells), "-", "-", "-", cli.Percent(a.FeasibleShare), cpuText(a.CPU.Median))
	}
	var last bench.Mark
	for _, m := range a.Marks {
		if slices.Contains(shown, m.Trials) {
			row = append(row, percentOf(m.Regret.Value))
		}
		last = m
	}
	row = append(row, strconv.FormatFloat(value(last.Rank.Value), 'f', 2, 64), savedText(a.LogEfficiency, a.Censored), winsText(a))
	within := "-"
	if n := len(a.Within); n > 0 {
		within = percentOf(a.Within[n-1].Share.Value)
	}
	return append(row, within, cli.Percent(a.FeasibleShare), cpuText(a.CPU.Median))
}

func value(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// percentOf is a share as a percentage, "none" where nothing feasible was found.
func percentOf(v *float64) string {
	if v == nil {
		return "none"
	}
	return cli.Percent(*v)
}

// savedText is the log-efficiency as a factor of trials, with its interval.
func savedText(e *bench.Figure, censored bool) string {
	if e == nil || e.Value == nil {
		return "-"
	}
	factor := func(v *float64) string { return strconv.FormatFloat(math.Exp(*v), 'f', 2, 64) }
	text := factor(e.Value) + "x"
	if censored {
		text = "<" + text
	}
	if !claimed(e, 0) {
		text = "~ " + text
	}
	if e.Low != nil && e.High != nil {
		text += " [" + factor(e.Low) + ", " + factor(e.High) + "]"
	}
	return text
}

// claimed reports whether a figure's interval says that it is not x.
func claimed(f *bench.Figure, x float64) bool {
	return f.Low != nil && f.High != nil && stats.Interval{Value: *f.Value, Low: *f.Low, High: *f.High}.Excludes(x)
}

func winsText(a *bench.AlgorithmReport) string {
	w := a.WinRate
	if w == nil || w.Value == nil {
		return "-"
	}
	text := percentOf(w.Value)
	if !claimed(w, 0.5) {
		text = "~ " + text
	}
	return text
}

func cpuText(v *float64) string {
	if v == nil {
		return "-"
	}
	return cli.Quantity(*v, "s")
}

// tasksText prints the tasks one by one.
func tasksText(w io.Writer, p cli.Paint, l *bench.LaneReport) {
	g := &cli.Grid{Header: []string{"TASK", "ALGORITHM"}}
	shown := shownMarks(l)
	for _, m := range shown {
		g.Header = append(g.Header, ">"+cli.Count(m))
	}
	g.Header = append(g.Header, ">CHANGE AT END", ">TRIALS SAVED", ">AS GOOD AFTER")
	for i := range l.Tasks {
		for k := range l.Tasks[i].Algorithms {
			g.Add(taskRow(&l.Tasks[i], &l.Tasks[i].Algorithms[k], shown)...)
		}
	}
	g.Text(w, p)
	fmt.Fprintln(w)
}

func taskRow(t *bench.TaskReport, a *bench.TaskResult, shown []int) []string {
	row := []string{t.Task, a.Algorithm}
	if len(a.Marks) == 0 {
		return append(row, slices.Repeat([]string{"-"}, len(shown)+3)...)
	}
	for _, m := range a.Marks {
		if slices.Contains(shown, m.Trials) {
			row = append(row, percentOf(m.Regret.Value))
		}
	}
	reaches := "-"
	if a.Reaches != nil {
		reaches = cli.Count(int(*a.Reaches))
	}
	return append(row, changeText(a.Marks[len(a.Marks)-1].Change), savedText(a.LogEfficiency, a.Censored), reaches)
}

// changeText is a paired change with its interval.
func changeText(f *bench.Figure) string {
	if f == nil || f.Value == nil {
		return "-"
	}
	signed := func(v *float64) string { return fmt.Sprintf("%+.1f", 100**v) }
	text := signed(f.Value) + " %"
	if f.Low == nil || f.High == nil {
		return "~ " + text
	}
	if !claimed(f, 0) {
		text = "~ " + text
	}
	return text + " [" + signed(f.Low) + ", " + signed(f.High) + "]"
}

// reportEnd prints what the numbers rest on.
func reportEnd(w io.Writer, r *bench.Report) {
	fmt.Fprintf(w, "TRIALS SAVED is how many times fewer trials than %s a regret takes (1.00x: the same), with a\n", r.Reference)
	fmt.Fprintf(w, "%.0f %% bootstrap interval over seeds; WINS are searches that end better; ~ where nothing can be claimed.\n", 100*r.Confidence)
	fmt.Fprintf(w, "split: %s; %s\nbuild: %s\n", r.Split, r.Defaults, strings.Join(r.Builds, ", "))
	for _, t := range r.Twins {
		fmt.Fprintf(w, "left out: %s\n", t)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "failed: %s, lane %s, %s, seed %d: %s\n", f.Task, f.Lane, f.Algorithm, f.Seed, f.Error)
	}
}

// reportGrid is the report as rows: an algorithm in a lane after a number of
// trials.
func reportGrid(r *bench.Report) *cli.Grid {
	g := &cli.Grid{Header: []string{"suite", "lane", "split", "algorithm", "trials", "regret", "regret_low", "regret_high", "rank", "rank_low", "rank_high"}}
	text := func(v *float64) string {
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'g', -1, 64)
	}
	for _, l := range r.Lanes {
		for _, a := range l.Algorithms {
			for _, m := range a.Marks {
				g.Add(r.Suite, string(l.Lane), r.Split, a.Algorithm, strconv.Itoa(m.Trials),
					text(m.Regret.Value), text(m.Regret.Low), text(m.Regret.High), text(m.Rank.Value), text(m.Rank.Low), text(m.Rank.High))
			}
		}
	}
	return g
}
