package services_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/messages"
)

// cutOff is a bus on which the n-th purge fails.
type cutOff struct {
	events.Bus
	n int
}

func (c *cutOff) Purge(ctx context.Context, filter string) error {
	if c.n--; c.n < 0 {
		return events.ErrUnreachable
	}
	return c.Bus.Purge(ctx, filter)
}

// left counts the messages of a study on the bus.
func (s *sim) left(study string) (n int) {
	s.t.Helper()
	bus := s.hub.Client("user")
	for _, r := range []events.Reader{bus.Log(), bus.Facts()} {
		filters := []string{"result.*." + study + ".*.*"}
		if r == events.Reader(bus.Log()) {
			filters = []string{events.RunFilter(study, "*")}
		}
		for _, err := range r.Read(s.ctx, 0, filters...) {
			if err != nil {
				s.t.Fatal(err)
			}
			n++
		}
	}
	return n + len(s.log(events.ArchiveSubject(study, "*", "*")))
}

// Somebody who extends a study while it is removed is either first, and it stays
// whole, or is told that it goes. What a removal that was interrupted left goes with
// the next sweep, whatever was gone by then.
func TestRemovalAgainstExtension(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		bus := s.hub.Client("user")
		look := func(study string) *client.Removal {
			t.Helper()
			found, err := client.Removals(s.ctx, bus.Log(), study)
			if err != nil || len(found) != 1 {
				t.Fatalf("%d removals of %s, %v", len(found), study, err)
			}
			return &found[0]
		}
		extend := func(study string, trials int) error {
			return client.Control(s.ctx, bus, "", events.StudyControl{Study: study, Verb: "extend", Trials: trials})
		}
		s.submit("first", "x1", toyStudy("first", 20, ""))
		s.final(s.wait("first"))
		before := look("first")
		if err := extend("first", 28); err != nil {
			t.Fatal(err)
		}
		if err := client.Remove(s.ctx, bus, before); !errors.Is(err, client.ErrMoved) {
			t.Errorf("removing what was extended: %v, want ErrMoved", err)
		}
		if f := s.final(s.wait("first")); f.Trials != 28 {
			t.Errorf("%d trials after the extension, want 28", f.Trials)
		}
		for purges, study := range []string{"none", "work", "results", "finals"} {
			s.submit(study, "x-"+study, toyStudy(study, 20, ""))
			s.final(s.wait(study))
			if err := client.Remove(s.ctx, &cutOff{bus, purges}, look(study)); !errors.Is(err, events.ErrUnreachable) {
				t.Fatalf("a removal that is cut off: %v", err)
			}
			var refused *client.RejectedError
			if err := extend(study, 28); !errors.As(err, &refused) || !strings.Contains(err.Error(), "is being removed") {
				t.Errorf("extending what is being removed: %v", err)
			}
			stored := func() (client.Stored, error) { return nil, errors.New("nobody looks") }
			said := ""
			r := client.Retention{Bus: bus, Stored: stored, Removed: func(r *client.Removal, why string) { said += r.Study + " " + why }}
			if err := r.Sweep(s.ctx); err != nil || said != study+" its removal was interrupted" {
				t.Errorf("the next sweep: %q, %v", said, err)
			}
			if n := s.left(study); n != 0 {
				t.Errorf("%d messages of %s are left", n, study)
			}
		}
		return func() {
			if rows := scanned(t, dir, archiver.Query{Study: "first"}); len(rows) != 28 {
				t.Errorf("%d rows of the study that stayed, want 28", len(rows))
			}
		}
	})
}

// What is gone on with of a removal takes the run that was claimed, and nothing of a
// later one of the same study. With the last run the rest of the study goes.
func TestRemovalLeavesALaterRun(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, _ string) func() {
		bus := s.hub.Client("user")
		s.submit("demo", "x1", toyStudy("demo", 20, ""))
		first := s.wait("demo")
		s.final(first)
		remove := func(bus events.Bus) error {
			found, err := client.Removals(s.ctx, bus.Log(), "demo")
			if err != nil || len(found) != 1 {
				t.Fatalf("%d removals, %v", len(found), err)
			}
			return client.Remove(s.ctx, bus, &found[0])
		}
		if err := remove(&cutOff{bus, 1}); !errors.Is(err, events.ErrUnreachable) {
			t.Fatalf("a removal that is cut off: %v", err)
		}
		s.submit("demo", "x2", freshly(toyStudy("demo", 28, "")))
		second := s.wait("demo")
		s.final(second)
		subject := "work.edge.demo." + second.Run + ".3"
		letter := events.DeadLetter{Service: "evaluator", Reason: "a test", Subject: subject}
		if err := messages.AppendDeadLetter(s.ctx, bus, "demo", letter, "letter"); err != nil {
			t.Fatal(err)
		}
		letters := func() int { return len(s.log(events.DeadLetterSubject("*", "demo"))) }
		sweep := client.Retention{Bus: bus, Stored: func() (client.Stored, error) { return nil, errors.New("nobody looks") }}
		if err := sweep.Sweep(s.ctx); err != nil {
			t.Fatal(err)
		}
		if left := len(s.log(events.RunFilter("demo", first.Run))); left != 0 || letters() != 1 {
			t.Errorf("%d messages of the first run and %d dead letters of the second are left, want 0 and 1", left, letters())
		}
		if err := remove(bus); err != nil || s.left("demo") != 0 || letters() != 0 {
			t.Errorf("without a run of it, %d messages and %d dead letters are left, %v", s.left("demo"), letters(), err)
		}
		return func() {}
	})
}

// An earlier run that goes on stays; who asked hears that the later one is claimed.
func TestRemovalNamesWhatIsClaimed(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Config{}).Client("user")
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	say := func(run, kind string, e events.Payload) {
		t.Helper()
		m := events.Message{Subject: events.StudySubject("demo", run, kind), ID: run + kind}
		if err := messages.Append(t.Context(), bus.Log(), m, "proposer", e, events.Fence{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range []string{"earlier", "later"} {
		say(run, "accepted", events.StudyAccepted{Study: "demo", Run: run})
		say(run, "completed", events.StudyCompleted{Study: "demo", Run: run})
	}
	found, err := client.Removals(t.Context(), bus.Log(), "demo")
	if err != nil || len(found) != 1 || found[0].Keep != nil {
		t.Fatalf("%+v, %v", found, err)
	}
	say("earlier", "extended", events.StudyExtended{Study: "demo", Run: "earlier", Trials: 8})
	err = client.Remove(t.Context(), bus, &found[0])
	if !errors.Is(err, client.ErrMoved) || !strings.Contains(err.Error(), "run earlier of demo") || !strings.HasSuffix(err.Error(), ": later") {
		t.Errorf("%v, want ErrMoved of the earlier run and the name of the later one", err)
	}
}

// Archived runs expire after their time where the bus does not have them and nobody
// transfers from them; until their files are there the bus keeps them.
func TestArchivesExpire(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(2)
		s.start("archiver", func(b events.Bus) service {
			return &archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: slog.New(slog.DiscardHandler), Expiry: &archive.Expiry{After: 2 * time.Hour}}
		})
		bus := s.hub.Client("user")
		there := func() string {
			ended, err := archiver.EndedRuns(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			studies := make([]string, len(ended))
			for i, r := range ended {
				studies[i] = r.Study
			}
			return strings.Join(studies, " ")
		}
		for _, study := range []string{"gone", "source", "kept"} {
			s.submit(study, "x-"+study, toyStudy(study, 20, ""))
			s.final(s.wait(study))
		}
		sources := s.wait("source")
		retain := client.Retention{Bus: bus, Stored: func() (client.Stored, error) {
			inventory, err := archiver.TakeInventory(os.DirFS(dir))
			if err != nil {
				return nil, err
			}
			return inventory.Trials, nil
		}}
		remove := func(study string) {
			t.Helper()
			found, err := client.Removals(s.ctx, bus.Log(), study)
			if err == nil {
				err = client.Remove(s.ctx, bus, &found[0])
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		remove("gone")
		remove("source")
		// A run on the bus that transfers from it: as its proposer would say.
		kept := s.wait("kept").Run
		pins := events.StudyStarted{Study: "kept", Run: kept, Sources: []events.SourcePin{{Study: "source", Run: sources.Run}}}
		m := events.Message{Subject: events.StudySubject("kept", kept, "started"), ID: "pin"}
		if err := messages.Append(s.ctx, bus.Log(), m, "proposer", pins, events.Fence{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(110 * time.Minute)
		if got := there(); got != "gone source kept" {
			t.Errorf("before their time: %s", got)
		}
		time.Sleep(25 * time.Minute)
		if got := there(); got != "source kept" {
			t.Errorf("after it: %s; want the source of another one, and what is on the bus", got)
		}
		// Somebody deletes the files of the last copy but one.
		found, _ := filepath.Glob(filepath.Join(dir, "trials/current/study=kept/run=*/*.parquet"))
		if len(found) == 0 {
			t.Fatal("no files of kept")
		}
		for _, path := range found {
			if err := os.Rename(path, filepath.Join(dir, filepath.Base(path))); err != nil {
				t.Fatal(err)
			}
		}
		why := ""
		retain.After = time.Minute
		retain.Kept = func(r *client.Removal, said string) { why += r.Study + ": " + said }
		if err := retain.Sweep(s.ctx); err != nil || !strings.Contains(why, "was archived with 20 trials, and the files that are there have 0") {
			t.Errorf("without the files: %q, %v", why, err)
		}
		if s.left("kept") == 0 {
			t.Error("the last copy of a study was removed")
		}
		for _, path := range found {
			if err := os.Rename(filepath.Join(dir, filepath.Base(path)), path); err != nil {
				t.Fatal(err)
			}
		}
		if err := retain.Sweep(s.ctx); err != nil || s.left("kept") != 0 {
			t.Errorf("with the files: %d messages are left, %v", s.left("kept"), err)
		}
		time.Sleep(15 * time.Minute)
		if got := there(); got != "" {
			t.Errorf("in the end: %s", got)
		}
	})
}
