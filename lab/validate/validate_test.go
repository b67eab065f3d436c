package validate

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestReferences judges the model on the reference files, where they are.
func TestReferences(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("APOLLO_REFS")
	files := os.DirFS(folder)
	if folder == "" {
		folder = "../../../shared/refs"
		// Half a minute of draws: for `make validate`, and for who names the folder.
		files = without{os.DirFS(folder), "prime_landscape.csv"}
	}
	r := Run(files)
	for _, bad := range r.Bad {
		t.Error(bad)
	}
	if len(r.Rows) == 0 {
		t.Skipf("no reference file in %s", folder)
	}
	for _, row := range r.Rows {
		if row.Verdict == Fail {
			t.Errorf("%s, %s: theirs %g, ours %g %s, error %g, want %s: %s", row.Reference, row.Metric, row.Theirs, row.Ours, row.Unit,
				row.Error, row.Tolerance, strings.Join(row.Misses, "; "))
		}
	}
}

// without hides one file of a folder.
type without struct {
	fs.FS
	name string
}

func (w without) Open(name string) (fs.File, error) {
	if name == w.name {
		return nil, fs.ErrNotExist
	}
	return w.FS.Open(name)
}

const scalesimHeader = "layer,H,W,R,S,C,K,stride,arr_rows,arr_cols,dataflow,total_cycles,sram_ifmap_reads,sram_filter_reads,sram_ofmap_writes\n"

// A 2 x 2 array, 3 x 3 pixels, 4 input and 4 output channels, weights
// stationary: 2 x 2 folds of 2*2 + 2 + 9 - 2 = 13 cycles.
const scalesimRow = "tiny,3,3,1,1,4,4,1,2,2,ws,52,72,16,72\n"

func TestRunJudgesARow(t *testing.T) {
	t.Parallel()
	folder := fstest.MapFS{"scalesim_compute.csv": {Data: []byte("# comment\n" + scalesimHeader + scalesimRow)}}
	r := Run(folder)
	if r.Failed != 0 || r.Judged != 4 || len(r.Bad) != 0 || len(r.Rows) != 4 || len(r.Absent) != len(references())-1 {
		t.Errorf("got %+v", r)
	}
	folder["scalesim_compute.csv"].Data = []byte(scalesimHeader + strings.Replace(scalesimRow, ",52,", ",53,", 1))
	if r = Run(folder); r.Failed != 1 || r.Rows[0].Verdict != Fail || len(r.Rows[0].Misses) != 1 {
		t.Errorf("a wrong row: %+v", r.Rows)
	}
}

// A bad row is named with its line, and the good one beside it is compared.
func TestABadRowHidesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no number":   {strings.Replace(scalesimRow, ",52,", ",many,", 1), `column "total_cycles" is "many", want a number`},
		"zero":        {strings.Replace(scalesimRow, ",1,2,2,", ",0,2,2,", 1), `column "stride" is 0, want at least 1`},
		"dataflow":    {strings.Replace(scalesimRow, ",ws,", ",xs,", 1), `dataflow "xs": want ws, os or is`},
		"short row":   {"tiny,3\n", "2 fields, the header has 15"},
		"not a float": {strings.Replace(scalesimRow, ",52,", ",NaN,", 1), `column "total_cycles" is "NaN", want a number`},
		"quote":       {"ti\"ny,3\n", "bare \" in non-quoted-field"},
	} {
		for _, text := range []string{scalesimHeader + c.text + scalesimRow, scalesimHeader + scalesimRow + c.text, scalesimHeader + c.text + scalesimRow + c.text} {
			r := Run(fstest.MapFS{"scalesim_compute.csv": {Data: []byte("# comment\n" + text)}})
			var want []string
			for i, line := range strings.SplitAfter(text, "\n") {
				if line == c.text {
					want = append(want, fmt.Sprintf("scalesim_compute.csv:%d: %s", i+2, c.want))
				}
			}
			if !slices.Equal(r.Bad, want) {
				t.Errorf("%s: bad %q, want %q", name, r.Bad, want)
			}
			if r.Judged != 4 || r.Failed != 0 || r.Rows[0].Theirs != 1 {
				t.Errorf("%s: %+v, want the good row compared", name, r.Rows)
			}
		}
	}
}

// A file that cannot be read hides no other.
func TestABadFileHidesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "read the header: EOF"},
		"no column":  {"layer\nx\n", "there is no column"},
		"no row":     {scalesimHeader, "it has no row to compare"},
		"bad rows":   {scalesimHeader + "tiny,3\n", "it has no row to compare"},
		"no network": {"model,input,host_ops,devboard_ms\nnobody,224,no,3\n", "none of its 1 rows can be compared"},
	} {
		file := "scalesim_bandwidth.csv"
		if name == "no network" {
			file = "coral_latency.csv"
		}
		r := Run(fstest.MapFS{file: {Data: []byte(c.text)}, "scalesim_compute.csv": {Data: []byte(scalesimHeader + scalesimRow)}})
		if len(r.Bad) == 0 || !strings.HasPrefix(r.Bad[0], file+": ") || !strings.Contains(r.Bad[0], c.want) {
			t.Errorf("%s: bad %q, want %s: %s", name, r.Bad, file, c.want)
		}
		if r.Judged != 4 || r.Failed != 0 {
			t.Errorf("%s: %+v, want the other file compared", name, r.Rows)
		}
	}
}

func TestRunWithoutReferences(t *testing.T) {
	t.Parallel()
	r := Run(fstest.MapFS{})
	if r.Failed != 0 || r.Judged != 0 || len(r.Bad) != 0 || len(r.Absent) != len(references()) {
		t.Errorf("got %+v", r)
	}
}

// Every column may hold rubbish: the row is named, or judged, the other one is
// judged, and the report can be printed.
func TestRubbish(t *testing.T) {
	t.Parallel()
	const sram = "tech_nm,size_bytes,width_bits,read_pJ,write_pJ,area_mm2\n"
	for _, file := range []struct {
		name, header, row string
		judged            int
	}{
		{"scalesim_compute.csv", scalesimHeader, scalesimRow, 4},
		{"cacti_sram.csv", sram, "22,1024,64,1,1,1\n", 3},
	} {
		fields := strings.Split(strings.TrimSpace(file.row), ",")
		for _, rubbish := range []string{"", "0", "-1", "1e15", "1e999", "x", "1.5"} {
			for i := range fields {
				row := slices.Clone(fields)
				row[i] = rubbish
				r := Run(fstest.MapFS{file.name: {Data: []byte(file.header + strings.Join(row, ",") + "\n" + file.row)}})
				if r.Judged != file.judged {
					t.Errorf("%s, %q in column %d: %+v, want the other row judged", file.name, rubbish, i, r)
				}
				if _, err := json.Marshal(r); err != nil {
					t.Errorf("%s, %q in column %d: %v", file.name, rubbish, i, err)
				}
			}
		}
	}
	r := Run(fstest.MapFS{"cacti_sram.csv": {Data: []byte(sram + "22,1024,64,1,1,0\n")}})
	if len(r.Bad) == 0 || !strings.Contains(strings.Join(r.Bad, "\n"), "want more than 0") {
		t.Errorf("a published area of 0: bad %q, want it named", r.Bad)
	}
}

// Rows that nothing can be compared with are no agreement.
func TestNothingJudged(t *testing.T) {
	t.Parallel()
	r := Run(fstest.MapFS{"cacti_sram.csv": {Data: []byte("tech_nm,size_bytes,width_bits,read_pJ,write_pJ,area_mm2\n7,1024,64,1,1,1\n")}})
	if r.Judged != 0 || len(r.Rows) == 0 {
		t.Errorf("a node that is not modelled: %+v, want notes alone", r)
	}
	r = Run(fstest.MapFS{"prime_landscape.csv": {Data: []byte("name\nx\n")}})
	if len(r.Bad) != 1 || !strings.Contains(r.Bad[0], `there is no column "network"`) {
		t.Errorf("without its first column: bad %q, want it named", r.Bad)
	}
}
