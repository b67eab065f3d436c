package services_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/study"
)

var errCrash = errors.New("crash")

// crashing runs an archiver that dies at a failpoint and is started again by
// the sim, which would take the crash for a defect.
type crashing struct{ archive.Archiver }

func (c *crashing) Run(ctx context.Context) error {
	if err := c.Archiver.Run(ctx); !errors.Is(err, errCrash) {
		return err
	}
	return nil
}

// failOnce passes a point n-1 times and crashes at the n-th, for good.
type failOnce struct {
	point string

	mu sync.Mutex
	n  int
}

func (f *failOnce) at(point string) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if point != f.point || f.n == 0 {
		return nil
	}
	if f.n--; f.n > 0 {
		return nil
	}
	return errCrash
}

// startArchiver starts an archiver whose files can be read in the bubble.
func (s *sim) startArchiver(dir string, fail *failOnce) {
	s.start("archiver", func(b events.Bus) service {
		return &crashing{archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: slog.New(slog.DiscardHandler), Failpoint: fail.at}}
	})
}

// final waits until the archiver has said that a run is wholly on disk.
func (s *sim) final(view *client.StudyView) *events.ArchiveFinal {
	s.t.Helper()
	for range 600 {
		for _, e := range s.log(events.ArchiveSubject(view.Study, view.Run, "final")) {
			if f := e.(events.ArchiveFinal); f.Trials >= int64(view.Summary.Trials) {
				return &f
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("run %s of %s is not archived", view.Run, view.Study)
	return nil
}

// scanned reads rows without what may differ between two runs of the same study:
// times, and the order in which results came.
func scanned(t *testing.T, dir string, q archiver.Query) []archiver.Row {
	t.Helper()
	var rows []archiver.Row
	for r, err := range archiver.Scan(os.DirFS(dir), q) {
		if err != nil {
			t.Fatal(err)
		}
		r.Columns, r.Start, r.End, r.Seconds, r.StreamSeq, r.Worker = nil, time.Time{}, time.Time{}, 0, 0, ""
		rows = append(rows, r)
	}
	return rows
}

// checkLog checks a finished run's log against its answer.
func checkLog(t *testing.T, dir string, view *client.StudyView) {
	t.Helper()
	src, err := archiver.LoadSource(os.DirFS(dir), events.Source{Study: view.Study})
	if err != nil {
		t.Fatal(err)
	}
	if src.SHA256 != view.Summary.Hash || len(src.Trials) != view.Summary.Trials {
		t.Errorf("the log holds %d trials with hash %.12s, the study %d with %.12s",
			len(src.Trials), src.SHA256, view.Summary.Trials, view.Summary.Hash)
	}
	feasible := 0
	for _, trial := range src.Trials {
		if trial.Feasible {
			feasible++
		}
	}
	if feasible != view.Summary.Feasible {
		t.Errorf("%d feasible trials in the log, %d in the answer", feasible, view.Summary.Feasible)
	}
}

// archiveStudy runs one study with an archiver and returns its rows.
func archiveStudy(t *testing.T, seed uint64, faults membus.Faults, fail *failOnce, kills int, body string) []archiver.Row {
	t.Helper()
	dir := t.TempDir()
	var view *client.StudyView
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, faults, 0)
		defer s.close()
		s.startAll(2)
		s.startArchiver(dir, fail)
		rng := rand.New(rand.NewPCG(seed, 5))
		s.wg.Go(func() {
			for range kills {
				select {
				case <-s.ctx.Done():
					return
				case <-time.After(time.Duration(rng.IntN(2000)) * time.Millisecond):
					s.kill("archiver")
				}
			}
		})
		s.submit("sim", "x1", body)
		view = s.wait("sim")
		s.final(view)
	})
	checkLog(t, dir, view)
	return inFiles(t, dir, view)
}

func TestArchiverLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	body := toyStudy("sim", 600, "")
	want := archiveStudy(t, 0, membus.Faults{}, nil, 0, body)
	if len(want) != 600 {
		t.Fatalf("undisturbed: %d rows, want 600", len(want))
	}
	for _, point := range []string{"rename.before", "rename.after", "manifest.before", "manifest.after"} {
		for n := 1; n <= 2; n++ {
			t.Run(fmt.Sprintf("%s#%d", point, n), func(t *testing.T) {
				t.Parallel()
				fail := &failOnce{point: point, n: n}
				got := archiveStudy(t, uint64(n), membus.Faults{}, fail, 0, body)
				if fail.n != 0 {
					t.Fatalf("%s was not passed %d times", point, n)
				}
				if d := cmp.Diff(want, got, sameButRun()); d != "" {
					t.Errorf("rows differ (-want +got):\n%s", d)
				}
			})
		}
	}
	for seed := range seeds(t, 2) {
		t.Run(fmt.Sprintf("faults and kills, seed %d", seed+1), func(t *testing.T) {
			t.Parallel()
			got := archiveStudy(t, seed+1, allFaults, nil, 6, body)
			if d := cmp.Diff(want, got, sameButRun()); d != "" {
				t.Errorf("rows differ (-want +got):\n%s", d)
			}
		})
	}
}

// archiving runs test in a bubble with all three services. What it returns
// reads the log, outside of the bubble: the Parquet library shares decoders,
// which hold channels, between all tests.
func archiving(t *testing.T, test func(s *sim, dir string) func()) {
	t.Helper()
	dir := t.TempDir()
	check := func() {}
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(2)
		s.startArchiver(dir, nil)
		check = test(s, dir)
	})
	check()
}

func TestArchiverTellsOfPartsAndTheEnd(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		s.submit("demo", "x1", toyStudy("demo", 100, ""))
		view := s.wait("demo")
		f := s.final(view)
		if f.Trials != 100 || f.Glob != "trials/current/study=demo/run="+view.Run+"/*.parquet" {
			s.t.Errorf("final = %+v", f)
		}
		var rows int64
		for _, e := range s.log(events.ArchiveSubject("demo", view.Run, "part")) {
			part := e.(events.ArchivePart)
			rows += part.Rows
			if _, err := os.Stat(filepath.Join(dir, part.Path)); err != nil {
				s.t.Errorf("part %s: %v", part.Path, err)
			}
		}
		if rows != 100 {
			s.t.Errorf("the parts hold %d rows, want 100", rows)
		}
		// A restart says nothing again.
		before := len(s.log("archive.>"))
		s.kill("archiver")
		time.Sleep(10 * time.Second)
		if after := len(s.log("archive.>")); after != before {
			s.t.Errorf("%d archive events after a restart, %d before", after, before)
		}
		return func() {}
	})
}

func TestArchiverFollowsAnExtendedStudy(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		s.submit("demo", "x1", toyStudy("demo", 40, ""))
		view := s.wait("demo")
		s.final(view)
		// Once with the archiver that saw the first end, once with a new one.
		for i, trials := range []int{80, 120} {
			if i == 1 {
				s.kill("archiver")
			}
			s.control("demo", fmt.Sprintf("c%d", trials), "extend", trials)
			view = s.wait("demo")
			if view.Summary.Trials != trials {
				s.t.Fatalf("%d trials, want %d", view.Summary.Trials, trials)
			}
			s.final(view)
		}
		return func() { checkLog(t, dir, view) }
	})
}

func TestArchiverKeepsWhatACancelledStudyHas(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		s.submit("demo", "x1", toyStudy("demo", 2000, ""))
		time.Sleep(4 * time.Second)
		s.control("demo", "c1", "cancel", 0)
		view := s.wait("demo")
		if view.State != study.Cancelled || view.Summary.Trials == 0 {
			s.t.Fatalf("state %s, %+v", view.State, view.Summary)
		}
		s.final(view)
		return func() {
			have := map[int64]bool{}
			for _, r := range inFiles(t, dir, view) {
				have[r.Trial] = true
			}
			for i := range view.Summary.Trials {
				if !have[int64(i)] {
					t.Errorf("trial %d of the answer is not in the log", i)
				}
			}
			if _, err := archiver.LoadSource(os.DirFS(dir), events.Source{Study: "demo"}); !errors.Is(err, archiver.ErrNoSource) {
				t.Errorf("a cancelled run as a source: %v, want ErrNoSource", err)
			}
		}
	})
}

func TestArchiverSurvivesBadMessages(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		user := s.hub.Client("user")
		if err := user.Ready(s.ctx); err != nil {
			s.t.Fatal(err)
		}
		bad := []events.Message{
			{Subject: "result.toy.nobody.00000000.0", Data: []byte("{")},
			{Subject: "result.toy.nobody.00000000.x", Data: []byte("{}")},
			{Subject: "result.toy.nobody.00000000.99999999999999999999", Data: nil},
		}
		for _, m := range bad {
			if _, err := user.Facts().Record(s.ctx, m); err != nil {
				s.t.Fatal(err)
			}
		}
		for _, subject := range []string{"study.nobody.00000000.accepted", "study.nobody.00000000.proposed", "study.nobody.00000000.completed"} {
			if _, err := user.Log().Append(s.ctx, events.Message{Subject: subject, Data: []byte("garbage")}, events.Fence{}); err != nil {
				s.t.Fatal(err)
			}
		}
		s.submit("demo", "x1", toyStudy("demo", 40, ""))
		view := s.wait("demo")
		s.final(view)
		letters := s.log(events.DeadLetterSubject("archiver", "nobody"))
		if len(letters) != len(bad)+3 {
			s.t.Errorf("%d dead letters, want %d", len(letters), len(bad)+3)
		}
		return func() { checkLog(t, dir, view) }
	})
}

func TestArchiverMakesFailedRowsOfABadResult(t *testing.T) {
	t.Parallel()
	archiving(t, func(s *sim, dir string) func() {
		user := s.hub.Client("user")
		s.submit("demo", "x1", toyStudy("demo", 16, ""))
		// The run's name follows from the request, so that the answer to its
		// first batch can be there before anyone evaluates it.
		var run string
		for run == "" {
			time.Sleep(time.Millisecond)
			for _, e := range s.log("study.demo.*.accepted") {
				run = e.(events.StudyAccepted).Run
			}
		}
		_, err := user.Facts().Record(s.ctx, events.Message{Subject: events.ResultSubject("toy", "demo", run, 0), Data: []byte(`{"trials":`)})
		if err != nil && !errors.Is(err, events.ErrExists) {
			s.t.Fatal(err)
		}
		if err != nil {
			s.t.Skip("the evaluator was faster")
		}
		view := s.wait("demo")
		s.final(view)
		return func() {
			checkLog(t, dir, view)
			for _, r := range inFiles(t, dir, view)[:8] {
				if r.Outcome != events.OutcomeFailed || r.Reason == nil || r.Reason.Code != events.ReasonBadResult {
					t.Errorf("trial %d: %s %+v, want failed(%s)", r.Trial, r.Outcome, r.Reason, events.ReasonBadResult)
				}
			}
		}
	})
}

func TestArchiverWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var view *client.StudyView
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(2)
		// A file where the study's folder should be stops every commit, as a
		// full disk does.
		block := filepath.Join(dir, "trials", "gen-1", "study=demo")
		if err := os.MkdirAll(filepath.Dir(block), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(block, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		var said syncLog
		s.start("archiver", func(b events.Bus) service {
			return &archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: slog.New(slog.NewTextHandler(&said, nil))}
		})
		s.submit("demo", "x1", toyStudy("demo", 40, ""))
		view = s.wait("demo")
		time.Sleep(30 * time.Second)
		waits := s.log("archive.>")
		if len(waits) != 1 {
			t.Fatalf("archive events while the disk takes nothing: %+v, want one that says so", waits)
		}
		if e, ok := waits[0].(events.ArchiveWaiting); !ok || e.Trials == 0 || e.Waiting == nil || e.Waiting.Code != events.WaitsArchiveStuck {
			t.Errorf("while the disk takes nothing the archiver says %+v", waits[0])
		}
		if !strings.Contains(said.String(), "cannot be written") {
			t.Errorf("the archiver did not say that the disk takes nothing:\n%s", said.String())
		}
		if err := os.Remove(block); err != nil {
			t.Fatal(err)
		}
		s.final(view)
		time.Sleep(2 * time.Second)
		if said := s.log(events.ArchiveSubject("demo", view.Run, "waiting")); len(said) != 2 || said[1].(events.ArchiveWaiting).Waiting != nil {
			t.Errorf("with room again the archiver has said %+v", said)
		}
	})
	checkLog(t, dir, view)
}

// syncLog is a buffer that a logger and a test share.
type syncLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestArchiverIsAloneInItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := archiver.Open(dir, archiver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	a := archive.Archiver{Bus: membus.New(membus.Config{}).Client("a"), Dir: dir, Logger: slog.New(slog.DiscardHandler)}
	if err := a.Run(t.Context()); !errors.Is(err, archiver.ErrLocked) {
		t.Errorf("Run in a directory that is taken: %v, want ErrLocked", err)
	}
	if _, err := fs.Stat(os.DirFS(dir), archiver.ManifestName); err != nil {
		t.Error(err)
	}
}
