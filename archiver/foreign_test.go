package archiver

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"apollo/events"
)

// columnsWith is a file of n rows with the columns that a source needs, and
// some of any type.
func columnsWith(tb testing.TB, n int, more map[string]parquet.Node, value func(column string, row int) any) []byte {
	tb.Helper()
	nodes := parquet.Group{
		"study": parquet.String(), "run": parquet.String(), "trial": parquet.Int(64), "outcome": parquet.String(),
		"cost": parquet.Leaf(parquet.DoubleType),
	}
	maps.Copy(nodes, more)
	for name := range nodes {
		if nodes[name] == nil {
			delete(nodes, name)
		}
	}
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[any](&buf, parquet.NewSchema("log", nodes))
	plain := map[string]func(int) any{
		"study": func(int) any { return "theirs" }, "run": func(int) any { return "r1" }, "trial": func(i int) any { return int64(i) },
		"outcome": func(int) any { return "measured" }, "cost": func(i int) any { return float64(i) / 4 },
	}
	names := slices.Sorted(maps.Keys(nodes))
	for i := range n {
		row := make(parquet.Row, len(names))
		for c, name := range names {
			var v any
			if _, special := more[name]; special {
				v = value(name, i)
			} else {
				v = plain[name](i)
			}
			definition := 0
			if nodes[name].Optional() && v != nil {
				definition = 1
			}
			row[c] = parquet.ValueOf(v).Level(0, definition, c)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func openFiles(t *testing.T, files map[string][]byte) *SourceLog {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, b := range files {
		fsys[name] = &fstest.MapFile{Data: b}
	}
	log, err := OpenSource(fsys, events.Source{Parquet: "**/*.parquet"})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// xs are the values of the parameter x and the label in it, row by row.
func xs(t *testing.T, log *SourceLog) (all []string) {
	t.Helper()
	at := slices.IndexFunc(log.Columns.Parameters, func(p Parameter) bool { return p.Name == "x" })
	for _, tr := range readSource(t, log) {
		if at < 0 {
			all = append(all, "-")
			continue
		}
		all = append(all, fmt.Sprintf("%v %s", tr.Design[at].Num, tr.Design[at].Label))
	}
	return all
}

func px(tb testing.TB, node parquet.Node, values ...any) []byte {
	tb.Helper()
	return columnsWith(tb, len(values), map[string]parquet.Node{"p_x": node}, func(_ string, i int) any { return values[i] })
}

func TestSourceReadsTypesExactly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		file   []byte
		want   []string
		unread string
	}{
		{
			name: "int64", file: px(t, parquet.Int(64), int64(1)<<53, int64(1)<<53+1, int64(1)<<53+2, int64(math.MaxInt64)),
			want: []string{"9.007199254740992e+15 ", "+Inf ", "9.007199254740994e+15 ", "+Inf "},
		},
		{name: "uint64", file: px(t, parquet.Uint(64), int64(-1), int64(math.MinInt64)), want: []string{"+Inf ", "9.223372036854776e+18 "}},
		{name: "uint32", file: px(t, parquet.Uint(32), int32(-1)), want: []string{"4.294967295e+09 "}},
		{name: "null", file: px(t, parquet.Optional(parquet.Int(64)), nil, int64(7)), want: []string{"NaN ", "7 "}},
		{name: "decimal", file: px(t, parquet.Decimal(2, 9, parquet.Int32Type), int32(-125), int32(10)), want: []string{"-1.25 ", "0.1 "}},
		{name: "wide decimal", file: px(t, parquet.Decimal(0, 38, parquet.FixedLenByteArrayType(16)),
			big.NewInt(5).FillBytes(make([]byte, 16)), bytes.Repeat([]byte{0xff}, 16), append(make([]byte, 8), 0, 0x20, 0, 0, 0, 0, 0, 1)), want: []string{"5 ", "-1 ", "+Inf "}},
		{name: "bool", file: px(t, parquet.Leaf(parquet.BooleanType), true, false), want: []string{"1 true", "0 false"}},
		{name: "fixed text", file: px(t, parquet.Leaf(parquet.FixedLenByteArrayType(2)), []byte("ab"), []byte("cd")), want: []string{"0 ab", "0 cd"}},
		{name: "uuid", file: px(t, parquet.UUID(), bytes.Repeat([]byte{0x1f}, 16)), want: []string{"0 1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f"}},
		{name: "date", file: px(t, parquet.Date(), int32(1)), want: []string{"-"}, unread: "of type DATE as INT32 in a.parquet"},
		{name: "json", file: px(t, parquet.JSON(), []byte(`{}`)), want: []string{"-"}, unread: "of type JSON as BYTE_ARRAY in a.parquet"},
		{name: "timestamp", file: px(t, parquet.Timestamp(parquet.Nanosecond), int64(1)), want: []string{"-"}, unread: "of type TIMESTAMP in a.parquet"},
	} {
		log := openFiles(t, map[string][]byte{"a.parquet": tt.file})
		if d := cmp.Diff(tt.want, xs(t, log)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		why := ""
		if len(log.Columns.Unread) > 0 {
			why = log.Columns.Unread[0].Why
		}
		if why != tt.unread || len(log.Columns.Unread) > 1 {
			t.Errorf("%s: unread %q, want %q", tt.name, why, tt.unread)
		}
	}
}

func TestSourceUnitesFilesByNameAndType(t *testing.T) {
	t.Parallel()
	whole, broken := px(t, parquet.Int(64), int64(1), int64(2)), px(t, parquet.Leaf(parquet.DoubleType), 3.0, 4.5)
	nulls := px(t, parquet.Optional(parquet.Int(32)), nil, nil)
	text := px(t, parquet.String(), []byte("a"), []byte("b"))
	none := columnsWith(t, 0, map[string]parquet.Node{"p_x": parquet.Date(), "outcome": parquet.Int(64), "trial": nil}, nil)
	without := columnsWith(t, 2, nil, nil)
	for _, tt := range []struct {
		name   string
		files  map[string][]byte
		want   []string
		unread int
	}{
		{"int64 and double", map[string][]byte{"a.parquet": whole, "b.parquet": broken}, []string{"1 ", "3 ", "2 ", "4.5 "}, 0},
		{"NULL as another type", map[string][]byte{"a.parquet": text, "b.parquet": nulls}, []string{"0 a", "0 ", "0 b", "0 "}, 0},
		{"without the column", map[string][]byte{"a.parquet": whole, "b.parquet": without}, []string{"1 ", "NaN ", "2 ", "NaN "}, 0},
		{"no rows, other types", map[string][]byte{"a.parquet": whole, "b.parquet": none}, []string{"1 ", "2 "}, 0},
		{"texts and numbers", map[string][]byte{"a.parquet": whole, "b.parquet": text}, []string{"-", "-"}, 1},
		{"a folder's number", map[string][]byte{"p_x=7/a.parquet": without, "p_x=2.5/b.parquet": without}, []string{"2.5 2.5", "7 7", "2.5 2.5", "7 7"}, 0},
		{
			"a folder's text",
			map[string][]byte{"p_x=a%2Fb%20c/a.parquet": without, "p_x=__HIVE_DEFAULT_PARTITION__/b.parquet": without, "p_x=k%/c.parquet": without},
			[]string{"NaN ", "NaN a/b c", "NaN k%", "NaN ", "NaN a/b c", "NaN k%"},
			0,
		},
		{"a folder and a column", map[string][]byte{"a.parquet": whole, "p_x=9/b.parquet": without, "p_x=5/c.parquet": whole}, []string{"1 ", "9 ", "2 ", "9 "}, 0},
	} {
		log := openFiles(t, tt.files)
		got := xs(t, log)
		slices.Sort(got)
		slices.Sort(tt.want)
		if d := cmp.Diff(tt.want, got); d != "" || len(log.Columns.Unread) != tt.unread || len(log.Damaged)+len(log.LeftOut) > 0 {
			t.Errorf("%s: unread %v, damaged %v, left out %v (-want +got):\n%s", tt.name, log.Columns.Unread, log.Damaged, log.LeftOut, d)
		}
	}
}

// What is left out is counted, and not called damaged where it is sound.
func TestSourceCountsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	good := columnsWith(t, 3, nil, nil)
	ints := columnsWith(t, 3, map[string]parquet.Node{"outcome": parquet.Int(64)}, func(string, int) any { return int64(1) })
	unkeyed := columnsWith(t, 3, map[string]parquet.Node{"run": parquet.Optional(parquet.String())}, func(string, int) any { return nil })
	untold := columnsWith(t, 3, map[string]parquet.Node{"trial": parquet.Optional(parquet.Int(64))}, func(_ string, i int) any {
		if i == 0 {
			return nil
		}
		return int64(10 + i)
	})
	log := openFiles(t, map[string][]byte{
		"a.parquet": good, "b.parquet": ints, "c.parquet": unkeyed, "d.parquet": untold, "e.parquet": columnsWith(t, 0, nil, nil),
		"f.parquet": good[:200], "g.parquet": encodeWith(t, &parquet.Lz4Raw, "theirs", 5), "h.parquet": []byte("PAREwhat is encrypted......PARE"),
	})
	if log.Empty != 1 || log.Unkeyed != 3 || len(log.Damaged) != 1 || log.Damaged[0].Path != "f.parquet" {
		t.Errorf("%d empty, %d rows without a run, damaged %v", log.Empty, log.Unkeyed, log.Damaged)
	}
	var left []string
	for _, f := range log.LeftOut {
		if errors.Is(f, ErrCorrupt) || !errors.Is(f, ErrUnfit) {
			t.Errorf("%v: want ErrUnfit", f)
		}
		left = append(left, f.Error())
	}
	for i, want := range []string{`column "outcome" is INT64, want STRING`, "codec LZ4_RAW", "encrypted"} {
		if len(left) != 3 || !strings.Contains(left[i], want) {
			t.Errorf("left out %v, want %s", left, want)
		}
	}
	var trials []int
	for _, tr := range readSource(t, log) {
		trials = append(trials, tr.Trial)
	}
	if d := cmp.Diff([]int{-1, 0, 1, 2, 11, 12}, trials); d != "" {
		t.Errorf("trials (-want +got):\n%s", d)
	}
	if _, err := OpenSource(fstest.MapFS{"e.parquet": {Data: columnsWith(t, 0, nil, nil)}}, events.Source{Parquet: "*"}); !errors.Is(err, ErrNoSource) || !strings.Contains(err.Error(), "no rows") {
		t.Errorf("nothing but files without rows: %v", err)
	}
}

func TestDecimalsAreExactOrSaidNotToBe(t *testing.T) {
	t.Parallel()
	number := func(s string) *big.Int { n, _ := new(big.Int).SetString(s, 10); return n }
	for _, tt := range []struct {
		n     string
		scale int
		want  float64
		exact bool
	}{
		{"1", 1, 0.1, true},
		{"100000000000000000", 18, 0.1, true}, // 0.1 as DECIMAL(38, 18)
		{"-6800000000000000000", 18, -6.8, true},
		{"1234567890123456000", 19, 0.1234567890123456, true},
		{"-3", 0, -3, true},
		{"123456789012345678", 18, 0.12345678901234568, false},
		{"9007199254740993", 0, 9007199254740992, false},
		{"9007199254740992", 0, 9007199254740992, true},
		{"1250", 76, 1.25e-73, true},
		{"12345678901234567", 2, 123456789012345.67, true},
		{"0", 5, 0, true},
		{"-100000000000000000000", 0, -1e20, true},
		{"100000000000000000000125", 3, 1e20, false},
	} {
		f, exact := decimalFloat(number(tt.n), tt.scale)
		if f != tt.want || exact != tt.exact {
			t.Errorf("%s at scale %d: %v, %v; want %v, %v", tt.n, tt.scale, f, exact, tt.want, tt.exact)
		}
	}
	for bits, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: math.Ldexp(1, -24), 0x3555: 0.333251953125, 0x8000: 0, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1)} {
		if got := halfFloat([]byte{byte(bits), byte(bits >> 8)}); got != want {
			t.Errorf("halfFloat(%04x) = %v, want %v", bits, got, want)
		}
	}
	if got, want := int96Time([3]uint32{1_500_000, 0, 2440589}), time.Date(1970, 1, 2, 0, 0, 0, 1_500_000, time.UTC); !got.Equal(want) {
		t.Errorf("int96Time = %v, want %v", got, want)
	}
}

// FuzzSource opens whatever bytes as another team's log: no panic, no wrong
// number of rows, no memory that the bytes cannot account for.
func FuzzSource(f *testing.F) {
	f.Add(columnsWith(f, 5, nil, nil), "a.parquet")
	f.Add(px(f, parquet.Decimal(2, 38, parquet.FixedLenByteArrayType(16)), make([]byte, 16)), "p_y=1/a.parquet")
	f.Add(px(f, parquet.Optional(parquet.Encoded(parquet.String(), &parquet.DeltaByteArray)), []byte("abc"), nil, []byte("abd")), "study=%2F/a.parquet")
	f.Add(px(f, parquet.Encoded(parquet.Int(64), &parquet.DeltaBinaryPacked), int64(1), int64(5)), "=/=a/a.parquet")
	f.Add(px(f, parquet.Compressed(parquet.Encoded(parquet.String(), &parquet.RLEDictionary), &parquet.Brotli), []byte("a"), []byte("b")), "a")
	f.Add(columnsWith(f, 5, map[string]parquet.Node{"p_t": parquet.Leaf(parquet.Int96Type)}, func(string, int) any { return nil }), "a.parquet")
	f.Add(encodeWith(f, newCodec(), "demo", 5), "a.parquet")
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		log, err := OpenSource(fstest.MapFS{path: {Data: b}}, events.Source{Parquet: "**"})
		if err == nil {
			for _, err := range log.Trials {
				if err != nil {
					t.Errorf("a file that was checked breaks: %v", err)
				}
			}
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 512<<20 {
			t.Errorf("%d bytes took %d of memory", len(b), used)
		}
	})
}
