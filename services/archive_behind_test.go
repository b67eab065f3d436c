package services_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
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
)

// blockFolder puts a file where a study's folder should be, as long as the
// study has none.
func blockFolder(t *testing.T, dir, study string) (mend func()) {
	t.Helper()
	block := filepath.Join(dir, "trials", "gen-1", "study="+study)
	if err := os.MkdirAll(filepath.Dir(block), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(block, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(block); err != nil {
			t.Error(err)
		}
	}
}

// The folder of one study cannot be written: the others are archived all the
// same, and that one is once it can be, whatever was killed meanwhile.
func TestOneRunsFolderHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for _, kills := range []bool{false, true} {
		dir := t.TempDir()
		var bad, good, later *client.StudyView
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, 1, membus.Faults{}, 0)
			defer s.close()
			s.startAll(2)
			mend := blockFolder(t, dir, "bad")
			var said syncLog
			s.start("archiver", func(b events.Bus) service {
				return &archive.Archiver{Bus: b, Dir: dir, Plain: true, Logger: slog.New(slog.NewTextHandler(&said, nil))}
			})
			kill := func() {
				if kills {
					s.kill("archiver")
				}
			}
			s.submit("bad", "x1", toyStudy("bad", 1600, ""))
			s.submit("good", "x2", toyStudy("good", 800, ""))
			w := s.waitsFor("bad", events.WaitsArchiveStuck)
			if !strings.Contains(w.Message, "study=bad") || !strings.Contains(w.Message, "not a directory") || w.Hint == "" {
				t.Errorf("the study waits for %+v, want its folder and why", w)
			}
			kill()
			good = s.wait("good")
			s.final(good)
			for _, w := range s.looked("good").Waiting {
				t.Errorf("the other study waits for %+v", w)
			}
			bad = s.wait("bad")
			kill()
			s.submit("later", "x3", toyStudy("later", 80, ""))
			later = s.wait("later")
			s.final(later)
			s.waitsFor("bad", events.WaitsArchiveStuck)
			if n := len(s.log(events.ArchiveSubject("bad", "*", "part"))) + len(s.log(events.ArchiveSubject("bad", "*", "final"))); n != 0 {
				t.Errorf("%d events say that trials of the study are on disk", n)
			}
			if n := strings.Count(said.String(), "the trials of a run cannot be written"); !kills && n != 1 {
				t.Errorf("logged %d times, want once:\n%s", n, said.String())
			}
			mend()
			s.waitsFor("bad", "")
			s.final(bad)
			kill()
			time.Sleep(10 * time.Second)
			if n := len(s.log(events.ArchiveSubject("bad", "*", "final"))); n != 1 {
				t.Errorf("said %d times that the run is on disk, want once", n)
			}
		})
		checkLog(t, dir, bad)
		checkLog(t, dir, good)
		checkLog(t, dir, later)
		if n := len(scanned(t, dir, archiver.Query{})); n != 1600+800+80 {
			t.Errorf("%d rows on disk, want 2480", n)
		}
	}
}

// A run is cut off in the middle: what it has stays, and what is missing comes
// in order when its folder is back.
func TestAFolderThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	for seed := range seeds(t, 2) {
		faults := membus.Faults{}
		if seed > 0 {
			faults = allFaults
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			away(t, seed, faults)
		})
	}
}

func away(t *testing.T, seed uint64, faults membus.Faults) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(seed, 7))
	second := func(n int) time.Duration { return time.Duration(rng.IntN(n*1000)) * time.Millisecond }
	var view *client.StudyView
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, faults, 0)
		defer s.close()
		s.startAll(1)
		s.startArchiver(dir, nil) // it may have to read its files
		s.submit("sim", "x1", toyStudy("sim", 8000, ""))
		folder, away := filepath.Join(dir, "trials", "gen-1", "study=sim"), filepath.Join(dir, "away")
		for len(s.log(events.ArchiveSubject("sim", "*", "part"))) == 0 {
			time.Sleep(time.Second)
		}
		for range 4 {
			synctest.Wait() // nobody writes while the folder is moved
			if err := os.Rename(folder, away); err != nil {
				t.Fatal(err)
			}
			mend := blockFolder(t, dir, "sim")
			time.Sleep(second(15))
			if rng.IntN(2) == 0 {
				s.kill("archiver")
			}
			time.Sleep(second(15))
			synctest.Wait()
			mend()
			if err := os.Rename(away, folder); err != nil {
				t.Fatal(err)
			}
			time.Sleep(second(15))
			if rng.IntN(2) == 0 {
				s.kill("archiver")
			}
		}
		view = s.wait("sim")
		s.final(view)
	})
	checkLog(t, dir, view)
	trial := int64(0)
	for _, r := range inFiles(t, dir, view) {
		if r.Trial != trial {
			t.Fatalf("trial %d comes where %d should be", r.Trial, trial)
		}
		trial++
	}
}
