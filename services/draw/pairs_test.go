package draw

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func chart() *PairChart {
	return &PairChart{
		Title: "with and without", Before: "without", After: "with", Columns: []string{"5 trials", "20 trials"}, Floor: 1e-3,
		Pairs: []Pair{
			{Name: "first-case", Before: []float64{2, 0.5}, After: []float64{0.1, 0}},
			{Name: "second-case", Before: []float64{math.Inf(1), 0.2}, After: []float64{0.4, 0.2}},
		},
	}
}

// A chart names its cases, columns and ways, and says where a value is missing
// or below the axis.
func TestPairsAreDrawn(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := chart().Draw(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	svg := b.String()
	for _, want := range []string{"first-case", "second-case", "5 trials", "20 trials", ">with<", ">without<", ">none<", "≤ 0.1 %", ">100 %<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart does not say %q", want)
		}
	}
	if n := strings.Count(svg, "<circle"); n != 10 {
		t.Errorf("%d dots, want two for each case and column, and two in the legend", n)
	}
}

// The better value stands further left, and equal ones on one another.
func TestPairsStandInOrder(t *testing.T) {
	t.Parallel()
	c := chart()
	s, f := &scene{}, frame{plot: &Plot{Log: true, Floor: c.Floor}, left: 10, right: 110, top: 0, bottom: 50}
	s.pairs(c, &f, 1)
	if len(s.dots) != 4 {
		t.Fatalf("%d dots, want 4", len(s.dots))
	}
	if s.dots[1].x != f.left || s.dots[0].x <= s.dots[1].x || s.dots[2].x != s.dots[3].x || s.dots[2].x >= s.dots[0].x {
		t.Errorf("the dots of 50 %%, 0, 20 and 20 %% are at %v", s.dots)
	}
}

func TestPairsNeedSomething(t *testing.T) {
	t.Parallel()
	if err := (&PairChart{Columns: []string{"x"}}).Draw(&bytes.Buffer{}, "svg"); err == nil {
		t.Error("a chart without pairs is drawn")
	}
	if err := chart().Draw(&bytes.Buffer{}, "gif"); err == nil {
		t.Error("a GIF is drawn")
	}
}
