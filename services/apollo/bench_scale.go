package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/events"
	"apollo/services/child"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/messages"
	"apollo/services/studyfile"
	"apollo/services/worker"
)

// sleeper is the evaluator that waits instead of measuring: it needs no CPU, so
// that a small machine has room for many.
const sleeper = "sleeper"

// scaleFlags are the flags of bench scale-out.
type scaleFlags struct {
	processes            []int
	evaluation, duration time.Duration
	order                string
	seed                 uint64
}

func (a *app) benchScaleCommand() *cobra.Command {
	var flags scaleFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "scale-out", Short: "Measure how throughput grows with evaluator processes",
		Long: `Run random search with a server, a proposer and an archiver in this process, and evaluators
in 1, 2, 4 … processes that wait instead of measuring, so that they need no CPU for it. Each
number of processes gets a study that lasts --duration if nothing else takes time. OF LINEAR is
the trials per second, of what the processes would do if each answered one design after the
other without a pause. BETWEEN is the mean time from an answer to the next design in hand; what an
evaluation takes longer than it should is the machine's. The CPU times are per trial: of the services with
the server, and of the processes, for their messages.`,
		Example: "  apollo bench scale-out\n  apollo bench scale-out --processes 8,16 --evaluation 1s --duration 60s -o json",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			return a.benchScale(c, flags)
		},
	}
	f := c.Flags()
	f.IntSliceVar(&flags.processes, "processes", []int{1, 2, 4, 8, 16, 32}, "`numbers` of evaluator processes")
	cli.DurationVar(f, &flags.evaluation, "evaluation", 50*time.Millisecond, "`time` of an evaluation")
	cli.DurationVar(f, &flags.duration, "duration", 20*time.Second, "`time` of each study")
	f.StringVar(&flags.order, "order", "relaxed", "order of the studies: relaxed|strict")
	f.Uint64Var(&flags.seed, "seed", 1, "seed of the search")
	c.AddCommand(a.benchSleeperCommand())
	return c
}

// most bounds what is asked of a machine.
const mostProcesses = 256

func (f *scaleFlags) check() error {
	if f.evaluation < time.Millisecond || f.duration < f.evaluation {
		return cli.Usagef("--evaluation %s --duration %s: want at least 1ms, and a duration that is no shorter", f.evaluation, f.duration)
	}
	for _, n := range f.processes {
		if n < 1 || n > mostProcesses {
			return cli.Usagef("--processes %d: want 1 to %d", n, mostProcesses)
		}
	}
	if most := f.trials(slices.Max(f.processes)); most > events.MaxTrials {
		return cli.Usagef("%d trials are more than a study may have, %d: a shorter --duration", most, events.MaxTrials)
	}
	return nil
}

func (f *scaleFlags) trials(processes int) int {
	return processes * int(f.duration/f.evaluation)
}

// scaleFigures are those of one number of processes.
type scaleFigures struct {
	Processes       int     `json:"processes"`
	Trials          int     `json:"trials"`
	Seconds         float64 `json:"seconds"`
	TrialsPerSecond float64 `json:"trials_per_second"`
	OfLinear        float64 `json:"of_linear"`
	// EvaluationSeconds is what an evaluation took, BetweenSeconds is from an
	// answer to the next design.
	EvaluationSeconds float64 `json:"evaluation_s"`
	BetweenSeconds    float64 `json:"between_s"`
	// ServicesMicros and WorkersMicros are CPU times.
	ServicesMicros float64 `json:"services_cpu_us_per_trial"`
	WorkersMicros  float64 `json:"workers_cpu_us_per_trial"`
	BusyCores      float64 `json:"busy_cores"`
}

func (a *app) benchScale(c *cobra.Command, flags scaleFlags) error {
	var all []scaleFigures
	var items []any
	g := &cli.Grid{Header: []string{">PROCESSES", ">TRIALS/S", ">OF LINEAR", ">EVALUATION", ">BETWEEN", ">SERVICES CPU", ">PROCESSES CPU", ">BUSY CORES"}}
	for _, n := range flags.processes {
		f, err := a.scaleOut(c, n, flags)
		if err != nil {
			return fmt.Errorf("with %d processes: %w", n, err)
		}
		a.Say("%d processes: %.0f trials/s, %.2f of linear", n, f.TrialsPerSecond, f.OfLinear)
		all, items = append(all, f), append(items, f)
		g.Add(strconv.Itoa(n), fmt.Sprintf("%.1f", f.TrialsPerSecond), fmt.Sprintf("%.2f", f.OfLinear),
			fmt.Sprintf("%.1f ms", 1e3*f.EvaluationSeconds), fmt.Sprintf("%.1f ms", 1e3*f.BetweenSeconds),
			fmt.Sprintf("%.0f us", f.ServicesMicros), fmt.Sprintf("%.0f us", f.WorkersMicros), fmt.Sprintf("%.2f", f.BusyCores))
	}
	return a.Print(cli.Answer{Value: all, Items: items, Grid: g})
}

// scaleOut runs one study with so many processes, in a folder of its own.
func (a *app) scaleOut(c *cobra.Command, processes int, flags scaleFlags) (figures scaleFigures, err error) {
	figures = scaleFigures{Processes: processes, Trials: flags.trials(processes)}
	dir, err := os.MkdirTemp("", "apollo-bench-")
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	inner := *a
	inner.Data, inner.nats, inner.Quiet = dir, "", true
	r := &runner{app: &inner, command: c}
	ctx := c.Context()
	if r.doc, err = scaleStudy(figures.Trials, flags, studyfile.Options{Slots: func(string, bool) int { return processes }}); err != nil {
		return figures, err
	}
	if r.session, err = inner.open(ctx, c, forRunning); err != nil {
		return figures, err
	}
	defer r.session.close(ctx)
	if err := r.start(ctx, nil, proposing|archiving); err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, r.process.stop()) }()
	workers, err := startSleepers(processes, dir, flags.evaluation)
	defer func() {
		for _, p := range workers {
			p.Discard()
		}
	}()
	if err == nil {
		err = awaitWorkers(ctx, r.session, workers)
	}
	if err != nil {
		return figures, err
	}
	return figures, r.timeScale(ctx, workers, flags, &figures)
}

// timeScale times the study from the request until it has ended.
func (r *runner) timeScale(ctx context.Context, workers []*child.Process, flags scaleFlags, figures *scaleFigures) error {
	before, err := askAll(workers)
	if err != nil {
		return err
	}
	began, cpu := time.Now(), child.CPUTime()
	view, err := r.submit(ctx)
	if err == nil {
		view, err = (&follower{app: r.app, session: r.session, progress: newProgress(r.app, view.Spec)}).wait(ctx, view)
	}
	if err != nil {
		return err
	}
	took, ours := time.Since(began), child.CPUTime()-cpu
	if view.Summary == nil || view.Summary.Trials != figures.Trials {
		return fmt.Errorf("the study ended as %s before its %d trials: %s", view.State, figures.Trials, view.Reason)
	}
	after, err := askAll(workers)
	if err != nil {
		return err
	}
	theirs := after.CPU - before.CPU
	n := float64(figures.Trials)
	figures.Seconds, figures.TrialsPerSecond = took.Seconds(), n/took.Seconds()
	figures.OfLinear = figures.TrialsPerSecond * flags.evaluation.Seconds() / float64(figures.Processes)
	figures.EvaluationSeconds = (after.Evaluating - before.Evaluating).Seconds() / n
	figures.BetweenSeconds = took.Seconds()*float64(figures.Processes)/n - figures.EvaluationSeconds
	figures.ServicesMicros, figures.WorkersMicros = ours.Seconds()*1e6/n, theirs.Seconds()*1e6/n
	figures.BusyCores = (ours + theirs).Seconds() / took.Seconds()
	return (&follower{app: r.app, session: r.session}).archived(ctx, view)
}

func scaleStudy(trials int, flags scaleFlags, o studyfile.Options) (*studyfile.Document, error) {
	text := fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"bench-scale-out"},"spec":{"seed":%d,
		"space":{"parameters":[{"name":"x","min":1,"max":8192},{"name":"y","min":1,"max":8192}]},
		"evaluator":{"name":%q,"deterministic":true,"metrics":[{"name":"latency","unit":"s"}]},
		"objectives":[{"metric":"latency","goal":"minimize"}],"algorithm":{"name":"random"},"order":%q,
		"budget":{"trials":%d,"batch":1,"parallelism":"auto"}}}`, flags.seed, sleeper, flags.order, trials)
	return studyfile.Parse("bench", []byte(text), inspect.Builtins().Study(), o)
}

// startSleepers starts processes of this program that wait for work on the
// server of dir.
func startSleepers(n int, dir string, evaluation time.Duration) (all []*child.Process, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for range n {
		p, err := child.Start([]string{self, "bench", "scale-out", sleeper, "--data", dir, "--evaluation", evaluation.String()}, child.Options{MaxLine: 1 << 10})
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

// startWithin is how long the processes may take to say that they are there.
const startWithin = 2 * time.Minute

// awaitWorkers waits until all the processes are there.
func awaitWorkers(ctx context.Context, s *session, processes []*child.Process) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var heard messages.Workers
	for m, err := range s.bus.Notices(ctx, events.PresenceSubject(sleeper)) {
		if err != nil {
			break
		}
		heard.Note(m)
		if there, _ := heard.Of(sleeper, time.Now()); len(there) == len(processes) {
			return nil
		}
		for _, p := range processes {
			if p.Exited() {
				return fmt.Errorf("an evaluator ended: %s", p.Said())
			}
		}
	}
	there, _ := heard.Of(sleeper, time.Now())
	return fmt.Errorf("%d of %d evaluators were there after %s: %w", len(there), len(processes), startWithin, context.Cause(ctx))
}

// spent is what a process says about itself.
type spent struct {
	// CPU is its CPU time, Evaluating how long it has waited instead of measuring.
	CPU, Evaluating time.Duration
}

// askAll adds up what the processes have spent so far.
func askAll(processes []*child.Process) (total spent, err error) {
	for _, p := range processes {
		var one spent
		err := p.Write([]byte("?\n"))
		if err == nil {
			var line []byte
			if line, err = p.ReadLine(); err == nil {
				err = json.Unmarshal(line, &one)
			}
		}
		if err != nil {
			return total, fmt.Errorf("ask an evaluator: %w; it said: %s", err, p.Said())
		}
		total.CPU, total.Evaluating = total.CPU+one.CPU, total.Evaluating+one.Evaluating
	}
	return total, nil
}

// benchSleeperCommand is how bench scale-out starts this binary again.
func (a *app) benchSleeperCommand() *cobra.Command {
	var evaluation time.Duration
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         sleeper, Short: "Wait instead of measuring, for another process", Hidden: true, Args: cli.Exactly(0),
		Long: `Take work from the server of --data and answer each design after --evaluation. For each line
of standard input it says what it has spent so far; it ends with standard input.
"apollo bench scale-out" starts these processes itself.`,
		Example: `  apollo bench scale-out sleeper --data DIR`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forServer)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			sleep := &sleepBackend{each: evaluation}
			e := &worker.Evaluator{
				Bus: s.bus, Name: sleeper, Backend: sleep, Worker: workerName(), Logger: a.Logger(c, slog.LevelWarn).With("service", "evaluator"),
			}
			group := startRoles(ctx, []role{{"evaluator", e.Run}}, nil)
			for lines := bufio.NewScanner(a.Stdin); lines.Scan(); {
				if err := cli.WriteJSON(a.Stdout, spent{child.CPUTime(), time.Duration(sleep.total.Load())}, ""); err != nil {
					return errors.Join(err, group.stop())
				}
			}
			return group.stop()
		},
	}
	cli.DurationVar(c.Flags(), &evaluation, "evaluation", 50*time.Millisecond, "`time` of an evaluation")
	return c
}

// sleepBackend answers after a time.
type sleepBackend struct {
	each  time.Duration
	total atomic.Int64 // of all evaluations, ns
}

// Describe implements evaluator.Backend.
func (*sleepBackend) Describe() evaluator.Description {
	return evaluator.Description{Name: sleeper, Version: "1", Deterministic: true}
}

// New implements evaluator.Backend.
func (s *sleepBackend) New(evaluator.Task) (evaluator.Evaluator, error) { return s, nil }

// Evaluate implements evaluator.Evaluator.
func (s *sleepBackend) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	began := time.Now()
	select {
	case <-time.After(s.each):
	case <-ctx.Done():
		return evaluator.Result{}, ctx.Err()
	}
	s.total.Add(int64(time.Since(began)))
	return evaluator.Result{Outcome: evaluator.Measured, Values: []float64{r.Design[0].Num + r.Design[1].Num}}, nil
}
