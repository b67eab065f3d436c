package main

import (
	"fmt"
	"strings"
	"time"

	"apollo/events"
	"apollo/events/natsbus"
	"apollo/services/cli"
)

// holderWait bounds how long a command waits for the process that holds its
// data directory: a server starts and stops in less, also on a busy machine.
const holderWait = 10 * time.Second

func (a *app) holderStopped() bool {
	h, known := natsbus.HolderOf(a.Data)
	return known && h.Stopped()
}

// holderBrief says whether the process that holds the data directory ends in a moment.
func (a *app) holderBrief() bool {
	h, known := natsbus.HolderOf(a.Data)
	return known && h.Brief && !h.Stopped()
}

// heldError says who holds the data directory without answering, and what to
// do about it.
func (a *app) heldError(err error) error {
	h, known := natsbus.HolderOf(a.Data)
	if !known {
		return cli.Hinted(cli.ExitUnreachable, "end the other apollo that uses the directory, or name another one with --data",
			fmt.Errorf("another process holds %s and does not answer: %w", a.Data, err))
	}
	if h.Stopped() {
		return cli.Hinted(cli.ExitUnreachable, fmt.Sprintf("`kill -CONT %d` lets it go on, `kill -9 %d` ends it: what is stored stays, and its studies go on when they are run again", h.PID, h.PID),
			fmt.Errorf("%s holds %s and is stopped", h, a.Data))
	}
	return cli.Hinted(cli.ExitUnreachable, "try again when it is less busy, or end it: what is stored stays; --data names another directory",
		fmt.Errorf("%s holds %s and does not answer: %w", h, a.Data, err))
}

// commandLine is what this process was started as, without secrets.
func (a *app) commandLine() string {
	words := []string{"apollo"}
	for i, arg := range a.args {
		name, _, assigned := strings.Cut(arg, "=")
		switch {
		case name == "--token" && assigned:
			arg = "--token=…"
		case i > 0 && a.args[i-1] == "--token":
			arg = "…"
		default:
			arg = events.Redact(arg)
		}
		words = append(words, shellWord(arg))
	}
	return strings.ReplaceAll(strings.Join(words, " "), "\n", " ")
}
