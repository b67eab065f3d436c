package bench_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/lab/bench"
	"apollo/lab/stats"
	"apollo/optimizer"
)

func writeJob(t *testing.T, w io.Writer, job *bench.Job) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(job); err != nil {
		t.Error(err)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	plan := toyPlan(t, ours("random", "ga")...)
	plan.Lanes = []bench.Lane{bench.KnownArea, bench.Paper}
	plan.Tasks[1].Baseline = nil
	seen := map[string]bool{}
	for _, c := range plan.Cells() {
		if c.Lane == bench.Paper && c.Task.Name == "two" {
			t.Error("a task without a baseline is in lane paper")
		}
		if seen[c.Study()] || !events.IsName(c.Study()) {
			t.Errorf("study %q is twice there, or no name", c.Study())
		}
		seen[c.Study()] = true
	}
	if len(seen) != 2*(2*2+2) {
		t.Errorf("%d cells, want 12", len(seen))
	}
}

func TestLongNamesStayApart(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := range uint64(50) {
		c := bench.Cell{
			Suite: "kernels", Task: &bench.Task{Name: strings.Repeat("convolution-", 5) + "a", Spec: &events.Spec{}}, Lane: bench.KnownArea,
			By: bench.Contender{Label: "gp-bandit-nofeatures"}, Seed: seed,
		}
		name := c.Study()
		if seen[name] || !events.IsName(name) {
			t.Fatalf("study %q is twice there, or no name", name)
		}
		seen[name] = true
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	tasks := []bench.Task{{Name: "a-1", Split: bench.Development}, {Name: "a-2", Split: bench.Test}, {Name: "b-1", Split: bench.Test}}
	for _, c := range []struct {
		split    bench.Split
		patterns []string
		want     string
		err      string
	}{
		{"", nil, "a-1 a-2 b-1", ""},
		{bench.Test, nil, "a-2 b-1", ""},
		{"", []string{"a-*"}, "a-1 a-2", ""},
		{"", []string{"b-1", "a-1"}, "a-1 b-1", ""},
		{bench.Test, []string{"a-?"}, "a-2", ""},
		{bench.Development, []string{"b-1"}, "", "split"},
		{"", []string{"a-1", "c-*"}, "", `"c-*"`},
		{"", []string{"["}, "", "syntax"},
	} {
		got, err := bench.Select(tasks, c.split, c.patterns)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("Select(%q, %q): %v, want %q", c.split, c.patterns, err, c.err)
		}
		var names []string
		for _, k := range got {
			names = append(names, k.Name)
		}
		if strings.Join(names, " ") != c.want {
			t.Errorf("Select(%q, %q) = %q, want %q", c.split, c.patterns, names, c.want)
		}
	}
}

func TestRegret(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		goals  []float64
		values []float64
		known  bench.Known
		want   stats.Curve
	}{
		{"minimised", []float64{1}, []float64{nan, 4, 5, nan, 2}, bench.Known{Best: 2}, stats.Curve{inf, 1, 1, 1, 0}},
		{"maximised", []float64{-1}, []float64{2, 1, 4}, bench.Known{Best: 4}, stats.Curve{0.5, 0.5, 0}},
		{"by its own scale", []float64{1}, []float64{10, 5}, bench.Known{Best: 0, Scale: 20}, stats.Curve{0.5, 0.25}},
		{"best is 0", []float64{1}, []float64{3}, bench.Known{}, stats.Curve{3}},
		{"best is negative", []float64{1}, []float64{-1, -4}, bench.Known{Best: -4}, stats.Curve{0.75, 0}},
		{"better than known", []float64{1}, []float64{1}, bench.Known{Best: 2}, stats.Curve{-0.5}},
		{
			"volume",
			[]float64{1, 1},
			[]float64{nan, nan, 1, 3, 3, 1, 2, 2, 5, 0, 0, 0},
			bench.Known{Volume: 16, Reference: []float64{4, 4}},
			stats.Curve{1, 13. / 16, 11. / 16, 10. / 16, 10. / 16, 0},
		},
		{
			"volume, the second maximised",
			[]float64{1, -1},
			[]float64{1, 1, 3, 3},
			bench.Known{Volume: 16, Reference: []float64{4, 0}},
			stats.Curve{13. / 16, 11. / 16},
		},
	} {
		x := bench.Trace{Task: "t", Goals: c.goals, Values: c.values, CPU: make([]float64, len(c.values)/len(c.goals))}
		got, err := x.Regret(c.known)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-12 })); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	x := bench.Trace{Goals: []float64{1, 1}, Values: []float64{1, 1}, CPU: []float64{0}}
	if _, err := x.Regret(bench.Known{Best: 1}); err == nil {
		t.Error("two objectives without a reference are accepted")
	}
}

// watcher is random search that notes whether it sees features.
type watcher struct{ saw *bool }

func (w watcher) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	*w.saw = p.Features != nil
	return optimizer.Random{}.Start(p)
}

func TestWithoutFeatures(t *testing.T) {
	t.Parallel()
	for _, without := range []bool{false, true} {
		cell := toyPlan(t, bench.Contender{Label: "random", Name: "random", NoFeatures: without}).Cells()[0]
		var saw bool
		job := &bench.Job{Lane: cell.Lane, Contender: cell.By, Run: "r", Spec: cell.Spec("b")}
		trials := 0
		err := bench.Search(t.Context(), job, cell.Task, watcher{&saw}, func(b *bench.Batch) error {
			trials += len(b.Evaluated.Trials)
			return nil
		})
		if err != nil || trials != cell.Trials {
			t.Fatalf("%d trials, %v; want %d", trials, err, cell.Trials)
		}
		if saw == without {
			t.Errorf("without features %v: the strategy saw some: %v", without, saw)
		}
	}
}

// synthetic is a trace whose regrets are those of values, for a best of 1.
func synthetic(algorithm, task string, seed uint64, split bench.Split, values ...float64) *bench.Trace {
	return &bench.Trace{
		Suite: "toy", Task: task, Split: split, Lane: bench.KnownArea, Algorithm: algorithm, Seed: seed, Budget: len(values), Batch: 1,
		Build: "b", Version: "1", Goals: []float64{1}, Values: values, CPU: make([]float64, len(values)), Feasible: len(values) - 1,
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	tasks := toyTasks(t)
	tasks[1].Known = tasks[0].Known // both are 1
	var traces []*bench.Trace
	for seed := range uint64(4) {
		for _, task := range tasks {
			at := 1 + 0.01*float64(seed)
			traces = append(traces,
				synthetic("random", task.Name, seed, task.Split, math.NaN(), at+8, at+4, at+2),
				synthetic("good", task.Name, seed, task.Split, at+4, at+2, at+1, at),
			)
			if seed > 0 {
				traces = append(traces, synthetic("partial", task.Name, seed, task.Split, at, at, at, at))
			}
		}
	}
	r, err := bench.NewReport(t.Context(), tasks, traces, bench.Options{Reference: "random", Order: []string{"good"}, Resamples: 100})
	if err != nil {
		t.Fatal(err)
	}
	if r.Split != "mixed" || len(r.Seeds) != 4 || len(r.Lanes) != 1 || r.Defaults == "" {
		t.Fatalf("%+v", r)
	}
	l := r.Lanes[0]
	good, random, partial := l.Algorithms[0], l.Algorithms[1], l.Algorithms[2]
	if good.Algorithm != "good" || !good.Scored || random.Missing != 0 || partial.Scored || partial.Missing != 2 || partial.Marks != nil {
		t.Fatalf("good %+v, random %+v, partial %+v", good, random, partial)
	}
	if random.Regret[0] != nil || *random.Regret[3] < 2 || math.Abs(*good.Regret[3]-0.015) > 1e-9 {
		t.Errorf("regrets of random %v, of good %v", *random.Regret[3], *good.Regret[3])
	}
	if e := good.LogEfficiency; math.Abs(*e.Value-math.Log(2)) > 1e-9 || *e.Low <= 0 || *good.WinRate.Value != 1 {
		t.Errorf("log-efficiency %v, win rate %v; want log 2, 1", *e.Value, *good.WinRate.Value)
	}
	if random.LogEfficiency != nil || len(l.Pairs) != 2 || len(l.Tasks) != 2 || len(l.Tasks[0].Algorithms) != 3 {
		t.Errorf("random's own efficiency %v; %d pairs, %d tasks", random.LogEfficiency, len(l.Pairs), len(l.Tasks))
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("the report has no JSON: %v", err)
	}
	if _, err := bench.NewReport(t.Context(), tasks[:1], traces, bench.Options{}); err == nil {
		t.Error("a log with a task that the suite lacks is accepted")
	}
	traces[0].Version = "0"
	if _, err := bench.NewReport(t.Context(), tasks, traces, bench.Options{}); err == nil {
		t.Error("a search that another version measured is accepted")
	}
	if n := len(bench.SameVersion(tasks, traces)); n != len(traces)-1 {
		t.Errorf("SameVersion() = %d traces, want %d", n, len(traces)-1)
	}
	if _, err := bench.NewReport(context.Background(), tasks, nil, bench.Options{}); err == nil {
		t.Error("a report of nothing is made")
	}
}
