package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/events/natsbus"
)

// app is one run of the command line: its streams and the flags that every
// command has.
type app struct {
	stdin   io.Reader
	stdout  *outlet
	stderr  io.Writer
	console *console
	args    []string

	nats string
	// passedOver: APOLLO_NATS is set, and --data went before it.
	passedOver bool
	token      string
	data       string
	output     string
	noColor    bool
	quiet      bool
	logLevel   string
	logFormat  string
}

// Main runs the command line and returns the exit code. stdout gets the
// answer, stderr everything else.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: &outlet{Writer: stdout}, stderr: stderr, console: newConsole(stderr), args: args}
	root := a.root() //nolint:contextcheck // commands get the context from cobra when they run
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	a.console.clear()
	if err == nil {
		err = a.stdout.broken // help, too, is lost on a full disk
	}
	if err == nil {
		return exitOK
	}
	if errors.Is(err, events.ErrUnreachable) && a.nats == "" && a.holderStopped() {
		err = a.heldError(err)
	}
	code, hint := classify(ctx, err)
	if errors.Is(err, errSilent) {
		return code
	}
	// Whoever quotes what was typed may quote a password.
	said := natsbus.Redact(err.Error())
	fmt.Fprintf(stderr, "apollo: %s\n", strings.ReplaceAll(said, "\n", "\n        "))
	if hint != "" {
		fmt.Fprintf(stderr, "apollo: hint: %s\n", hint)
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "apollo",
		Short: "Find good accelerator designs with few evaluations",
		Long: `Apollo searches the design space of a machine-learning accelerator for the best
design under an area, latency or energy budget, and learns from earlier studies.`,
		Example:       "  apollo run examples/mobilenetv2-6p8.yaml",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          a.groupArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return a.checkFlags(c)
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.nats, "nats", os.Getenv("APOLLO_NATS"), "URL of a NATS `server` with JetStream (APOLLO_NATS, unless --data is given); default: the one in --data")
	f.StringVar(&a.token, "token", os.Getenv("APOLLO_TOKEN"), "`token` for --nats (APOLLO_TOKEN)")
	f.StringVar(&a.data, "data", envOr("APOLLO_DATA", "apollo-data"), "data `directory`: store, trial logs (APOLLO_DATA)")
	f.StringVarP(&a.output, "output", "o", "table", "`format` of the answer")
	f.BoolVar(&a.noColor, "no-color", false, "no colour (also NO_COLOR)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress, only warnings and the answer")
	f.StringVar(&a.logLevel, "log-level", "warn", "`level` of messages: debug|info|warn|error")
	f.StringVar(&a.logFormat, "log-format", "text", "`format` of messages: text|json")
	// The help prints a default: secrets of the environment are none of its.
	for _, secret := range []string{"nats", "token"} {
		f.Lookup(secret).DefValue = ""
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetIn(a.stdin)
	help := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		f.Lookup("output").Usage = "`format` of the answer: " + strings.Join(formatsOf(c), "|")
		help(c, args)
	})
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hinted(exitUsage, "`"+c.CommandPath()+" --help` shows the flags", err)
	})
	root.AddGroup(
		&cobra.Group{ID: "main", Title: "Run studies:"},
		&cobra.Group{ID: "look", Title: "Look and manage:"},
		&cobra.Group{ID: "tool", Title: "Tools:"},
	)
	for _, c := range []*cobra.Command{a.runCommand(), a.upCommand(), a.serveCommand()} {
		root.AddCommand(inGroup("main", c))
	}
	for _, c := range []*cobra.Command{a.studyCommand(), a.trialCommand(), a.compareCommand(), a.designCommand(), a.spaceCommand(), a.workloadCommand(), a.evaluatorCommand(), a.transferCommand(), a.eventsCommand(), a.dlqCommand()} {
		root.AddCommand(inGroup("look", c))
	}
	for _, c := range []*cobra.Command{a.certifyCommand(), a.benchCommand(), a.validateCommand(), a.doctorCommand(), a.versionCommand()} {
		root.AddCommand(inGroup("tool", c))
	}
	root.SetHelpCommandGroupID("tool")
	root.SetCompletionCommandGroupID("tool")
	return root
}

func inGroup(id string, c *cobra.Command) *cobra.Command {
	c.GroupID = id
	return c
}

// group returns a command that only holds others.
func (a *app) group(use, short, example string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: a.groupArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(subs...)
	return c
}

// groupArgs refuses words that name no subcommand, with the nearest ones.
func (a *app) groupArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "`" + c.CommandPath() + " --help` lists the commands"
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean `" + c.CommandPath() + " " + near[0] + "`?"
	}
	return hinted(exitUsage, hint, fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath()))
}

// exactly refuses any other number of arguments than the usage line names.
func exactly(n int) cobra.PositionalArgs { return between(n, n) }

func between(low, high int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= low && len(args) <= high {
			return nil
		}
		return hinted(exitUsage, "`"+c.CommandPath()+" --help` has an example",
			fmt.Errorf("want %s, got %d arguments", c.UseLine(), len(args)))
	}
}

func (a *app) checkFlags(c *cobra.Command) error {
	if err := a.checkFormat(c); err != nil {
		return err
	}
	if err := a.settlePlace(c); err != nil {
		return err
	}
	if _, err := parseLevel(a.logLevel); err != nil {
		return err
	}
	if a.logFormat != "text" && a.logFormat != "json" {
		return usageErrorf("unknown log format %q: want text or json", a.logFormat)
	}
	return nil
}

// settlePlace decides which bus a command means, for all commands alike: what
// was typed goes before the environment, and --nats before --data. So the order
// is --nats, --data, APOLLO_NATS, APOLLO_DATA, ./apollo-data. Beside --nats or
// APOLLO_NATS the data directory still holds this machine's files: trial logs,
// proofs.
func (a *app) settlePlace(c *cobra.Command) error {
	typed := c.Flags().Changed
	if typed("data") && a.data == "" {
		return usageErrorf("--data names no directory")
	}
	if typed("data") && !typed("nats") && a.nats != "" {
		a.nats, a.passedOver = "", true
	}
	return nil
}

// elsewhere adds to a hint what a person may have expected.
func (a *app) elsewhere(hint string) string {
	if a.passedOver {
		hint += "; APOLLO_NATS was left aside because of --data: --nats goes before both"
	}
	return hint
}

// color reports whether the answer may be coloured.
func (a *app) color() bool {
	return !a.noColor && os.Getenv("NO_COLOR") == "" && isTerminal(a.stdout.Writer)
}

// say prints a line about what goes on, unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		a.console.printf("apollo: "+format+"\n", args...)
	}
}

// logger returns the logger of the services in this process. least is the
// default level where people did not choose one.
func (a *app) logger(c *cobra.Command, least slog.Level) *slog.Logger {
	level, err := parseLevel(a.logLevel)
	if err != nil || !c.Flags().Changed("log-level") {
		level = least
	}
	if a.quiet {
		level = max(level, slog.LevelWarn)
	}
	if a.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.console, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(&lineHandler{out: a.console, level: level})
}

func parseLevel(s string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s)); err != nil {
		return 0, usageErrorf("unknown log level %q: want debug, info, warn or error", s)
	}
	return level, nil
}

func envOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}
