package archiver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver/parquetcheck"
	"apollo/archiver/storage"
)

// sameRow compares rows without the columns, which belong to the file.
func sameRow() cmp.Options {
	return cmp.Options{cmpopts.IgnoreFields(Row{}, "Columns"), cmpopts.EquateNaNs()}
}

// scanAll reads everything and fails on any error.
func scanAll(t *testing.T, fsys fs.FS, q Query) []Row {
	t.Helper()
	var rows []Row
	for r, err := range Scan(fsys, q) {
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
		rows = append(rows, r)
	}
	return rows
}

func TestRoundTripKeepsEveryValue(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	want := testRows(spec, "00000001", 0, 100)
	store(t, s, 7, want...)
	got := scanAll(t, os.DirFS(dir), Query{Study: "demo"})
	if d := cmp.Diff(want, got, sameRow()); d != "" {
		t.Errorf("rows differ (-want +got):\n%s", d)
	}
	if got[0].Columns.Spec.Seed != 7 || !got[0].Columns.Accepted.Equal(accepted(1)) {
		t.Errorf("the specification did not come back: %+v", got[0].Columns)
	}
}

func TestAppendDropsWhatTheLogHas(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	rows := testRows(spec, "00000001", 0, 40)
	store(t, s, 2, rows[:20]...)
	if n, err := s.Append(rows[10:30]...); n != 10 || err != nil {
		t.Errorf("Append of 10 known and 10 new rows = %d, %v; want 10", n, err)
	}
	store(t, s, 3)
	shut(t, s)
	s = openStore(t, dir, Options{})
	begin(t, s, spec, "00000001", accepted(1))
	if n, err := s.Append(rows...); n != 10 || err != nil {
		t.Errorf("Append after reopening = %d, %v; want 10", n, err)
	}
	store(t, s, 4)
	if got := scanAll(t, os.DirFS(dir), Query{}); len(got) != 40 {
		t.Errorf("%d rows, want 40", len(got))
	}
}

func TestOneArchiverPerDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: %v, want ErrLocked", err)
	}
	shut(t, s)
	openStore(t, dir, Options{})
}

var errCrash = errors.New("crash")

// crashAt fails the n-th time that a point is passed.
func crashAt(point string, n int) func(string) error {
	return func(p string) error {
		if p == point {
			if n--; n == 0 {
				return errCrash
			}
		}
		return nil
	}
}

func TestCrashAtEveryPointLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"rename.before", "rename.after", "manifest.before", "manifest.after"} {
		for _, nth := range []int{1, 2, 3} {
			t.Run(point, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				one, two := testSpec("one"), testSpec("two")
				all := append(testRows(one, "00000001", 0, 60), testRows(two, "00000002", 0, 60)...)
				// write replays from the cursor, as the service does.
				write := func(fail func(string) error) error {
					s := openStore(t, dir, Options{Failpoint: fail})
					defer s.Close()
					begin(t, s, one, "00000001", accepted(1))
					begin(t, s, two, "00000002", accepted(1))
					for seq := s.Position().Sequence + 1; seq <= 4; seq++ {
						for _, r := range all {
							if r.StreamSeq == seq {
								if _, err := s.Append(r); err != nil {
									return err
								}
							}
						}
						if err := s.Commit(Position{Created: accepted(0), Sequence: seq}); err != nil {
							return err
						}
					}
					return nil
				}
				if err := write(crashAt(point, nth)); !errors.Is(err, errCrash) {
					t.Fatalf("first write: %v, want the crash", err)
				}
				if err := write(nil); err != nil {
					t.Fatalf("second write: %v", err)
				}
				got := scanAll(t, os.DirFS(dir), Query{})
				if d := cmp.Diff(all, got, sameRow()); d != "" {
					t.Errorf("rows differ (-want +got):\n%s", d)
				}
				// The files alone, as any other tool reads them, hold each trial once.
				if n := rowsInFiles(t, dir); n != len(all) {
					t.Errorf("the files hold %d rows, want %d", n, len(all))
				}
			})
		}
	}
}

// rowsInFiles counts the rows of all visible files, without deduplication.
func rowsInFiles(t *testing.T, dir string) int {
	t.Helper()
	paths, err := expand(os.DirFS(dir), "trials/current/**/*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range paths {
		info, err := os.Stat(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		pf, err := parquetcheck.OpenGuarded(file, info.Size())
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		n += int(pf.NumRows())
	}
	return n
}

func TestTornManifestLineIsCut(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	rows := testRows(spec, "00000001", 0, 32)
	store(t, s, 1, rows[:16]...)
	store(t, s, 2, rows[16:]...)
	shut(t, s)
	path := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	if got := s.Position().Sequence; got != 1 {
		t.Errorf("position after a torn line = %d, want 1", got)
	}
	if got := scanAll(t, os.DirFS(dir), Query{}); len(got) != 16 {
		t.Errorf("%d rows visible, want the 16 that were committed", len(got))
	}
	orphans, _ := os.ReadDir(filepath.Join(dir, "trials", ".orphans"))
	if len(orphans) != 1 {
		t.Errorf("%d orphans, want 1", len(orphans))
	}
}

func TestManifestIsRebuiltFromFiles(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{"missing", "empty", "middle"} {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir, Options{})
			spec := testSpec("demo")
			begin(t, s, spec, "00000001", accepted(1))
			rows := testRows(spec, "00000001", 0, 48)
			store(t, s, 1, rows[:16]...)
			store(t, s, 2, rows[16:32]...)
			shut(t, s)
			path := filepath.Join(dir, ManifestName)
			b, _ := os.ReadFile(path)
			switch damage {
			case "missing":
				remove(t, path)
			case "empty":
				put(t, path, nil)
			case "middle":
				b[20] ^= 1
				put(t, path, b)
			}
			s = openStore(t, dir, Options{})
			if got := s.Position().Sequence; got != 0 {
				t.Errorf("position = %d, want 0: everything is read again", got)
			}
			begin(t, s, spec, "00000001", accepted(1))
			if n, err := s.Append(rows...); n != 16 || err != nil {
				t.Errorf("Append = %d, %v; want the 16 rows that no file has", n, err)
			}
			store(t, s, 3)
			if n := rowsInFiles(t, dir); n != 48 {
				t.Errorf("the files hold %d rows, want 48", n)
			}
			if n := len(s.Unannounced()); n != 1 {
				t.Errorf("%d news, want only the new commit", n)
			}
		})
	}
}

func TestOtherPeoplesFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	spec := testSpec("demo")
	for _, d := range []string{dir, other} {
		s := openStore(t, d, Options{})
		begin(t, s, spec, "00000001", accepted(1))
		store(t, s, 1, testRows(spec, "00000001", 0, 16)...)
		shut(t, s)
	}
	theirs := "part-" + strings.Repeat("0", 18) + "77-" + strings.Repeat("0", 18) + "77.parquet"
	folder := filepath.Join(dir, "trials/current/study=demo/run=00000001")
	found, err := filepath.Glob(filepath.Join(other, "trials/current/study=demo/run=00000001/*.parquet"))
	if err != nil || len(found) != 1 {
		t.Fatalf("files of the other log: %v, %v", found, err)
	}
	b, _ := os.ReadFile(found[0])
	put(t, filepath.Join(folder, theirs), b)
	put(t, filepath.Join(folder, "notes.txt"), []byte("mine"))
	openStore(t, dir, Options{})
	for _, name := range []string{theirs, "notes.txt"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
}

func TestLostFileComesBackFromTheStream(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	rows := testRows(spec, "00000001", 0, 32)
	store(t, s, 1, rows[:16]...)
	store(t, s, 2, rows[16:]...)
	shut(t, s)
	found, _ := filepath.Glob(filepath.Join(dir, "trials/current/study=demo/run=00000001/*.parquet"))
	remove(t, found[0])
	s = openStore(t, dir, Options{})
	begin(t, s, spec, "00000001", accepted(1))
	if got := s.Position().Sequence; got != 0 {
		t.Errorf("position = %d, want 0", got)
	}
	store(t, s, 2, rows...)
	if got := scanAll(t, os.DirFS(dir), Query{}); len(got) != 32 || rowsInFiles(t, dir) != 32 {
		t.Errorf("%d rows by Scan, %d in files; want 32", len(got), rowsInFiles(t, dir))
	}
}

// readOnly is a journal that takes nothing.
type readOnly struct{ storage.Journal }

func (readOnly) Append([]byte) error { return fs.ErrPermission }

func TestFailedCommitCanBeRepeated(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	before := testSpec("before")
	begin(t, s, before, "00000002", accepted(1))
	add(t, s, testRows(spec, "00000001", 0, 16)...)
	add(t, s, testRows(before, "00000002", 0, 16)...)
	// The files are written, the manifest cannot be: nothing is committed.
	writable := s.man.journal
	s.man.journal = readOnly{writable}
	if err := s.Commit(Position{Sequence: 1}); err == nil || errors.Is(err, ErrBehind) {
		t.Fatalf("Commit: %v, want an error of the whole log", err)
	}
	if n := rowsInFiles(t, dir); n != 0 {
		t.Errorf("%d rows are visible after a commit that failed: other tools would read them twice", n)
	}
	s.man.journal = writable
	store(t, s, 1)
	if got := scanAll(t, os.DirFS(dir), Query{}); len(got) != 32 || rowsInFiles(t, dir) != 32 {
		t.Errorf("%d rows, want 32", len(got))
	}
}

func TestNewsIsToldOnceUnlessACrashComesBetween(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	store(t, s, 1, testRows(spec, "00000001", 0, 16)...)
	if err := s.CloseRun("demo", "00000001", StateCompleted); err != nil {
		t.Fatal(err)
	}
	news := s.Unannounced()
	if len(news) != 2 || len(news[0].Parts) != 1 || news[1].Ended == nil {
		t.Fatalf("news = %+v, want a part and an end", news)
	}
	if got := news[1].Ended.Final; got.Trials != 16 || got.Glob != "trials/current/study=demo/run=00000001/*.parquet" {
		t.Errorf("final = %+v", got)
	}
	s.MarkAnnounced(news[0])
	s.release() // a crash: what was told is not recorded
	s = openStore(t, dir, Options{})
	if got := s.Unannounced(); len(got) != 2 {
		t.Errorf("%d news after a crash, want 2", len(got))
	}
	s.MarkAnnounced(s.Unannounced()[1])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, Options{})
	if got := s.Unannounced(); len(got) != 0 {
		t.Errorf("news after Close = %+v, want none", got)
	}
}

func TestDueByRowsAndAge(t *testing.T) {
	t.Parallel()
	now := accepted(0)
	s := openStore(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	spec := testSpec("demo")
	begin(t, s, spec, "00000001", accepted(1))
	if s.Due() {
		t.Error("an empty store is due")
	}
	add(t, s, testRows(spec, "00000001", 0, 1)...)
	if s.Due() {
		t.Error("one fresh row is due")
	}
	now = now.Add(flushAge)
	if !s.Due() {
		t.Error("a row of 5 s age is not due")
	}
	now = accepted(0)
	add(t, s, testRows(spec, "00000001", 1, FlushRows)...)
	if !s.Due() {
		t.Errorf("%d rows are not due", s.Waiting())
	}
}
