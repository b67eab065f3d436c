// Package commands is the command line of the laboratory: comparisons of
// strategies, and of the cost model with references.
package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/archiver"
	"apollo/events"
	"apollo/lab/bench"
	"apollo/lab/suite"
	"apollo/optimizer"
	"apollo/services/cli"
)

// benchFlags say what a comparison is made of.
type benchFlags struct {
	suite, split string
	tasks        []string
	lanes        []string
	algorithms   []string
	variants     []string
	peers        []string
	tables       []string
	noFeatures   bool
	seeds        int
	firstSeed    uint64
	trials       int
	batch        int
	sourceTrials int
	sourceBy     string
	sourcePolicy string
	methods      []string
	byTask       bool
	marks        []int        // the suite's
	twins        []bench.Twin // left out
	workers      int
	cpuLimit     time.Duration
	hang         time.Duration
	reference    string
	resamples    int
	anyBuild     bool
	svg          string
	markdown     string
}

// Lab is the commands that compare strategies, and the model with references.
type Lab struct{ *cli.Terminal }

// BenchCommand is `apollo bench`, with more subcommands of the caller's.
func (a *Lab) BenchCommand(more ...*cobra.Command) *cobra.Command {
	var flags benchFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "bench", Short: "Compare search strategies on tasks whose answer is known",
		Long: `Run strategies on the tasks of a suite with paired seeds, in parallel processes, and say
which one needs fewer trials. Regret is how far the best feasible design is above the
known answer. Every search is an ordinary study; the trials are in the log of --data
(./apollo-bench unless you say otherwise), and a search that the log holds is not run
again: after an interruption the same command goes on.
Random search with the same free checks is always in the comparison.`,
		Example: `  apollo bench --suite apollo --task mobilenetv2-6p8 --algorithms default,random --seeds 7 --trials 60 -o json
  apollo bench --suite bbob --split development --algorithms default,gp-bandit,tpe --seeds 20
  apollo bench --suite apollo --peer 'optuna=python examples/peers/optuna_tpe.py' --algorithms default
  apollo bench report --suite apollo --svg figures
  apollo bench pipeline`,
		Args: a.GroupArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.bench(c, &flags) },
	}
	f := c.Flags()
	selectFlags(c, &flags)
	f.StringSliceVar(&flags.algorithms, "algorithms", nil, "`names` of strategies (default: default,random, or the suite's own); NAME-nofeatures goes without derived features, NAME-alone without sources")
	_ = c.RegisterFlagCompletionFunc("algorithms", cobra.FixedCompletions(optimizer.Names(), cobra.ShellCompDirectiveNoFileComp))
	f.StringArrayVar(&flags.variants, "variant", nil, "`LABEL=NAME {options}`, a strategy with options as a study file has them (repeatable)")
	f.StringArrayVar(&flags.peers, "peer", nil, "`LABEL=command` of a program that speaks the protocol of peers (repeatable)")
	f.BoolVar(&flags.noFeatures, "no-features", false, "also run every strategy of --algorithms without derived features")
	f.IntVar(&flags.seeds, "seeds", 20, "`number` of paired seeds")
	f.Uint64Var(&flags.firstSeed, "first-seed", 1, "the first seed")
	f.IntVar(&flags.trials, "trials", 0, "trials of each search (default: 150, or the suite's own)")
	f.IntVar(&flags.batch, "batch", 1, "designs that a strategy is asked for at a time")
	f.IntVar(&flags.sourceTrials, "source-trials", 200, "trials of the searches that others learn from, in suites of transfer")
	f.StringVar(&flags.sourceBy, "source-algorithm", "default", "`name` of the strategy of the searches that others learn from")
	f.StringVar(&flags.sourcePolicy, "source-policy", "", "`file` of a policy that leads these searches, which --source-algorithm explore takes")
	f.StringSliceVar(&flags.methods, "method", nil, "`methods` of transfer to compare, each as NAME-METHOD: seed, gp, rgpe, rtm, zero-shot (default: chosen by evidence, as NAME)")
	f.IntVar(&flags.workers, "workers", runtime.NumCPU(), "`number` of processes")
	cli.DurationVar(f, &flags.cpuLimit, "cpu-limit", time.Minute, "most CPU time of one suggestion; a search that exceeds it fails")
	cli.DurationVar(f, &flags.hang, "hang", 10*time.Minute, "a process that is silent for so long is killed and its search fails")
	f.BoolVar(&flags.anyBuild, "any-build", false, "also take searches that another build of apollo has finished")
	c.AddCommand(a.benchReportCommand(), a.benchSuitesCommand(), a.benchWorkerCommand())
	c.AddCommand(more...)
	return c
}

// selectFlags are those of running and of reporting.
func selectFlags(c *cobra.Command, flags *benchFlags) {
	f := c.Flags()
	f.StringVar(&flags.suite, "suite", "apollo", "`name` of the suite: `apollo bench suites` lists them")
	_ = c.RegisterFlagCompletionFunc("suite", func(*cobra.Command, []string, string) (all []string, _ cobra.ShellCompDirective) {
		for _, s := range suite.All() {
			all = append(all, s.Name)
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	})
	f.StringArrayVar(&flags.tasks, "task", nil, "only tasks with this `name` or pattern (repeatable)")
	f.StringVar(&flags.split, "split", "all", "only tasks of the split: development|test|all")
	f.StringSliceVar(&flags.lanes, "lane", nil, "what is known without a trial: known-area|all-known|paper (default: the suite's first)")
	f.StringSliceVar(&flags.tables, "table", nil, "CSV `files` for the suite kernels")
	f.StringVar(&flags.reference, "reference", "", "the `algorithm` that others are measured against (default: random, or the suite's own)")
	f.BoolVar(&flags.byTask, "by-task", false, "also print the tasks one by one")
	f.IntVar(&flags.resamples, "resamples", 1000, "bootstrap resamples behind the intervals; 0 for none")
	f.StringVar(&flags.markdown, "markdown", "", "also replace the tables in this `document`, between <!-- bench: SUITE LANE --> and <!-- bench: end -->")
	f.StringVar(&flags.svg, "svg", "", "also write the figures into this `folder`")
}

// benchData is the data directory of comparisons, apart from that of studies.
func (a *Lab) benchData(c *cobra.Command) string {
	if !c.Flags().Changed("data") && os.Getenv("APOLLO_DATA") == "" {
		return "apollo-bench"
	}
	return a.Data
}

// plan says what to run: the tasks of the suite, and the cells.
func (flags *benchFlags) plan(ctx context.Context, env bench.Environment) (*bench.Plan, []*bench.Task, error) {
	s, tasks, err := flags.taught(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	flags.complete(s)
	p := &bench.Plan{
		Suite: s.Name, Tasks: tasks, FirstSeed: flags.firstSeed, Seeds: flags.seeds,
		Trials: flags.trials, Batch: flags.batch, SourceTrials: flags.sourceTrials,
	}
	if p.Lanes, err = flags.lanesOf(s); err != nil {
		return nil, nil, err
	}
	if p.Contenders, err = flags.contenders(); err != nil {
		return nil, nil, err
	}
	if p.SourceBy, err = flags.sources(); err != nil {
		return nil, nil, err
	}
	switch {
	case flags.seeds < 1 || flags.trials < 1 || flags.batch < 1 || flags.workers < 1 || flags.sourceTrials < 1:
		return nil, nil, cli.Usagef("--seeds, --trials, --batch, --source-trials and --workers must be at least 1")
	case max(flags.trials, flags.sourceTrials) > events.MaxTrials:
		return nil, nil, cli.Usagef("--trials %d: at most %d", flags.trials, events.MaxTrials)
	case flags.resamples < 0:
		return nil, nil, cli.Usagef("--resamples %d: want 0 or more", flags.resamples)
	}
	return p, tasks, nil
}

// complete fills in what the suite, or the product, has for what was not said.
func (flags *benchFlags) complete(s *bench.Suite) {
	const trials = 150 // by then a good strategy is within a few per cent
	flags.trials = cmp.Or(flags.trials, s.Trials, trials)
	flags.marks = s.Marks
	flags.reference = cmp.Or(flags.reference, s.Reference, "random")
	switch {
	case len(flags.algorithms) > 0 || len(flags.variants)+len(flags.peers) > 0:
	case len(s.Algorithms) > 0:
		flags.algorithms = s.Algorithms
	default:
		flags.algorithms = []string{"default", "random"}
	}
	for _, t := range flags.methods {
		flags.algorithms = append(slices.Clone(flags.algorithms), "default-"+t)
	}
}

// selected returns the suite and those of its tasks that the flags mean.
func (flags *benchFlags) selected(env bench.Environment) (*bench.Suite, []*bench.Task, error) {
	s, err := bench.FindSuite(suite.All(), flags.suite)
	if err != nil {
		return nil, nil, cli.Hinted(cli.ExitNotFound, "`apollo bench suites` lists them", err)
	}
	all, err := s.Tasks(env)
	if err != nil {
		return nil, nil, fmt.Errorf("suite %s: %w", s.Name, err)
	}
	split := bench.Split(flags.split)
	switch split {
	case "all":
		split = ""
	case bench.Development, bench.Test:
	default:
		return nil, nil, cli.Usagef("--split %q: want development, test or all", flags.split)
	}
	if len(all) == 0 && len(flags.tables) == 0 {
		return nil, nil, cli.Hinted(cli.ExitUsage, "--table takes CSV files: parameters, value, and optionally valid", fmt.Errorf("suite %s is made of tables, and there are none", s.Name))
	}
	tasks, err := bench.Select(all, split, flags.tasks)
	if err != nil {
		return nil, nil, cli.Hinted(cli.ExitNotFound, "`apollo bench suites "+s.Name+"` lists the tasks", err)
	}
	return s, tasks, nil
}

// taught is selected without the sources that are twins of their task, and
// without tasks that then have none.
func (flags *benchFlags) taught(ctx context.Context, env bench.Environment) (*bench.Suite, []*bench.Task, error) {
	s, tasks, err := flags.selected(env)
	if err != nil {
		return nil, nil, err
	}
	tasks, flags.twins, err = bench.LeaveTwins(ctx, tasks, s.Twins)
	return s, tasks, err
}

func (flags *benchFlags) lanesOf(s *bench.Suite) ([]bench.Lane, error) {
	if len(flags.lanes) == 0 {
		return s.Lanes[:1], nil
	}
	var lanes []bench.Lane
	for _, name := range flags.lanes {
		if !slices.Contains(s.Lanes, bench.Lane(name)) {
			return nil, cli.Usagef("--lane %s: suite %s has %s", name, s.Name, joinLanes(s.Lanes))
		}
		lanes = append(lanes, bench.Lane(name))
	}
	return lanes, nil
}

func joinLanes(lanes []bench.Lane) string {
	var names []string
	for _, l := range lanes {
		names = append(names, string(l))
	}
	return strings.Join(names, ", ")
}

// Endings of the label of a strategy that goes without features, or without the
// sources of its task.
const (
	withoutFeatures = "-nofeatures"
	withoutSources  = "-alone"
)

// contenderOf reads a label: the name of a strategy with endings.
func contenderOf(label string) bench.Contender {
	c := bench.Contender{Label: label, Name: label}
	for cut := true; cut; {
		var features, sources bool
		c.Name, features = strings.CutSuffix(c.Name, withoutFeatures)
		c.Name, sources = strings.CutSuffix(c.Name, withoutSources)
		c.NoFeatures, c.Alone = c.NoFeatures || features, c.Alone || sources
		cut = features || sources
	}
	for _, method := range []string{"merge", "seed", "gp", "rgpe", "rtm", "zero-shot"} {
		name, ok := strings.CutSuffix(c.Name, "-"+method)
		if ok && slices.Contains(optimizer.Names(), name) {
			c.Name, c.Method = name, method
		}
	}
	return c
}

// contenders returns the algorithms of the flags, each once, and the reference
// if it is a strategy of ours.
func (flags *benchFlags) contenders() ([]bench.Contender, error) {
	var out []bench.Contender
	add := func(c bench.Contender) error {
		switch {
		case !events.IsName(c.Label):
			return cli.Usagef("algorithm %q: its label must be made of a-z, 0-9 and -", c.Label)
		case slices.ContainsFunc(out, func(o bench.Contender) bool { return o.Label == c.Label }):
			return cli.Usagef("two algorithms are called %q", c.Label)
		}
		out = append(out, c)
		return nil
	}
	names := slices.Clone(flags.algorithms)
	if flags.noFeatures {
		for _, n := range flags.algorithms {
			if n != flags.reference {
				names = append(names, n+withoutFeatures)
			}
		}
	}
	if slices.Contains(optimizer.Names(), contenderOf(flags.reference).Name) && !slices.Contains(names, flags.reference) {
		names = append(names, flags.reference)
	}
	for _, n := range names {
		c := contenderOf(n)
		if _, err := optimizer.New(c.Name, nil); err != nil {
			return nil, cli.Hinted(cli.ExitUsage, "--algorithms takes the names of strategies", err)
		}
		if err := add(c); err != nil {
			return nil, err
		}
	}
	for _, v := range flags.variants {
		c, err := variant(v)
		if err == nil {
			err = add(c)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, p := range flags.peers {
		label, command, ok := strings.Cut(p, "=")
		if !ok || strings.TrimSpace(command) == "" {
			return nil, cli.Usagef("--peer %q: want LABEL=command", p)
		}
		if err := add(bench.Contender{Label: label, Command: command}); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(out, func(c bench.Contender) bool { return c.Label == flags.reference }) {
		return nil, cli.Usagef("--reference %s is none of the algorithms", flags.reference)
	}
	return out, nil
}

// variant reads "LABEL=NAME {options}".
func variant(text string) (bench.Contender, error) {
	label, rest, ok := strings.Cut(text, "=")
	name, options, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !ok || name == "" {
		return bench.Contender{}, cli.Usagef("--variant %q: want LABEL=NAME {options}", text)
	}
	c := contenderOf(name)
	c.Label, c.Options = label, json.RawMessage(strings.TrimSpace(options))
	if len(c.Options) == 0 {
		c.Options = nil
	}
	if _, err := optimizer.New(c.Name, c.Options); err != nil {
		return c, cli.Hinted(cli.ExitUsage, "options are a JSON object, as in a study file", fmt.Errorf("--variant %s: %w", label, err))
	}
	return c, nil
}

// environment is where suites look.
func (a *Lab) environment(c *cobra.Command, flags *benchFlags) (bench.Environment, error) {
	if len(flags.tables) == 0 {
		var err error
		if flags.tables, err = suite.Tables(filepath.Join(cli.EnvOr("APOLLO_REFS", "../shared/refs"), "kernels")); err != nil {
			return bench.Environment{}, err
		}
	}
	env := bench.Environment{}
	for _, path := range flags.tables {
		full, err := filepath.Abs(path)
		if err != nil {
			return env, fmt.Errorf("table %s: %w", path, err)
		}
		env.Tables = append(env.Tables, full)
	}
	proofs, err := filepath.Abs(a.benchData(c))
	env.Proofs = proofs
	return env, err
}

// lockedHint adds what to do about a directory that is in use.
func lockedHint(data string, err error) error {
	if errors.Is(err, archiver.ErrLocked) {
		return cli.Hinted(cli.ExitError, "another apollo works in "+data+": wait for it, or give this one its own --data", err)
	}
	return err
}

// sources returns the strategy of the searches that others learn from.
func (flags *benchFlags) sources() (bench.Contender, error) {
	by := bench.Contender{Label: flags.sourceBy, Name: flags.sourceBy}
	hint := "--source-algorithm takes the name of a strategy"
	if flags.sourcePolicy != "" {
		policy, err := os.ReadFile(flags.sourcePolicy)
		if err != nil {
			return by, cli.Hinted(cli.ExitUsage, "--source-policy takes a file that `apollo train` wrote", err)
		}
		hint = "--source-policy takes a file that `apollo train` wrote, and --source-algorithm explore"
		by.Label, by.Options = flags.sourceBy+"-policy", slices.Concat([]byte(`{"policy":`), policy, []byte("}"))
	}
	if _, err := optimizer.New(by.Name, by.Options); err != nil {
		return by, cli.Hinted(cli.ExitUsage, hint, err)
	}
	return by, nil
}
