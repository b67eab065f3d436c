package services_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver"
	"apollo/events"
	"apollo/events/membus"
	"apollo/services/archive"
	"apollo/services/client"
	"apollo/services/study"
)

// restored runs a study, copies the bus at one moment, goes back to the copy at
// a later one, and waits for the end. The seed says when, whether the services
// live through it, and whether they are killed before, after, or not at all.
func restored(t *testing.T, seed uint64, trials int, change func(s *sim, rng *rand.Rand)) (view *client.StudyView, rows []archiver.Row, said []events.Payload) {
	t.Helper()
	var dir string
	atMoments(t, func(s *sim, d string) func() {
		dir = d
		rng := rand.New(rand.NewPCG(seed, 31))
		s.submit("sim", "x1", toyStudy("sim", trials, ""))
		ms := func(n int) time.Duration { return time.Duration(rng.IntN(n)) * time.Millisecond }
		time.Sleep(200*time.Millisecond + ms(6000))
		moment := s.hub.Moment()
		time.Sleep(ms(12_000))
		if change != nil {
			change(s, rng)
		}
		victims := []string{"archiver", "proposer", "evaluator-0", "evaluator-1"}
		for _, v := range victims {
			if rng.IntN(2) == 0 {
				s.kill(v)
			}
		}
		switch rng.IntN(4) {
		case 0:
			s.hub.Restore(moment, "APOLLO_RESULT")
		case 1:
			s.hub.Restore(moment, "APOLLO_LOG", "APOLLO_WORK")
		default:
			s.hub.Restore(moment)
		}
		for range 300 {
			time.Sleep(time.Second)
			var err error
			view, err = client.ReadStudy(s.ctx, s.hub.Client("watcher").Log(), "sim", "")
			if err == nil && (view.State.Terminal() || view.State == study.Paused) {
				break
			}
		}
		if view.State == study.Completed {
			s.final(view)
		}
		time.Sleep(20 * time.Second)
		said = s.log(events.ArchiveSubject("sim", view.Run, "waiting"))
		return func() {
			if view.State == study.Completed {
				checkLog(t, dir, view)
			}
			rows = inFiles(t, dir, view)
		}
	})
	return view, rows, said
}

// atMoments is archiving beside a test that looks at the files.
func atMoments(t *testing.T, test func(s *sim, dir string) func()) {
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

// The bus comes back from an earlier moment, and the archive has seen what came
// after it: the trials are the same, so nobody notices.
func TestBusOlderThanTheArchive(t *testing.T) {
	t.Parallel()
	const trials = 800
	want := archiveStudy(t, 0, membus.Faults{}, nil, 0, toyStudy("sim", trials, ""))
	for seed := range seeds(t, 3) {
		t.Run(strconv.FormatUint(seed+1, 10), func(t *testing.T) {
			t.Parallel()
			view, rows, said := restored(t, seed+1, trials, nil)
			if d := cmp.Diff(want, rows, sameButRun()); d != "" || view.State != study.Completed || len(said) > 0 {
				t.Errorf("%s %q, the archiver says %v; rows differ (-want +got):\n%s", view.State, view.Reason, said, d)
			}
		})
	}
}

// The bus comes back from before trials that the archive has, and the answers
// are others this time: the run stops and says both, and no trial is there twice.
func TestAnotherHistoryStopsTheRun(t *testing.T) {
	t.Parallel()
	var skew atomic.Int64 // seconds; the workers read it
	dir := t.TempDir()
	var before []archiver.Row
	var view *client.StudyView
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.toy.skewed = func() float64 { return float64(skew.Load()) }
		s.startAll(2)
		s.startArchiver(dir, nil)
		s.submit("sim", "x1", toyStudy("sim", 1400, ""))
		time.Sleep(time.Second)
		moment := s.hub.Moment()
		time.Sleep(9 * time.Second) // two commits
		before = scanned(t, dir, archiver.Query{Study: "sim"})
		skew.Store(1)
		s.hub.Restore(moment)
		view = s.wait("sim")
		time.Sleep(20 * time.Second)
		if view.State != study.Paused || !strings.Contains(view.Reason, "comes again as") || !strings.Contains(view.Reason, "latency_s 1.") {
			t.Errorf("%s %q, want a pause that names both answers; the archiver says %v", view.State, view.Reason, s.log(events.ArchiveSubject("sim", "*", "*")))
		}
		said := s.log(events.ArchiveSubject("sim", view.Run, "waiting"))
		if len(said) != 1 || said[0].(events.ArchiveWaiting).Waiting.Code != events.WaitsArchiveDiffers {
			t.Errorf("the archiver says %v, want that the run differs", said)
		}
		// An archiver that starts later knows.
		s.kill("archiver")
		resume := events.StudyControl{Study: "sim", Verb: "resume"}
		if err := client.Control(s.ctx, s.hub.Client("user"), "", resume); err == nil || !strings.Contains(err.Error(), "comes again as") {
			t.Errorf("resume: %v, want a refusal that says why", err)
		}
		resume.Force = true
		if err := client.Control(s.ctx, s.hub.Client("user"), "", resume); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if finals := s.log(events.ArchiveSubject("sim", view.Run, "final")); len(finals) > 0 {
			t.Errorf("the run is said to be archived: %v", finals)
		}
		// Nothing is wrong with a fresh run.
		s.submit("sim", "x2", fresh(toyStudy("sim", 64, "")))
		time.Sleep(time.Minute)
		view = s.wait("sim")
		s.final(view)
	})
	checkLog(t, dir, view)
	after := map[int64]archiver.Row{}
	for _, r := range inFiles(t, dir, &client.StudyView{Study: "sim", Run: before[0].Run}, view.Run) {
		if _, twice := after[r.Trial]; twice {
			t.Errorf("trial %d is there twice", r.Trial)
		}
		after[r.Trial] = r
	}
	if len(before) < 100 {
		t.Fatalf("%d trials before", len(before))
	}
	for _, was := range before {
		if d := cmp.Diff(was, after[was.Trial], cmpopts.EquateNaNs()); d != "" {
			t.Errorf("an archived trial is another now (-was +is):\n%s", d)
		}
	}
}

// A bus that came back from before a difference was told hears of it again, and
// of no end that the run had before: it is not written any more.
func TestABusThatForgotADifferenceIsReminded(t *testing.T) {
	t.Parallel()
	var said syncLog
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		var skew atomic.Int64 // seconds; the workers read it
		s.toy.skewed = func() float64 { return float64(skew.Load()) }
		s.startAll(2)
		s.start("archiver", func(b events.Bus) service {
			return &crashing{archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: slog.New(slog.NewTextHandler(&said, nil))}}
		})
		s.submit("sim", "x1", toyStudy("sim", 1400, ""))
		time.Sleep(time.Second)
		moment := s.hub.Moment()
		time.Sleep(9 * time.Second) // two commits
		skew.Store(1)
		for i := range 3 {
			if i == 2 {
				skew.Store(0) // what is measured is of no matter any more
			}
			s.hub.Restore(moment)
			s.kill("archiver") // one that lives through it notices within 30 s,
			s.kill("proposer") // and this one within 10 s
			view := s.wait("sim")
			time.Sleep(20 * time.Second)
			if view.State != study.Paused || !strings.Contains(view.Reason, "comes again as") {
				t.Errorf("restored %d times: %s %q, want paused with both answers", i+1, view.State, view.Reason)
			}
			waits := s.log(events.ArchiveSubject("sim", view.Run, "waiting"))
			if len(waits) != 1 || waits[0].(events.ArchiveWaiting).Waiting.Code != events.WaitsArchiveDiffers {
				t.Errorf("restored %d times: the archiver says %v, want once that the run differs", i+1, waits)
			}
		}
	})
	if n := strings.Count(said.String(), "level=ERROR"); n < 3 {
		t.Errorf("%d lines say at every start that the run is not written, want 3:\n%s", n, said.String())
	}
}

// fresh is a request for another run.
func fresh(body string) string {
	return `{"specversion":"1.0","type":"apollo.study.requested.v1","id":"f","source":"test","data":{"study":` + body + `,"fresh":true}}`
}

// The data directory comes back from an earlier moment, or lost a file: what the
// bus still has is written again.
func TestArchiveOlderThanTheBus(t *testing.T) {
	t.Parallel()
	const trials = 1200
	want := archiveStudy(t, 0, membus.Faults{}, nil, 0, toyStudy("sim", trials, ""))
	for name, lose := range map[string]func(t *testing.T, dir, copied string){
		"restored": func(t *testing.T, dir, copied string) {
			if err := os.RemoveAll(filepath.Join(dir, "trials")); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(dir, os.DirFS(copied)); err != nil {
				t.Fatal(err)
			}
		},
		"a file is gone": func(t *testing.T, dir, _ string) {
			files, err := filepath.Glob(filepath.Join(dir, "trials/gen-1/*/*/*.parquet"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			if err := os.Remove(files[0]); err != nil {
				t.Fatal(err)
			}
		},
		"all is gone": func(t *testing.T, dir, _ string) {
			if err := os.RemoveAll(filepath.Join(dir, "trials")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, copied := t.TempDir(), t.TempDir()
			var view *client.StudyView
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, 1, membus.Faults{}, 0)
				defer s.close()
				s.startAll(2)
				run := func(d time.Duration) {
					ctx, cancel := context.WithTimeout(t.Context(), d)
					defer cancel()
					a := archive.Archiver{Bus: s.hub.Client("archiver"), Dir: dir, Plain: true, Logger: slog.New(slog.DiscardHandler)}
					if err := a.Run(ctx); err != nil {
						t.Error(err)
					}
				}
				s.submit("sim", "x1", toyStudy("sim", trials, ""))
				run(3 * time.Second)
				copyTrials(t, copied, dir)
				run(4 * time.Second)
				lose(t, dir, copied)
				s.startArchiver(dir, nil)
				view = s.wait("sim")
				s.final(view)
			})
			checkLog(t, dir, view)
			if d := cmp.Diff(want, inFiles(t, dir, view), sameButRun()); d != "" {
				t.Errorf("rows differ (-want +got):\n%s", d)
			}
		})
	}
}

// copyTrials copies a trial log, links and all.
func copyTrials(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// A request that comes again after the bus was restored is another run than the
// one in the archive, also under the same id.
func TestRestoredBusGivesNewRuns(t *testing.T) {
	t.Parallel()
	var runs []string
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, membus.Faults{}, 0)
		defer s.close()
		s.startAll(1)
		if err := s.hub.Client("user").Ready(s.ctx); err != nil {
			t.Fatal(err)
		}
		moment := s.hub.Moment()
		for range 2 {
			s.submit("sim", "x1", toyStudy("sim", 32, ""))
			runs = append(runs, s.wait("sim").Run)
			s.hub.Restore(moment)
			time.Sleep(time.Minute)
		}
	})
	slices.Sort(runs)
	if len(slices.Compact(runs)) != 2 {
		t.Errorf("runs %v, want two", runs)
	}
}
