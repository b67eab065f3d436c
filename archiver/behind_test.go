package archiver

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file where a study's folder should be: nothing can be written there, and
// elsewhere all can.
func blockStudy(t *testing.T, dir, study string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "trials/gen-1/study="+study)
	put(t, path, nil)
	return path
}

func TestOneFolderHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for _, restarts := range []bool{false, true} {
		dir := t.TempDir()
		s := openStore(t, dir, Options{})
		bad, good := testSpec("bad"), testSpec("good")
		both := func() {
			begin(t, s, bad, "00000001", accepted(1))
			begin(t, s, good, "00000002", accepted(1))
		}
		again := func() {
			if restarts {
				shut(t, s)
				s = openStore(t, dir, Options{})
				both()
			}
		}
		both()
		block := blockStudy(t, dir, "bad")
		add(t, s, testRows(good, "00000002", 0, 32)...) // results 1 and 2
		add(t, s, testRows(bad, "00000001", 32, 16)...) // result 3
		if err := s.Commit(Position{Created: accepted(0), Sequence: 3}); !errors.Is(err, ErrBehind) {
			t.Fatalf("Commit: %v, want ErrBehind", err)
		}
		stuck := s.StuckRuns()
		if len(stuck) != 1 || stuck[0].Study != "bad" || stuck[0].Rows != 16 || stuck[0].Err == nil {
			t.Fatalf("stuck are %+v, want bad with 16 rows", stuck)
		}
		if wrote, err := s.Retry(); wrote || err != nil {
			t.Errorf("Retry = %v, %v while the folder takes nothing", wrote, err)
		}
		// A build that knows nothing of this goes on from before what is missing.
		if got := s.idx.position.Sequence; got != 2 || s.Position().Sequence != 3 {
			t.Errorf("the cursor is %d and %d, want 2 and 3", got, s.Position().Sequence)
		}
		// What comes next of the stuck run is not appended; of others it is.
		store(t, s, 6, testRows(good, "00000002", 64, 16)...)
		if n := rowsInFiles(t, dir); n != 48 {
			t.Errorf("%d rows on disk, want the 48 of the other run", n)
		}
		again()
		remove(t, block)
		if wrote, err := s.Retry(); wrote == restarts || err != nil {
			t.Errorf("Retry = %v, %v with a folder again; rows wait: %v", wrote, err, !restarts)
		}
		again()
		first := uint64(4)
		if restarts {
			first = 3
		}
		if got := s.ReadAfter(); got != first-1 {
			t.Errorf("ReadAfter = %d, want %d", got, first-1)
		}
		if s.Misses("bad", "00000001", first-1) || !s.Misses("bad", "00000001", first) || s.Misses("good", "00000002", first) {
			t.Errorf("the run does not miss what comes from result %d on, or the other does", first)
		}
		s.Passed(5)
		store(t, s, 6, testRows(bad, "00000001", 32, 48)...) // results 3 to 5, again
		if !s.Behind("bad", "00000001") {
			t.Error("the run is not behind, and result 6 was not read again")
		}
		s.Passed(6)
		store(t, s, 6, testRows(bad, "00000001", 80, 16)...)
		if s.Behind("bad", "00000001") || s.idx.position.Sequence != 6 {
			t.Errorf("behind after everything was read again, the cursor is %d", s.idx.position.Sequence)
		}
		if got := scanAll(t, os.DirFS(dir), Query{Study: "bad"}); len(got) != 64 || rowsInFiles(t, dir) != 48+64 {
			t.Errorf("%d rows of the run, %d in all, want 64 and 112", len(got), rowsInFiles(t, dir))
		}
	}
}

func TestADiskThatTakesNothingIsNobodysFault(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	add(t, s, testRows(spec, "00000001", 0, 16)...)
	trials, away := filepath.Join(dir, "trials"), filepath.Join(dir, "away")
	if err := os.Rename(trials, away); err != nil {
		t.Fatal(err)
	}
	put(t, trials, nil)
	if err := s.Commit(Position{Sequence: 1}); err == nil || errors.Is(err, ErrBehind) || len(s.StuckRuns()) != 0 {
		t.Errorf("Commit: %v, want an error of the whole log", err)
	}
	remove(t, trials)
	if err := os.Rename(away, trials); err != nil {
		t.Fatal(err)
	}
	store(t, s, 1)
	if n := rowsInFiles(t, dir); n != 16 {
		t.Errorf("%d rows, want 16", n)
	}
}

// The folder of a run that has files is away when the archiver starts.
func TestOpenWithoutTheFolderOfOneRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	bad, good := testSpec("bad"), testSpec("good")
	begin(t, s, bad, "00000001", accepted(1))
	store(t, s, 1, testRows(bad, "00000001", 0, 16)...)
	shut(t, s)
	folder, away := filepath.Join(dir, "trials/gen-1/study=bad"), filepath.Join(dir, "away")
	if err := os.Rename(folder, away); err != nil {
		t.Fatal(err)
	}
	block := blockStudy(t, dir, "bad")
	s = openStore(t, dir, Options{})
	begin(t, s, good, "00000002", accepted(1))
	store(t, s, 2, testRows(good, "00000002", 0, 16)...)
	if n := rowsInFiles(t, dir); n != 16 {
		t.Errorf("%d rows of the other run, want 16", n)
	}
	remove(t, block)
	if err := os.Rename(away, folder); err != nil {
		t.Fatal(err)
	}
	if n := len(scanAll(t, os.DirFS(dir), Query{})); n != 32 || s.Committed("bad", "00000001") != 16 {
		t.Errorf("%d rows, and %d of the run that was away; want 32 and 16", n, s.Committed("bad", "00000001"))
	}
}
