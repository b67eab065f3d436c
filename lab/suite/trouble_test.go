package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/lab/bench"
)

// lines is a table of 400 rows, whose value is the first column plus the second.
func lines(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("x,y,time_ms\n")
	for x := range 20 {
		for y := range 20 {
			fmt.Fprintf(&b, "%d,%d,%d\n", x, y, 10+x+y)
		}
	}
	path := filepath.Join(t.TempDir(), "lines-a.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The answer of each table's task is the best of what it answers truthfully, and
// as many designs as it says are hit.
func TestTroubleAnswersAreKnown(t *testing.T) {
	t.Parallel()
	tasks, err := troublesOfTable(lines(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range troubles() {
		task := &tasks[i]
		known, err := task.Known(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e := task.Evaluator.(*troubled)
		sp, err := task.Spec.Space()
		if err != nil {
			t.Fatal(err)
		}
		hits, best := 0, 0.0
		for index := range sp.Size() {
			design := sp.Values(sp.At(index))
			if e.hit(design) {
				hits++
				continue
			}
			r, err := e.Evaluate(context.Background(), evaluator.Request{Design: design})
			if err != nil {
				t.Fatal(err)
			}
			v := r.Values[0]
			if task.True != nil {
				if v, err = task.True(context.Background(), design); err != nil {
					t.Fatal(err)
				}
			}
			if best == 0 || (v < best) != kind.negated && v != best {
				best = v
			}
		}
		want := kind.share
		if kind.fails {
			want = 0.3
		}
		if got := float64(hits) / 400; got < want-0.06 || got > want+0.06 {
			t.Errorf("%s: %.2f of the designs are hit, want about %.2f", task.Name, got, want)
		}
		if known.Best != best || known.Scale != 10 {
			t.Errorf("%s: known is %+v, and the best truthful answer %v", task.Name, known, best)
		}
	}
}

// The proven optima of the networks are not hit: else their answers would not be known.
func TestTroubleSparesTheOptima(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("proves two optima")
	}
	tasks, err := troubleTasks(bench.Environment{Proofs: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range tasks {
		if _, err := tasks[i].Known(t.Context()); err != nil {
			t.Errorf("%s: %v", tasks[i].Name, err)
		}
	}
}
