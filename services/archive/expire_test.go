package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/messages"
)

// expiring is an archiver at work on a log of one-trial runs that have ended, with a
// label team=vision for those whose name begins with v.
func expiring(t *testing.T, dir string, studies ...string) *archive {
	t.Helper()
	bus := membus.New(membus.Config{}).Client("archiver")
	if err := bus.Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	store, err := archiver.Open(dir, archiver.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, study := range studies {
		spec := &events.Spec{
			Study: study, Parameters: []events.Parameter{{Name: "pes", Values: []float64{1, 2}}},
			Metrics: []events.Metric{{Name: "latency_s", Unit: "s"}}, Objectives: []events.Objective{{Metric: "latency_s", Goal: "minimize"}},
		}
		if strings.HasPrefix(study, "v") {
			spec.Labels = map[string]string{"team": "vision"}
		}
		if err := store.Begin(archiver.Run{Spec: spec, ID: "1", Accepted: time.Now()}); err != nil {
			t.Fatal(err)
		}
		row := archiver.Row{Study: study, Run: "1", Design: events.Design{{Num: 1}}, Outcome: events.OutcomeMeasured, Values: []float64{1}}
		if _, err := store.Append(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Commit(archiver.Position{Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	for _, study := range studies {
		if err := store.CloseRun(study, "1", archiver.StateCompleted); err != nil {
			t.Fatal(err)
		}
		store.End(study, "1")
	}
	return &archive{bus: bus, store: store, log: quiet}
}

// opened counts the Parquet files that are opened.
type opened struct {
	fs.FS
	n int
}

func (o *opened) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".parquet") {
		o.n++
	}
	return o.FS.Open(name)
}

// A run whose file cannot be read keeps no other from expiring by its label, and a
// file that was read is not opened again.
func TestLabelsOfDueRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := expiring(t, dir, "vision", "audio", "visible")
	found, err := filepath.Glob(filepath.Join(dir, "trials/current/study=visible/run=1/*.parquet"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	info, err := os.Stat(found[0])
	if err == nil {
		err = os.WriteFile(found[0], make([]byte, info.Size()), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	x := &Expiry{Labels: map[string]string{"team": "vision"}}
	files := &opened{FS: w.store.Files()}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Due(over, w.bus.Log(), files, time.Now()); !errors.Is(err, context.Canceled) || files.n > 0 {
		t.Errorf("a look whose time is over: %v, and %d files were opened", err, files.n)
	}
	for _, opens := range []int{3, 1} {
		files.n = 0
		due, err := x.Due(t.Context(), w.bus.Log(), files, time.Now())
		if err != nil || len(due) != 2 {
			t.Fatalf("%+v, %v; want visible and vision", due, err)
		}
		if due[0].Study != "visible" || !strings.Contains(due[0].Keep, "its labels cannot be read") || due[1].Study != "vision" || due[1].Keep != "" {
			t.Errorf("%+v; want that vision goes, and that visible stays for its file", due)
		}
		if files.n != opens {
			t.Errorf("%d files were opened, want %d", files.n, opens)
		}
	}
	if err := Expire(w.store, []Due{{EndedRun: archiver.EndedRun{Study: "vision", Run: "1"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Due(t.Context(), w.bus.Log(), files, time.Now()); err != nil || len(x.read) != 1 {
		t.Errorf("%d labels are remembered (%v), want those of audio", len(x.read), err)
	}
}

// A first look at many old runs makes one generation of the log, and the next looks
// remove the rest.
func TestExpiryIsSpreadOverLooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var studies []string
	for i := range expireAtOnce + 2 {
		studies = append(studies, fmt.Sprintf("s%d", i))
	}
	w := expiring(t, dir, studies...)
	w.expiry = &Expiry{After: time.Nanosecond}
	var lookers sync.WaitGroup
	defer lookers.Wait()
	for _, left := range []int{2, 0} {
		before := generations(t, dir)
		w.ticks += expireEvery
		w.lookForExpired(t.Context(), &lookers)
		w.lookForExpired(t.Context(), &lookers) // one at a time
		if err := w.expire(<-w.looks); err != nil {
			t.Fatal(err)
		}
		w.lookForExpired(t.Context(), &lookers)
		if w.looks != nil {
			t.Error("there is another look before its time")
		}
		ended, err := archiver.EndedRuns(w.store.Files())
		if made := generations(t, dir) - before; err != nil || len(ended) != left || made != 1 {
			t.Errorf("a look leaves %d runs and makes %d generations (%v), want %d and 1", len(ended), made, err, left)
		}
	}
}

// generations counts the folders that hold the log, or held it before.
func generations(t *testing.T, dir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "trials/gen-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// What ended before it chose its sources chooses none any more, unless it goes on.
func TestUsesOfRunsThatNeverStarted(t *testing.T) {
	t.Parallel()
	for _, source := range []events.Source{{Auto: true}, {Parquet: "old/*.parquet"}, {Study: "old"}} {
		bus := membus.New(membus.Config{}).Client("proposer")
		if err := bus.Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		spec := events.Spec{Study: "new", Transfer: &events.Transfer{Sources: []events.Source{source}}}
		for i, e := range []events.Payload{
			events.StudyAccepted{Study: "new", Run: "1", Spec: spec},
			events.StudyStopped{Study: "new", Run: "1"},
			events.StudyExtended{Study: "new", Run: "1", Trials: 8},
			events.StudyCancelled{Study: "new", Run: "1"},
			events.StudyRemoved{Study: "new", Run: "1"},
		} {
			kind := events.Kind(e.EventType())
			m := events.Message{Subject: events.StudySubject("new", "1", kind), ID: kind}
			if err := messages.Append(t.Context(), bus.Log(), m, "proposer", e, events.Fence{}); err != nil {
				t.Fatal(err)
			}
			u, err := usesOf(t.Context(), bus.Log())
			if err != nil {
				t.Fatal(err)
			}
			keeps := kind == "accepted" || kind == "extended"
			if why := u.of("old", "1"); (why != "") != keeps {
				t.Errorf("%+v after %d events, the last %s: %q", source, i+1, kind, why)
			}
		}
	}
}
