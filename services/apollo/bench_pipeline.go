package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer"
	"apollo/services/catalog"
	"apollo/services/child"
	"apollo/services/cli"
	"apollo/services/inspect"
	"apollo/services/study"
	"apollo/services/studyfile"
)

// pipelineFlags are the flags of bench pipeline.
type pipelineFlags struct {
	trials, batch, parallelism, cores, repeat int
	seed                                      uint64
	area, network                             string
}

func (a *app) benchPipelineCommand() *cobra.Command {
	var flags pipelineFlags
	c := &cobra.Command{
		Use: "pipeline", Short: "Measure what the bus and the log cost",
		Long: `Run random search through the whole pipeline (embedded server, durable Parquet log) and
the same loop bare, in one goroutine per core without bus and log, in turn, and print
trials per second of both and their ratio. The bare loop asks, checks, evaluates and
judges just as the services do, with the same template, network, area limit and batch.`,
		Example: "  apollo bench pipeline\n  apollo bench pipeline --trials 20000 --repeat 5 -o json",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.trials < 1 || flags.batch < 1 || flags.repeat < 1 || flags.cores < 1 {
				return cli.Usagef("--trials, --batch, --repeat and --cores must be at least 1")
			}
			if flags.parallelism < 1 {
				// Two for each worker keep it busy; with more than that the
				// queue never runs dry while the proposer has its turn.
				flags.parallelism = 4 * flags.cores
			}
			return a.benchPipeline(c, flags)
		},
	}
	f := c.Flags()
	f.IntVar(&flags.trials, "trials", 50_000, "`number` of designs in each run")
	// Random search learns nothing from a batch: it may be large, so that the
	// messages of a batch, some 700 us of CPU, are shared by many trials.
	f.IntVar(&flags.batch, "batch", 256, "designs in a work item")
	f.IntVar(&flags.parallelism, "parallelism", 0, "work items in flight; 0 means four for each core")
	f.IntVar(&flags.cores, "cores", runtime.NumCPU(), "`number` of cores to use, and of evaluator workers")
	f.IntVar(&flags.repeat, "repeat", 3, "how often both are run, in turn")
	f.Uint64Var(&flags.seed, "seed", 1, "seed of the search")
	f.StringVar(&flags.area, "area", "6.8 mm2", "area limit")
	f.StringVar(&flags.network, "network", "mobilenet_v2", "network")
	return c
}

// loopFigures are the figures of one way to run the search.
type loopFigures struct {
	TrialsPerSecond float64 `json:"trials_per_second"`
	CPUMicros       float64 `json:"cpu_us_per_trial"`
	FeasibleShare   float64 `json:"feasible_share"`
}

// pipelineFigures are the medians of a benchmark.
type pipelineFigures struct {
	Trials   int         `json:"trials"`
	Batch    int         `json:"batch"`
	Cores    int         `json:"cores"`
	Repeat   int         `json:"repeat"`
	Seed     uint64      `json:"seed"`
	Area     string      `json:"area"`
	Network  string      `json:"network"`
	Bus      loopFigures `json:"bus"`
	Bare     loopFigures `json:"bare"`
	Ratio    float64     `json:"ratio"`
	RatioMin float64     `json:"ratio_min"`
	RatioMax float64     `json:"ratio_max"`
	// CPURatio is the ratio by CPU time: what Ratio would be on a machine
	// without other load, whose cores are always busy.
	CPURatio float64 `json:"cpu_ratio"`
	// OverheadMicros is the CPU time per trial of the bus and the log alone.
	OverheadMicros float64 `json:"overhead_cpu_us_per_trial"`
}

func (a *app) benchPipeline(c *cobra.Command, flags pipelineFlags) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(flags.cores))
	doc, err := parsePipelineStudy(flags)
	if err != nil {
		return err
	}
	var bus, bare []loopFigures
	var ratios []float64
	for i := range flags.repeat {
		b, err := a.runBus(c, doc, flags)
		if err != nil {
			return fmt.Errorf("through the bus: %w", err)
		}
		l, err := runBare(c.Context(), doc.Spec, flags)
		if err != nil {
			return fmt.Errorf("bare: %w", err)
		}
		a.Say("run %d of %d: bus %.0f trials/s, bare %.0f trials/s", i+1, flags.repeat, b.TrialsPerSecond, l.TrialsPerSecond)
		bus, bare, ratios = append(bus, b), append(bare, l), append(ratios, b.TrialsPerSecond/l.TrialsPerSecond)
	}
	figures := pipelineFigures{
		Trials: flags.trials, Batch: flags.batch, Cores: flags.cores, Repeat: flags.repeat, Seed: flags.seed,
		Area: flags.area, Network: flags.network, Bus: medians(bus), Bare: medians(bare),
		Ratio: median(ratios), RatioMin: slices.Min(ratios), RatioMax: slices.Max(ratios),
	}
	figures.OverheadMicros = figures.Bus.CPUMicros - figures.Bare.CPUMicros
	figures.CPURatio = figures.Bare.CPUMicros / figures.Bus.CPUMicros
	return a.Print(cli.Answer{Value: figures, Text: func(w io.Writer, _ cli.Paint) { figures.text(w) }})
}

func (f pipelineFigures) text(w io.Writer) {
	fmt.Fprintf(w, "random search, %s designs of edge for %s, area at most %s, batches of %d, %d cores, median of %d\n\n",
		cli.Count(f.Trials), f.Network, f.Area, f.Batch, f.Cores, f.Repeat)
	fmt.Fprintf(w, "        TRIALS/S  CPU/TRIAL  FEASIBLE\n")
	for _, row := range []struct {
		name string
		l    loopFigures
	}{{"bus", f.Bus}, {"bare", f.Bare}} {
		fmt.Fprintf(w, "%-6s  %8.0f  %6.1f us   %5.1f %%\n", row.name, row.l.TrialsPerSecond, row.l.CPUMicros, 100*row.l.FeasibleShare)
	}
	fmt.Fprintf(w, "\nratio %.2f (%.2f to %.2f), by CPU time %.2f; bus and log cost %.1f us of CPU per trial\n",
		f.Ratio, f.RatioMin, f.RatioMax, f.CPURatio, f.OverheadMicros)
}

func parsePipelineStudy(flags pipelineFlags) (*studyfile.Document, error) {
	text := fmt.Sprintf(`{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"bench-pipeline"},"spec":{
		"seed":%d,"space":{"template":"edge"},"workload":{"networks":[{"name":%q}]},
		"objectives":[{"metric":"latency","goal":"minimize"}],"constraints":[{"metric":"area","max":%q}],
		"algorithm":{"name":"random"},"budget":{"trials":%d,"batch":%d,"parallelism":%d}}}`,
		flags.seed, flags.network, flags.area, flags.trials, flags.batch, flags.parallelism)
	return studyfile.Parse("bench", []byte(text), inspect.Builtins().Study(), studyfile.Options{})
}

// runBus runs the study through the pipeline, in a folder of its own, and
// times it from the request until every trial is durable in the log.
func (a *app) runBus(c *cobra.Command, doc *studyfile.Document, flags pipelineFlags) (figures loopFigures, err error) {
	dir, err := os.MkdirTemp("", "apollo-bench-")
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	inner := *a
	inner.Data, inner.nats, inner.Quiet = dir, "", true
	r := &runner{app: &inner, command: c, doc: doc, flags: runFlags{evaluators: flags.cores}}
	if r.session, err = inner.open(c.Context(), c, forRunning); err != nil {
		return figures, err
	}
	defer r.session.close(c.Context())
	began, cpu := time.Now(), child.CPUTime()
	view, err := r.drive(c.Context(), nil)
	figures = measured(flags.trials, began, cpu)
	if r.process != nil {
		err = errors.Join(err, r.process.stop())
	}
	if err == nil && (view.Summary == nil || view.Summary.Trials != flags.trials) {
		err = fmt.Errorf("the study ended as %s before its %d trials", view.State, flags.trials)
	}
	if err == nil {
		figures.FeasibleShare = float64(view.Summary.Feasible) / float64(flags.trials)
	}
	return figures, err
}

// runBare runs the same search without bus and log: every goroutine has its
// own strategy, evaluator and share of the trials.
func runBare(ctx context.Context, spec *events.Spec, flags pipelineFlags) (loopFigures, error) {
	began, cpu := time.Now(), child.CPUTime()
	var wg sync.WaitGroup
	errs, feasible := make([]error, flags.cores), make([]int, flags.cores)
	for i := range flags.cores {
		share := flags.trials / flags.cores
		if i < flags.trials%flags.cores {
			share++
		}
		wg.Go(func() { feasible[i], errs[i] = searchBare(ctx, spec, flags, flags.seed+uint64(i), share) })
	}
	wg.Wait()
	figures := measured(flags.trials, began, cpu)
	for _, n := range feasible {
		figures.FeasibleShare += float64(n) / float64(flags.trials)
	}
	return figures, errors.Join(errs...)
}

func searchBare(ctx context.Context, spec *events.Spec, flags pipelineFlags, seed uint64, trials int) (feasible int, err error) {
	sp, err := spec.Space()
	if err != nil {
		return 0, err
	}
	ev, err := catalog.Catalog.Bind(inspect.Builtins(), spec, sp.Params())
	if err != nil {
		return 0, err
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		return 0, err
	}
	checker, _ := ev.(evaluator.Checker)
	search, err := optimizer.Random{}.Start(optimizer.Problem{Space: sp, Seed: seed, Legal: study.Legality(spec, sp, judge, checker)})
	if err != nil {
		return 0, err
	}
	for done := 0; done < trials; {
		proposals, err := search.Ask(uint64(done), min(flags.batch, trials-done), nil)
		if err != nil {
			return feasible, err
		}
		for _, p := range proposals {
			r, err := ev.Evaluate(ctx, evaluator.Request{Study: spec.Study, Trial: done, Design: sp.Values(p.Point)})
			if err != nil {
				return feasible, err
			}
			o := optimizer.Observation{Point: p.Point, Status: optimizer.Infeasible, Trial: done, Origin: p.Origin}
			if _, broken := judge.Metrics(r.Values); r.Outcome == evaluator.Measured && broken == nil {
				o.Status, o.Values = optimizer.Measured, r.Values[:1]
				feasible++
			}
			search.Tell(o)
			done++
		}
	}
	return feasible, nil
}

func measured(trials int, began time.Time, cpu time.Duration) loopFigures {
	seconds := time.Since(began).Seconds()
	return loopFigures{
		TrialsPerSecond: float64(trials) / seconds,
		CPUMicros:       float64((child.CPUTime() - cpu).Microseconds()) / float64(trials),
	}
}

func medians(runs []loopFigures) loopFigures {
	pick := func(f func(loopFigures) float64) float64 {
		values := make([]float64, len(runs))
		for i, r := range runs {
			values[i] = f(r)
		}
		return median(values)
	}
	return loopFigures{
		TrialsPerSecond: pick(func(l loopFigures) float64 { return l.TrialsPerSecond }),
		CPUMicros:       pick(func(l loopFigures) float64 { return l.CPUMicros }),
		FeasibleShare:   pick(func(l loopFigures) float64 { return l.FeasibleShare }),
	}
}

// median returns the middle value, or the mean of the middle two.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
