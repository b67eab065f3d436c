package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"apollo/archiver/storage"
	"apollo/archiver/storage/storagetest"
	"apollo/events"
)

// filesOf is what readers see of a place.
func filesOf(t *testing.T, place string) fs.FS {
	t.Helper()
	files, err := Files(place)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// globbed counts the rows that other tools see: those of every file below
// current.
func globbed(t *testing.T, place string) (rows int) {
	t.Helper()
	files := filesOf(t, place)
	paths, err := expand(files, storage.Current+"/**/*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		f, err := surveyFile(files, p, nil, false, func(int64) error { return nil })
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		rows += f.rows
	}
	return rows
}

// anyOpen opens a log whose last archiver may have died: its lease ends by age,
// after a sign that it gave just now perhaps.
func anyOpen(t *testing.T, server *storagetest.Server, place string, o Options) *Store {
	t.Helper()
	for range 50 {
		server.Pass(time.Minute)
		s, err := Open(place, o)
		if err == nil {
			t.Cleanup(s.release)
			return s
		}
		if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrHeld) {
			t.Fatalf("Open: %v", err)
		}
	}
	t.Fatal("the store never answers")
	return nil
}

func TestBucketCrashAtEveryPoint(t *testing.T) {
	server := storagetest.New(t)
	spec := testSpec("demo")
	for _, point := range []string{"rename.before", "rename.after", "manifest.before", "manifest.after", "compact.before", "compact.after"} {
		for n := 1; n <= 3; n += 2 {
			place := storagetest.Place(fmt.Sprintf("%s-%d", point, n))
			s := anyOpen(t, server, place, Options{Failpoint: crashAt(point, n)})
			crashed := false
			for k := 0; k < 18; k++ {
				begin(t, s, spec, "00000001", accepted(1))
				_, err := s.Append(testRows(spec, "00000001", k*16, 16)...)
				if err == nil {
					err = s.Commit(Position{Created: accepted(0), Sequence: uint64(k + 1)})
				}
				if err == nil && k == 17 {
					if err = s.CloseRun("demo", "00000001", StateCompleted); err == nil {
						_, err = s.Compact("demo", "00000001")
					}
				}
				if err == nil {
					continue
				}
				if !IsStopped(err) {
					t.Fatalf("%s: %v", point, err)
				}
				crashed = true
				s = anyOpen(t, server, place, Options{})
				k = int(s.Position().Sequence) - 1
				if got := globbed(t, place); point != "compact.before" && point != "compact.after" && got != 16*(k+1) {
					t.Errorf("%s %d: %d rows in the files after the repair, want %d", point, n, got, 16*(k+1))
				}
			}
			if !crashed && (n == 1 || !strings.HasPrefix(point, "compact")) {
				t.Errorf("%s was never passed %d times", point, n)
			}
			if got := scanAll(t, filesOf(t, place), Query{}); len(got) != 18*16 {
				t.Errorf("%s %d: %d rows, want %d", point, n, len(got), 18*16)
			}
		}
	}
}

func TestBucketCompaction(t *testing.T) {
	server := storagetest.New(t)
	place := storagetest.Place("compaction")
	now := time.Now()
	s := anyOpen(t, server, place, Options{Now: func() time.Time { return now }})
	spec := testSpec("demo")
	begin(t, s, spec, "00000001", accepted(1))
	for k := range compactFiles {
		store(t, s, uint64(k+1), testRows(spec, "00000001", k*16, 16)...)
	}
	before := filesOf(t, place)
	old, err := expand(before, storage.Current+"/**/*.parquet")
	if err != nil || len(old) != compactFiles {
		t.Fatalf("%d files, %v; want %d", len(old), err, compactFiles)
	}
	if err := s.CloseRun("demo", "00000001", StateCompleted); err != nil {
		t.Fatal(err)
	}
	if did, err := s.Compact("demo", "00000001"); !did || err != nil {
		t.Fatalf("Compact = %v, %v", did, err)
	}
	want := 16 * compactFiles
	if got := scanAll(t, filesOf(t, place), Query{}); len(got) != want {
		t.Errorf("%d rows while old and new files are there, want each of %d once", len(got), want)
	}
	if got := scanAll(t, before, Query{}); len(got) != want {
		t.Errorf("who looked before the compaction reads %d rows, want %d", len(got), want)
	}
	// The next archiver knows which files were replaced.
	shut(t, s)
	s = anyOpen(t, server, place, Options{Now: func() time.Time { return now }})
	now = now.Add(storage.KeepReplaced)
	sweep(t, s)
	if got := globbed(t, place); got != want {
		t.Errorf("%d rows in the files after the sweep, want %d", got, want)
	}
	files, _ := expand(filesOf(t, place), storage.Current+"/**/*.parquet")
	orphans, _ := expand(filesOf(t, place), "trials/.orphans/*")
	if len(files) != 1 || len(orphans) != 0 {
		t.Errorf("%d files and %d set aside after the sweep, want one and none", len(files), len(orphans))
	}
	if src, err := LoadSource(filesOf(t, place), events.Source{Study: "demo"}); err != nil || len(src.Trials) != want {
		t.Errorf("LoadSource = %d trials, %v; want %d", len(src.Trials), err, want)
	}
	if all, err := Studies(filesOf(t, place)); err != nil || len(all) != 1 || all[0].Err != nil || all[0].Trials != int64(want) {
		t.Errorf("Studies = %+v, %v", all, err)
	}
}

func TestTwoArchiversOfOneBucket(t *testing.T) {
	server := storagetest.New(t)
	place := storagetest.Place("two")
	spec := testSpec("demo")
	first := anyOpen(t, server, place, Options{})
	begin(t, first, spec, "00000001", accepted(1))
	store(t, first, 1, testRows(spec, "00000001", 0, 16)...)
	if _, err := Open(place, Options{}); !errors.Is(err, ErrHeld) {
		t.Fatalf("second Open: %v, want ErrHeld", err)
	}
	second := anyOpen(t, server, place, Options{}) // the first one was silent
	begin(t, second, spec, "00000001", accepted(1))
	add(t, first, testRows(spec, "00000001", 16, 16)...)
	if err := first.Commit(Position{Created: accepted(0), Sequence: 2}); !errors.Is(err, ErrTaken) || !IsStopped(err) {
		t.Errorf("commit of the one that lost: %v, want ErrTaken", err)
	}
	if _, err := first.Append(); !errors.Is(err, ErrTaken) {
		t.Errorf("it goes on: %v, want ErrTaken", err)
	}
	store(t, second, 2, testRows(spec, "00000001", 16, 16)...)
	shut(t, first) // gives nothing back that is the other's
	if _, err := Open(place, Options{}); !errors.Is(err, ErrHeld) {
		t.Errorf("Open after the end of the one that lost: %v, want ErrHeld", err)
	}
	shut(t, second)
	third, err := Open(place, Options{})
	if err != nil {
		t.Fatalf("Open after a clean end: %v", err)
	}
	shut(t, third)
	if got := scanAll(t, filesOf(t, place), Query{}); len(got) != 32 {
		t.Errorf("%d rows, want 32", len(got))
	}
	if got := globbed(t, place); got != 32 {
		t.Errorf("other tools see %d rows, want 32", got)
	}
}

func TestBucketWithoutConditionsIsRefused(t *testing.T) {
	storagetest.New(t).Blind()
	if _, err := Open(storagetest.Place("blind"), Options{}); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("Open = %v, want a refusal of a store without conditional writes", err)
	}
}

func TestBucketManifest(t *testing.T) {
	server := storagetest.New(t)
	place := storagetest.Place("long")
	s := anyOpen(t, server, place, Options{})
	spec := testSpec("demo")
	begin(t, s, spec, "00000001", accepted(1))
	rows := testRows(spec, "00000001", 0, 8)
	for k := range rows {
		store(t, s, uint64(k+1), rows[k])
	}
	// Records that only move the cursor, until there are several segments.
	for k := range 1500 {
		store(t, s, uint64(100+k))
	}
	shut(t, s)
	parts, err := fs.ReadDir(filesOf(t, place), storage.Manifest)
	if err != nil || len(parts) < 2 {
		t.Fatalf("%d segments, %v; want several", len(parts), err)
	}
	s = anyOpen(t, server, place, Options{})
	if got := s.Position().Sequence; got != 1599 || s.Committed("demo", "00000001") != 8 {
		t.Errorf("position %d with %d trials, want 1599 and 8", got, s.Committed("demo", "00000001"))
	}
	shut(t, s)
	// A segment is lost: what the files hold is kept, and results are read anew.
	at, err := storage.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	if err := at.Remove(storage.Manifest + "/00000001"); err != nil {
		t.Fatal(err)
	}
	s = anyOpen(t, server, place, Options{})
	if got := s.Position().Sequence; got != 0 || s.Committed("demo", "00000001") != 8 {
		t.Errorf("after the loss: position %d with %d trials, want 0 and 8", got, s.Committed("demo", "00000001"))
	}
	kept, _ := fs.ReadDir(filesOf(t, place), storage.Manifest+".damaged-1")
	if len(kept) != len(parts)-1 {
		t.Errorf("%d segments are kept beside, want %d", len(kept), len(parts)-1)
	}
}

// TestBucketOutage: what cannot be written waits, and a record whose put was
// carried out without an answer is replaced, not doubled.
func TestBucketOutage(t *testing.T) {
	server := storagetest.New(t)
	spec := testSpec("demo")
	for _, kind := range []string{storagetest.SlowDown, storagetest.Lost} {
		place := storagetest.Place(kind)
		s := anyOpen(t, server, place, Options{})
		begin(t, s, spec, "00000001", accepted(1))
		store(t, s, 1, testRows(spec, "00000001", 0, 16)...)
		add(t, s, testRows(spec, "00000001", 16, 16)...)
		server.Always(kind)
		if err := s.Commit(Position{Created: accepted(0), Sequence: 2}); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%s: Commit = %v, want ErrUnavailable", kind, err)
		}
		// Only the manifest's put has no answer.
		journal := s.man.journal
		line, err := manifestLine(&record{Version: manifestVersion, Generation: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := journal.Append(line); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%s: Append = %v, want ErrUnavailable", kind, err)
		}
		server.Always("")
		store(t, s, 2)
		shut(t, s)
		s = anyOpen(t, server, place, Options{})
		if got := s.Committed("demo", "00000001"); got != 32 || s.Position().Sequence != 2 {
			t.Errorf("%s: %d trials at %d, want 32 at 2", kind, got, s.Position().Sequence)
		}
		if got := globbed(t, place); got != 32 {
			t.Errorf("%s: other tools see %d rows, want 32", kind, got)
		}
	}
}

// TestBucketFaults writes through a store in which a quarter of the requests
// fail, and kills the archiver again and again: nothing is lost, nothing twice.
func TestBucketFaults(t *testing.T) {
	server := storagetest.New(t)
	place := storagetest.Place("faults")
	spec := testSpec("demo")
	commits, kills, failed := 60, 0, 0
	if testing.Short() {
		commits = 12
	}
	server.Fail(1, 0.25)
	s := anyOpen(t, server, place, Options{})
	for k := 0; k < commits; {
		begin(t, s, spec, "00000001", accepted(1))
		if _, err := s.Append(testRows(spec, "00000001", k*16, 16)...); err != nil {
			t.Fatal(err)
		}
		err := s.Commit(Position{Created: accepted(0), Sequence: uint64(k + 1)})
		for tries := 0; err != nil && tries < 20; tries++ {
			failed++
			if errors.Is(err, ErrBehind) {
				_, err = s.Retry()
				continue
			}
			if !errors.Is(err, ErrUnavailable) {
				t.Fatalf("commit: %v", err)
			}
			err = s.Commit(Position{Created: accepted(0), Sequence: uint64(k + 1)})
		}
		if err != nil {
			t.Fatalf("the commit never succeeds: %v", err)
		}
		k++
		if k%10 == 0 { // a kill: nothing is given back
			kills++
			add(t, s, testRows(spec, "00000001", k*16, 16)...)
			if _, err := s.writeAlone(runKey{"demo", "00000001"}); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
			s = anyOpen(t, server, place, Options{})
			k = int(s.Committed("demo", "00000001")) / 16
		}
	}
	server.Fail(1, 0)
	if got := scanAll(t, filesOf(t, place), Query{}); len(got) != 16*commits {
		t.Errorf("%d rows, want %d", len(got), 16*commits)
	}
	shut(t, s)
	s = anyOpen(t, server, place, Options{})
	if got := globbed(t, place); got != 16*commits {
		t.Errorf("other tools see %d rows, want %d", got, 16*commits)
	}
	total := 0
	for kind, n := range server.Faults() {
		if n == 0 && !testing.Short() {
			t.Errorf("no fault of the kind %s", kind)
		}
		total += n
	}
	t.Logf("%d faults %v, %d commits that failed, %d kills, lost rows: %d", total, server.Faults(), failed, kills, 16*commits-int(s.Committed("demo", "00000001")))
}
