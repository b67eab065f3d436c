package draw_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"slices"
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

// An axis has an end for every pair of values that an evaluator may answer, and few ticks.
func TestChartOfAnyValues(t *testing.T) {
	t.Parallel()
	values := []float64{-math.MaxFloat64, -1, 0, 5e-324, 1e-200, 1, math.Nextafter(1, 2), 6.8, math.Nextafter(6.8, 7), 1e200, math.MaxFloat64}
	for i, low := range values {
		for _, high := range values[i:] {
			for _, log := range []bool{false, true} {
				for _, dense := range []bool{false, true} {
					var b strings.Builder
					c := draw.Chart{Dense: dense, X: draw.Axis{Log: log}, Y: draw.Axis{Log: log}, Series: []draw.Series{{X: []float64{low, high}, Y: []float64{low, high}}}}
					if err := c.Inline(&b); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
						t.Errorf("from %v to %v: %v, %s", low, high, err, b.String())
					}
					if n := strings.Count(b.String(), "<text"); n > 60 {
						t.Errorf("from %v to %v: %d labels", low, high, n)
					}
				}
			}
		}
	}
}

// A page has the colours by class, says what points are, and draws discs that are alike
// as one path.
func TestChartInline(t *testing.T) {
	t.Parallel()
	c := charted()
	c.Series[0].Class = "cloud"
	c.Series = append(c.Series, draw.Series{Class: "cloud", Foot: true, X: []float64{2}}, draw.Series{Class: "found", Over: true, X: []float64{4}, Y: []float64{1}, Titles: []string{"trial <7>"}})
	c.Rects = []draw.Rect{{X0: 1, X1: 2, Y0: 1, Y1: 3, Opacity: 0.5, Class: "range"}}
	var b strings.Builder
	if err := c.Inline(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{`class="cloud" d="M`, `class="found"><title>trial &lt;7&gt;</title></circle>`, `class="range" fill-opacity="0.50"`, `aria-label="latency &amp; area"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "#4477aa") || strings.Count(text, "<path") != 2 || strings.Count(text, ">best<") != 1 {
		t.Errorf("the picture has colours of its own, %d paths, or a legend:\n%s", strings.Count(text, "<path"), text)
	}
}

// Of very many points those that hide behind others are left out, and no pixel is bare
// that had one.
func TestManyPointsHideEachOther(t *testing.T) {
	t.Parallel()
	few := draw.Series{Name: "few"}
	for i := range 40 {
		few.X, few.Y = append(few.X, float64(i)), append(few.Y, float64(i*i%37))
	}
	drawn := func(s draw.Series) (n int, text string) {
		var b strings.Builder
		if err := (&draw.Chart{Series: []draw.Series{s}}).Draw(&b, "svg"); err != nil {
			t.Fatal(err)
		}
		return strings.Count(b.String(), "<circle"), b.String()
	}
	dots, _ := drawn(few)
	many := few
	many.X, many.Y = slices.Repeat(few.X, 200), slices.Repeat(few.Y, 200)
	if n, _ := drawn(many); n < dots || n > dots+1 { // the last one is always there
		t.Errorf("%d dots for 200 times as many points as %d show", n, dots)
	}
	steps := draw.Series{Stairs: true}
	for i := range 100_000 {
		steps.X, steps.Y = append(steps.X, float64(i)), append(steps.Y, float64(i))
	}
	if _, text := drawn(steps); len(text) > 64<<10 || !strings.Contains(text, ",342.00 ") {
		t.Errorf("a line of 100,000 steps takes %d bytes", len(text))
	}
}
