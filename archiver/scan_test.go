package archiver

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"apollo/archiver/storage"
	"apollo/events"
)

func keys(rows []Row) []Key {
	list := make([]Key, len(rows))
	for i := range rows {
		list[i] = rows[i].Key()
	}
	return list
}

func TestReadersDefaultToTheLatestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	one, two := testSpec("one"), testSpec("two")
	// The run that was accepted last has the smaller name.
	begin(t, s, one, "ffffffff", accepted(1))
	begin(t, s, one, "00000001", accepted(2))
	begin(t, s, two, "aaaaaaaa", accepted(3))
	store(t, s, 1, slices.Concat(testRows(one, "ffffffff", 0, 20), testRows(one, "00000001", 0, 10), testRows(two, "aaaaaaaa", 0, 5))...)
	tests := []struct {
		name  string
		query Query
		want  map[string]int
	}{
		{"everything", Query{}, map[string]int{"one/00000001": 10, "two/aaaaaaaa": 5}},
		{"one study", Query{Study: "one"}, map[string]int{"one/00000001": 10}},
		{"one run", Query{Study: "one", Run: "ffffffff"}, map[string]int{"one/ffffffff": 20}},
		{"all runs", Query{AllRuns: true}, map[string]int{"one/00000001": 10, "one/ffffffff": 20, "two/aaaaaaaa": 5}},
		{"a pattern", Query{Globs: []string{"trials/current/study=two/**/*.parquet"}}, map[string]int{"two/aaaaaaaa": 5}},
		{"overlapping patterns", Query{Globs: []string{"**/*.parquet", "trials/*/*/*/*.parquet"}, Study: "two"}, map[string]int{"two/aaaaaaaa": 5}},
		{"nothing", Query{Study: "three"}, map[string]int{}},
	}
	for _, tt := range tests {
		got := map[string]int{}
		rows := scanAll(t, os.DirFS(dir), tt.query)
		for _, r := range rows {
			got[r.Study+"/"+r.Run]++
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: rows differ (-want +got):\n%s", tt.name, d)
		}
		if !slices.IsSortedFunc(keys(rows), Key.Compare) {
			t.Errorf("%s: rows are not in order", tt.name)
		}
	}
	for _, q := range []Query{{Run: "1", AllRuns: true}, {Globs: []string{"../*.parquet"}}, {Globs: []string{"["}}} {
		for _, err := range Scan(os.DirFS(dir), q) {
			if err == nil {
				t.Errorf("%+v: no error", q)
			}
		}
	}
}

// writeForeign writes rows as another tool would: data pages of version 1, no
// metadata, all columns optional, in its own order.
func writeForeign(t *testing.T, rows any) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := parquet.NewWriter(&buf, parquet.DataPageVersion(1))
	for _, r := range rows.([]foreignRow) {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

type foreignRow struct {
	Latency  *float32 `parquet:"latency_s,optional"`
	Feasible *bool    `parquet:"feasible,optional"`
	PE       *int32   `parquet:"p_pes_x,optional"`
	Flow     *string  `parquet:"p_flow,optional,dict"`
	Outcome  *string  `parquet:"outcome,optional,zstd"`
	Trial    *int32   `parquet:"trial,optional"`
	Batch    *int64   `parquet:"batch,optional"`
	Run      *string  `parquet:"run,optional,snappy"`
	Study    *string  `parquet:"study,optional,gzip"`
	Start    int64    `parquet:"start_time,optional,timestamp(millisecond)"`
}

func foreign(trial int32, latency float32) foreignRow {
	yes, pe, flow, outcome, batch, run, study := true, int32(0), "ws", "measured", int64(0), "r1", "foreign"
	r := foreignRow{Feasible: &yes, PE: &pe, Flow: &flow, Outcome: &outcome, Trial: &trial, Batch: &batch, Run: &run, Study: &study, Start: 1500}
	if !math.IsNaN(float64(latency)) {
		r.Latency = &latency
	}
	return r
}

func TestScanReadsForeignFiles(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	rows, bad := scanBytes(writeForeign(t, []foreignRow{foreign(2, nan), foreign(0, 0), foreign(1, 0.5), foreign(1, 0.75)}))
	if len(bad) > 0 || len(rows) != 3 {
		t.Fatalf("%d rows, %v; want 3: sorted, each trial once", len(rows), bad)
	}
	for i, want := range []float64{0, 0.5, math.NaN()} {
		r := rows[i]
		if got := r.Metric("latency_s"); r.Trial != int64(i) || got != want && !math.IsNaN(want) {
			t.Errorf("row %d: trial %d with latency %v, want %v", i, r.Trial, got, want)
		}
	}
	r := rows[0]
	pe, _ := r.Param("pes_x")
	flow, _ := r.Param("flow")
	if pe.Num != 0 || flow.Label != "ws" || !r.Feasible || !r.Start.Equal(time.UnixMilli(1500)) || r.Attempts != 0 || r.Origin != "" {
		t.Errorf("row = %+v", r)
	}
	if !math.IsNaN(rows[2].Metric("latency_s")) {
		t.Errorf("NULL came back as %v", rows[2].Metric("latency_s"))
	}
}

// A file that is older than the column "worker" may have a metric of that name.
func TestScanReadsAMetricThatIsAColumnToday(t *testing.T) {
	t.Parallel()
	type older struct {
		Study    string  `parquet:"study"`
		Run      string  `parquet:"run"`
		Trial    int64   `parquet:"trial"`
		Batch    int64   `parquet:"batch"`
		Worker   float64 `parquet:"worker"`
		Outcome  string  `parquet:"outcome"`
		Feasible bool    `parquet:"feasible"`
	}
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[older](&buf)
	if _, err := w.Write([]older{{Study: "s", Run: "r", Worker: 2.5, Outcome: "measured", Feasible: true}}); err != nil {
		t.Fatal(err)
	}
	shut(t, w)
	rows, bad := scanBytes(buf.Bytes())
	if len(bad) > 0 || len(rows) != 1 {
		t.Fatalf("%d rows, %v; want one", len(rows), bad)
	}
	if r := rows[0]; r.Metric("worker") != 2.5 || r.Worker != "" {
		t.Errorf("the metric is %v and the worker %q, want 2.5 and none", r.Metric("worker"), r.Worker)
	}
}

func TestScanRefusesOtherTypes(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[struct {
		Study    string  `parquet:"study"`
		Run      string  `parquet:"run"`
		Trial    string  `parquet:"trial"`
		Batch    []int64 `parquet:"batch"`
		Feasible bool    `parquet:"feasible"`
	}](&buf)
	shut(t, w)
	_, bad := scanBytes(buf.Bytes())
	if len(bad) != 1 {
		t.Fatalf("errors: %v", bad)
	}
	for _, want := range []string{`column "trial" is`, `column "batch" is nested`, `column "outcome" is missing`} {
		if !strings.Contains(bad[0].Error(), want) {
			t.Errorf("%v does not say: %s", bad[0], want)
		}
	}
}

func TestScanReadsFilesWithoutRandomAccess(t *testing.T) {
	t.Parallel()
	b := encodeWith(t, newCodec(), "demo", 10)
	n := 0
	for _, err := range Scan(fstest.MapFS{"a/b.parquet": {Data: b}}, Query{Globs: []string{"**/*.parquet"}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d rows, want 10", n)
	}
}

func TestScanCanStopEarly(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	for i := range 3 {
		store(t, s, uint64(i+1), testRows(spec, "00000001", 16*i, 16)...)
	}
	for n := range 40 {
		got := 0
		for _, err := range Scan(os.DirFS(dir), Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if got++; got > n {
				break
			}
		}
	}
}

func TestLoadSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	spec := testSpec("demo")
	rows := testRows(spec, "00000001", 0, 50)
	begin(t, s, spec, "00000001", accepted(1))
	begin(t, s, spec, "00000002", accepted(2))
	store(t, s, 1, slices.Concat(rows, testRows(spec, "00000002", 0, 10))...)
	fsys := os.DirFS(dir)
	if _, err := LoadSource(fsys, events.Source{Study: "demo"}); !errors.Is(err, ErrNoSource) {
		t.Errorf("a study without a completed run: %v, want ErrNoSource", err)
	}
	for run, state := range map[string]string{"00000001": StateCompleted, "00000002": StateCancelled} {
		if err := s.CloseRun("demo", run, state); err != nil {
			t.Fatal(err)
		}
	}
	src, err := LoadSource(fsys, events.Source{Study: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	hash := events.NewTrialHash()
	for _, r := range rows {
		hash.Add(int(r.Trial), r.Design, r.Outcome, r.Values)
	}
	if src.Run != "00000001" || len(src.Trials) != 50 || src.SHA256 != hash.String() || src.Spec.Seed != 7 {
		t.Errorf("source = %s with %d trials, hash %.8s; want 00000001 with 50, hash %.8s", src.Run, len(src.Trials), src.SHA256, hash)
	}
	byPath, err := LoadSource(fsys, events.Source{Parquet: "trials/current/study=demo/run=00000001/*.parquet"})
	if d := cmp.Diff(src, byPath, sameRow()); err != nil || d != "" {
		t.Errorf("by path: %v (-want +got):\n%s", err, d)
	}
	named, err := LoadSource(fsys, events.Source{Study: "demo", Run: "00000002"})
	if err != nil || len(named.Trials) != 10 {
		t.Errorf("a named run: %d trials, %v; want 10", len(named.Trials), err)
	}
	for _, ref := range []events.Source{{}, {Study: "demo", Parquet: "x"}, {Study: "../x"}, {Study: "nothing"}, {Parquet: "*.none"}} {
		if _, err := LoadSource(fsys, ref); err == nil {
			t.Errorf("%+v: no error", ref)
		}
	}
}

// A source is all or nothing: a file that cannot be read would make another
// study of the one that learns from it.
func TestLoadSourceRefusesDamage(t *testing.T) {
	t.Parallel()
	good := encodeWith(t, newCodec(), "demo", 10)
	fsys := fstest.MapFS{"a/1.parquet": {Data: good}, "a/2.parquet": {Data: good[:100]}}
	if _, err := LoadSource(fsys, events.Source{Parquet: "a/*.parquet"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged file among the source's: %v, want ErrCorrupt", err)
	}
	fsys = fstest.MapFS{"a/1.parquet": {Data: good}, "a/2.parquet": {Data: encodeWith(t, newCodec(), "other", 10)}}
	if _, err := LoadSource(fsys, events.Source{Parquet: "a/*.parquet"}); err == nil {
		t.Error("files of two studies: no error")
	}
	fsys = fstest.MapFS{"a/1.parquet": {Data: writeForeign(t, []foreignRow{foreign(0, 1)})}}
	if _, err := LoadSource(fsys, events.Source{Parquet: "a/*.parquet"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a file without the study's specification: %v, want ErrCorrupt", err)
	}
}

func TestMetricsMayShareNamesWithColumns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	spec := testSpec("demo")
	spec.Metrics = []events.Metric{{Name: "trial", Unit: "1"}, {Name: "p_pes_x", Unit: "1"}}
	begin(t, s, spec, "00000001", accepted(1))
	want := testRows(spec, "00000001", 0, 20)
	store(t, s, 1, want...)
	got := scanAll(t, os.DirFS(dir), Query{})
	if d := cmp.Diff(want, got, sameRow()); d != "" {
		t.Errorf("rows differ (-want +got):\n%s", d)
	}
	spec.Metrics = []events.Metric{{Name: "a b"}}
	if err := s.Begin(Run{Spec: spec, ID: "00000002"}); err == nil {
		t.Error("a metric with a space in its name: no error")
	}
}

func TestCompactionKeepsEveryRowAndShowsOneGeneration(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"", "compact.before", "compact.after"} {
		t.Run("crash at "+point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			now := accepted(0)
			opts := Options{Now: func() time.Time { return now }}
			spec, other := testSpec("demo"), testSpec("other")
			want := slices.Concat(testRows(spec, "00000001", 0, 16*compactFiles), testRows(other, "00000002", 0, 16))
			opts.Failpoint = crashAt(point, 1)
			s := openStore(t, dir, opts)
			begin(t, s, spec, "00000001", accepted(1))
			begin(t, s, other, "00000002", accepted(1))
			for i := range compactFiles {
				store(t, s, uint64(i+1), want[16*i:16*i+16]...)
			}
			store(t, s, 99, want[16*compactFiles:]...)
			if did, err := s.Compact("demo", "00000001"); did || err != nil {
				t.Fatalf("Compact of an open run = %v, %v; want nothing done", did, err)
			}
			if err := s.CloseRun("demo", "00000001", StateCompleted); err != nil {
				t.Fatal(err)
			}
			theirs := filepath.Join(dir, "trials/current/study=demo/notes.txt")
			put(t, theirs, []byte("mine"))
			before, err := LoadSource(os.DirFS(dir), events.Source{Study: "demo"})
			if err != nil {
				t.Fatal(err)
			}
			did, err := s.Compact("demo", "00000001")
			if point == "" && (!did || err != nil) || point != "" && !errors.Is(err, errCrash) {
				t.Fatalf("Compact = %v, %v", did, err)
			}
			if point != "" {
				shut(t, s)
				opts.Failpoint = nil
				s = openStore(t, dir, opts)
			}
			if got := scanAll(t, os.DirFS(dir), Query{}); cmp.Diff(want, got, sameRow()) != "" {
				t.Errorf("rows differ (-want +got):\n%s", cmp.Diff(want, got, sameRow()))
			}
			if n := rowsInFiles(t, dir); n != len(want) {
				t.Errorf("the visible files hold %d rows, want %d", n, len(want))
			}
			if _, err := os.Stat(theirs); err != nil {
				t.Errorf("another's file: %v", err)
			}
			after, err := LoadSource(os.DirFS(dir), events.Source{Study: "demo"})
			if err != nil || after.SHA256 != before.SHA256 {
				t.Errorf("content hash %.8s, %v; want %.8s as before", after.SHA256, err, before.SHA256)
			}
			if point == "compact.before" {
				return
			}
			// The old generation stays for readers that have it open.
			old := filepath.Join(dir, "trials/gen-1")
			sweep(t, s)
			if _, err := os.Stat(old); err != nil {
				t.Errorf("the old generation is gone at once: %v", err)
			}
			now = now.Add(storage.KeepReplaced)
			sweep(t, s)
			if _, err := os.Stat(old); err == nil {
				t.Error("the old generation is still there after KeepGeneration")
			}
			if got := scanAll(t, os.DirFS(dir), Query{}); len(got) != len(want) {
				t.Errorf("%d rows after the sweep, want %d", len(got), len(want))
			}
		})
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	var s spans
	have := map[int64]bool{}
	// A linear congruence over 0…96 visits every number once, out of order.
	for i, x := 0, int64(5); i < 97; i, x = i+1, (x*5+3)%97 {
		if got, want := s.insert(x), !have[x]; got != want {
			t.Fatalf("add(%d) = %v, want %v in %v", x, got, want, s)
		}
		have[x] = true
		for n := range int64(98) {
			if s.has(n) != have[n] {
				t.Fatalf("has(%d) = %v, want %v in %v", n, s.has(n), have[n], s)
			}
		}
		if s.count() != int64(len(have)) {
			t.Fatalf("count = %d, want %d", s.count(), len(have))
		}
	}
	var a spans
	a.merge(spans{{5, 9}, {20, 30}})
	a.merge(spans{{0, 4}, {10, 12}, {25, 40}})
	if d := cmp.Diff(spans{{0, 12}, {20, 40}}, a); d != "" {
		t.Errorf("merge (-want +got):\n%s", d)
	}
}
