package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"apollo/events"
	"apollo/services/archive"
	"apollo/services/cli"
	"apollo/services/client"
	"apollo/services/study"
)

// controlCommand returns a command that changes a study's state.
func (a *app) controlCommand(verb, short string, target study.State) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: verb + " STUDY", Short: short,
		Example: "  apollo study " + verb + " mobilenetv2-6p8", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.steer(c, args[0], &events.StudyControl{Verb: verb, Force: force}, func(v *client.StudyView) bool {
				return v.State == target || verb == "stop" && v.State == study.Stopped
			})
		},
	}
	if verb == "resume" {
		forceFlag(c, &force)
	}
	return c
}

func forceFlag(c *cobra.Command, force *bool) {
	c.Flags().BoolVar(force, "force", false, "also a study whose trials are not archived any more (archive_differs)")
}

func (a *app) studyExtendCommand() *cobra.Command {
	var trials int
	var force bool
	c := &cobra.Command{
		Use: "extend STUDY --trials TOTAL", Short: "Give a study a larger budget",
		Long:    "Give a study a larger budget: the new total, not an increment. A completed or stopped\nstudy goes on.",
		Example: "  apollo study extend mobilenetv2-6p8 --trials 900", Args: cli.Exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if trials < 1 {
				return cli.Usagef("--trials wants the new total number of trials")
			}
			return a.steer(c, args[0], &events.StudyControl{Verb: "extend", Trials: trials, Force: force}, func(v *client.StudyView) bool {
				return v.Budget == trials && (v.State == study.Running || v.State == study.Paused)
			})
		},
	}
	c.Flags().IntVar(&trials, "trials", 0, "the new `total` number of trials")
	forceFlag(c, &force)
	return c
}

// steer sends a request about a study and waits until it is carried out. When
// no server runs it opens the store and carries the request out itself.
func (a *app) steer(c *cobra.Command, name string, request *events.StudyControl, already func(*client.StudyView) bool) error {
	ctx := c.Context()
	s, err := a.open(ctx, c, forWriting)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	view, err := s.study(ctx, name, "")
	if err != nil {
		return err
	}
	if !already(view) {
		err := a.driven(c, s, name, func() error {
			err := a.control(ctx, s, view, request)
			if errors.Is(err, client.ErrNoAnswer) {
				// What is so already has no answer: somebody else may have asked for
				// it in the meantime.
				if now, lookErr := s.study(ctx, name, view.Run); lookErr == nil && already(now) {
					return nil
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if view, err = s.study(ctx, name, view.Run); err != nil {
			return err
		}
		if request.Verb == "resume" {
			if view, err = s.resumed(ctx, view); err != nil {
				return err
			}
		}
	}
	value := struct {
		Study  string `json:"study"`
		Run    string `json:"run"`
		State  string `json:"state"`
		Budget int    `json:"budget"`
	}{view.Study, view.Run, string(view.State), view.Budget}
	if s.server != nil && !view.State.Terminal() && view.State != study.Paused {
		a.Say("nothing drives the study now: %s, or `apollo up`, goes on with it", client.GoesOnBy(view))
	}
	return a.Print(cli.Answer{Value: value, Text: func(w io.Writer, _ cli.Paint) {
		fmt.Fprintf(w, "%s is %s, with a budget of %s trials\n", name, view.State, cli.Count(view.Budget))
	}})
}

// resumed is a run that was resumed, a moment later: what paused it may do so again, at
// once.
func (s *session) resumed(ctx context.Context, view *client.StudyView) (now *client.StudyView, err error) {
	const looks, apart = 5, 100 * time.Millisecond
	now = view
	for range looks {
		if now.State != study.Running || s.server != nil { // nobody drives it on a server of our own
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(apart):
		}
		if now, err = s.study(ctx, view.Study, view.Run); err != nil {
			return nil, err
		}
	}
	if now.State == study.Paused {
		return nil, cli.Hinted(cli.ExitFailed, "mend it, then resume the study", fmt.Errorf("study %s is paused again: %s", now.Study, now.Reason))
	}
	return now, nil
}

// control publishes a request and waits for its event.
func (a *app) control(ctx context.Context, s *session, view *client.StudyView, request *events.StudyControl) error {
	request.Study, request.Run = view.Study, view.Run
	return refusal(client.Control(ctx, s.bus, a.login.owner, *request))
}

// driveBriefly runs a proposer for one study, whose programs stand in a folder, until the
// roles are stopped: it carries out what is asked of the study. An archiver writes what it
// answers.
func (a *app) driveBriefly(ctx context.Context, c *cobra.Command, s *session, name, programs string) *roleGroup {
	logger := a.Logger(c, slog.LevelWarn)
	p := a.proposer(c, s)
	p.Only, p.Local, p.Programs, p.Logger = name, true, a.programsIn(programs), logger.With("service", "proposer")
	archiver := archive.Archiver{Bus: s.bus, Standby: s.server == nil, Dir: a.archive(), Worker: workerName(), Logger: logger.With("service", "archiver"), Tracer: s.tracer}
	return startRoles(ctx, []role{{"proposer", p.Run}}, []role{{"archiver", archiver.Run}})
}
