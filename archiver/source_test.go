package archiver

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/events"
)

// readSource reads a source as a whole.
func readSource(t *testing.T, log *SourceLog) []Trial {
	t.Helper()
	var all []Trial
	for tr, err := range log.Trials {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tr)
	}
	return all
}

func TestOpenSourceStreamsTheSameAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	spec := testSpec("demo")
	rows := testRows(spec, "00000001", 0, 50)
	begin(t, s, spec, "00000001", accepted(1))
	store(t, s, 1, rows[:20]...)
	store(t, s, 2, rows[20:]...)
	if err := s.CloseRun("demo", "00000001", StateStopped); err != nil {
		t.Fatal(err)
	}
	log, err := OpenSource(os.DirFS(dir), events.Source{Study: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	first, second := readSource(t, log), readSource(t, log)
	whole, err := LoadSource(os.DirFS(dir), events.Source{Study: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]Trial{"first": first, "second": second} {
		if d := cmp.Diff(whole.Trials, got, cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s time (-want +got):\n%s", name, d)
		}
	}
	if log.Study != "demo" || log.Run != "00000001" || log.Columns.Spec.Seed != 7 || first[3].DesignHash != rows[3].DesignHash || first[3].Origin != rows[3].Origin {
		t.Errorf("log %s %s, trial %+v", log.Study, log.Run, first[3])
	}
}

// What cannot be read is set aside; rows are given as they are.
func TestOpenSourceSetsDamageAside(t *testing.T) {
	t.Parallel()
	good := encodeWith(t, newCodec(), "demo", 10)
	fsys := fstest.MapFS{"a/1.parquet": {Data: good}, "a/2.parquet": {Data: good[:100]}}
	log, err := OpenSource(fsys, events.Source{Parquet: "a/*.parquet"})
	if err != nil {
		t.Fatal(err)
	}
	if len(readSource(t, log)) != 10 || len(log.Damaged) != 1 || log.Damaged[0].Path != "a/2.parquet" || !errors.Is(log.Damaged[0], ErrCorrupt) {
		t.Errorf("damaged %v, want a/2.parquet", log.Damaged)
	}
	if _, err := OpenSource(fstest.MapFS{"a/2.parquet": fsys["a/2.parquet"]}, events.Source{Parquet: "a/*"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("nothing but damage: %v, want ErrCorrupt", err)
	}
	for pattern, want := range map[string]string{"br[1]/*": "[ begins a set", "b*": "no file matches this pattern", "b": "no file has this path"} {
		if _, err := OpenSource(fstest.MapFS{"br[1]/a.parquet": fsys["a/1.parquet"]}, events.Source{Parquet: pattern}); !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	if _, err := OpenSource(fstest.MapFS{"br[1]/a.parquet": fsys["a/1.parquet"]}, events.Source{Parquet: "br[[]1]/*"}); err != nil {
		t.Errorf("as the error says: %v", err)
	}
	other := writeForeign(t, []foreignRow{foreign(0, 1)})
	both := fstest.MapFS{"a.parquet": {Data: good}, "b.parquet": {Data: slices.Clone(other)}}
	strange, name := foreign(0, 1), "\x1b[2Jstudy"
	strange.Study = &name
	if _, err := OpenSource(fstest.MapFS{"a.parquet": {Data: writeForeign(t, []foreignRow{strange})}}, events.Source{Parquet: "*"}); !errors.Is(err, ErrUnfit) || strings.ContainsRune(err.Error(), '\x1b') {
		t.Errorf("a study whose name is none: %v, want ErrUnfit in plain text", err)
	}
	if _, err := OpenSource(both, events.Source{Parquet: "*"}); err == nil || !strings.Contains(err.Error(), `"demo" and "foreign"`) {
		t.Errorf("two studies: %v", err)
	}
}

func TestOpenSourceGivesRowsAsTheyAre(t *testing.T) {
	t.Parallel()
	strange, none := foreign(1, 0.5), foreign(2, float32(math.NaN()))
	word := "me@sured"
	strange.Outcome = &word
	fsys := fstest.MapFS{"x.parquet": {Data: writeForeign(t, []foreignRow{none, foreign(3, 1), strange, foreign(3, 1), foreign(0, 7), foreign(3, 2)})}}
	log, err := OpenSource(fsys, events.Source{Parquet: "*.parquet"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tr := range readSource(t, log) {
		got = append(got, tr.Outcome+" "+string('0'+rune(tr.Trial)))
	}
	// The row that says the same about trial 3 is there once.
	want := []string{"measured 0", "me@sured 1", "measured 2", "measured 3", "measured 3"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if log.Columns.Spec != nil || len(log.Columns.Parameters) != 2 || log.Columns.Metrics[0].Name != "latency_s" {
		t.Errorf("columns %+v", log.Columns)
	}
	// A reader of logs does not want such a file.
	if _, bad := scanBytes(fsys["x.parquet"].Data); len(bad) != 1 {
		t.Errorf("Scan reports %v, want the word", bad)
	}
}

func TestStudiesListsWhatEnded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got, err := Studies(os.DirFS(dir)); err != nil || len(got) != 0 {
		t.Errorf("an empty folder: %v, %v", got, err)
	}
	s := openStore(t, dir, Options{})
	states := map[string]string{"b": StateCompleted, "a": StateStopped, "c": StateCancelled, "broken": StateCompleted, "open": ""}
	for i, name := range []string{"b", "a", "c", "broken", "open"} {
		spec := testSpec(name)
		run := "0000000" + string(rune('1'+i))
		begin(t, s, spec, run, accepted(i))
		store(t, s, uint64(i+1), testRows(spec, run, 0, 10+i)...)
		if states[name] == "" {
			continue
		}
		if err := s.CloseRun(name, run, states[name]); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "trials/current/study=broken/*/*.parquet"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	put(t, files[0], []byte("PAR1 no more PAR1"))
	got, err := Studies(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range got {
		names = append(names, g.Study)
		if (g.Err != nil) != (g.Study == "broken") || g.Err == nil && (g.Spec.Study != g.Study || g.Accepted.IsZero()) {
			t.Errorf("%s: %+v", g.Study, g)
		}
	}
	if d := cmp.Diff([]string{"a", "b", "broken"}, names); d != "" || got[0].Trials != 11 {
		t.Errorf("studies (-want +got):\n%s\n%d trials of a, want 11", d, got[0].Trials)
	}
}

// A file that is not in order is read window by window: the same rows in the
// same order, whatever order they lie in.
func TestUnsortedFilesComeInOrder(t *testing.T) {
	t.Parallel()
	const n, size = 1000, 64
	rows := make([]foreignRow, 0, n)
	for i := range n {
		rows = append(rows, foreign(int32((i*7919+11)%n), float32(i)))
	}
	rows = append(rows, foreign(5, 1), foreign(5, 2))
	read := func(rows []foreignRow) (all []Row, err error) {
		b := writeForeign(t, rows)
		log, err := openLog(bytes.NewReader(b), int64(len(b)), reading{source: true})
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWindows(log, map[runKey]bool{{"foreign", "r1"}: true}, size)
		if err != nil {
			t.Fatal(err)
		}
		for {
			row := Row{}
			if err := w.next(&row); err != nil {
				return all, err
			}
			all = append(all, row)
		}
	}
	got, err := read(rows)
	if !errors.Is(err, io.EOF) || len(got) != n+2 {
		t.Fatalf("%d rows, %v; want %d", len(got), err, n+2)
	}
	for i, r := range got {
		if i > 0 && r.Key().Compare(got[i-1].Key()) < 0 {
			t.Fatalf("row %d: trial %d comes after %d", i, r.Trial, got[i-1].Trial)
		}
		if k := int(r.Values[0]); r.Trial != 5 && int64((k*7919+11)%n) != r.Trial {
			t.Fatalf("trial %d has the value of another: %v", r.Trial, r.Values)
		}
	}
	// A window cannot be cut inside a trial: a file of one trial is refused.
	same := make([]foreignRow, 3*size)
	for i := range same {
		same[i] = foreign(1, float32(i))
	}
	if _, err := read(same); !errors.Is(err, ErrUnfit) {
		t.Errorf("%d rows of one trial: %v, want ErrUnfit", len(same), err)
	}
}

// A source with more rows than the limit is refused as a whole, from what its files say of
// themselves: none is read.
func TestASourceHasSoManyRows(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for _, name := range []string{"a", "b"} {
		files[name+".parquet"] = &fstest.MapFile{Data: writeForeign(t, make([]foreignRow, 3))}
	}
	if _, err := survey(files, Query{Globs: []string{"*"}, sourceRows: 6}, true); err != nil {
		t.Errorf("6 rows with a limit of 6: %v", err)
	}
	_, err := survey(files, Query{Globs: []string{"*"}, sourceRows: 5}, true)
	if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "with b.parquet there are 6 rows, more than the limit source_rows of 5") {
		t.Errorf("6 rows with a limit of 5: %v, want a refusal with the file and the limit", err)
	}
}
