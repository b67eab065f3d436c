package archiver

import (
	"bytes"
	stdcmp "cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"

	"apollo/archiver/parquetcheck"
)

// encodeWith returns rows as a Parquet file.
func encodeWith(tb testing.TB, codec compress.Codec, study string, n int) []byte {
	tb.Helper()
	spec := testSpec(study)
	cols, err := newColumns(spec)
	if err != nil {
		tb.Fatal(err)
	}
	meta, err := cols.metadata(Run{Spec: spec, ID: "00000001", Accepted: accepted(1)})
	if err != nil {
		tb.Fatal(err)
	}
	var buf bytes.Buffer
	if err := writeFile(&buf, cols, meta, codec, pointers(testRows(spec, "00000001", 0, n))); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func isLogical[T any](l *format.LogicalType) bool {
	if l == nil {
		return false
	}
	_, ok := l.Value.(T)
	return ok
}

const testPath = "trials/current/study=demo/run=00000001/part-x.parquet"

// scanBytes scans a file that no manifest vouches for.
func scanBytes(b []byte) (rows []Row, bad []error) {
	for r, err := range Scan(fstest.MapFS{testPath: {Data: b}}, Query{}) {
		if err != nil {
			bad = append(bad, err)
			continue
		}
		rows = append(rows, r)
	}
	return rows, bad
}

func TestScanReadsEveryAllowedCodec(t *testing.T) {
	t.Parallel()
	want := testRows(testSpec("demo"), "00000001", 0, 50)
	for name, codec := range map[string]compress.Codec{
		"none": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd, "brotli": &parquet.Brotli,
	} {
		rows, bad := scanBytes(encodeWith(t, codec, "demo", 50))
		if d := cmp.Diff(want, rows, sameRow()); d != "" || len(bad) > 0 {
			t.Errorf("%s: %v, rows differ (-want +got):\n%s", name, bad, d)
		}
	}
}

// LZ4_RAW reads back silently wrong with this library: docs/trial-log.md.
func TestLZ4IsRefused(t *testing.T) {
	t.Parallel()
	rows, bad := scanBytes(encodeWith(t, &parquet.Lz4Raw, "demo", 50))
	if len(rows) != 0 || len(bad) != 1 || !errors.Is(bad[0], ErrUnfit) || !strings.Contains(bad[0].Error(), "codec LZ4_RAW") {
		t.Errorf("%d rows, %v; want the file refused for its codec", len(rows), bad)
	}
}

func TestWrittenFormat(t *testing.T) {
	t.Parallel()
	b := encodeWith(t, newCodec(), "demo", 50)
	f, err := parquetcheck.OpenGuarded(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name())
		if logical := c.Type().LogicalType(); c.Type().Kind() == parquet.ByteArray && !isLogical[*format.StringType](logical) {
			t.Errorf("column %s has the logical type %v, want a plain string", c.Name(), logical)
		}
	}
	// The order is the documented one, not the alphabet's.
	want := "study run trial batch p_pes_x p_clock p_flow latency_s area_mm2 outcome feasible reason_code reason_layer " +
		"reason_need reason_have reason_unit reason_message attempts last_error_code last_error_message origin parents observed_through evaluator evaluator_version " +
		"evaluator_program worker design_hash workload_hash start_time end_time evaluation_s stream_seq trace_id extra intermediate"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("columns:\n%s\nwant:\n%s", got, want)
	}
	for _, g := range f.Metadata().RowGroups {
		for i, c := range g.Columns {
			if c.MetaData.Codec != format.Zstd {
				t.Errorf("column %d is %v, want ZSTD", i, c.MetaData.Codec)
			}
			if c.MetaData.BloomFilterOffset != 0 {
				t.Errorf("column %d has a bloom filter", i)
			}
		}
	}
	for key, want := range map[string]string{
		metaVersion: "1", metaRun: "00000001", metaAccepted: strconv.FormatInt(accepted(1).UnixMicro(), 10),
		metaUnits: `{"area_mm2":"mm2","evaluation_s":"s","latency_s":"s","p_clock":"Hz"}`,
	} {
		if got, _ := f.Lookup(key); got != want {
			t.Errorf("metadata %s = %q, want %q", key, got, want)
		}
	}
}

// A dictionary bound makes the library write what others cannot read; it is
// left unset, so a column with as many values as rows must still come back.
func TestManyDistinctValuesAcrossRowGroups(t *testing.T) {
	t.Parallel()
	spec := testSpec("demo")
	cols, err := newColumns(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := testRows(spec, "00000001", 0, rowGroupRows+1000)
	for i := range want {
		want[i].Origin = fmt.Sprintf("seed:other/%d", i)
	}
	var buf bytes.Buffer
	if err := writeFile(&buf, cols, nil, newCodec(), pointers(want)); err != nil {
		t.Fatal(err)
	}
	got, bad := scanBytes(buf.Bytes())
	if len(bad) > 0 || len(got) != len(want) {
		t.Fatalf("%d rows, %v; want %d", len(got), bad, len(want))
	}
	for i := range got {
		if got[i].Origin != want[i].Origin || got[i].Trial != want[i].Trial {
			t.Fatalf("row %d: %s of trial %d, want %s of %d", i, got[i].Origin, got[i].Trial, want[i].Origin, want[i].Trial)
		}
	}
}

func TestDamagedFilesAreReportedAndSetAside(t *testing.T) {
	t.Parallel()
	good := encodeWith(t, newCodec(), "demo", 40)
	fsys := fstest.MapFS{
		"trials/current/study=demo/run=00000001/a.parquet":                     {Data: good},
		"trials/current/study=demo/run=00000001/empty.parquet":                 {},
		"trials/current/study=demo/run=00000001/half.parquet":                  {Data: good[:len(good)/2]},
		"trials/current/study=demo/run=00000001/text.parquet":                  {Data: []byte("PAR1 is what I begin and end with PAR1")},
		"trials/current/study=demo/run=00000001/.tmp-1.inprogress":             {Data: good[:10]},
		"trials/current/study=demo/run=00000001/.tmp-1.inprogress.parquet":     {Data: good[:10]},
		"trials/.orphans/study=demo/run=00000001/part.parquet":                 {Data: good[:10]},
		"trials/current/study=demo/run=00000001/directory.parquet/inside.text": {Data: []byte("x")},
	}
	var bad []string
	n := 0
	for _, err := range Scan(fsys, Query{}) {
		if err == nil {
			n++
			continue
		}
		file, ok := errors.AsType[*FileError](err)
		if !ok || !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%v, want a FileError of ErrCorrupt", err)
		}
		bad = append(bad, file.Path[strings.LastIndex(file.Path, "/")+1:])
	}
	if d := cmp.Diff([]string{"empty.parquet", "half.parquet", "text.parquet"}, bad); d != "" || n != 40 {
		t.Errorf("%d rows, reported files differ (-want +got):\n%s", n, d)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	spec := testSpec("demo")
	cols, err := newColumns(spec)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := writeFile(&buf, cols, map[string]string{metaVersion: "2"}, newCodec(), pointers(testRows(spec, "1", 0, 3))); err != nil {
		t.Fatal(err)
	}
	rows, bad := scanBytes(buf.Bytes())
	if len(rows) != 0 || len(bad) != 1 || !errors.Is(bad[0], ErrNewer) {
		t.Errorf("%d rows, %v; want ErrNewer", len(rows), bad)
	}
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	s.release()
	line, err := manifestLine(&record{Version: snapshotVersion + 1})
	if err != nil {
		t.Fatal(err)
	}
	path := dir + "/" + ManifestName
	b, _ := os.ReadFile(path)
	put(t, path, append(b, line...))
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("Open with a newer manifest: %v, want ErrNewer", err)
	}
}

// A checksum finds every change: a file that is not what the manifest says is
// left out as a whole.
func TestManifestVouchesForContent(t *testing.T) {
	t.Parallel()
	dir, s, spec := demoStore(t)
	store(t, s, 1, testRows(spec, "00000001", 0, 64)...)
	shut(t, s)
	fsys := fstest.MapFS{}
	var part string
	err := fs.WalkDir(os.DirFS(dir), "trials", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(dir + "/" + path)
		if strings.HasSuffix(path, ".parquet") {
			path = strings.Replace(path, "gen-1", "current", 1)
			part = path
		}
		fsys[path] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	good := fsys[part].Data
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		b := bytes.Clone(good)
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		fsys[part] = &fstest.MapFile{Data: b}
		rows, bad := 0, 0
		for _, err := range Scan(fsys, Query{}) {
			if err != nil {
				bad++
			} else {
				rows++
			}
		}
		if rows != 0 || bad != 1 {
			t.Fatalf("flip %d: %d rows and %d errors, want 0 and 1", i, rows, bad)
		}
	}
}

// mutate damages a file in one of the ways that disks, networks and hostile
// writers do.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	footer := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	at := rng.IntN(len(b))
	if rng.IntN(2) == 0 && footer > 0 && footer < len(b) {
		at = footer + rng.IntN(len(b)-footer)
	}
	switch rng.IntN(7) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
	case 1:
		b[at] = byte(rng.Uint32())
	case 2:
		for i := at; i < min(at+1+rng.IntN(16), len(b)); i++ {
			b[i] = 0xff
		}
	case 3:
		b = append(b[:at], b[min(at+1+rng.IntN(8), len(b)):]...)
	case 4:
		b = append(b[:at:at], append(make([]byte, 1+rng.IntN(8)), b[at:]...)...)
	case 5:
		n := min(1+rng.IntN(64), len(b)-at)
		copy(b[rng.IntN(len(b)-n+1):], b[at:at+n])
	case 6:
		for range 1 + rng.IntN(4) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
	}
	return b
}

func TestMutatedFilesDoNoHarm(t *testing.T) {
	files := [][]byte{
		encodeWith(t, newCodec(), "demo", 40), encodeWith(t, &parquet.Uncompressed, "demo", 40),
		encodeWith(t, &parquet.Snappy, "demo", 40), encodeWith(t, &parquet.Gzip, "demo", 40),
	}
	tries, err := strconv.Atoi(stdcmp.Or(os.Getenv("APOLLO_MUTATIONS"), "500"))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	refused, complete, longest := 0, 0, uint64(0)
	var before, after runtime.MemStats
	for i := range tries {
		b := mutate(rng, files[i%len(files)])
		if i%16 == 0 {
			runtime.ReadMemStats(&before)
		}
		rows, bad := scanBytes(b)
		if i%16 == 0 {
			runtime.ReadMemStats(&after)
			longest = max(longest, after.TotalAlloc-before.TotalAlloc)
		}
		switch {
		case len(bad) > 0 && len(rows) > 0:
			t.Fatalf("mutation %d: %d rows and %v: a bad file must give no row", i, len(rows), bad)
		case len(bad) > 0:
			refused++
		default:
			complete++
		}
	}
	// A real scan of such a file takes less than 2 MiB.
	const limit = 256 << 20
	if longest > limit {
		t.Errorf("a mutated file of 40 rows took %d bytes of memory, want less than %d", longest, limit)
	}
	t.Logf("%d mutated files: %d refused, %d read (the change did not matter or no checksum covers it), largest allocation %d KiB",
		tries, refused, complete, longest>>10)
}

func FuzzScan(f *testing.F) {
	for _, codec := range []compress.Codec{newCodec(), &parquet.Uncompressed, &parquet.Snappy} {
		f.Add(encodeWith(f, codec, "demo", 5))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, bad := scanBytes(b)
		if len(bad) > 0 && len(rows) > 0 {
			t.Errorf("%d rows and %v: a bad file must give no row", len(rows), bad)
		}
	})
}
