package archiver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"apollo/archiver/storage"
	"apollo/archiver/storage/storagetest"
)

// An archiver that lost the bucket without noticing has committed half of
// something, and comes back with more: what the next one stored stays.

func isManifestPut(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, storage.Manifest)
}

// loses lets commit fail, lets a second archiver take over and store the same
// rows, and the first one come back.
func loses(t *testing.T, server *storagetest.Server, place string, fails func()) {
	t.Helper()
	spec := testSpec("demo")
	first := anyOpen(t, server, place, Options{})
	begin(t, first, spec, "00000001", accepted(1))
	store(t, first, 1, testRows(spec, "00000001", 0, 16)...)
	add(t, first, testRows(spec, "00000001", 16, 16)...)
	fails()
	if err := first.Commit(Position{Created: accepted(0), Sequence: 2}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Commit = %v, want ErrUnavailable", err)
	}
	server.Watch(nil)
	server.Always("")
	second := anyOpen(t, server, place, Options{})
	begin(t, second, spec, "00000001", accepted(1))
	store(t, second, 2, testRows(spec, "00000001", 16, 16)...)
	add(t, first, testRows(spec, "00000001", 32, 16)...)
	if err := first.Commit(Position{Created: accepted(0), Sequence: 3}); !errors.Is(err, ErrTaken) {
		t.Errorf("commit of the one that lost: %v, want ErrTaken", err)
	}
	stored := 0
	for _, r := range scanAll(t, filesOf(t, place), Query{}) {
		if r.Trial < 32 { // the others are of a part that was not committed
			stored++
		}
	}
	if stored != 32 {
		t.Errorf("%d rows of those that the second one stored, want 32", stored)
	}
	shut(t, first)
	shut(t, second)
	third := anyOpen(t, server, place, Options{})
	if n := third.Committed("demo", "00000001"); n != 32 || third.Position().Sequence != 2 {
		t.Errorf("%d trials at %d, want 32 at 2: none is to be read again", n, third.Position().Sequence)
	}
	if got := globbed(t, place); got != 32 {
		t.Errorf("other tools see %d rows after a repair, want 32", got)
	}
}

func TestBucketLostBeforeAPart(t *testing.T) {
	server := storagetest.New(t)
	loses(t, server, storagetest.Place("part"), func() { server.Always(storagetest.SlowDown) })
}

func TestBucketLostAfterARecord(t *testing.T) {
	server := storagetest.New(t)
	loses(t, server, storagetest.Place("record"), func() {
		server.Watch(func(r *http.Request) bool {
			if isManifestPut(r) {
				server.Always(storagetest.Lost)
				server.Watch(isManifestPut)
			}
			return true
		})
	})
}

// TestBucketLeftovers: what commits and compactions that failed left goes once a
// record is stored that does not speak of it.
func TestBucketLeftovers(t *testing.T) {
	server := storagetest.New(t)
	place := storagetest.Place("leftovers")
	s := anyOpen(t, server, place, Options{})
	spec := testSpec("demo")
	begin(t, s, spec, "00000001", accepted(1))
	for k := range compactFiles {
		store(t, s, uint64(k+1), testRows(spec, "00000001", k*16, 16)...)
	}
	noRecord := func() {
		server.Watch(func(r *http.Request) bool { return !isManifestPut(r) })
	}
	add(t, s, testRows(spec, "00000001", 16*compactFiles, 16)...)
	noRecord()
	if err := s.Commit(Position{Created: accepted(0), Sequence: compactFiles + 1}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Commit = %v, want ErrUnavailable", err)
	}
	server.Watch(nil)
	sweep(t, s)
	store(t, s, compactFiles+2, testRows(spec, "00000001", 16*(compactFiles+1), 16)...)
	sweep(t, s)
	want := 16 * (compactFiles + 2)
	if got := globbed(t, place); got != want {
		t.Errorf("other tools see %d rows after a commit that failed and one that did not, want %d", got, want)
	}
	if err := s.CloseRun("demo", "00000001", StateCompleted); err != nil {
		t.Fatal(err)
	}
	noRecord()
	if _, err := s.Compact("demo", "00000001"); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Compact = %v, want ErrUnavailable", err)
	}
	server.Watch(nil)
	store(t, s, compactFiles+3)
	sweep(t, s)
	if got := globbed(t, place); got != want {
		t.Errorf("other tools see %d rows after a compaction that failed, want %d", got, want)
	}
	if did, err := s.Compact("demo", "00000001"); !did || err != nil {
		t.Fatalf("Compact = %v, %v", did, err)
	}
	sweep(t, s)
	if got := scanAll(t, filesOf(t, place), Query{}); len(got) != want {
		t.Errorf("%d rows, want %d", len(got), want)
	}
}

// TestBucketLostAtASegmentsEnd: the last part of the journal is full, with a
// record whose answer the archiver never got, or with one that it knows of.
func TestBucketLostAtASegmentsEnd(t *testing.T) {
	server := storagetest.New(t)
	long := func() *record {
		return &record{Differs: &difference{Study: "demo", Run: "00000001", Reason: strings.Repeat("x", 128<<10)}}
	}
	for _, fault := range []string{storagetest.Lost, ""} {
		place := storagetest.Place("end" + fault)
		first := anyOpen(t, server, place, Options{})
		server.Always(fault)
		if err := first.record(long()); (err == nil) != (fault == "") {
			t.Fatalf("%q: record = %v", fault, err)
		}
		server.Always("")
		second := anyOpen(t, server, place, Options{})
		if err := first.Commit(Position{Created: accepted(0), Sequence: 2}); !errors.Is(err, ErrTaken) {
			t.Errorf("%q: commit of the one that lost: %v, want ErrTaken", fault, err)
		}
		store(t, second, 3)
		shut(t, second)
		third := anyOpen(t, server, place, Options{})
		if third.Position().Sequence != 3 || third.Differs("demo", "00000001") == "" {
			t.Errorf("%q: the journal is at %d and has lost what the second archiver read: %v", fault, third.Position().Sequence, third.Differs("demo", "00000001") == "")
		}
	}
	// The first one makes the next part just before the second one does.
	place := storagetest.Place("race")
	first := anyOpen(t, server, place, Options{})
	if err := first.record(long()); err != nil {
		t.Fatal(err)
	}
	server.Pass(time.Minute)
	server.Watch(func(r *http.Request) bool {
		if isManifestPut(r) && strings.HasSuffix(r.URL.Path, "/00000002") {
			server.Watch(nil)
			if err := first.Commit(Position{Created: accepted(0), Sequence: 2}); err != nil {
				t.Errorf("commit of the one that was not shut out yet: %v", err)
			}
		}
		return true
	})
	if _, err := Open(place, Options{}); !errors.Is(err, ErrTaken) {
		t.Errorf("Open = %v, want ErrTaken: it has not read the last record", err)
	}
	if got := anyOpen(t, server, place, Options{}).Position().Sequence; got != 2 {
		t.Errorf("the next one is at %d, want 2", got)
	}
}
