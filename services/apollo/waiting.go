package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"apollo/events"
	"apollo/services/client"
)

// stateText is a state with what the run waits for: "running (waits: …)".
func stateText(view *client.StudyView) string {
	state := string(view.State)
	if view.Reason != "" && state != "completed" {
		state += " (" + view.Reason + ")"
	}
	if len(view.Waiting) > 0 {
		state += " (waits: " + view.Waiting[0].Message + ")"
	}
	return state
}

// waitingText prints what a run waits for and what to do.
func waitingText(w io.Writer, waiting []events.Waiting) {
	for i := range waiting {
		fmt.Fprintf(w, "waits    %s (%s)\n", waiting[i].Message, waiting[i].Code)
		if waiting[i].Hint != "" {
			fmt.Fprintf(w, "         %s\n", waiting[i].Hint)
		}
	}
}

// sayWaiting tells of a cause, or that there is none any more.
func (a *app) sayWaiting(name string, w *events.Waiting) {
	switch {
	case w == nil:
		a.Say("%s goes on", name)
	case w.Hint == "":
		a.Say("%s waits (%s): %s", name, w.Code, w.Message)
	default:
		a.Say("%s waits (%s): %s\napollo: hint: %s", name, w.Code, w.Message, w.Hint)
	}
}

// silence is why nothing is heard of a run.
func (f *follower) silence(ctx context.Context, view *client.StudyView) events.Waiting {
	limited, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if _, err := f.session.bus.Log().Info(limited, events.RunFilter(view.Study, view.Run)); err != nil {
		return events.Waiting{
			Code: events.WaitsBus, Message: fmt.Sprintf("the bus does not answer: %v", err),
			Hint: "is the server running? this command goes on when it is back",
		}
	}
	return client.NoProposer(view)
}

// ticks shows the progress of a run, what it waits for, and that nothing is
// heard of it, until ctx ends.
func (f *follower) ticks(ctx context.Context, view *client.StudyView) {
	heard := make(chan events.Progress)
	notices := f.session.bus.Notices(ctx, events.ProgressSubject(view.Study, view.Run))
	go func() {
		defer close(heard)
		for m, err := range notices {
			if err != nil {
				return
			}
			var t events.Progress
			if json.Unmarshal(m.Data, &t) != nil {
				continue
			}
			select {
			case heard <- t:
			case <-ctx.Done():
				return
			}
		}
	}()
	last := events.Progress{Study: view.Study, Run: view.Run, State: string(view.State), Budget: view.Budget, Best: view.Best}
	silent := time.NewTicker(client.SilentAfter)
	defer silent.Stop()
	for {
		select {
		case t, ok := <-heard:
			if !ok {
				return
			}
			if t.Budget == 0 { // it is being loaded: nothing is counted yet
				last.Waiting = t.Waiting
			} else {
				last = t
			}
			silent.Reset(client.SilentAfter)
		case <-silent.C:
			if f.isPaused.Load() {
				continue // nobody has to drive it
			}
			w := f.silence(ctx, view)
			last.Waiting = &w
		case <-ctx.Done():
			return
		}
		f.progress.tick(last)
	}
}

// waitsLine is what a run waits for in a progress line.
func waitsLine(w *events.Waiting) string {
	return "waits: " + strings.Join(strings.Fields(w.Message), " ")
}
