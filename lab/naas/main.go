// Command naas measures what sizes, mappings and connectivity bring beside five
// published accelerators, the comparison of NAAS (Y. Lin et al., arXiv 2105.13258),
// and writes docs/results-naas.md. `make results-naas` runs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"apollo/lab/bench"
	"apollo/lab/stats"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 2 && os.Args[1] == "worker" {
		w := &bench.Worker{Suites: []bench.Suite{naasSuite(), jointSuite()}}
		if err := w.Serve(ctx, os.Stdin, os.Stdout); err != nil {
			exit(err)
		}
		return
	}
	r := &run{}
	flag.StringVar(&r.data, "data", "apollo-naas", "`folder` of the trial log; what it holds whole is not run again")
	flag.StringVar(&r.page, "page", "docs/results-naas.md", "`document` whose tables are replaced")
	flag.IntVar(&r.seeds, "seeds", 10, "`number` of seeds")
	flag.IntVar(&r.trials, "trials", 24, "`number` of designs of a search")
	flag.IntVar(&r.workers, "workers", 1, "`number` of processes")
	flag.Float64Var(&r.hours, "hours", 1, "most `hours` of processor time of this run")
	only := flag.String("chips", "", "only these `chips`, with commas between; default: all")
	tasks := flag.String("networks", "", "only these `networks`, with commas between; default: all")
	arms := flag.String("variants", "", "only these `variants`, with commas between; default: all")
	strategies := flag.String("strategies", "default", "`strategies` of the searches, with commas between; the first is that of the tables, the others search the connectivity only")
	flag.StringVar(&r.joint, "joint", "", "compare the joint search of chip and network with each alone, on the `tasks` test or development, instead of the chips")
	flag.BoolVar(&r.write, "write-only", false, "write the page from what is there, without a search")
	flag.Parse()
	if *arms != "" {
		r.variants = strings.Split(*arms, ",")
	}
	r.strategies = strings.Split(*strategies, ",")
	if *only != "" {
		r.chips = strings.Split(*only, ",")
	}
	if *tasks != "" {
		r.networks = strings.Split(*tasks, ",")
	}
	if err := r.run(ctx); err != nil {
		exit(err)
	}
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, "naas:", err)
	os.Exit(1)
}

type run struct {
	data, page             string
	seeds, trials, workers int
	hours                  float64
	chips, networks        []string
	variants, strategies   []string
	joint                  string
	write                  bool
}

// firstSeeds are run of every comparison; the others only where these do not decide.
const firstSeeds = 5

// decidedWithin is the width of a 95 % interval, relative to its middle, at which
// more seeds are not worth their time; chosen before the first run.
const decidedWithin = 0.02

// errSpent ends a run that has used its processor time.
var errSpent = errors.New("the processor time is spent")

func (r *run) run(ctx context.Context) error {
	for _, name := range r.chips {
		if !slices.ContainsFunc(chips(), func(c chip) bool { return c.name == name }) {
			return fmt.Errorf("-chips: there is no chip %q", name)
		}
	}
	for _, name := range r.networks {
		if !slices.ContainsFunc(networks(), func(n network) bool { return n.name == name }) {
			return fmt.Errorf("-networks: there is no network %q", name)
		}
	}
	for _, name := range r.variants {
		if !slices.Contains(variants(), name) {
			return fmt.Errorf("-variants: there is no variant %q", name)
		}
	}
	if split := bench.Split(r.joint); split != "" && split != bench.Test && split != bench.Development {
		return fmt.Errorf("-joint %s: want test or development", r.joint)
	}
	if r.seeds < 1 || r.trials < 1 || r.workers < 1 || !(r.hours > 0) {
		return errors.New("-seeds, -trials, -workers and -hours: want positive numbers")
	}
	if !r.write {
		if err := r.search(ctx); err != nil {
			return err
		}
	}
	if r.joint != "" {
		return r.writeJoint() //nolint:contextcheck // a study is parsed without one
	}
	return r.writePage(ctx)
}

// search runs what the log lacks until the processor time is spent.
func (r *run) search(ctx context.Context) error {
	suite, cellsOf := naasSuite(), r.cells
	if r.joint != "" {
		suite, cellsOf = jointSuite(), r.jointCells
	}
	tasks, err := suite.Tasks(bench.Environment{})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runner := &bench.Runner{
		Data: r.data, Build: "naas", Command: []string{self, "worker"}, Workers: r.workers, Hang: 30 * time.Minute,
		AnyBuild: true, Logger: slog.New(slog.DiscardHandler),
		Report: func(p bench.Progress) {
			if p.Failure != nil {
				fmt.Fprintf(os.Stderr, "naas: %s: %v\n", p.Failure.Cell.Study(), p.Failure.Err)
			}
		},
	}
	earlier, err := r.spentBefore()
	if err != nil {
		return err
	}
	for seed := 1; seed <= r.seeds; seed++ {
		cells := cellsOf(tasks, uint64(seed))
		if seed > firstSeeds && r.joint == "" {
			if cells, err = r.undecided(cells); err != nil {
				return err
			}
		}
		// In rounds, so that the time is looked at between them.
		for chunk := range slices.Chunk(cells, len(networks())) {
			_, err := runner.Run(ctx, chunk)
			spent := cpuSeconds()
			if keep := r.keepSpent(earlier + spent); err == nil {
				err = keep
			}
			if err != nil {
				return err
			}
			if spent > r.hours*3600 {
				fmt.Fprintf(os.Stderr, "naas: %v in seed %d: the same command goes on\n", errSpent, seed)
				return nil
			}
		}
		fmt.Fprintf(os.Stderr, "naas: seed %d, %d searches, %.2f h of processor time\n", seed, len(cells), (earlier+cpuSeconds())/3600)
	}
	return nil
}

// cells are the searches of a seed: the chips with a target of their own first.
func (r *run) cells(tasks []bench.Task, seed uint64) (cells []*bench.Cell) {
	for _, name := range []string{"eyeriss", "nvdla-256", "shidiannao", "nvdla-1024", "edgetpu"} {
		if r.chips != nil && !slices.Contains(r.chips, name) {
			continue
		}
		for _, variant := range []string{connectivity, mapping, sizing} {
			for i, strategy := range r.strategies {
				if i > 0 && variant != connectivity || r.variants != nil && !slices.Contains(r.variants, variant) {
					continue
				}
				for _, n := range networks() {
					if r.networks != nil && !slices.Contains(r.networks, n.name) {
						continue
					}
					c := chip{name: name}
					at := slices.IndexFunc(tasks, func(t bench.Task) bool { return t.Name == taskName(&c, &n, variant) })
					cells = append(cells, &bench.Cell{
						Suite: "naas", Task: &tasks[at], Lane: bench.KnownArea, By: bench.Contender{Label: strategy, Name: strategy},
						Seed: seed, Trials: r.trials, Batch: 1,
					})
				}
			}
		}
	}
	return cells
}

// undecided leaves out searches of comparisons whose interval is narrow.
func (r *run) undecided(cells []*bench.Cell) ([]*bench.Cell, error) {
	found, err := readResults(r.data)
	if err != nil {
		return nil, err
	}
	var left []*bench.Cell
	for _, c := range cells {
		best := found.of(c.Task.Name, c.By.Label, r.trials)
		var edp []float64
		for _, b := range best {
			edp = append(edp, b.edp)
		}
		if i := stats.MedianInterval(edp); !(i.High-i.Low <= decidedWithin*i.Value) {
			left = append(left, c)
		}
	}
	return left, nil
}

// cpuSeconds is the processor time of this process and of the workers that ended.
func cpuSeconds() float64 {
	total := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
		}
	}
	return total
}

// spentFile holds the processor time of all runs on a log, in seconds.
const spentFile = "processor_seconds"

func (r *run) spentBefore() (float64, error) {
	b, err := os.ReadFile(filepath.Join(r.data, spentFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", filepath.Join(r.data, spentFile), err)
	}
	return v, nil
}

func (r *run) keepSpent(seconds float64) error {
	b, err := json.Marshal(seconds)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.data, spentFile), append(b, '\n'), 0o644)
}
