package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"apollo/events"
	"apollo/services/cli"
	"apollo/services/client"
)

// soFar is a run that has not ended as it is now, with a summary of the trials
// that are answered.
func soFar(ctx context.Context, s *session, view *client.StudyView) (*client.StudyView, error) {
	now, t, err := readCounted(ctx, s.bus, view.Study, view.Run)
	if err != nil || now.Summary != nil {
		return now, err
	}
	now.Summary = &events.Summary{
		Counts: t.counts(), Best: now.Best, Front: now.Front, FrontSize: len(now.Front),
		Hypervolume: now.Hypervolume, Reference: now.Reference, Hash: t.hash(),
	}
	return now, nil
}

// printPaused prints the best so far of a study that paused itself, and
// returns why it did. The program of one that has its own is what began it.
func (a *app) printPaused(ctx context.Context, p *pausedError, watch stopwatch, program bool, draw func(w io.Writer, format string) error) error {
	err := a.printAnswer(ctx, p.view, watch, nil, draw)
	if e, ok := errors.AsType[*cli.Error](err); ok && e.Code == cli.ExitInfeasible {
		err = nil // the pause is the news
	}
	return errors.Join(err, p.hinted(program))
}

// hinted is the error with what to do.
func (e *pausedError) hinted(program bool) error {
	hint := "mend it, then run the same command again"
	switch {
	case e.view.PausedByArchiver():
		hint = events.ArchiveDiffersHint
	case strings.HasPrefix(e.view.Reason, "source "):
		hint = "`apollo transfer candidates` shows what the source holds: mend it and run the same command again, or take it out of the study and run that with --fresh"
	case program:
		hint = "mend what the program needs, such as a licence or a file, and run the same command again; when the program itself must change, run it with --fresh"
	}
	return cli.Hinted(cli.ExitFailed, hint, e)
}

// sayPaused tells that a run is paused, why, and what it has found.
func (a *app) sayPaused(view *client.StudyView) {
	hint := "`apollo study resume " + view.Study + "` goes on"
	if view.PausedByArchiver() {
		hint = events.ArchiveDiffersHint
	}
	a.Say("%s is paused (%s), best so far: %s: %s", view.Study, view.Reason, answerInBrief(view), hint)
}
