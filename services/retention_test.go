package services_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/services/client"
	"apollo/services/messages"
	"apollo/services/study"
)

// What has ended and is archived leaves the bus when its time is over, and nothing
// else does. The Parquet files stay.
func TestRetention(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		bus := s.hub.Client("user")
		if err := bus.Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		var gone []string
		sweep := func(r client.Retention) string {
			t.Helper()
			gone = nil
			r.Bus, r.Removed = bus, func(g *client.Removal, why string) { gone = append(gone, g.Study+": "+why) }
			r.Kept = func(g *client.Removal, why string) { gone = append(gone, g.Study+" stays: "+why) }
			r.Stored = func() (client.Stored, error) {
				inventory, err := archiver.TakeInventory(os.DirFS(dir))
				return inventory.Trials, err
			}
			if err := r.Sweep(s.ctx); err != nil {
				t.Fatal(err)
			}
			return strings.Join(gone, "; ")
		}
		const day = 10 * time.Minute // shorter, because everybody beats all the time
		week := client.Retention{After: 7 * day}
		s.submit("old", "x1", strings.Replace(toyStudy("old", 40, ""), `{"name":"old"}`, `{"name":"old","labels":{"team":"vision"}}`, 1))
		old := s.wait("old")
		s.final(old)
		if said := sweep(week); said != "" {
			t.Errorf("what has just ended is removed: %s", said)
		}
		time.Sleep(4 * day)
		s.submit("new", "x2", toyStudy("new", 40, ""))
		s.final(s.wait("new"))
		s.submit("paused", "x3", toyStudy("paused", 5000, ""))
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "paused", Verb: "pause"}); err != nil {
			t.Fatal(err)
		}
		all, err := client.Removals(s.ctx, bus.Log(), "")
		if err != nil || len(all) != 3 {
			t.Fatalf("%d studies (%v), want 3", len(all), err)
		}
		for i, want := range []bool{true, false, false} {
			chosen := client.Selector{Labels: map[string]string{"team": "vision"}, OlderThan: 3 * day, States: []string{"completed"}}
			if chosen.Chooses(&all[i], time.Now()) != want {
				t.Errorf("%s is chosen: %t, want %t", all[i].Study, !want, want)
			}
		}
		if all[2].Keep == nil || !strings.Contains(all[2].Keep.Error(), string(study.Paused)) {
			t.Errorf("a paused study may go: %v", all[2].Keep)
		}
		time.Sleep(4 * day)
		// Extended at the last moment, it has not ended.
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "old", Verb: "extend", Trials: 48}); err != nil {
			t.Fatal(err)
		}
		s.final(s.wait("old"))
		if said := sweep(week); said != "" {
			t.Errorf("after the extension: %s", said)
		}
		time.Sleep(4 * day)
		if said := sweep(week); !strings.HasPrefix(said, "new: it ended") || strings.Contains(said, "old") {
			t.Errorf("after the week of one study: %q, want that new alone goes", said)
		}
		if said := sweep(client.Retention{Fill: 0.99}); said != "" {
			t.Errorf("there is room, and %s", said)
		}
		if said := sweep(client.Retention{Fill: 1e-9}); !strings.HasPrefix(said, "old: stream APOLLO_LOG is nearly full") {
			t.Errorf("without room: %q, want that old goes", said)
		}
		if said := sweep(client.Retention{After: time.Nanosecond, Fill: 1e-9}); said != "" {
			t.Errorf("a paused study goes: %s", said)
		}
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "paused", Verb: "cancel"}); err != nil {
			t.Fatal(err)
		}
		return func() {
			trials := map[string]int{}
			for _, row := range scanned(t, dir, archiver.Query{AllRuns: true}) {
				trials[row.Study]++
			}
			if trials["old"] != 48 || trials["new"] != 40 {
				t.Errorf("the files have %v, want 48 of old and 40 of new", trials)
			}
		}
	})
}

// A run that failed is archived with the trials that it had, and leaves the bus like
// one that came to an end; not before it is archived.
func TestRetentionOfAFailedStudy(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		bus := s.hub.Client("user")
		s.submit("demo", "x1", toyStudy("demo", 5000, ""))
		time.Sleep(2 * time.Second)
		if err := client.Control(s.ctx, bus, "", events.StudyControl{Study: "demo", Verb: "pause"}); err != nil {
			t.Fatal(err)
		}
		paused := s.wait("demo")
		time.Sleep(time.Minute)
		s.kill("archiver")
		subject := events.StudySubject("demo", paused.Run, "failed")
		failed := events.StudyFailed{Study: "demo", Run: paused.Run, Reason: "its strategy broke"}
		if err := messages.Append(s.ctx, bus.Log(), events.Message{Subject: subject, ID: "failed"}, "proposer", failed, events.Fence{}); err != nil {
			t.Fatal(err)
		}
		look := func() client.Removal {
			t.Helper()
			found, err := client.Removals(s.ctx, bus.Log(), "demo")
			if err != nil || len(found) != 1 || found[0].State != study.Failed {
				t.Fatalf("%+v, %v", found, err)
			}
			return found[0]
		}
		if r := look(); r.Keep == nil || r.Archived {
			t.Errorf("a failed run that is not archived may go: %+v", r)
		}
		view := s.wait("demo")
		view.Summary = &events.Summary{Counts: events.Counts{Trials: 1}}
		s.final(view)
		// As a build left it that told nothing of the end of a failed run.
		if err := bus.Purge(s.ctx, events.ArchiveSubject("demo", "*", "final")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // the bus takes the same word twice by then
		s.kill("archiver")
		trials := int(s.final(view).Trials)
		if r := look(); r.Keep != nil || !r.Archived {
			t.Errorf("a failed run that is archived stays: %+v", r)
		}
		gone := 0
		r := client.Retention{Bus: bus, After: time.Minute, Removed: func(*client.Removal, string) { gone++ }}
		r.Stored = func() (client.Stored, error) {
			inventory, err := archiver.TakeInventory(os.DirFS(dir))
			return inventory.Trials, err
		}
		if err := r.Sweep(s.ctx); err != nil || gone != 1 || s.left("demo") != 0 {
			t.Errorf("%d studies were removed (%v) and %d messages are left, want 1 and 0", gone, err, s.left("demo"))
		}
		return func() {
			if rows := scanned(t, dir, archiver.Query{AllRuns: true}); len(rows) != trials || trials == 0 || trials == 5000 {
				t.Errorf("the files have %d trials, the archiver told of %d, want the same and a part of 5000", len(rows), trials)
			}
		}
	})
}
