package bench

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/stats"
)

// bootstrapSeed makes reports repeatable; any number would do.
const bootstrapSeed = 1

// builder puts a report together.
type builder struct {
	options Options
	tasks   []*Task
	trials  int
	curves  map[*Trace]stats.Curve
	known   map[string]Known
}

func (b *builder) regrets(ctx context.Context, traces []*Trace) error {
	for _, task := range b.tasks {
		if !slices.ContainsFunc(traces, func(t *Trace) bool { return t.Task == task.Name }) {
			continue
		}
		if b.options.Asking != nil {
			b.options.Asking(task.Name)
		}
		known, err := task.Known(ctx)
		if err != nil {
			return fmt.Errorf("the answer of task %s: %w", task.Name, err)
		}
		b.known[task.Name] = known
	}
	for _, t := range traces {
		known, ok := b.known[t.Task]
		if i := slices.IndexFunc(b.tasks, func(k *Task) bool { return k.Name == t.Task }); ok && b.tasks[i].Spec.Evaluator.Version != t.Version {
			return fmt.Errorf("the search %s is of version %q of its evaluator, the task has %q", t.Study, t.Version, b.tasks[i].Spec.Evaluator.Version)
		}
		if !ok {
			return fmt.Errorf("the log holds the task %s, which suite %s does not have", t.Task, t.Suite)
		}
		curve, err := t.Regret(known)
		if err != nil {
			return err
		}
		b.curves[t] = curve
	}
	return nil
}

// grid finds traces by algorithm, task and seed.
type grid map[string]map[string]map[uint64]*Trace

// lane compares the algorithms of one lane.
func (b *builder) lane(ctx context.Context, lane Lane, traces []*Trace) (*LaneReport, error) {
	g, found := grid{}, []string{}
	seeds := map[string][]uint64{}
	for _, t := range traces {
		if t.Lane != lane {
			continue
		}
		if g[t.Algorithm] == nil {
			g[t.Algorithm] = map[string]map[uint64]*Trace{}
			found = append(found, t.Algorithm)
		}
		if g[t.Algorithm][t.Task] == nil {
			g[t.Algorithm][t.Task] = map[uint64]*Trace{}
		}
		g[t.Algorithm][t.Task][t.Seed] = t
		if !slices.Contains(seeds[t.Task], t.Seed) {
			seeds[t.Task] = append(seeds[t.Task], t.Seed)
		}
	}
	var names []string
	for _, n := range b.options.Order {
		if slices.Contains(found, n) && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	for _, n := range found {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	l := &LaneReport{Lane: lane}
	for _, task := range b.tasks {
		if len(seeds[task.Name]) > 0 {
			slices.Sort(seeds[task.Name])
			row, err := b.task(ctx, task, names, g)
			if err != nil {
				return nil, err
			}
			l.Tasks = append(l.Tasks, row)
		}
	}
	for _, n := range names {
		l.Algorithms = append(l.Algorithms, b.algorithm(n, l.Tasks, seeds, g))
	}
	return l, b.score(l, g)
}

func (b *builder) task(ctx context.Context, task *Task, names []string, g grid) (TaskReport, error) {
	known := b.known[task.Name]
	out := TaskReport{Task: task.Name, Family: task.Family, Split: task.Split, Proven: known.Proven, Source: known.Source}
	if len(task.Spec.Objectives) == 1 {
		out.Metric = task.Spec.Objectives[0].Metric
		if i := task.Spec.MetricIndex(out.Metric); i >= 0 {
			out.Unit = task.Spec.Metrics[i].Unit
		}
		out.Best = number(known.Best)
		if err := out.baseline(ctx, task); err != nil {
			return out, err
		}
	} else {
		out.Volume = number(known.Volume)
	}
	for _, n := range names {
		cells := sortedTraces(g[n][task.Name])
		if len(cells) == 0 {
			continue
		}
		share, cpu := effort(cells)
		out.Algorithms = append(out.Algorithms, TaskResult{
			Algorithm: n, Cells: len(cells), Regret: numbers(stats.Band(b.of(cells), b.trials, 0.5)),
			FeasibleShare: share, CPUSeconds: number(stats.Median(cpu)),
		})
	}
	return out, nil
}

// baseline measures the baseline design of a task.
func (t *TaskReport) baseline(ctx context.Context, task *Task) error {
	if task.Baseline == nil {
		return nil
	}
	judge, err := events.NewJudge(task.Spec)
	if err != nil {
		return fmt.Errorf("task %s: %w", task.Name, err)
	}
	r, err := task.Evaluator.Evaluate(ctx, evaluator.Request{Study: task.Name, Trial: -1, Design: task.Baseline})
	if err != nil {
		return fmt.Errorf("measure the baseline of %s: %w", task.Name, err)
	}
	if r.Outcome != evaluator.Measured {
		return nil
	}
	t.Baseline = number(r.Values[task.Spec.MetricIndex(t.Metric)])
	t.BaselineFeasible = judge.Judge(task.Baseline, &events.TrialResult{Outcome: events.OutcomeMeasured, Values: r.Values}).Feasible
	return nil
}

// sortedTraces returns the traces in the order of their seeds.
func sortedTraces(bySeed map[uint64]*Trace) []*Trace {
	var out []*Trace
	for _, t := range bySeed {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *Trace) int {
		if a.Seed < b.Seed {
			return -1
		}
		return 1
	})
	return out
}

func (b *builder) of(cells []*Trace) []stats.Curve {
	out := make([]stats.Curve, len(cells))
	for i, t := range cells {
		out[i] = b.curves[t]
	}
	return out
}

// effort is the feasible share of cells and the CPU time of their suggestions.
func effort(cells []*Trace) (share float64, cpu []float64) {
	trials, feasible := 0, 0
	for _, t := range cells {
		trials += t.Trials()
		feasible += t.Feasible
		for _, c := range t.CPU {
			if !math.IsNaN(c) {
				cpu = append(cpu, c)
			}
		}
	}
	return float64(feasible) / float64(max(trials, 1)), cpu
}

func (b *builder) algorithm(name string, tasks []TaskReport, seeds map[string][]uint64, g grid) AlgorithmReport {
	out := AlgorithmReport{Algorithm: name, Scored: true}
	var cells []*Trace
	for _, task := range tasks {
		have := sortedTraces(g[name][task.Task])
		cells = append(cells, have...)
		out.Missing += len(seeds[task.Task]) - len(have)
	}
	out.Cells, out.Scored = len(cells), out.Missing == 0
	curves := b.of(cells)
	out.Regret = numbers(stats.Band(curves, b.trials, 0.5))
	out.Quartile1 = numbers(stats.Band(curves, b.trials, 0.25))
	out.Quartile3 = numbers(stats.Band(curves, b.trials, 0.75))
	share, cpu := effort(cells)
	out.FeasibleShare = share
	out.CPU = CPU{Median: number(stats.Median(cpu)), P95: number(stats.Quantile(cpu, 0.95))}
	for _, n := range []int{100, 1000, 5000} {
		if n > b.trials {
			break
		}
		var window []float64
		for _, t := range cells {
			if t.Trials() >= n {
				window = append(window, t.CPU[n-n/10:n]...)
			}
		}
		if v := stats.Median(window); !math.IsNaN(v) {
			out.CPU.At = append(out.CPU.At, CPUAt{n, v})
		}
	}
	return out
}

// score fills in the statistics that compare the algorithms without missing
// cells.
func (b *builder) score(l *LaneReport, g grid) error {
	t := &stats.Table{Trials: b.trials, Marks: marks(b.trials, b.options.Marks), Tolerances: tolerances()}
	var rows []*AlgorithmReport
	for i := range l.Algorithms {
		if a := &l.Algorithms[i]; a.Scored {
			t.Algorithms = append(t.Algorithms, a.Algorithm)
			rows = append(rows, a)
		}
	}
	for _, task := range l.Tasks {
		t.Tasks = append(t.Tasks, task.Task)
	}
	if len(rows) == 0 {
		return nil
	}
	for _, name := range t.Algorithms {
		var byTask [][]stats.Curve
		for _, task := range t.Tasks {
			byTask = append(byTask, b.of(sortedTraces(g[name][task])))
		}
		t.Curves = append(t.Curves, byTask)
	}
	t.Reference = slices.Index(t.Algorithms, b.options.Reference)
	s, err := t.Summarize(b.options.Resamples, bootstrapSeed)
	if err != nil {
		return err
	}
	for k := range l.Tasks {
		if err := b.scoreTask(&l.Tasks[k], t, k); err != nil {
			return err
		}
	}
	for a, row := range rows {
		b.fill(row, t, s, a)
		for o := range rows {
			if o != a {
				p := s.Pairs[a][o]
				l.Pairs = append(l.Pairs, PairReport{
					Algorithm: t.Algorithms[a], Against: t.Algorithms[o],
					LogEfficiency: figure(p.LogEfficiency), Censored: p.Censored, WinRate: figure(p.WinRate),
				})
			}
		}
	}
	return nil
}

func (b *builder) fill(row *AlgorithmReport, t *stats.Table, s *stats.Summary, a int) {
	row.Marks = marksOf(t, s, a)
	for i, tolerance := range t.Tolerances {
		profile, trials := t.Profile(a, tolerance)
		row.Within = append(row.Within, Within{Regret: tolerance, Share: figure(s.Within[a][i]), Trials: number(trials), Profile: profile})
	}
	row.LogEfficiency, row.Censored, row.WinRate = against(t, s, a)
}

// marksOf are the marks of one algorithm of a table.
func marksOf(t *stats.Table, s *stats.Summary, a int) []Mark {
	var out []Mark
	for m, n := range t.Marks {
		mark := Mark{Trials: n, Regret: figure(s.Regret[a][m]), Rank: figure(s.Rank[a][m])}
		if t.Reference >= 0 && t.Reference != a {
			change := figure(s.Change[a][m])
			mark.Change = &change
		}
		out = append(out, mark)
	}
	return out
}

// against compares an algorithm with the reference; nil for itself.
func against(t *stats.Table, s *stats.Summary, a int) (efficiency *Figure, censored bool, wins *Figure) {
	if t.Reference < 0 || t.Reference == a {
		return nil, false, nil
	}
	p := s.Pairs[a][t.Reference]
	e, w := figure(p.LogEfficiency), figure(p.WinRate)
	return &e, p.Censored, &w
}

// scoreTask fills in the statistics of one task, the k-th of the table.
func (b *builder) scoreTask(task *TaskReport, t *stats.Table, k int) error {
	one := *t
	one.Tasks, one.Curves = t.Tasks[k:k+1], nil
	for _, byTask := range t.Curves {
		one.Curves = append(one.Curves, byTask[k:k+1])
	}
	s, err := one.Summarize(b.options.Resamples, bootstrapSeed)
	if err != nil {
		return err
	}
	end := math.NaN()
	if t.Reference >= 0 {
		end = stats.Band(one.Curves[t.Reference][0], t.Trials, 0.5).At(t.Trials)
	}
	for i := range task.Algorithms {
		row := &task.Algorithms[i]
		a := slices.Index(t.Algorithms, row.Algorithm)
		if a < 0 {
			continue
		}
		row.Marks = marksOf(&one, s, a)
		row.LogEfficiency, row.Censored, row.WinRate = against(&one, s, a)
		if n, ok := stats.Band(one.Curves[a][0], t.Trials, 0.5).Reach(end); ok && a != t.Reference && !math.IsInf(end, 1) {
			trials := float64(n)
			row.Reaches = &trials
		}
	}
	return nil
}
