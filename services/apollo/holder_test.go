package main

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"apollo/events/natsbus"
	"apollo/services/cli"
)

// A server that is gone in a moment is not joined: what drives a study goes with it.
func TestBriefHoldersAreWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logger := slog.New(slog.DiscardHandler)
	holder, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Token: "other", Brief: true, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, holder.Shutdown)
	a := &app{Terminal: cli.NewTerminal(nil, &bytes.Buffer{}, &bytes.Buffer{}, "")}
	a.Data = dir
	s, err := a.openData(t.Context(), logger, logger, forMoment)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(t.Context())
	if s.server == nil {
		t.Error("the session is on the server of the command that was about to end")
	}
	if h, known := natsbus.HolderOf(dir); !known || !h.Brief {
		t.Errorf("the holder is %v, want a brief one", h)
	}
}
