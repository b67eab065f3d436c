package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// terminal is what every command has: its streams, and the flags that say how
// it prints.
type terminal struct {
	stdin   io.Reader
	stdout  *outlet
	stderr  io.Writer
	console *console
	// version is that of the build.
	version string

	data      string
	output    string
	noColor   bool
	quiet     bool
	logLevel  string
	logFormat string
}

// newTerminal prints answers on stdout and everything else on stderr.
func newTerminal(stdin io.Reader, stdout, stderr io.Writer, version string) *terminal {
	return &terminal{stdin: stdin, stdout: &outlet{Writer: stdout}, stderr: stderr, console: newConsole(stderr), version: version}
}

// addFlags adds the flags that every command has.
func (a *terminal) addFlags(f *pflag.FlagSet) {
	f.StringVar(&a.data, "data", envOr("APOLLO_DATA", "apollo-data"), "data `directory`: store, trial logs (APOLLO_DATA)")
	f.StringVarP(&a.output, "output", "o", "table", "`format` of the answer")
	f.BoolVar(&a.noColor, "no-color", false, "no colour (also NO_COLOR)")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress, only warnings and the answer")
	f.StringVar(&a.logLevel, "log-level", "warn", "`level` of messages: debug|info|warn|error")
	f.StringVar(&a.logFormat, "log-format", "text", "`format` of messages: text|json")
}

// checkLog refuses what the logger does not know.
func (a *terminal) checkLog() error {
	if _, err := parseLevel(a.logLevel); err != nil {
		return err
	}
	if a.logFormat != "text" && a.logFormat != "json" {
		return usageErrorf("unknown log format %q: want text or json", a.logFormat)
	}
	return nil
}

// group returns a command that only holds others.
func (a *terminal) group(use, short, example string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: a.groupArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(subs...)
	return c
}

// groupArgs refuses words that name no subcommand, with the nearest ones.
func (a *terminal) groupArgs(c *cobra.Command, args []string) error {
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

// color reports whether the answer may be coloured.
func (a *terminal) color() bool {
	return !a.noColor && os.Getenv("NO_COLOR") == "" && isTerminal(a.stdout.Writer)
}

// say prints a line about what goes on, unless --quiet.
func (a *terminal) say(format string, args ...any) {
	if !a.quiet {
		a.console.printf("apollo: "+format+"\n", args...)
	}
}

// logger returns the logger of the services in this process. least is the
// default level where people did not choose one.
func (a *terminal) logger(c *cobra.Command, least slog.Level) *slog.Logger {
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
