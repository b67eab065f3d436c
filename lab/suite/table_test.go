package suite

import (
	"bytes"
	"compress/gzip"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/lab/bench"
	"apollo/optimizer/space"
)

const smallTable = `block,order,fixed,time_ms,valid
16,row,1,2.5,1
32,row,1,,0
4,column,1,1.25,1
16,column,1,7,0
`

func TestReadTable(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(smallTable)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]string{"plain": smallTable, "gzip": zipped.String(), "byte order mark": "\ufeff" + smallTable} {
		got, err := readTable(strings.NewReader(src))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := []space.Param{{Name: "block", Values: []float64{4, 16, 32}}, {Name: "order", Labels: []string{"column", "row"}}}
		if d := cmp.Diff(want, got.params); d != "" {
			t.Errorf("%s: parameters (-want +got):\n%s", name, d)
		}
		if got.metric != "time_ms" || got.unit != "ms" || got.values[0] != 2.5 || !math.IsNaN(got.values[1]) || !math.IsNaN(got.values[3]) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestReadTableExplainsMistakes(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"":                                  "the file is empty",
		"a,time_ms\n":                       "there is no row",
		"time_ms,valid\n1,1\n":              "row 1: 2 columns: want parameters",
		"a,time_ms\n1,2\n1,3,4\n":           "wrong number of fields",
		"a,time_ms\n1,2\n1,3\n":             "no parameter has two values",
		"a,time_ms\n1,2\n2,x\n":             `row 3: column "time_ms" is "x"`,
		"a,time_ms,valid\n1,2,1\n2,3,maybe": `row 3: column "valid" is "maybe", want 0 or 1`,
		"a,time_ms,valid\n1,,1\n2,3,1":      `row 2: column "time_ms" is "", want a finite number in a valid row`,
		"a,time_ms\n1,NaN\n2,3":             `row 2: column "time_ms" is "NaN"`,
		"a,b,time_ms\n1,x,2\n2,,3":          `row 3: column "b" is empty`,
		"a,time_ms\n1,2\n2,3\n1.0,4":        "rows 2 and 4 have the same parameters",
		"a,listed\n1,2\n2,3":                `must not be called "listed"`,
	} {
		if _, err := readTable(strings.NewReader(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", src, err, want)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add([]byte(smallTable))
	f.Add([]byte("a,b\n1,\"x\ny\"\n2,3\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		table, err := readTable(bytes.NewReader(src))
		if err != nil {
			return
		}
		task, err := table.task("fuzz-x")
		if err != nil {
			return // too large a space, or no valid row
		}
		sp, err := task.Spec.Space()
		if err != nil {
			t.Fatal(err)
		}
		known, _ := task.Known(t.Context())
		for i, p := range table.rows {
			r, err := task.Evaluator.Evaluate(t.Context(), evaluator.Request{Design: sp.Values(p)})
			if err != nil || (r.Outcome == evaluator.Measured) == math.IsNaN(table.values[i]) {
				t.Fatalf("row %d: %+v, %v", i, r, err)
			}
			if r.Outcome == evaluator.Measured && r.Values[0] < known.Best {
				t.Fatalf("row %d has %v, the optimum is %v", i, r.Values[0], known.Best)
			}
		}
	})
}

func TestTableTask(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "Matrix_GPU1.csv")
	if err := os.WriteFile(path, []byte(smallTable), 0o600); err != nil {
		t.Fatal(err)
	}
	paths, err := Tables(dir)
	if err != nil || len(paths) != 1 {
		t.Fatalf("Tables() = %v, %v", paths, err)
	}
	tasks, err := kernelsTasks(bench.Environment{Tables: paths})
	if err != nil {
		t.Fatal(err)
	}
	task := tasks[0]
	if task.Name != "matrix-gpu1" || task.Family != "matrix" {
		t.Errorf("name %q, family %q", task.Name, task.Family)
	}
	known, err := task.Known(t.Context())
	if err != nil || known.Best != 1.25 || !known.Proven {
		t.Errorf("Known() = %+v, %v", known, err)
	}
	check := task.Evaluator.(evaluator.Checker)
	for _, c := range []struct {
		block  float64
		order  string
		listed float64
		code   string
	}{{16, "row", 1, ""}, {32, "row", 1, "invalid"}, {16, "column", 1, "invalid"}, {4, "row", 0, "not_listed"}} {
		design := []space.Value{{Num: c.block}, {Label: c.order}}
		dst := make([]float64, 2)
		check.Check(design, dst)
		r, err := task.Evaluator.Evaluate(t.Context(), evaluator.Request{Design: design})
		if err != nil {
			t.Fatal(err)
		}
		code := ""
		if r.Reason != nil {
			code = r.Reason.Code
		}
		if dst[1] != c.listed || code != c.code {
			t.Errorf("block %v, order %s: listed %v, reason %q, want %v, %q", c.block, c.order, dst[1], code, c.listed, c.code)
		}
	}
}

// Each start of a table is a row that can be measured, and they are not all one.
func TestTableHasStarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "matrix.csv")
	if err := os.WriteFile(path, []byte(smallTable), 0o600); err != nil {
		t.Fatal(err)
	}
	tasks, err := kernelsStartsTasks(bench.Environment{Tables: []string{path}})
	if err != nil || len(tasks) != startsOfATable {
		t.Fatalf("%d tasks, %v", len(tasks), err)
	}
	starts := map[float64]bool{}
	for i := range tasks {
		r, err := tasks[i].Evaluator.Evaluate(t.Context(), evaluator.Request{Design: tasks[i].Baseline})
		if err != nil || r.Outcome != evaluator.Measured {
			t.Fatalf("%s: the baseline %v: %+v, %v", tasks[i].Name, tasks[i].Baseline, r, err)
		}
		starts[r.Values[0]] = true
	}
	if len(starts) != 2 {
		t.Errorf("the starts have the values %v, want both valid rows", starts)
	}
}

func TestTablesWithoutAFolder(t *testing.T) {
	t.Parallel()
	if paths, err := Tables(filepath.Join(t.TempDir(), "none")); err != nil || paths != nil {
		t.Errorf("Tables() = %v, %v", paths, err)
	}
	none, err := newTable([]string{"a", "time_ms", "valid"}, [][]string{{"1", "", "0"}, {"2", "", "0"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.task("none"); !errors.Is(err, errNoAnswer) {
		t.Errorf("a table without a valid row: %v, want ErrNoAnswer", err)
	}
}

// The GPU kernels of the references, by family: configurations and parameters
// (Kernel Tuner's benchmark hub, DOI 10.5281/zenodo.15364124).
// Defaults were chosen on the tables of one family. No claim may rest on these.
func TestTablesOfDevelopment(t *testing.T) {
	t.Parallel()
	table, err := openTable(lines(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bench.Split{"dedispersion-a4000": bench.Development, "convolution-a100": bench.Test, "dedispersion": bench.Development} {
		task, err := table.task(name)
		if err != nil {
			t.Fatal(err)
		}
		if task.Split != want {
			t.Errorf("%s is in the split %s, want %s", name, task.Split, want)
		}
	}
}

func TestReferenceKernels(t *testing.T) {
	t.Parallel()
	refs := os.Getenv("APOLLO_REFS")
	if refs == "" {
		refs = filepath.Join("..", "..", "..", "shared", "refs")
	}
	paths, err := Tables(filepath.Join(refs, "kernels"))
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skip("there are no kernel tables: set APOLLO_REFS to the folder of the references")
	}
	tasks, err := kernelsTasks(bench.Environment{Tables: paths})
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][2]int{"convolution": {4362, 7}, "dedispersion": {11130, 6}}
	for _, task := range tasks {
		got := [2]int{len(task.Evaluator.(*lookup).values), len(task.Spec.Parameters)}
		if want, known := shapes[task.Family]; !known || got != want {
			t.Errorf("%s of family %q: %d rows and parameters, want %d", task.Name, task.Family, got, want)
		}
	}
}
