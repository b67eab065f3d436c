package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/inspect"
	"apollo/services/proposer"
	"apollo/services/studyfile"
)

// forkFlags are the flags of study fork.
type forkFlags struct {
	runFlags
	at      int
	as, run string
}

func (a *app) studyForkCommand() *cobra.Command {
	var flags forkFlags
	c := &cobra.Command{
		Annotations: cli.PrintsRowsAndPictures(),
		Use:         "fork STUDY", Short: "Go on from a study's first trials in another way",
		Long: `Run a study that shares the first trials of another one, and goes on from there with
another strategy, seed, budget or limit: what --set says. The shared trials are not measured
again. They are trials of the new study with the same numbers and answers, part of
spec.budget.trials; their origins begin with "fork/". A fork that changes nothing goes on as
the study did, to the same hash, where its order is strict and its evaluator deterministic.
Where trials were added to the study, the proposer must be of the same build as this command.

The study may run still, or have ended; it is not changed. What is measured must be the same:
space, networks, metrics, evaluator and objectives. The same command goes on with the fork
after an interruption, and prints the answer of one that has ended.`,
		Example: "  apollo study fork mobilenetv2-6p8 --at 60 --as evolved --set spec.algorithm.name=evolution\n  apollo compare mobilenetv2-6p8 evolved",
		Args:    cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.picture.check(a); err != nil {
				return err
			}
			switch {
			case !c.Flags().Changed("at"):
				return cli.Usagef("say how many trials are shared: --at N")
			case flags.at < 1 || flags.at > events.MaxTrials:
				return cli.Usagef("--at %d: want 1 to %d", flags.at, events.MaxTrials)
			}
			if err := workerSlots("--evaluators", flags.evaluators); err != nil {
				return err
			}
			a.workers = flags.evaluators
			doc, err := a.forkOf(c.Context(), c, args[0], &flags)
			if err != nil {
				return err
			}
			return (&runner{app: a, command: c, file: "./" + doc.Spec.Study, doc: doc, flags: flags.runFlags}).run(c.Context())
		},
	}
	f := c.Flags()
	f.IntVar(&flags.at, "at", 0, "`number` of trials that are shared, the first ones")
	f.StringVar(&flags.as, "as", "", "`name` of the new study; default: STUDY-at-N")
	f.StringVar(&flags.run, "run", "", "the `run` that is forked; default: the latest")
	registerRun(c, &flags.runFlags)
	return c
}

// forkOf is the study that shares the first trials of another one.
func (a *app) forkOf(ctx context.Context, c *cobra.Command, name string, flags *forkFlags) (*studyfile.Document, error) {
	s, err := a.open(ctx, c, forReading)
	if err != nil {
		return nil, err
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, flags.run)
	if err != nil {
		return nil, err
	}
	if view.Err != nil {
		return nil, fmt.Errorf("study %s cannot be read: %w", name, view.Err)
	}
	as := flags.as
	if as == "" {
		as = fmt.Sprintf("%s-at-%d", name, flags.at)
	}
	if !events.IsName(as) {
		return nil, cli.Usagef("the new study cannot be called %q: say --as, 1 to 63 of a-z, 0-9 and \"-\"", as)
	}
	spec := *view.Spec
	if err := addShared(ctx, s, view, &spec, flags.at); err != nil {
		return nil, err
	}
	if err := a.canShare(ctx, s, view, spec.Budget.Trials, flags); err != nil {
		return nil, err
	}
	if spec.Transfer != nil {
		t := *spec.Transfer
		t.Sources = proposer.PinnedSources(t.Sources, view.Sources)
		spec.Transfer = &t
	}
	doc, err := a.parseStudy("the fork "+as, studyfile.Fork(&spec, as, view.Run, flags.at, inspect.Builtins().Study()), a.studyOptions(".", flags.sets)) //nolint:contextcheck // asking a program has a time of its own
	if err != nil {
		return nil, err
	}
	f := doc.Spec.Fork
	if f == nil || *f != (events.Fork{Study: view.Study, Run: view.Run, Trials: flags.at}) {
		return nil, cli.Usagef("--set changes spec.fork: name the study and --run, and say --at")
	}
	mistake, err := proposer.CheckFork(ctx, s.bus, doc.Spec)
	if err != nil {
		return nil, err
	}
	if mistake != nil {
		return nil, cli.Hinted(cli.ExitRejected, mistake.Hint, errors.New(mistake.Message))
	}
	return doc, a.served(ctx, s, doc, flags.fresh, "--set spec.evaluator.exec=…")
}

// addShared adds to the budget of a fork those of its shared trials that came on top of
// the study's, so that one that changes nothing ends where the study does.
func addShared(ctx context.Context, s *session, view *client.StudyView, spec *events.Spec, shared int) error {
	if view.Budget == spec.Budget.Trials {
		return nil // nothing was added
	}
	batches, err := client.ReadBatches(ctx, s.bus, view, shared)
	if err != nil {
		return err
	}
	for i := range batches {
		if b := &batches[i]; b.Added {
			spec.Budget.Trials += min(len(b.Designs), shared-b.FirstTrial)
		}
	}
	return nil
}

// canShare says what is wrong with --at and --set, before a document says it in its words.
func (a *app) canShare(ctx context.Context, s *session, view *client.StudyView, budget int, flags *forkFlags) error {
	for _, set := range flags.sets {
		if strings.HasPrefix(set, "spec.space.template") {
			return cli.Hinted(cli.ExitUsage, "write a study of its own, with "+view.Study+" as a source of its transfer", fmt.Errorf("--set %s: a fork has the template of the study whose trials it shares", set))
		}
	}
	mistake, err := proposer.CheckShared(ctx, s.bus, view, flags.at)
	switch {
	case err != nil:
		return err
	case mistake != nil:
		return cli.Hinted(cli.ExitRejected, mistake.Hint, errors.New(mistake.Message))
	case flags.at >= budget && !slices.ContainsFunc(flags.sets, func(set string) bool { return strings.HasPrefix(set, "spec.budget") }):
		return cli.Hinted(cli.ExitUsage, fmt.Sprintf("say how many it has in all: --set spec.budget.trials=%d", 2*flags.at),
			fmt.Errorf("the budget of study %s is %d trials: a fork that shares %d has nothing left to try", view.Study, budget, flags.at))
	}
	return nil
}

// served refuses to wait for an evaluator of the user's that nobody runs; option is how
// the command names a program.
func (a *app) served(ctx context.Context, s *session, doc *studyfile.Document, fresh bool, option string) error {
	spec := doc.Spec
	if _, is := builtin(spec.Evaluator.Name); is || doc.Exec != "" || spec.Evaluator.Manual {
		return nil
	}
	view, err := client.ReadStudy(ctx, s.bus.Log(), spec.Study, "")
	if err == nil && view.State.Terminal() && !fresh {
		return nil
	}
	if err != nil && !errors.Is(err, client.ErrNoStudy) {
		return err
	}
	workers, err := s.workers(ctx, spec.Evaluator.Name)
	if err != nil || len(workers) > 0 {
		return err
	}
	return cli.Hinted(cli.ExitNotFound, "`apollo evaluator ls` lists the built-in ones and `--workers` who works; start yours with `apollo evaluator run --name "+spec.Evaluator.Name+" --exec …` on a server, or name the program: "+option,
		fmt.Errorf("nobody measures as evaluator %s", spec.Evaluator.Name))
}

// forkText says what a study shares with another one.
func forkText(f *events.Fork) string {
	return fmt.Sprintf("of %s, run %s: its first %s shared", f.Study, f.Run, cli.Plural(f.Trials, "trial"))
}
