package main

import (
	"slices"
	"testing"
	"time"

	"apollo/events"
	"apollo/services/client"
)

// Of two archivers one that writes is enough, whichever speaks last.
func TestOneArchiverThatWritesIsEnough(t *testing.T) {
	t.Parallel()
	view, seen, now := &client.StudyView{Study: "demo", Run: "0badcafe"}, seenArchivers{}, time.Unix(1, 0)
	stuck := &events.Archiving{Worker: "box/1", Dir: "/a", Waiting: &events.Waiting{Code: events.WaitsArchiveStuck}}
	writes := &events.Archiving{Worker: "box/1", Process: "other", Dir: "/a"}
	if seen.waiting(stuck, view, now) == nil {
		t.Error("the only archiver is stuck, and nothing is said")
	}
	for range 3 {
		now = now.Add(events.PresentEvery)
		for _, a := range []*events.Archiving{writes, stuck} {
			if w := seen.waiting(a, view, now); w != nil {
				t.Errorf("%s is told, and another archiver writes", w.Code)
			}
		}
	}
	if seen.waiting(stuck, view, now.Add(events.AbsentAfter)) == nil {
		t.Error("the archiver that writes is gone, and nothing is said")
	}
}

// Nobody has to drive a run that is paused; somebody has to that finishes its work.
func TestARunThatStopsIsNotPaused(t *testing.T) {
	t.Parallel()
	view, f := &client.StudyView{Study: "demo", Run: "0badcafe"}, follower{}
	for _, step := range []struct {
		kind   string
		paused bool
	}{{"paused", true}, {"resumed", false}, {"paused", true}, {"stopping", false}} {
		if _, err := f.event(t.Context(), view, events.Message{Subject: events.StudySubject(view.Study, view.Run, step.kind)}, true); err != nil {
			t.Fatal(err)
		}
		if f.isPaused.Load() != step.paused {
			t.Errorf("after %s: paused is %t", step.kind, f.isPaused.Load())
		}
	}
	if filters := statesOf(view); !slices.Contains(filters, events.StudySubject(view.Study, view.Run, "stopping")) {
		t.Errorf("stopping is not among %q", filters)
	}
}
