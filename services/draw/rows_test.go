package draw

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
)

// Bars are as long as their parts say, one behind the other, and intervals lie where
// they say.
func TestRows(t *testing.T) {
	t.Parallel()
	r := Rows{Title: "time", Parts: []string{"compute", "memory"}, Rows: []Row{{Name: "a", Parts: []float64{3, 1}}, {Name: "b", Parts: []float64{2, 0}, Low: 1, High: 3}}}
	var s scene
	x := scaleOf{low: 0, high: 4, from: 0, to: 400}
	for i := range r.Rows {
		s.row(&r.Rows[i], 0, &x, &r.X)
	}
	for i, want := range [][2]float64{{0, 300}, {300, 100}, {0, 200}, {200, 0}, {100, 200}} {
		if b := s.boxes[i]; b.x != want[0] || b.width != want[1] {
			t.Errorf("box %d begins at %v and is %v wide, want %v", i, b.x, b.width, want)
		}
	}
	var b bytes.Buffer
	if err := r.Draw(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">compute<", ">memory<", ">a<", ">b<", ">4<"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	for _, none := range []Rows{{}, {Rows: []Row{{Parts: []float64{0}}}}, {Rows: []Row{{Parts: []float64{math.NaN()}}}}} {
		if err := none.Draw(io.Discard, "svg"); err == nil {
			t.Errorf("%+v is drawn", none)
		}
	}
}

// What is told apart has another shape, not another colour alone; an arm without a
// value has no place in the legend.
func TestMarksDiffer(t *testing.T) {
	t.Parallel()
	var s scene
	seen := map[shape]bool{}
	for i := range colorCount {
		s.mark(point{}, 1, i)
		seen[s.dots[i].shape] = true
	}
	if len(seen) != colorCount {
		t.Errorf("%d shapes for %d colours", len(seen), colorCount)
	}
	var b bytes.Buffer
	err := Plots(&b, "svg", "two", [][]Plot{{{Title: "p", Lines: []Line{{Name: "none", Y: []float64{math.NaN()}}, {Name: "some", Y: []float64{0.5, 1}}}}}})
	if text := b.String(); err != nil || strings.Contains(text, ">none<") || !strings.Contains(text, ">some<") {
		t.Errorf("%v: %s", err, text)
	}
}
