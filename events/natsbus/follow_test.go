package natsbus_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"apollo/events"
	"apollo/events/natsbus"
)

// A client of a data directory goes on with whoever holds it, under another port and
// token, and opens it itself when nobody does: nothing is lost and nothing is twice.
func TestFollowHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hold := func(token string) *natsbus.Server {
		return startServer(t, natsbus.ServerConfig{Dir: dir, Token: token})
	}
	first := hold("first")
	var alone atomic.Bool // nobody else takes the directory
	b := connect(t, natsbus.Config{URL: first.URL(), Token: "first", Dir: dir, TakeOver: func() error {
		if !alone.CompareAndSwap(true, false) {
			return errors.New("somebody else is about to")
		}
		s, err := natsbus.StartServer(natsbus.ServerConfig{Dir: dir, Token: "own", MaxStore: 64 << 30, Logger: logger(t)})
		if err == nil {
			t.Cleanup(s.Shutdown)
		}
		return err
	}})
	if err := b.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	fence := events.Fence{Filter: events.RunFilter("demo", "r")}
	add := func(id string) {
		t.Helper()
		seq, err := b.Log().Append(t.Context(), events.Message{Subject: events.StudySubject("demo", "r", "proposed"), ID: id, Data: []byte(id)}, fence)
		if err != nil {
			t.Fatal(err)
		}
		if seq != fence.Last+1 {
			t.Errorf("%s is message %d, want %d", id, seq, fence.Last+1)
		}
		fence.Last = seq
	}
	add("by the first")
	first.Shutdown()
	second := hold("second")
	add("by the second")
	alone.Store(true)
	second.Shutdown()
	add("by its own")
	if alone.Load() {
		t.Error("the directory was not taken over")
	}
}
