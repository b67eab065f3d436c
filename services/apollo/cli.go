package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/archiver/storage"
	"apollo/events"
	"apollo/services/cli"
	"apollo/services/external"
	"apollo/services/tracing"
)

// app is one run of the command line: its terminal and where its bus is.
type app struct {
	*cli.Terminal
	args []string

	nats string
	// log is the place of the trial log; "" is the data directory.
	log string
	// passedOver is the variable that names a server, where --data went before it.
	passedOver string
	login      login
	// workers is how many a command starts for a program of the study, and command
	// which one runs.
	workers int
	command *cobra.Command
	// spans sends what is traced; nil where nothing is.
	spans *tracing.Provider
}

// Main runs the command line and returns the exit code. stdout gets the
// answer, stderr everything else.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{Terminal: cli.NewTerminal(stdin, stdout, stderr, version), args: args}
	root := a.root() //nolint:contextcheck // commands get the context from cobra when they run
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	a.endTracing(ctx)
	a.Console.Clear()
	if err == nil {
		err = a.Stdout.Broken // help, too, is lost on a full disk
	}
	if err == nil {
		return cli.ExitOK
	}
	if errors.Is(err, events.ErrUnreachable) && a.nats == "" && a.holderStopped() {
		err = a.heldError(err)
	}
	if _, ok := errors.AsType[*external.WordError](err); ok {
		err = cli.Hinted(cli.ExitUsage, "", err) // as lint says it
	}
	code, hint := cli.Classify(ctx, err)
	if errors.Is(err, cli.ErrSilent) {
		return code
	}
	// Whoever quotes what was typed may quote a password.
	a.Complain(events.Redact(err.Error()), hint)
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "apollo",
		Short: "Find good accelerator designs with few evaluations",
		Long: `Apollo searches the design space of a machine-learning accelerator for the best
design under an area, latency or energy budget, and learns from earlier studies.`,
		Example:       "  apollo run examples/mobilenetv2-6p8.yaml",
		Version:       thisBuild().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          a.GroupArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return a.checkFlags(c)
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&a.nats, "nats", os.Getenv("APOLLO_NATS"), "URL of a NATS `server` with JetStream (APOLLO_NATS, unless --data is given); default: the one in --data")
	f.StringVar(&a.log, "archive", os.Getenv("APOLLO_ARCHIVE"), "`place` of the trial log, a directory or s3://bucket/prefix (APOLLO_ARCHIVE); default: --data")
	a.login.register(f)
	a.AddFlags(f)
	// The help prints a default: secrets of the environment are none of its.
	f.Lookup("nats").DefValue, f.Lookup("archive").DefValue = "", ""
	root.SetVersionTemplate("apollo {{.Version}}\n")
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetIn(a.Stdin)
	help := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		f.Lookup("output").Usage = "`format` of the answer: " + strings.Join(cli.KnownFormats(c), "|")
		help(c, args)
	})
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(
		&cobra.Group{ID: "main", Title: "Run studies:"},
		&cobra.Group{ID: "look", Title: "Look and manage:"},
		&cobra.Group{ID: "tool", Title: "Tools:"},
	)
	all := a.branches()
	for _, b := range all {
		if !slices.ContainsFunc(all, a.named) || a.named(b) {
			c := b.build()
			c.GroupID = b.group
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("tool")
	root.SetCompletionCommandGroupID("tool")
	if len(a.args) > 0 && a.args[0] == "completion" {
		root.InitDefaultCompletionCmd()
		for _, c := range root.Commands() {
			if c.Name() == a.args[0] { // prints its help for a shell that there is not, unless told
				c.Args, c.RunE = a.GroupArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
			}
		}
	}
	if len(a.args) > 0 && strings.HasPrefix(a.args[0], cobra.ShellCompRequestCmd) {
		a.completeNames(root)
		_ = root.RegisterFlagCompletionFunc("output", a.completeFormats)
	}
	return root
}

// branch is a command below apollo itself.
type branch struct {
	name, group string
	build       func() *cobra.Command
}

// branches are all of them, in the order of the help. To build them takes longer than many
// a command: one whose name comes first is built alone.
func (a *app) branches() []branch {
	return []branch{
		{"run", "main", a.runCommand},
		{"up", "main", a.upCommand},
		{"serve", "main", a.serveCommand},
		{"study", "look", a.studyCommand},
		{"trial", "look", a.trialCommand},
		{"compare", "look", a.compareCommand},
		{"report", "look", a.reportCommand},
		{"design", "look", a.designCommand},
		{"space", "look", a.spaceCommand},
		{"workload", "look", a.workloadCommand},
		{"evaluator", "look", a.evaluatorCommand},
		{"transfer", "look", a.transferCommand},
		{"archive", "look", a.archiveCommand},
		{"events", "look", a.eventsCommand},
		{"dlq", "look", a.dlqCommand},
		{"certify", "tool", a.certifyCommand},
		{"train", "tool", a.trainCommand},
		{"doctor", "tool", a.doctorCommand},
		{"auth", "tool", a.authCommand},
		{"version", "tool", a.versionCommand},
		{"bench", "tool", a.benchCommand},
		{"validate", "tool", a.validateCommand},
	}
}

// named reports whether the command line begins with the branch.
func (a *app) named(b branch) bool { return len(a.args) > 0 && a.args[0] == b.name }

func (a *app) checkFlags(c *cobra.Command) error {
	a.command = c
	if err := a.CheckFormat(c); err != nil {
		return err
	}
	if err := a.settlePlace(c); err != nil {
		return err
	}
	if _, err := storage.Open(a.archive()); err != nil {
		return cli.Usagef("--archive: %w", err)
	}
	return a.CheckLog()
}

// settlePlace decides which bus a command means, for all commands alike: what
// was typed goes before the environment, and a server before --data. So the order is
// --nats, --context, --data, APOLLO_NATS, APOLLO_CONTEXT, APOLLO_DATA, ./apollo-data. Beside
// a server the data directory still holds this machine's files: trial logs, proofs.
func (a *app) settlePlace(c *cobra.Command) error {
	typed := c.Flags().Changed
	if !typed("nats") && (typed("context") || a.nats == "" && !typed("data")) {
		url, err := a.login.server()
		if err != nil {
			return err
		}
		a.nats = cmp.Or(url, a.nats)
	}
	if typed("data") && a.Data == "" {
		return cli.Usagef("--data names no directory")
	}
	if typed("data") && !typed("nats") && !typed("context") {
		switch {
		case a.nats != "":
			a.nats, a.passedOver = "", "APOLLO_NATS"
		case a.login.Context != "":
			a.passedOver = "APOLLO_CONTEXT"
		}
	}
	return nil
}

// archive is the place of the trial log.
func (a *app) archive() string { return cmp.Or(a.log, a.Data) }

// elsewhere adds to a hint what a person may have expected.
func (a *app) elsewhere(hint string) string {
	if a.passedOver != "" {
		hint += "; " + a.passedOver + " was left aside because of --data: --nats and --context go before both"
	}
	return hint
}
