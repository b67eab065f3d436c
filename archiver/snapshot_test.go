package archiver

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/archiver/storage"
	"apollo/archiver/storage/storagetest"
)

// sameIndex compares what manifests say, whatever their length.
func sameIndex() cmp.Options {
	return cmp.Options{
		cmp.AllowUnexported(index{}, runKey{}, runIndex{}), cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(index{}, "records", "announced", "persisted"),
	}
}

// longManifest is a log with runs of every kind whose manifest has parts enough to be
// shortened: one that ended and was merged, one that is open and behind, one that differs,
// and one that expired.
func longManifest(t *testing.T, server *storagetest.Server, place string, o Options) *Store {
	t.Helper()
	now := accepted(0)
	o.Now = func() time.Time { return now }
	s := anyOpen(t, server, place, o)
	closedRun(t, s, "old", 1)
	closedRun(t, s, "new", 3)
	if err := s.Expire([2]string{"old", "00000001"}); err != nil {
		t.Fatal(err)
	}
	begin(t, s, testSpec("open"), "00000001", accepted(1))
	store(t, s, 5, testRows(testSpec("open"), "00000001", 0, 16)...)
	read := Position{Created: accepted(0), Sequence: 9, Stored: accepted(3)}
	for _, r := range []*record{
		{Closed: &closure{Study: "empty", Run: "00000009", State: "cancelled"}},
		{Differs: &difference{Study: "other", Run: "00000002", Reason: "it is another one"}},
		{Position: &Position{Created: accepted(0), Sequence: 6}, Read: &read, Behind: []behindRun{{Study: "open", Run: "00000001", From: 7}}},
	} {
		if err := s.record(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range s.Unannounced() {
		s.MarkAnnounced(n)
	}
	for range 3 { // names of files that are not there say nothing, at length
		if err := s.record(&record{Removed: []string{strings.Repeat("x", 130<<10)}}); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(storage.KeepReplaced)
	return s
}

func manifestOf(t *testing.T, place string) *index {
	t.Helper()
	x, err := readIndex(filesOf(t, place))
	if err != nil {
		t.Fatalf("a reader of the manifest: %v", err)
	}
	return x
}

func lengthOf(t *testing.T, place string) int {
	t.Helper()
	b, err := fs.ReadFile(filesOf(t, place), ManifestName)
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// A manifest is shortened to what it says: no reader sees anything else before, meanwhile
// or after, and neither does the next archiver.
func TestManifestIsShortened(t *testing.T) {
	server := storagetest.New(t)
	for _, place := range []string{t.TempDir(), storagetest.Place("shortened")} {
		s := longManifest(t, server, place, Options{SnapshotBytes: 1})
		want, long := manifestOf(t, place), lengthOf(t, place)
		var looks atomic.Int64
		var looking atomic.Bool // at the requests of a look nobody looks
		server.Watch(func(*http.Request) bool {
			if looking.CompareAndSwap(false, true) {
				if d := cmp.Diff(want, manifestOf(t, place), sameIndex()); d != "" {
					t.Errorf("%s: at request %d a reader sees another manifest (-want +got):\n%s", place, looks.Load(), d)
				}
				looks.Add(1)
				looking.Store(false)
			}
			return true
		})
		if err := s.Sweep(); err != nil {
			t.Fatal(err)
		}
		server.Watch(nil)
		if short := lengthOf(t, place); short > long/50 {
			t.Errorf("%s: the manifest has %d bytes, and had %d", place, short, long)
		}
		if d := cmp.Diff(want, manifestOf(t, place), sameIndex()); d != "" {
			t.Errorf("%s: the manifest says something else (-want +got):\n%s", place, d)
		}
		if again := s.man.bytes; s.Sweep() != nil || s.man.bytes != again {
			t.Errorf("%s: a short manifest was written again", place)
		}
		// What comes after it is told, once.
		begin(t, s, testSpec("late"), "00000003", accepted(1))
		store(t, s, 10, testRows(testSpec("late"), "00000003", 0, 16)...)
		shut(t, s)
		s = anyOpen(t, server, place, Options{})
		if news := s.Unannounced(); len(news) != 1 || news[0].Parts[0].Study != "late" {
			t.Errorf("%s: after a restart %d things are to be told, want the one that came last: %+v", place, len(news), news)
		}
		if s.Position().Sequence != 10 || s.Committed("new", "00000001") != 32 || s.Committed("late", "00000003") != 16 {
			t.Errorf("%s: at %d with %d and %d trials", place, s.Position().Sequence, s.Committed("new", "00000001"), s.Committed("late", "00000003"))
		}
		orphans, _ := expand(filesOf(t, place), "trials/.orphans/**")
		if len(orphans) > 0 {
			t.Errorf("%s: set aside: %v", place, orphans)
		}
		shut(t, s)
	}
}

// An archiver that dies while it shortens the manifest, before or after any request, or
// whose request is carried out without an answer, leaves the long one or the short one.
func TestManifestIsShortenedOrNot(t *testing.T) {
	server := storagetest.New(t)
	check := func(place, when string, want *index) {
		t.Helper()
		if d := cmp.Diff(want, manifestOf(t, place), sameIndex()); d != "" {
			t.Errorf("%s, %s: a reader sees another manifest (-want +got):\n%s", place, when, d)
		}
		next := anyOpen(t, server, place, Options{})
		if d := cmp.Diff(want, next.idx, sameIndex()); d != "" {
			t.Errorf("%s, %s: the next archiver sees another manifest (-want +got):\n%s", place, when, d)
		}
		store(t, next, 10)
		next.release()
		if got := manifestOf(t, place).read.Sequence; got != 10 {
			t.Errorf("%s, %s: what it stored then is not there: at %d", place, when, got)
		}
	}
	for _, point := range []string{"snapshot.before", "snapshot.after"} {
		for _, place := range []string{t.TempDir(), storagetest.Place(point)} {
			s := longManifest(t, server, place, Options{SnapshotBytes: 1, Failpoint: crashAt(point, 1)})
			want := manifestOf(t, place)
			if err := s.Sweep(); !IsStopped(err) {
				t.Fatalf("%s: Sweep = %v, want the crash", point, err)
			}
			s.release()
			check(place, point, want)
		}
	}
	for k := 0; ; k++ {
		if k != 0 && k != 1 && k != 3 && os.Getenv("APOLLO_SNAPSHOT_KILLS") == "" { // what fails is tried again for seconds
			if k < 8 {
				continue
			}
			break
		}
		place := storagetest.Place(fmt.Sprint("request-", k))
		s := longManifest(t, server, place, Options{SnapshotBytes: 1})
		want, n := manifestOf(t, place), 0
		server.Watch(func(*http.Request) bool {
			n++
			return n <= k
		})
		err := s.Sweep()
		server.Watch(nil)
		s.release()
		check(place, fmt.Sprint("dead after ", k, " requests"), want)
		if err == nil {
			if k < 5 { // the snapshot, the list, and three parts that go
				t.Errorf("it took %d requests", k)
			}
			break
		}
		if !errors.Is(err, ErrUnavailable) {
			t.Fatalf("after %d requests: %v", k, err)
		}
	}
	// The snapshot is stored, and its archiver does not hear of it: it goes on, and shortens later.
	place := storagetest.Place("unheard")
	s := longManifest(t, server, place, Options{SnapshotBytes: 1})
	want := manifestOf(t, place)
	server.Always(storagetest.Lost)
	if err := s.Sweep(); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Sweep = %v, want ErrUnavailable", err)
	}
	server.Always("")
	if d := cmp.Diff(want, manifestOf(t, place), sameIndex()); d != "" {
		t.Errorf("a reader sees another manifest (-want +got):\n%s", d)
	}
	if err := s.Sweep(); err != nil {
		t.Fatal(err)
	}
	if got := lengthOf(t, place); got > 10_000 {
		t.Errorf("the manifest has %d bytes", got)
	}
	s.release()
	check(place, "an answer was lost", want)
}

// Of two archivers that take each other for dead one sees that it has lost, also where the
// first one shortens the manifest just then.
func TestManifestIsShortenedByOneArchiver(t *testing.T) {
	server := storagetest.New(t)
	place := storagetest.Place("two")
	first := longManifest(t, server, place, Options{SnapshotBytes: 1})
	second := anyOpen(t, server, place, Options{})
	store(t, second, 10)
	if err := first.Sweep(); !errors.Is(err, ErrTaken) || !IsStopped(err) {
		t.Errorf("the one that lost shortens the manifest: %v, want ErrTaken", err)
	}
	if got := manifestOf(t, place).read.Sequence; got != 10 {
		t.Errorf("the manifest is at %d, want 10: what the second one stored", got)
	}
	second.release()
	// The first one is quicker by a request.
	place = storagetest.Place("race")
	first = longManifest(t, server, place, Options{SnapshotBytes: 1})
	want := manifestOf(t, place)
	server.Pass(time.Minute)
	done := false
	server.Watch(func(r *http.Request) bool {
		if !done && isManifestPut(r) {
			done = true
			if err := first.Sweep(); err != nil {
				t.Errorf("the one that was not shut out yet: %v", err)
			}
		}
		return true
	})
	if _, err := Open(place, Options{}); !errors.Is(err, ErrTaken) {
		t.Errorf("Open = %v, want ErrTaken: it has not read the snapshot", err)
	}
	server.Watch(nil)
	if d := cmp.Diff(want, manifestOf(t, place), sameIndex()); d != "" {
		t.Errorf("the manifest says something else (-want +got):\n%s", d)
	}
}

// A build that knows no snapshots must not pass over one.
func TestSnapshotsAreANewerFormat(t *testing.T) {
	t.Parallel()
	x := newIndex()
	x.log = "log"
	if r := x.snapshot(); r.Version != manifestVersion+1 {
		t.Errorf("a snapshot is a record of version %d", r.Version)
	}
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	store(t, s, 1)
	shut(t, s)
	path := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n")
	put(t, path, []byte(rest))
	if _, err := readIndex(os.DirFS(dir)); !errors.Is(err, errManifest) {
		t.Errorf("a manifest without its begin: %v, want errManifest", err)
	}
	s = openStore(t, dir, Options{})
	if got := s.Position().Sequence; got != 0 {
		t.Errorf("at %d, want 0: it is made anew", got)
	}
	shut(t, s)
}
