package draw_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"

	"apollo/services/draw"
)

func comparison() *draw.Comparison {
	curve := func(values ...float64) (out []*float64) {
		for _, v := range values {
			if v < 0 {
				out = append(out, nil)
				continue
			}
			out = append(out, &v)
		}
		return out
	}
	return &draw.Comparison{
		Title: "later: saved 3 trials of 4 <&>", Value: "latency, s",
		Curves:   []draw.Curve{{Name: "with", Values: curve(-1, 3, 3, 1, 1)}, {Name: "without", Values: curve(-1, -1, 4, 4, 3)}},
		BarTitle: "Share", Bars: []draw.Bar{{Name: "one", Value: 0.75, Label: "75 %"}, {Name: "two", Value: 2, Label: "too much"}},
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := draw.Compare(&b, "svg", comparison()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"saved 3 trials of 4 &lt;&amp;&gt;", ">with<", ">without<", ">75 %<", ">4<"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture does not hold %q", want)
		}
	}
	d := xml.NewDecoder(&b)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is not well-formed: %v", err)
		}
	}
	if err := draw.Compare(&b, "png", comparison()); err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(&b); err != nil {
		t.Error(err)
	}
	if err := draw.Compare(&b, "gif", comparison()); err == nil {
		t.Error("a picture format that does not exist gives no error")
	}
	nothing := comparison()
	for i := range nothing.Curves {
		nothing.Curves[i].Values = make([]*float64, 5)
	}
	if err := draw.Compare(&b, "svg", nothing); err == nil {
		t.Error("curves without a value give no error")
	}
	// Negative values have no logarithm; a single value has no range.
	for _, v := range []float64{-2, 0, 7} {
		flat := comparison()
		flat.Curves = []draw.Curve{{Name: "flat", Values: []*float64{nil, &v}}}
		b.Reset()
		if err := draw.Compare(&b, "svg", flat); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
			t.Errorf("a flat curve at %v: %v", v, err)
		}
	}
}
