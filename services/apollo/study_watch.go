package main

import (
	"context"

	"github.com/spf13/cobra"

	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/study"
)

func (a *app) studyWatchCommand() *cobra.Command {
	return &cobra.Command{
		Annotations: cli.PrintsRows(),
		Use:         "watch STUDY", Short: "Watch a study until it ends",
		Long:    "Show the progress of a study that a server runs, until it ends; then its answer, as\n`apollo run` prints it.",
		Example: "  apollo study watch mobilenetv2-6p8", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			s, err := a.open(ctx, c, forReading)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			view, err := s.study(ctx, args[0], "")
			if err != nil {
				return err
			}
			if s.server != nil && !view.State.Terminal() {
				a.Say("nothing drives %s now, it is %s: %s goes on with it", view.Study, view.State, client.GoesOnBy(view))
				return cli.Silent(cli.ExitError)
			}
			f := &follower{app: a, session: s, progress: newProgress(a, view.Spec), paused: func(ctx context.Context, view *client.StudyView, _ string) error {
				now, err := soFar(ctx, s, view)
				if err == nil {
					a.sayPaused(now)
				}
				return err
			}}
			if view.State == study.Paused {
				a.sayPaused(view)
			}
			if view, err = f.wait(ctx, view); cli.IsInterrupted(ctx) {
				return cli.Hinted(cli.ExitInterrupted, "the study goes on where the server runs it", context.Cause(ctx))
			}
			if err != nil {
				return err
			}
			brought, err := transferReport(ctx, s, view)
			if err != nil {
				return err
			}
			failure, err := lastFailure(ctx, s.bus, view)
			if err != nil {
				return err
			}
			used, cells, err := readUse(ctx, s.bus, view)
			if err != nil {
				return err
			}
			return a.printAnswer(ctx, view, stopwatch{failure: failure, fidelity: used, cells: cells}, brought, nil)
		},
	}
}
