package bench_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"apollo/archiver"
	"apollo/events"
	"apollo/lab/bench"
)

func runCells(t *testing.T, r *bench.Runner, p *bench.Plan) ([]*bench.Trace, []bench.Failure) {
	t.Helper()
	failures, err := r.Run(t.Context(), p.Cells())
	if err != nil {
		t.Fatal(err)
	}
	return tracesOf(t, r.Data), failures
}

func tracesOf(t *testing.T, data string) []*bench.Trace {
	t.Helper()
	traces, err := bench.ReadTraces(data, nil, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

// values are what must be the same whenever a cell runs.
func values(traces []*bench.Trace) map[string][]float64 {
	out := map[string][]float64{}
	for _, x := range traces {
		out[x.Study+"/"+x.Run] = x.Values
	}
	return out
}

var equalNaNs = cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b })

func TestCellsAreTheSameInAnyProcess(t *testing.T) {
	t.Parallel()
	plan := toyPlan(t, ours("random", "ga")...)
	one, failures := runCells(t, toyRunner(t, t.TempDir(), 1), plan)
	three, _ := runCells(t, toyRunner(t, t.TempDir(), 3), plan)
	if len(failures) > 0 {
		t.Fatalf("failures: %v", failures)
	}
	if len(one) != 8 {
		t.Fatalf("%d cells, want 2 tasks x 2 algorithms x 2 seeds", len(one))
	}
	for _, x := range one {
		if x.Trials() != 12 || x.Feasible == 0 || x.Feasible == 12 || x.Suite != "toy" || x.Lane != bench.KnownArea || x.Build != "test 1" {
			t.Errorf("%s: %d trials, %d feasible, %+v", x.Study, x.Trials(), x.Feasible, x)
		}
		for i, cpu := range x.CPU {
			if !(cpu >= 0) {
				t.Errorf("%s: trial %d took %v s", x.Study, i, cpu)
			}
		}
	}
	if diff := cmp.Diff(values(one), values(three), equalNaNs); diff != "" {
		t.Errorf("one process and three differ:\n%s", diff)
	}
}

func TestFinishedCellsAreNotRunAgain(t *testing.T) {
	t.Parallel()
	plan := toyPlan(t, ours("random")...)
	r := toyRunner(t, t.TempDir(), 2)
	before, _ := runCells(t, r, plan)
	var last bench.Progress
	r.Report = func(p bench.Progress) { last = p }
	r.Command = []string{"/nonexistent"}
	after, failures := runCells(t, r, plan)
	if last.Known != 4 || last.All != 4 || len(failures) > 0 {
		t.Errorf("progress %+v, failures %v; want four known cells", last, failures)
	}
	if diff := cmp.Diff(values(before), values(after), equalNaNs); diff != "" {
		t.Error(diff)
	}
	// Another build runs its own, unless any will do.
	r.Build = "test 2"
	if _, failures := runCells(t, r, plan); len(failures) != 4 {
		t.Errorf("%d failures of a build without a worker, want 4", len(failures))
	}
	r.AnyBuild = true
	if _, failures := runCells(t, r, plan); len(failures) != 0 || r.RunOf(plan.Cells()[0]) != before[0].Run {
		t.Errorf("failures %v; run %s, want %s", failures, r.RunOf(plan.Cells()[0]), before[0].Run)
	}
	if n := len(bench.Latest(append(before, after...))); n != 4 {
		t.Errorf("Latest() = %d traces, want 4", n)
	}
}

func TestInterruptedAndGoneOn(t *testing.T) {
	t.Parallel()
	plan := toyPlan(t, ours("random", "ga", "sobol")...)
	whole, _ := runCells(t, toyRunner(t, t.TempDir(), 2), plan)
	r := toyRunner(t, t.TempDir(), 2)
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.Report = func(p bench.Progress) {
		if p.Cells == 3 {
			cancel(cause)
		}
	}
	if _, err := r.Run(ctx, plan.Cells()); !errors.Is(err, cause) {
		t.Fatalf("Run() = %v, want %v", err, cause)
	}
	if n := len(tracesOf(t, r.Data)); n < 3 || n == len(whole) {
		t.Fatalf("%d of %d cells are kept", n, len(whole))
	}
	r.Report = func(bench.Progress) {}
	rest, _ := runCells(t, r, plan)
	if diff := cmp.Diff(values(whole), values(rest), equalNaNs); diff != "" {
		t.Errorf("an interruption changes the cells:\n%s", diff)
	}
}

func TestACellFailsAlone(t *testing.T) {
	t.Parallel()
	for how, want := range map[string]string{
		"panic":   "panic: on purpose",
		"exit":    "exit status 3; it said: last words",
		"hang":    "no word from the search for 4s",
		"error":   "no idea",
		"unknown": "no such program",
		"burn":    "CPU limit",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := toyRunner(t, t.TempDir(), 1)
			switch how {
			case "hang":
				// Long enough for a process to start on a busy machine.
				r.Hang = 4 * time.Second
			case "burn":
				r.CPULimit = 0.05
			}
			plan := toyPlan(t, append([]bench.Contender{{Label: "bad", Command: how}}, ours("random")...)...)
			plan.Tasks, plan.Seeds = plan.Tasks[:1], 1
			traces, failures := runCells(t, r, plan)
			if len(traces) != 1 || len(failures) != 1 {
				t.Fatalf("%d cells and %d failures, want 1 and 1: %v", len(traces), len(failures), failures)
			}
			for _, f := range failures {
				if f.Cell.By.Label != "bad" || !strings.Contains(f.Err.Error(), want) || errors.Is(f.Err, bench.ErrTimeout) != (how == "burn") {
					t.Errorf("%s: %v, want %q", f.Cell.Study(), f.Err, want)
				}
			}
		})
	}
}

func TestALockedDirectory(t *testing.T) {
	t.Parallel()
	r := toyRunner(t, t.TempDir(), 1)
	store, err := archiver.Open(r.Data, archiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := r.Run(t.Context(), toyPlan(t, ours("random")...).Cells()); !errors.Is(err, archiver.ErrLocked) {
		t.Errorf("Run() = %v, want %v", err, archiver.ErrLocked)
	}
}

// A worker whose parent is gone ends although its search does not.
func TestAWorkerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	cell := toyPlan(t, bench.Contender{Label: "bad", Command: "hang"}).Cells()[0]
	in, parent := io.Pipe()
	out, answers := io.Pipe()
	w := &bench.Worker{Suites: []bench.Suite{toySuite()}, Peer: misbehaved}
	done := make(chan error, 1)
	go func() { done <- w.Serve(t.Context(), in, answers) }()
	spec := cell.Spec("b")
	spec.Budget.Batch = 1
	writeJob(t, parent, &bench.Job{Suite: "toy", Task: "one", Lane: bench.KnownArea, Contender: cell.By, Run: "r", Spec: spec})
	read := 0
	for read < 3 { // three trials come, the fourth hangs
		b := make([]byte, 1<<16)
		n, err := out.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		read += strings.Count(string(b[:n]), "\n")
	}
	parent.Close()
	if err := <-done; err != nil {
		t.Errorf("Serve() = %v, want nil at the end of the input", err)
	}
}

func TestLanes(t *testing.T) {
	t.Parallel()
	plan := toyPlan(t, ours("random", "ga")...)
	plan.Lanes, plan.Trials, plan.Batch = toySuite().Lanes, 60, 2
	r := toyRunner(t, t.TempDir(), 2)
	runCells(t, r, plan)
	counts := map[string]int{}
	for row, err := range archiver.Scan(os.DirFS(r.Data), archiver.Query{AllRuns: true}) {
		if err != nil {
			t.Fatal(err)
		}
		lane := row.Columns.Spec.Labels["lane"]
		over := row.Metric("area_mm2") > 18
		if row.Outcome == events.OutcomeInfeasible {
			counts[lane+" cannot run"]++
		}
		if over {
			counts[lane+" over budget"]++
		}
		if first := row.Trial == 0; first == (row.Origin != "baseline") && lane == "paper" {
			t.Errorf("trial %d of %s is from %q", row.Trial, row.Study, row.Origin)
		}
		if lane == "paper" && over && row.Outcome == events.OutcomeMeasured && (row.Feasible || row.Metric("latency_s") != row.Metric("latency_s")) {
			t.Errorf("trial %d of %s is over budget: it must be infeasible and keep its latency", row.Trial, row.Study)
		}
	}
	for what, want := range map[string]bool{
		"known-area cannot run": true, "known-area over budget": false,
		"all-known cannot run": false, "all-known over budget": false,
		"paper cannot run": true, "paper over budget": true,
	} {
		if got := counts[what] > 0; got != want {
			t.Errorf("%s: %d trials", what, counts[what])
		}
	}
}
