package validate

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestReferences judges the model on the reference files, where they are.
func TestReferences(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("APOLLO_REFS")
	if folder == "" {
		folder = "../../../shared/refs"
	}
	files := os.DirFS(folder)
	if testing.Short() {
		files = without{files, "prime_landscape.csv"} // seconds of draws
	}
	r, err := Run(files)
	if err != nil {
		t.Fatal(err)
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
	r, err := Run(folder)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 0 || len(r.Rows) != 4 || len(r.Absent) != len(references())-1 {
		t.Errorf("got %+v", r)
	}
	folder["scalesim_compute.csv"].Data = []byte(scalesimHeader + strings.Replace(scalesimRow, ",52,", ",53,", 1))
	if r, err = Run(folder); err != nil || r.Failed != 1 || r.Rows[0].Verdict != Fail || len(r.Rows[0].Misses) != 1 {
		t.Errorf("a wrong row: %+v, %v", r.Rows, err)
	}
}

func TestRunRefusesDamage(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":       "",
		"no column":   "layer\nx\n",
		"no number":   scalesimHeader + strings.Replace(scalesimRow, ",52,", ",many,", 1),
		"zero":        scalesimHeader + strings.Replace(scalesimRow, ",1,2,2,", ",0,2,2,", 1),
		"dataflow":    scalesimHeader + strings.Replace(scalesimRow, ",ws,", ",xs,", 1),
		"short row":   scalesimHeader + "tiny,3\n",
		"not a float": scalesimHeader + strings.Replace(scalesimRow, ",52,", ",NaN,", 1),
	} {
		folder := fstest.MapFS{"scalesim_compute.csv": {Data: []byte(text)}}
		if _, err := Run(folder); err == nil || !strings.Contains(err.Error(), "scalesim_compute.csv") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestRunWithoutReferences(t *testing.T) {
	t.Parallel()
	r, err := Run(fstest.MapFS{})
	if err != nil || r.Failed != 0 || len(r.Absent) != len(references()) {
		t.Errorf("got %+v, %v", r, err)
	}
}
