package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Services that are slow to end take no answer away: who has one is warned. One that
// broke is told all the same.
func TestServicesThatEndLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := role{"slow", func(context.Context) error { time.Sleep(time.Hour); return nil }}
		var log bytes.Buffer
		p := startRoles(t.Context(), []role{slow}, nil)
		if err := p.stopAfter(slog.New(slog.NewTextHandler(&log, nil))); err != nil || !strings.Contains(log.String(), errLate.Error()) {
			t.Errorf("%v, and the log is %q, want a warning alone", err, log.String())
		}
		if err := startRoles(t.Context(), []role{slow}, nil).stop(); !errors.Is(err, errLate) {
			t.Errorf("%v, want that a service hears of it", err)
		}
		broken := errors.New("a disk broke")
		p = startRoles(t.Context(), []role{slow, {"broken", func(context.Context) error { return broken }}}, nil)
		<-p.broken
		if err := p.stopAfter(slog.New(slog.DiscardHandler)); !errors.Is(err, broken) || errors.Is(err, errLate) {
			t.Errorf("%v, want what broke", err)
		}
		time.Sleep(2 * time.Hour) // the slow ones end
	})
}
