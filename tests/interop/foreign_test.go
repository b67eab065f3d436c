package interop

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/archiver"
	"apollo/events"
)

// foreignLog is what testdata/foreign.py says of a log that it wrote.
type foreignLog struct {
	// Rows are trial, x, z and cost; numbers as the bits of a double.
	Rows                    [][4]any
	Refused                 string
	Damaged, Empty, Unkeyed int
	LeftOut                 int `json:"left_out"`
}

// Whatever other tools write is read with exactly their values, or refused
// with a text that names what it is; nothing sound is called damaged.
func TestForeignLogs(t *testing.T) {
	t.Parallel()
	interpreter, dir := python(t), t.TempDir()
	var logs map[string]foreignLog
	if err := json.Unmarshal(run(t, interpreter, "testdata/foreign.py", dir), &logs); err != nil {
		t.Fatal(err)
	}
	if len(logs) < 200 {
		t.Fatalf("%d logs, want 200 or more", len(logs))
	}
	for name, want := range logs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := archiver.OpenSource(os.DirFS(dir), events.Source{Parquet: name + "/**/*.parquet"})
			said := ""
			if err != nil {
				said = err.Error()
			} else {
				for _, u := range src.Columns.Unread {
					if u.Column == "p_x" || u.Column == "p_z" || u.Column == "cost" {
						said += u.Column + " is " + u.Why + "\n"
					}
				}
			}
			if want.Refused != "" || said != "" {
				if want.Refused == "" || !strings.Contains(said, want.Refused) || strings.Contains(said, archiver.ErrCorrupt.Error()) {
					t.Errorf("refused: %q, want %q", said, want.Refused)
				}
				return
			}
			got := foreignLog{Damaged: len(src.Damaged), LeftOut: len(src.LeftOut), Empty: src.Empty, Unkeyed: src.Unkeyed}
			x, z := -1, -1
			for i, p := range src.Columns.Parameters {
				switch p.Name {
				case "x":
					x = i
				case "z":
					z = i
				}
			}
			cost := -1
			for i, m := range src.Columns.Metrics {
				if m.Name == "cost" {
					cost = i
				}
			}
			for trial, err := range src.Trials {
				if err != nil {
					t.Fatal(err)
				}
				row := [4]any{float64(trial.Trial), nil, nil, nil}
				if x >= 0 {
					row[1] = bitsOf(trial.Design[x].Num)
				}
				if z >= 0 && trial.Design[z].Label != "" {
					row[2] = trial.Design[z].Label
				}
				if cost >= 0 {
					row[3] = bitsOf(trial.Values[cost])
				}
				got.Rows = append(got.Rows, row)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s\nleft out %v, damaged %v", d, src.LeftOut, src.Damaged)
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != len(logs) {
		t.Errorf("%d folders for %d logs, %v", len(left), len(logs), err)
	}
}

func bitsOf(f float64) any {
	if math.IsNaN(f) {
		return nil
	}
	return fmt.Sprintf("%016x", math.Float64bits(f))
}
