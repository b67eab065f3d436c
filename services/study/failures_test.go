package study

import (
	"strings"
	"testing"

	"apollo/events"
	"apollo/optimizer/space"
)

// line is a space of one parameter of 101 levels.
func line(t *testing.T) space.Space {
	t.Helper()
	levels := make([]float64, 101)
	for i := range levels {
		levels[i] = float64(i)
	}
	sp, err := space.New(space.Param{Name: "x", Values: levels})
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// counted tells the trials of a line: a negative level is one that failed.
func counted(sp space.Space, f *failures, levels ...int) {
	for trial, x := range levels {
		r := events.TrialResult{Trial: trial, Outcome: events.OutcomeMeasured}
		if x < 0 {
			x, r.Outcome, r.Reason = -x, events.OutcomeFailed, &events.Reason{Message: "no licence"}
		}
		f.count(sp, space.Point{x}, &r)
	}
}

func TestFailuresThatCouldNotBeForeseen(t *testing.T) {
	t.Parallel()
	sp := line(t)
	for _, c := range []struct {
		name                 string
		levels               []int
		unforeseen, foreseen int
	}{
		{"from the beginning", []int{-1, -2, -3}, 3, 0},
		{"a success ends the row", []int{-1, -2, 3}, 0, 0},
		{"near another of an earlier row", []int{-90, 10, -91, -92, -80}, 0, 3},
		{"near what was answered", []int{-90, 10, -11, -20}, 2, 0},
		{"one row foretells nothing", []int{10, -80, -81, -82}, 3, 0},
		{"an outage after a failing part was found", []int{-90, 10, -95, -5, -20, -30, -93}, 3, 2},
	} {
		var f failures
		counted(sp, &f, c.levels...)
		if f.unforeseen != c.unforeseen || f.foreseen != c.foreseen {
			t.Errorf("%s: %d unforeseen and %d foreseen, want %d and %d", c.name, f.unforeseen, f.foreseen, c.unforeseen, c.foreseen)
		}
	}
}

// After a pause the same trouble pauses again, and trials from before do not count.
func TestResumeForgetsTheRow(t *testing.T) {
	t.Parallel()
	sp := line(t)
	var f failures
	counted(sp, &f, 10, -80, -81)
	f.resume(5)
	counted(sp, &f, 11, -82, -83, -84, -85, -86, -87)
	if f.unforeseen != 2 || f.foreseen != 0 {
		t.Errorf("%d unforeseen and %d foreseen, want 2 of trials from 5 on", f.unforeseen, f.foreseen)
	}
	if got := f.reason(); got != "2 trials in a row failed; the last one: no licence" {
		t.Errorf("the reason is %q", got)
	}
	f.foreseen = 3
	if got := f.reason(); !strings.Contains(got, "5 trials in a row failed, 2 of them") {
		t.Errorf("the reason is %q", got)
	}
}

func TestRememberedDesignsAreBounded(t *testing.T) {
	t.Parallel()
	sp := line(t)
	var f failures
	for i := range 10 * rememberedDesigns {
		counted(sp, &f, i%101, -(1 + i%100))
	}
	if n := max(len(f.answered), len(f.failed)); n > 2*rememberedDesigns {
		t.Errorf("%d designs are kept, want at most %d", n, 2*rememberedDesigns)
	}
}
