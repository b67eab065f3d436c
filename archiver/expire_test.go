package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apollo/archiver/storage/storagetest"
	"apollo/events"
)

// closedRun writes a run of two files and closes it.
func closedRun(t *testing.T, s *Store, study string, seq uint64) {
	t.Helper()
	spec := testSpec(study)
	begin(t, s, spec, "00000001", accepted(1))
	rows := testRows(spec, "00000001", 0, 32)
	store(t, s, seq, rows[:16]...)
	store(t, s, seq+1, rows[16:]...)
	if err := s.CloseRun(study, "00000001", StateCompleted); err != nil {
		t.Fatal(err)
	}
	s.End(study, "00000001")
}

// studiesIn are the ended runs of a place with their trials, and of how many the
// files are there.
func studiesIn(t *testing.T, place string) string {
	t.Helper()
	files := filesOf(t, place)
	ended, err := EndedRuns(files)
	if err != nil {
		t.Fatal(err)
	}
	inventory, err := TakeInventory(files)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range ended {
		n, err := inventory.Trials(r.Study, r.Run)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %d of %d", r.Study, n, r.Trials))
	}
	return strings.Join(out, ", ")
}

// What expires is gone for every reader, at once in the manifest and after ten
// minutes on the storage; what does not expire stays, and so does an open run.
func TestExpire(t *testing.T) {
	server := storagetest.New(t)
	for _, place := range []string{t.TempDir(), storagetest.Place("expire")} {
		// Ten minutes later is the same day, whenever the test runs.
		now := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
		open := func() *Store { return anyOpen(t, server, place, Options{Now: func() time.Time { return now }}) }
		s := open()
		closedRun(t, s, "old", 1)
		closedRun(t, s, "new", 3)
		begin(t, s, testSpec("open"), "00000001", accepted(1))
		store(t, s, 5, testRows(testSpec("open"), "00000001", 0, 16)...)
		for _, name := range []string{"open", "nobody"} {
			if err := s.Expire([2]string{"old", "00000001"}, [2]string{name, "00000001"}); err == nil {
				t.Errorf("%s: %s expires, which has not ended", place, name)
			}
		}
		if got, want := studiesIn(t, place), "old 32 of 32, new 32 of 32"; got != want {
			t.Errorf("%s before: %s, want %s", place, got, want)
		}
		if err := s.Expire([2]string{"old", "00000001"}); err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			if got, want := studiesIn(t, place), "new 32 of 32"; got != want {
				t.Errorf("%s %s: %s, want %s", place, when, got, want)
			}
			if rows := len(scanAll(t, filesOf(t, place), Query{Study: "new"})); rows != 32 {
				t.Errorf("%s %s: %d rows of the study that stays, want 32", place, when, rows)
			}
			_, err := OpenSource(filesOf(t, place), events.Source{Study: "old"})
			if !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "expired on "+now.Format(time.DateOnly)) {
				t.Errorf("%s %s: a source that expired: %v", place, when, err)
			}
		}
		check("after")
		now = now.Add(11 * time.Minute)
		if err := s.Sweep(); err != nil {
			t.Fatal(err)
		}
		check("after ten minutes")
		if rows := globbed(t, place); rows != 48 {
			t.Errorf("%s: the files hold %d rows, want 48 of new and open", place, rows)
		}
		shut(t, s)
		s = open()
		check("after a restart")
		// A bus of an earlier moment may bring it again.
		closedRun(t, s, "old", 10)
		if got, want := studiesIn(t, place), "new 32 of 32, old 32 of 32"; got != want {
			t.Errorf("%s written again: %s, want %s", place, got, want)
		}
		shut(t, s)
	}
}

// An archiver that dies while it expires runs has either all or none of them after
// its restart.
func TestExpireCrash(t *testing.T) {
	server := storagetest.New(t)
	for point, want := range map[string]string{"compact.before": "old 32 of 32", "compact.after": ""} {
		for _, place := range []string{t.TempDir(), storagetest.Place("crash-" + point[8:])} {
			s := anyOpen(t, server, place, Options{Failpoint: crashAt(point, 1)})
			closedRun(t, s, "old", 1)
			if err := s.Expire([2]string{"old", "00000001"}); !errors.Is(err, errCrash) {
				t.Fatalf("%s: %v, want the crash", point, err)
			}
			s.release()
			s = anyOpen(t, server, place, Options{})
			if got := studiesIn(t, place); got != want {
				t.Errorf("%s at %s: %q, want %q", place, point, got, want)
			}
			shut(t, s)
		}
	}
}

// A file that was lost is written again also when the archiver dies between the
// note that it is gone and its results.
func TestLostFileComesBackAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	closedRun(t, s, "demo", 1)
	shut(t, s)
	found, _ := filepath.Glob(filepath.Join(dir, "trials/current/study=demo/run=00000001/*.parquet"))
	remove(t, found[0])
	if got, want := studiesIn(t, dir), "demo 16 of 32"; got != want {
		t.Errorf("with a lost file: %s, want %s", got, want)
	}
	shut(t, openStore(t, dir, Options{}))
	s = openStore(t, dir, Options{})
	if s.Has("demo", "00000001", 0) {
		t.Error("a trial of the lost file counts as written")
	}
	if got := studiesIn(t, dir); got != "" || s.Expire([2]string{"demo", "00000001"}) == nil {
		t.Errorf("a run that lacks trials may expire; ended runs: %q", got)
	}
	begin(t, s, testSpec("demo"), "00000001", accepted(1))
	store(t, s, 2, testRows(testSpec("demo"), "00000001", 0, 32)...)
	if n := rowsInFiles(t, dir); n != 32 {
		t.Errorf("%d rows in files, want 32", n)
	}
}

// A run that was extended has not ended until it is closed anew, and its age counts
// from then.
func TestAnExtendedRunDoesNotExpire(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now().UTC()
	s := openStore(t, dir, Options{Now: func() time.Time { return now }})
	closedRun(t, s, "demo", 1)
	begin(t, s, testSpec("demo"), "00000001", accepted(1))
	store(t, s, 3, testRows(testSpec("demo"), "00000001", 32, 16)...)
	s.End("demo", "00000001")
	if got := studiesIn(t, dir); got != "" || s.Expire([2]string{"demo", "00000001"}) == nil {
		t.Errorf("a run that goes on may expire; ended runs: %q", got)
	}
	now = now.Add(time.Hour)
	if err := s.CloseRun("demo", "00000001", StateCompleted); err != nil {
		t.Fatal(err)
	}
	ended, err := EndedRuns(os.DirFS(dir))
	if err != nil || len(ended) != 1 || ended[0].Trials != 48 || !ended[0].Ended.Equal(now) {
		t.Errorf("%+v, %v; want a run of 48 trials that ended at %v", ended, err, now)
	}
	// One that is open expires when no row of it waits.
	spec := testSpec("demo")
	begin(t, s, spec, "00000001", accepted(1))
	if _, err := s.Append(testRows(spec, "00000001", 48, 1)...); err != nil || s.Expire([2]string{"demo", "00000001"}) == nil {
		t.Errorf("a run expires of which a row waits (%v)", err)
	}
	store(t, s, 4)
	if err := s.CloseRun("demo", "00000001", StateCompleted); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire([2]string{"demo", "00000001"}); err != nil || s.Has("demo", "00000001", 0) {
		t.Errorf("an open run of which no row waits: %v, or its trials count as written", err)
	}
}

// Logs of builds that did not say when a run was closed tell it by their files.
func TestEndedOfAnOlderLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	closedRun(t, s, "demo", 1)
	shut(t, s)
	manifest := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var older []byte
	_, err = readRecords(b, func(r *record) error {
		if r.Closed != nil {
			r.Closed.At = time.Time{}
		}
		line, err := manifestLine(r)
		older = append(older, line...)
		return err
	})
	if err != nil || strings.Contains(string(older), `"at":`) {
		t.Fatalf("%v\n%s", err, older)
	}
	if err := os.WriteFile(manifest, older, 0o600); err != nil {
		t.Fatal(err)
	}
	last := time.Now().Add(-time.Hour).Truncate(time.Second)
	found, _ := filepath.Glob(filepath.Join(dir, "trials/current/study=demo/run=00000001/*.parquet"))
	for i, path := range found {
		at := last.Add(-time.Duration(i) * time.Minute)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	ended, err := EndedRuns(os.DirFS(dir))
	if err != nil || len(ended) != 1 || !ended[0].Ended.Equal(last) {
		t.Errorf("%+v, %v; want one run that ended at %v", ended, err, last)
	}
	if spec, err := ended[0].Spec(os.DirFS(dir)); err != nil || spec.Study != "demo" {
		t.Errorf("its study: %v, %v", spec, err)
	}
	if _, err := TakeInventory(os.DirFS(t.TempDir())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an inventory of an empty directory: %v, want fs.ErrNotExist", err)
	}
}
