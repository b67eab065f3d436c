package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"apollo/evaluator"
	"apollo/events"
	"apollo/events/unit"
	"apollo/services/cli"
	"apollo/services/external"
	"apollo/services/studyfile"
)

func (a *app) evaluatorCommand() *cobra.Command {
	return a.Group("evaluator", "List evaluators; run and check your own", "  apollo evaluator check --exec 'python3 examples/evaluator.py'",
		a.evaluatorLsCommand(), a.evaluatorInitCommand(), a.evaluatorRunCommand(), a.evaluatorCheckCommand())
}

// programFlags are the flags of a command that starts an evaluator program.
type programFlags struct {
	exec    string
	dir     string
	startup time.Duration
	memory  string
	env     []string
}

func (f *programFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.exec, "exec", "", "`command` of the program, split like shell words; no shell runs it")
	c.Flags().StringVar(&f.dir, "dir", "", "working `directory` of the program; default: this one")
	cli.DurationVar(c.Flags(), &f.startup, "startup", external.DefaultStartup, "longest `time` for a process of the program to load and describe itself")
	c.Flags().StringVar(&f.memory, "memory", "", "most `data` of one process, on Linux: \"4 GiB\"; default: no limit")
	c.Flags().StringArrayVar(&f.env, "env", nil, "`NAME=value` for the program's environment, as often as wanted; {slot} is the number of the slot")
	cli.DurationVar(c.Flags(), &f.startup, "handshake", external.DefaultStartup, "the old name of --startup")
	_ = c.Flags().MarkHidden("handshake")
}

// options are those that the flags say.
func (f *programFlags) options() (external.Options, error) {
	o := external.Options{Dir: f.dir, Startup: f.startup, Env: f.env}
	if f.startup <= 0 {
		return o, cli.Usagef("--startup %s: want more than 0", f.startup)
	}
	for _, e := range f.env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return o, cli.Usagef("--env %q: want NAME=value", e)
		}
	}
	if f.memory != "" {
		q, err := unit.Parse(f.memory)
		if err != nil || q.Unit.Dimension != unit.Data || q.Base() < 1 {
			return o, cli.Usagef("--memory %q: want an amount of data, \"4 GiB\"", f.memory)
		}
		o.Memory = int64(q.Base())
	}
	return o, nil
}

func (f *programFlags) argv() ([]string, error) {
	if f.exec == "" {
		return nil, cli.Usagef("--exec is missing: the command of the program")
	}
	argv, err := external.Split(f.exec)
	if err != nil {
		return nil, cli.Usagef("--exec: %v", err)
	}
	return argv, nil
}

// artifacts is the folder of what programs leave of trials: the files that they
// store, and the scratch folders of failed attempts.
func (a *app) artifacts() string { return filepath.Join(a.Data, "artifacts") }

func (a *app) evaluatorRunCommand() *cobra.Command {
	var program programFlags
	var name, http string
	var slots int
	c := &cobra.Command{
		Annotations: cli.PrintsNothing(),
		Use:         "run --name NAME --exec COMMAND", Short: "Run a program of yours as an evaluator",
		Long: `Run a program of yours as an evaluator of the studies that name it. The program reads one
JSON line per design and writes one with the same id; acknowledgements, heartbeats,
time-outs, attempts and restarts are done here. How long a design may take is what its study
says (spec.evaluator.timeout). docs/plug-in-evaluator.md has the lines.`,
		Example: "  apollo evaluator run --name mine --exec 'python3 examples/evaluator.py' --nats nats://127.0.0.1:4222",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !events.IsName(name) {
				return cli.Usagef("--name %q: want a name of 1 to 63 of a-z, 0-9 and \"-\"", name)
			}
			if err := workerSlots("--slots", slots); err != nil {
				return err
			}
			argv, err := program.argv()
			if err != nil {
				return err
			}
			o, err := program.options()
			if err != nil {
				return err
			}
			o.Name, o.Slots, o.Keep = name, slots, a.artifacts()
			return a.runEvaluator(c, argv, http, o)
		},
	}
	program.register(c)
	c.Flags().StringVar(&name, "name", "", "`name` of the evaluator, as studies say it")
	c.Flags().IntVar(&slots, "slots", 1, "`number` of processes, and so of designs at a time")
	c.Flags().StringVar(&http, "http", "", "`address` for /healthz and /metrics; default: none")
	return c
}

func (a *app) runEvaluator(c *cobra.Command, argv []string, http string, o external.Options) error {
	ctx := c.Context()
	s, err := a.open(ctx, c, forServer)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	logger := a.Logger(c, slog.LevelInfo)
	fail, err := failpoint()
	if err != nil {
		return err
	}
	o.Stderr, o.Contents = a.Console, &external.Contents{Reading: a.sayReading}
	backend, err := external.Open(ctx, argv, o)
	if err != nil {
		return err
	}
	a.saySlow(backend.Info())
	a.Say("evaluator %s on %s: %s", o.Name, s.url, backend.Program())
	roles := []role{programRole(newEvaluator(s, o.Name, o.Slots, logger, fail), backend)}
	var last []role
	if http != "" {
		r, err := a.httpRole(ctx, s, http)
		if err != nil {
			return errors.Join(err, backend.Close())
		}
		last = append(last, r)
	}
	return untilSignal(ctx, startRoles(ctx, roles, last))
}

func (a *app) evaluatorCheckCommand() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "check --exec COMMAND", Short: "Check a program before you plug it in",
		Long: `Check a program against the contract of evaluators: schema, units, determinism,
infeasible designs, NaN, time-outs, garbage, late answers, and a process in every slot at
the same time. Exit code 1 when a check fails.
The designs come from what the program says about itself, or from --study, which also says
the time-out and how the program is started.`,
		Example: "  apollo evaluator check --exec 'python3 examples/evaluator.py' --timeout 2s",
		Args:    cli.Exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			o, argv, err := a.checkOptions(c, &f)
			if err != nil {
				return err
			}
			return a.checkEvaluator(c.Context(), argv, o)
		},
	}
	f.program.register(c)
	cli.DurationVar(c.Flags(), &f.timeout, "timeout", 5*time.Second, "longest `time` for one design; default: that of --study")
	c.Flags().StringVar(&f.study, "study", "", "study `file` whose designs, metrics, time-out and program are used")
	c.Flags().IntVar(&f.designs, "designs", 0, "`number` of designs to try at most; default: 24, with --quick 3")
	c.Flags().IntVar(&f.slots, "slots", runtime.NumCPU(), "`number` of processes to try at the same time, as a worker has them; 1: only one after the other")
	c.Flags().BoolVar(&f.quick, "quick", false, "leave out what asks every design twice: for a slow program")
	return c
}

// checkFlags are those of evaluator check.
type checkFlags struct {
	program programFlags
	timeout time.Duration
	study   string
	designs int
	slots   int
	quick   bool
}

// checkOptions are what the flags and the study say.
func (a *app) checkOptions(c *cobra.Command, f *checkFlags) (o external.CheckOptions, argv []string, err error) {
	var doc *studyfile.Document
	if f.study != "" {
		if doc, err = a.readStudy(f.study, nil); err != nil {
			return o, nil, err
		}
		if f.program.exec == "" && doc.Exec != "" {
			f.program.exec = doc.Exec
			if f.program.dir == "" && f.study != "-" {
				f.program.dir = filepath.Dir(f.study)
			}
		}
	}
	if argv, err = f.program.argv(); err != nil {
		return o, nil, err
	}
	if f.timeout <= 0 {
		return o, nil, cli.Usagef("--timeout %s: want more than 0", f.timeout)
	}
	if f.designs < 0 {
		return o, nil, cli.Usagef("--designs %d: want at least 1", f.designs)
	}
	if err := workerSlots("--slots", f.slots); err != nil {
		return o, nil, err
	}
	if o.Options, err = f.program.options(); err != nil {
		return o, nil, err
	}
	o.Slots = f.slots
	o.Timeout, o.Designs, o.Quick = f.timeout, f.designs, f.quick
	if doc == nil {
		return o, argv, nil
	}
	s, err := doc.Spec.Space()
	if err != nil {
		return o, nil, err
	}
	o.Params = s.Params()
	for _, m := range doc.Spec.Measured() {
		o.Metrics = append(o.Metrics, evaluator.Metric{Name: m.Name, Unit: cmp.Or(m.Unit, "1")})
	}
	if e := doc.Spec.EarlyStop; e != nil {
		o.Watched = e.Metric
	}
	if !c.Flags().Changed("timeout") {
		o.Timeout = time.Duration(doc.Spec.Evaluator.TimeoutSeconds * float64(time.Second))
	}
	if !c.Flags().Changed("startup") && doc.StartupSeconds > 0 {
		o.Startup = time.Duration(doc.StartupSeconds * float64(time.Second))
	}
	o.Env = append(environment(doc.Env), o.Env...)
	if o.Memory == 0 {
		o.Memory = int64(doc.MemoryBytes)
	}
	return o, argv, nil
}

// checkEvaluator runs the conformance suite on a program. For people, and as JSON
// lines, each finding is printed as it comes.
func (a *app) checkEvaluator(ctx context.Context, argv []string, o external.CheckOptions) error {
	streamed := a.ForPeople() || a.Output == "jsonl"
	var written error
	switch {
	case a.Output == "jsonl":
		o.Found = func(f external.Finding) { written = errors.Join(written, a.Print(cli.Answer{Value: f})) }
	case streamed:
		p := a.Paint()
		if p.Width > 0 {
			p.Width = max(p.Width-external.Indent, 1)
		}
		wrap := func(text string) string { return p.Wrap(text, "") }
		o.Found = func(f external.Finding) { written = errors.Join(written, f.WriteText(a.Stdout, wrap)) }
		said := time.Now()
		o.Tried = func(done, of int) {
			if time.Since(said) > sayTriedAfter {
				a.Say("%d of %d designs tried", done, of)
				said = time.Now()
			}
		}
	}
	report := external.Check(ctx, argv, o)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !streamed {
		items := make([]any, len(report.Findings))
		g := &cli.Grid{Header: []string{"check", "verdict", "message", "advice"}}
		for i, f := range report.Findings {
			items[i] = f
			g.Add(f.Check, string(f.Verdict), f.Message, f.Advice)
		}
		written = a.Print(cli.Answer{Value: report, Items: items, Grid: g})
	}
	if written == nil && report.Failed() > 0 {
		for _, advice := range report.Mend() {
			a.Say("to mend: %s", advice)
		}
		return cli.Hinted(cli.ExitError, "docs/plug-in-evaluator.md has the contract", errors.New(cli.Plural(report.Failed(), "check")+" failed"))
	}
	return written
}

// sayTriedAfter is after how long a check says again how far it is.
const sayTriedAfter = 10 * time.Second

// workerSlots refuses a number of slots that no worker has.
func workerSlots(flag string, n int) error {
	if n < 1 || n > events.MaxSlots {
		return cli.Usagef("%s %d: want 1 to %d; start more workers for more", flag, n, events.MaxSlots)
	}
	return nil
}
