package draw

import (
	"math"
	"strings"
	"testing"
)

func TestTreemapAreasAreAmounts(t *testing.T) {
	t.Parallel()
	all := [][]float64{{6, 6, 4, 3, 2, 2, 1}, {3, 0, 0.01}} // the first is the paper's own example
	m := Treemap{Title: "areas", Scale: func(float64) string { return "1 mm" }}
	for _, values := range all {
		b := Block{Name: "<script>"}
		for i, v := range values {
			b.Tiles = append(b.Tiles, Tile{Name: "<b>", Value: v, Look: i})
		}
		m.Blocks = append(m.Blocks, b)
	}
	s, err := m.scene()
	if err != nil {
		t.Fatal(err)
	}
	const rim, tiles = 0.6, 9 // a part of no amount has none
	if len(s.boxes) != tiles {
		t.Fatalf("%d tiles, want %d", len(s.boxes), tiles)
	}
	unit := 0.0
	want := []float64{6, 6, 4, 3, 2, 2, 1, 3}
	for i, v := range want {
		b := s.boxes[i]
		of := (b.width + 2*rim) * (b.height + 2*rim) / v
		if unit == 0 {
			unit = of
		}
		if math.Abs(of/unit-1) > 1e-9 { // rounding
			t.Errorf("tile %d has %g points² a unit, the first has %g", i, of, unit)
		}
	}
	var page strings.Builder
	if err := m.Inline(&page); err != nil || strings.Contains(page.String(), "<script>") || strings.Contains(page.String(), "<b>") {
		t.Errorf("the drawing has a user's markup: %v", err)
	}
	if err := (&Treemap{Blocks: []Block{{Tiles: []Tile{{Value: 0}}}}}).Inline(&page); err == nil {
		t.Error("a treemap of nothing is drawn")
	}
}

// Many blocks, and long names, stand in rows inside the picture, at one scale.
func TestTreemapOfManyBlocksHasRows(t *testing.T) {
	t.Parallel()
	for _, scale := range []func(float64) string{nil, func(float64) string { return "1 mm" }} {
		m := Treemap{Title: "many", Scale: scale}
		for i := range 38 { // 19 networks of two designs
			m.Blocks = append(m.Blocks, Block{Name: "this design, mobilenet: 1.2 mJ", Tiles: []Tile{{Name: "dram", Value: float64(1 + i%5)}}})
		}
		s, err := m.scene()
		if err != nil {
			t.Fatal(err)
		}
		const rim, least = 0.6, 10
		unit := 0.0
		for i, b := range s.boxes {
			of := (b.width + 2*rim) * (b.height + 2*rim) / float64(1+i%5)
			if unit == 0 {
				unit = of
			}
			if math.Abs(of/unit-1) > 1e-9 { // rounding
				t.Errorf("block %d has %g points² a unit, the first has %g", i, of, unit)
			}
			if b.width < least || b.height < least || b.x < 0 || b.x+b.width > float64(s.width) || b.y+b.height > float64(s.height) {
				t.Errorf("block %d is %+v of a picture of %d by %d", i, b, s.width, s.height)
			}
		}
		for _, l := range s.labels {
			if wide := mapName * float64(len(l.text)); l.x+wide > float64(s.width) {
				t.Errorf("the name %q at %g ends outside", l.text, l.x)
			}
		}
	}
}

// The example of the paper's section 3: 6, 6, 4, 3, 2, 2 and 1 in a rectangle of 6 by 4.
func TestTreemapIsSquarified(t *testing.T) {
	t.Parallel()
	var s scene
	var all []Tile
	for _, v := range []float64{6, 6, 4, 3, 2, 2, 1} {
		all = append(all, Tile{Value: v})
	}
	s.tiles(all, rect{0, 0, 600, 400})
	for i, want := range []rect{{0, 0, 300, 200}, {0, 200, 300, 200}, {300, 0, 1200. / 7, 700. / 3}, {300 + 1200./7, 0, 900. / 7, 700. / 3}} {
		const rim = 0.6
		b := s.boxes[i]
		got := rect{b.x - rim, b.y - rim, b.width + 2*rim, b.height + 2*rim}
		for _, d := range []float64{got.x - want.x, got.y - want.y, got.width - want.width, got.height - want.height} {
			if math.Abs(d) > 1e-9 { // rounding
				t.Fatalf("tile %d is %v, want %v", i, got, want)
			}
		}
	}
}

func TestSliceMarksWhatDoesNotCount(t *testing.T) {
	t.Parallel()
	none := math.NaN()
	c := Slice{Name: "a\"<i>", Levels: []SliceLevel{{"1", 2, none, none, false}, {"2", 4, 3, 5, true}, {"4", none, none, none, true}, {"8", none, none, none, false}}, Here: 1}
	low, high, ok := Span([]Slice{c})
	if !ok || low != 2 || high != 5 {
		t.Fatalf("Span() = %g, %g, %v, want 2, 5", low, high, ok)
	}
	var page strings.Builder
	if err := c.Inline(&page, low, high); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	if n := strings.Count(text, "var(--c1)"); n != 2 || strings.Contains(text, "<i>") { // over a limit, and without a value
		t.Errorf("%d marks of what is not feasible, want 2:\n%s", n, text)
	}
}
