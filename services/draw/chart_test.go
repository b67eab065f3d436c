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

func charted() *draw.Chart {
	return &draw.Chart{
		Title: "latency & area", X: draw.Axis{Title: "area, mm2"}, Y: draw.Axis{Title: "latency"},
		Series: []draw.Series{
			{Name: "feasible", X: []float64{1, 2, math.NaN(), 4}, Y: []float64{4, 3, 2, 1}},
			{Name: "best", X: []float64{1, 4}, Y: []float64{4, 1}, Stairs: true, Look: 1},
		},
		Rules: []draw.Rule{{Name: "limit", At: 3.5, Vertical: true}, {Name: "baseline", At: 2}},
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := charted().Draw(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	// Three points, and one for each of two names.
	if n := strings.Count(text, "<circle") + strings.Count(text, "<polygon"); n != 5 {
		t.Errorf("%d marks, want 5", n)
	}
	for _, want := range []string{"latency &amp; area", ">limit<", ">baseline<", ">area, mm2<"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	b.Reset()
	if err := charted().Draw(&b, "png"); err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(&b); err != nil {
		t.Error(err)
	}
	if err := (&draw.Chart{Series: []draw.Series{{X: []float64{math.NaN()}, Y: []float64{1}}}}).Draw(io.Discard, "svg"); err == nil {
		t.Error("a chart without a point is drawn")
	}
}

// A chart of one point, or of values that are all the same, has axes.
func TestChartOfOnePoint(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	c := draw.Chart{Series: []draw.Series{{X: []float64{0}, Y: []float64{5}}}}
	if err := c.Draw(&b, "svg"); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Errorf("one point: %v, %s", err, b.String())
	}
}

// Charts below each other are those that have a point, and none hides another.
func TestStackLeavesOutEmptyCharts(t *testing.T) {
	t.Parallel()
	one := draw.Chart{Title: "first", Series: []draw.Series{{X: []float64{1, 2}, Y: []float64{3, 4}}}}
	two := one
	two.Title = "second"
	var b strings.Builder
	if err := (draw.Stack{one, {Title: "nothing"}, two}).Draw(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	svg := b.String()
	if !strings.Contains(svg, "first") || !strings.Contains(svg, "second") || strings.Contains(svg, "nothing") || !strings.Contains(svg, `height="780"`) {
		t.Errorf("the picture is %.300s", svg)
	}
	if err := (draw.Stack{{}, {}}).Draw(&b, "svg"); err == nil {
		t.Error("charts without a point are drawn")
	}
}
