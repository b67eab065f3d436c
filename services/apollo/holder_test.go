package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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

// A process that holds the folder and drives nothing, as one that watches a study or
// prints a long one does, keeps nobody from an answer.
func TestReadersDriveNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.yaml")
	if err := os.WriteFile(file, []byte(`{apiVersion: apollo/v1, kind: Study, metadata: {name: mine}, spec: {
  space: {parameters: [{name: rows, values: [4, 8, 16, 32, 64, 128]}]}, objectives: [{metric: runtime, goal: minimize}],
  evaluator: {name: bench, manual: true, metrics: [{name: runtime, unit: s}]}, budget: {trials: 2}, algorithm: {name: evolution}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := ownSession(t.Context(), natsbus.ServerConfig{Dir: dir, Token: "reader", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.close(t.Context())
	for _, c := range []struct{ command, want string }{
		{"trial ask " + file, `"trial":0`},
		{"trial tell mine 0 runtime=1s", "1 of 2 trials"},
		{"trial ask mine", `"trial":1`},
		{"trial tell mine 1 runtime=2s", "2 of 2 trials"},
		{"study show mine", "completed"},
		{"trial add mine rows=128 --measured runtime=3s", "mine has 1 trial more"},
	} {
		var out, said bytes.Buffer
		if code := Main(t.Context(), append([]string{"--data", dir}, strings.Fields(c.command)...), nil, &out, &said); code != cli.ExitOK || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s ended with %d and said %q, %q: want %q", c.command, code, out.String(), said.String(), c.want)
		}
	}
}
