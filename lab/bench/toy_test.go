package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"apollo/evaluator"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/optimizer"
	"apollo/optimizer/space"
)

// workerMode makes the test binary a worker process.
const workerMode = "APOLLO_BENCH_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerMode) != "" {
		w := &bench.Worker{Suites: []bench.Suite{toySuite()}, Peer: misbehaved}
		if err := w.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const levels = 12

// toy has an area that is cheap, at most 18, and designs that cannot run.
type toy struct{ best float64 }

func (toy) Check(design []space.Value, dst []float64) {
	dst[0], dst[1] = math.NaN(), design[0].Num+design[1].Num
}

func (t toy) Evaluate(_ context.Context, r evaluator.Request) (evaluator.Result, error) {
	x, y, z := r.Design[0].Num, r.Design[1].Num, r.Design[2].Num
	if math.Mod(x+2*y, 5) == 0 {
		return evaluator.Result{
			Outcome: evaluator.Infeasible, Values: []float64{math.NaN(), x + y}, Reason: &evaluator.Reason{Code: "toy", Message: "it does not fit"},
		}, nil
	}
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{t.best + (x-7)*(x-7) + (y-3)*(y-3) + z, x + y}}, nil
}

// toyTask has its best design at x = 7, y = 3, z = 0.
func toyTask(name string, split bench.Split, best float64) bench.Task {
	values := make([]float64, levels)
	for i := range values {
		values[i] = float64(i)
	}
	limit := 18.0
	return bench.Task{
		Name: name, Family: name, Split: split, Evaluator: toy{best},
		Baseline: events.Design{{Num: 11}, {Num: 11}, {Num: 11}},
		Features: []evaluator.Feature{{Name: "xy", Terms: []evaluator.Term{{Times: []string{"x", "y"}}}}},
		Spec: &events.Spec{
			Parameters:  []events.Parameter{{Name: "x", Values: values}, {Name: "y", Values: values}, {Name: "z", Values: values}},
			Metrics:     []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}},
			Objectives:  []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
			Constraints: []events.Constraint{{Metric: "area_mm2", Max: &limit}},
			Evaluator:   events.EvaluatorSpec{Name: "toy", Version: "1", Attempts: 1, Deterministic: true},
		},
		Known: func(context.Context) (bench.Known, error) {
			return bench.Known{Best: best, Proven: true, Source: "closed form"}, nil
		},
	}
}

func toySuite() bench.Suite {
	return bench.Suite{
		Name: "toy", Doc: "Two bowls.", Lanes: []bench.Lane{bench.KnownArea, bench.AllKnown, bench.Paper},
		Tasks: func(bench.Environment) ([]bench.Task, error) {
			return []bench.Task{toyTask("one", bench.Development, 1), toyTask("two", bench.Test, 4)}, nil
		},
	}
}

// misbehaved makes algorithms that fail in the way that the command names, at
// trial 3.
func misbehaved(job *bench.Job, _ *bench.Task) (optimizer.Algorithm, error) {
	if job.Command == "unknown" {
		return nil, errors.New("there is no such program")
	}
	return bad{job.Command}, nil
}

type bad struct{ how string }

func (b bad) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	s, err := optimizer.Random{}.Start(p)
	return badStrategy{s, b.how}, err
}

type badStrategy struct {
	optimizer.Strategy
	how string
}

func (b badStrategy) Ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	if at == 3 {
		switch b.how {
		case "panic":
			panic("on purpose")
		case "exit":
			fmt.Fprintln(os.Stderr, "last words")
			os.Exit(3)
		case "hang":
			select {} // until the process is killed
		case "error":
			return nil, errors.New("no idea")
		case "burn":
			for began := cpu(); cpu()-began < 300*time.Millisecond; {
				_ = bytes.Repeat([]byte("x"), 1000)
			}
		}
	}
	return b.Strategy.Ask(at, n, pending)
}

// cpu is the CPU time of this process: a busy machine takes longer over it.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// toyTasks returns the tasks of the toy suite.
func toyTasks(t *testing.T) []*bench.Task {
	t.Helper()
	tasks, err := toySuite().Tasks(bench.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	return []*bench.Task{&tasks[0], &tasks[1]}
}

// toyRunner runs in processes of this test binary.
func toyRunner(t *testing.T, data string, workers int) *bench.Runner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &bench.Runner{
		Data: data, Build: "test 1", Command: []string{"/usr/bin/env", workerMode + "=1", self}, Workers: workers,
		Hang: time.Minute, Report: func(bench.Progress) {},
	}
}

func toyPlan(t *testing.T, by ...bench.Contender) *bench.Plan {
	return &bench.Plan{
		Suite: "toy", Tasks: toyTasks(t), Lanes: []bench.Lane{bench.KnownArea}, Contenders: by,
		FirstSeed: 5, Seeds: 2, Trials: 12, Batch: 3,
	}
}

func ours(names ...string) (out []bench.Contender) {
	for _, n := range names {
		out = append(out, bench.Contender{Label: n, Name: n})
	}
	return out
}
