// Package cli is what every command prints with: answers in all formats,
// errors with exit codes, quantities, progress.
package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Terminal is what every command has: its streams, and the flags that say how
// it prints.
type Terminal struct {
	Stdin   io.Reader
	Stdout  *Outlet
	Stderr  io.Writer
	Console *Console
	// Version is that of the build.
	Version string

	Data      string
	Output    string
	NoColor   bool
	Quiet     bool
	logLevel  string
	logFormat string
}

// NewTerminal prints answers on stdout and everything else on stderr.
func NewTerminal(stdin io.Reader, stdout, stderr io.Writer, version string) *Terminal {
	return &Terminal{Stdin: stdin, Stdout: &Outlet{Writer: stdout}, Stderr: stderr, Console: NewConsole(stderr), Version: version}
}

// AddFlags adds the flags that every command has.
func (a *Terminal) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&a.Data, "data", EnvOr("APOLLO_DATA", "apollo-data"), "data `directory`: store, trial logs (APOLLO_DATA)")
	f.StringVarP(&a.Output, "output", "o", "table", "`format` of the answer")
	f.BoolVar(&a.NoColor, "no-color", false, "no colour (also NO_COLOR)")
	f.BoolVarP(&a.Quiet, "quiet", "q", false, "no progress, only warnings and the answer")
	f.StringVar(&a.logLevel, "log-level", "warn", "`level` of messages: debug|info|warn|error")
	f.StringVar(&a.logFormat, "log-format", "text", "`format` of messages: text|json")
}

// CheckLog refuses what the logger does not know.
func (a *Terminal) CheckLog() error {
	if _, err := parseLevel(a.logLevel); err != nil {
		return err
	}
	if a.logFormat != "text" && a.logFormat != "json" {
		return Usagef("unknown log format %q: want text or json", a.logFormat)
	}
	return nil
}

// Group returns a command that only holds others.
func (a *Terminal) Group(use, short, example string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: a.GroupArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(subs...)
	return c
}

// GroupArgs refuses words that name no subcommand, with the nearest ones.
func (a *Terminal) GroupArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "`" + c.CommandPath() + " --help` lists the commands"
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if near := Nearest(args[0], names); near != "" {
		hint = "did you mean `" + c.CommandPath() + " " + near + "`?"
	}
	return Hinted(ExitUsage, hint, fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath()))
}

// Exactly refuses any other number of arguments than the usage line names.
func Exactly(n int) cobra.PositionalArgs { return Between(n, n) }

// Between refuses fewer or more arguments.
func Between(low, high int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= low && len(args) <= high {
			return nil
		}
		return Hinted(ExitUsage, "`"+c.CommandPath()+" --help` has an example",
			fmt.Errorf("want %s, got %s", c.UseLine(), Plural(len(args), "argument")))
	}
}

// color reports whether the answer may be coloured.
func (a *Terminal) color() bool {
	return !a.NoColor && os.Getenv("NO_COLOR") == "" && IsTerminal(a.Stdout.Writer)
}

// Say prints a line about what goes on, unless --quiet.
func (a *Terminal) Say(format string, args ...any) {
	switch {
	case a.Quiet:
	case a.logFormat == "json":
		a.jsonLine(slog.LevelInfo, fmt.Sprintf(format, args...), "")
	default:
		a.Console.Printf("apollo: "+format+"\n", args...)
	}
}

// Complain prints why a command broke, and what to do.
func (a *Terminal) Complain(said, hint string) {
	if a.logFormat == "json" {
		a.jsonLine(slog.LevelError, said, hint)
		return
	}
	a.Console.Printf("apollo: %s\n", strings.ReplaceAll(said, "\n", "\n        "))
	if hint != "" {
		a.Console.Printf("apollo: hint: %s\n", hint)
	}
}

// jsonLine prints a message as a line of the log: whoever reads that finds nothing
// else there.
func (a *Terminal) jsonLine(level slog.Level, said, hint string) {
	log := slog.New(slog.NewJSONHandler(a.Console, nil))
	if hint != "" {
		log = log.With("hint", hint)
	}
	say := log.Info
	if level == slog.LevelError {
		say = log.Error
	}
	say(said)
}

// LogsJSON reports whether a command line asks for messages in JSON, before it has
// been read.
func LogsJSON(args []string) bool {
	for i, arg := range args {
		if arg == "--log-format=json" || arg == "--log-format" && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return false
}

// Logger returns the logger of the services in this process. least is the
// default level where people did not choose one.
func (a *Terminal) Logger(c *cobra.Command, least slog.Level) *slog.Logger {
	level, err := parseLevel(a.logLevel)
	if err != nil || !c.Flags().Changed("log-level") {
		level = least
	}
	if a.Quiet {
		level = max(level, slog.LevelWarn)
	}
	if a.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.Console, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(&LineHandler{Out: a.Console, Level: level})
}

func parseLevel(s string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s)); err != nil {
		return 0, Usagef("unknown log level %q: want debug, info, warn or error", s)
	}
	return level, nil
}

// EnvOr is a variable of the environment, or other where it is empty.
func EnvOr(name, other string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return other
}
