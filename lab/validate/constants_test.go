package validate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"apollo/evaluator/gemmini"
	"apollo/evaluator/tech"
)

// The table of fitted constants says what the code says.
func TestFittedConstants(t *testing.T) {
	t.Parallel()
	const root = "../../"
	page, err := os.ReadFile(root + "docs/validation.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([\\w.]+) \\| `([\\w/]+\\.go)` \\|")
	rows := row.FindAllStringSubmatch(string(page), -1)
	for _, r := range rows {
		name, value, file := r[1], r[2], r[3]
		code, err := os.ReadFile(root + file)
		if err != nil {
			t.Error(err)
			continue
		}
		if name == "ClockPJPerMM2" { // computed where it is declared
			if got := fmt.Sprintf("%.0f", tech.Node22().ClockPJPerMM2); got != value {
				t.Errorf("%s: docs/validation.md says %s, the node says %s", name, value, got)
			}
			continue
		}
		declared := regexp.MustCompile(`(?m)^.*\b` + name + `(?: *=|:) *([\w.]+)`).FindStringSubmatch(string(code))
		if declared == nil || declared[1] != value {
			t.Errorf("%s: docs/validation.md says %s, %s says %q", name, value, file, declared)
		}
	}
	// What says "fitted" where it is declared stands in the table.
	for _, file := range []string{"evaluator/edge/presets.go", "evaluator/gemmini/gemmini.go"} {
		code, err := os.ReadFile(root + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range regexp.MustCompile(`(?s)// (\w+) is [^=]*?fitted[^=]*?\n\t(\w+) += `).FindAllStringSubmatch(string(code), -1) {
			if !strings.Contains(string(page), "| `"+c[2]+"` |") {
				t.Errorf("%s is fitted in %s and not in the table of docs/validation.md", c[2], file)
			}
		}
	}
	// Each says what a row that it was not set from would have got.
	for _, r := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| ([^|]+) \\|$").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(r[0], "`evaluator/") && !regexp.MustCompile(`\d|as above`).MatchString(r[2]) {
			t.Errorf("%s has no error of a row that is left out: %q", r[1], r[2])
		}
	}
	if len(rows) < 14 {
		t.Errorf("%d rows of constants, want all of them", len(rows))
	}
}

// A constant is set by the other rows: 2 for all but the last makes the last one wrong
// by a third, and its own candidate would have made it right.
func TestWithoutTheRow(t *testing.T) {
	t.Parallel()
	theirs := []float64{2, 4, 9}
	list := []candidate{{"two", []float64{2, 4, 6}}, {"three", []float64{3, 6, 9}}}
	all, details := withoutTheRow(theirs, list, mean)
	for i, want := range []float64{0, 0, 1.0 / 3} {
		if math.Abs(all[i]-want) > 1e-12 {
			t.Errorf("row %d is off by %g, want %g: %s", i, all[i], want, details[i])
		}
	}
	if !strings.HasSuffix(details[2], "with two") {
		t.Errorf("%q: want the other rows' constant", details[2])
	}
	if r := refitRow("x", all, details); r.Ours != median(all) || r.Theirs < r.Ours || r.Verdict != Note {
		t.Errorf("%+v: want the median, beside the worst", r)
	}
}

// Constants are found again from rows that they made: those of a chip that is left
// out are then exact.
func TestGemminiWithoutTheChip(t *testing.T) {
	t.Parallel()
	truth := gemmini.Fit{BusBytes: 5, SwitchCycles: 20, InputRowCycles: 2, OutputRowCycles: 6, TileCycles: 300, Exposed: 0.4}
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func() float64 { return math.Exp(rng.Float64() * 6) }
	var rows []gemminiRow
	for i := range 120 {
		n := gemmini.Counts{Tiles: draw(), Blocks: draw() * 10, Steps: draw() * 300, LoadBytes: draw() * 1000, InputRows: draw() * 100, StoreBytes: draw() * 1000, OutputRows: draw() * 100}
		rows = append(rows, gemminiRow{rtl: truth.Total(&n), counts: n, chip: string(rune('a' + i%3))})
	}
	list, err := gemminiWithoutTheChip(&table{folder: fstest.MapFS{}}, rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Ours < 0.9999 || list[1].Ours > 0.01 || len(list[0].Misses) != 3 {
		t.Errorf("%+v: want three chips ranked and timed as they were made", list)
	}
	if list, err := gemminiWithoutTheChip(&table{folder: fstest.MapFS{}}, rows[:1]); len(list) != 0 || err != nil {
		t.Errorf("%+v, %v: one chip cannot be left out", list, err)
	}
}
