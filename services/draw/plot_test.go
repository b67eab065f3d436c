package draw_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"apollo/services/draw"
)

func plots() [][]draw.Plot {
	regret := draw.Plot{
		Title: "Median regret", X: "trials", Y: "regret", Log: true, Floor: 1e-4,
		Lines: []draw.Line{
			{Name: "a", Y: []float64{math.NaN(), 20, 0.5, 0}, Low: []float64{10, 5, 0.1, 0}, High: []float64{math.Inf(1), 30, 1, 0.2}},
			{Name: "b <&>", Y: []float64{3, 2, 1, 1}},
		},
	}
	share := draw.Plot{Title: "Within 1 %", X: "trials", Y: "share", Lines: []draw.Line{{Name: "b <&>", Y: []float64{0, 0.5, 1, 1}}}}
	return [][]draw.Plot{{regret, share}, {share}}
}

// The SVG is well-formed, has every name once in the legend, a band, and no
// number that is none.
func TestPlots(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := draw.Plots(&b, "svg", "Two & three", plots()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	d := xml.NewDecoder(&b)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
	}
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("the SVG has a number that is none")
	}
	for what, want := range map[string]int{
		"<polygon": 1, ">b &lt;&amp;&gt;<": 1, ">trials<": 3, ">share<": 2, "≤ 0.01 %": 1, ">100 %<": 3,
	} {
		if got := strings.Count(text, what); got != want {
			t.Errorf("%d of %q, want %d", got, what, want)
		}
	}
}

// More lines than colours have strokes of their own.
func TestManyLinesDiffer(t *testing.T) {
	t.Parallel()
	p := draw.Plot{Title: "many"}
	for i := range 14 {
		p.Lines = append(p.Lines, draw.Line{Name: strings.Repeat("x", i+1), Y: []float64{0.5, 0.5}})
	}
	var b bytes.Buffer
	if err := draw.Plots(&b, "svg", "", [][]draw.Plot{{p}}); err != nil {
		t.Fatal(err)
	}
	looks := map[string]bool{}
	for l := range strings.Lines(b.String()) {
		if strings.HasPrefix(l, "<polyline") && strings.Contains(l, `stroke-width="1.80"`) {
			_, look, _ := strings.Cut(l, "stroke=")
			looks[look] = true
		}
	}
	if len(looks) != 14 {
		t.Errorf("%d looks of 14 lines", len(looks))
	}
}

func TestPlotsAsPNG(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := draw.Plots(&b, "png", "t", plots()); err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X < 600 || size.Y < 400 {
		t.Errorf("size %v", size)
	}
}

func TestNothingToPlot(t *testing.T) {
	t.Parallel()
	if err := draw.Plots(io.Discard, "svg", "", nil); err == nil {
		t.Error("Plots() draws nothing")
	}
	if err := draw.Plots(io.Discard, "bmp", "", plots()); err == nil {
		t.Error("Plots() knows the format bmp")
	}
}
