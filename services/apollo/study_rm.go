package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
)

func (a *app) studyRmCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "rm STUDY", Short: "Remove an ended study from the message store",
		Long: `Remove the messages of an ended study whose trials are all in the Parquet log, or of
which the archiver says that they never will be (archive_differs, trials_missing). The
Parquet files stay: they are the archive, and later studies can transfer from them.`,
		Example: "  apollo study rm mobilenetv2-6p8 --yes", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !yes {
				return cli.Hinted(cli.ExitUsage, "repeat it with --yes", errors.New("the messages of the study cannot be brought back"))
			}
			ctx := c.Context()
			s, err := a.open(ctx, c, forWriting)
			if err != nil {
				return err
			}
			defer s.close(ctx)
			runs, err := removeStudy(ctx, s, args[0])
			if err != nil {
				return err
			}
			value := struct {
				Study string `json:"study"`
				Runs  int    `json:"runs"`
			}{args[0], runs}
			return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
				fmt.Fprintf(w, "removed %s of %s; the Parquet log stays\n", cli.Plural(runs, "run"), args[0])
			}})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "really")
	return c
}

// removeStudy purges all runs of a study, when all have ended and are archived or
// never will be.
func removeStudy(ctx context.Context, s *session, name string) (runs int, err error) {
	views, err := client.ListStudies(ctx, s.bus.Log())
	if err != nil {
		return 0, err
	}
	for _, v := range views {
		if v.Study != name {
			continue
		}
		runs++
		if v.Err != nil {
			return 0, fmt.Errorf("run %s of %s cannot be read, so that nobody knows whether it has ended: %w", v.Run, name, v.Err)
		}
		if !v.State.Terminal() {
			return 0, cli.Hinted(cli.ExitError, "apollo study cancel "+name+" ends it", fmt.Errorf("run %s of %s is %s", v.Run, name, v.State))
		}
		final, err := finalOf(ctx, s, v)
		if err != nil {
			return 0, err
		}
		if final != nil || v.Summary == nil || v.Summary.Trials == 0 {
			continue
		}
		never, err := client.NotArchived(ctx, s.bus.Log(), v.Study, v.Run)
		if err != nil {
			return 0, err
		}
		if never == nil {
			return 0, cli.Hinted(cli.ExitError, "let an archiver run until it is: `apollo up`", fmt.Errorf("run %s of %s is not archived yet", v.Run, name))
		}
	}
	if runs == 0 {
		return 0, noStudy(name)
	}
	for _, filter := range []string{
		// The work first: nobody shall answer what is gone.
		"work.*." + name + ".*.*", "result.*." + name + ".*.*", events.ArchiveSubject(name, "*", "*"), events.DeadLetterSubject("*", name),
		events.RejectedSubject(name), events.RunFilter(name, "*"),
	} {
		if err := s.bus.Purge(ctx, filter); err != nil {
			return 0, fmt.Errorf("purge %s: %w", filter, err)
		}
	}
	return runs, nil
}

// finalOf returns the event that says that all trials of an ended run are on
// disk, or nil.
func finalOf(ctx context.Context, s *session, v *client.StudyView) (*events.ArchiveFinal, error) {
	var final *events.ArchiveFinal
	for m, err := range s.bus.Log().Read(ctx, 0, events.ArchiveSubject(v.Study, v.Run, "final")) {
		if err != nil {
			return nil, fmt.Errorf("read the archive events: %w", err)
		}
		if _, e, err := events.DecodeAs[events.ArchiveFinal](m.Data); err == nil && isFinal(v, &e) {
			final = &e
		}
	}
	return final, nil
}

// isFinal reports whether e is about the run as it is now: a run that was
// extended has an earlier one too.
func isFinal(v *client.StudyView, e *events.ArchiveFinal) bool {
	return v.Summary == nil || e.Trials >= int64(v.Summary.Trials)
}
