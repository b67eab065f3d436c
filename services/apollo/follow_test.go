package main

import (
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
