package draw_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/services/draw"
)

func answer(t *testing.T, sets map[string]float64, names ...string) report.Design {
	t.Helper()
	var networks []evaluator.Network
	for _, name := range names {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		networks = append(networks, evaluator.Network{Workload: w, Weight: 1})
	}
	spec := edge.Spec()
	values := spec.Presets()[0].Values
	for i, p := range spec.Params {
		if v, ok := sets[p.Name]; ok {
			values[i].Num = v
		}
	}
	r, err := spec.Inspect(networks, report.Point{Values: values}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The SVG is well-formed and has a dot per layer with multiplications, a bar
// per positive part, and the names of the networks.
func TestSVG(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"mobilenet_v2"}, {"mobilenet_v2", "mobilenet_edgetpu"}} {
		r := answer(t, nil, names...)
		var b bytes.Buffer
		if err := draw.Design(&b, "svg", &r); err != nil {
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
		dots := len(names) // the legend's
		for _, l := range r.Layers {
			if l.MACs > 0 {
				dots++
			}
		}
		if got := strings.Count(text, "<circle") + strings.Count(text, "<polygon"); got != dots {
			t.Errorf("%v: %d marks in the SVG, want one for each of %d layers and legend entries", names, got, dots)
		}
		for _, want := range append([]string{"Roofline", "MAC per byte that crosses the chip&#39;s border", "pe memory", "off chip", "leakage", "Area: ", " mm²", "Energy: ", " µJ"}, names...) {
			if !strings.Contains(text, want) {
				t.Errorf("%v: the SVG does not say %q", names, want)
			}
		}
	}
}

func TestPNG(t *testing.T) {
	t.Parallel()
	r := answer(t, nil, "mobilenet_v2")
	var b bytes.Buffer
	if err := draw.Design(&b, "png", &r); err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	dark := 0
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if red, _, _, _ := picture.At(x, y).RGBA(); red < 1<<15 {
				dark++
			}
		}
	}
	if share := float64(dark) / float64(picture.Bounds().Dx()*picture.Bounds().Dy()); share < 0.005 || share > 0.3 {
		t.Errorf("%.4f of the picture is dark: it is empty or full", share)
	}
}

func TestNothingToDraw(t *testing.T) {
	t.Parallel()
	r := answer(t, nil, "mobilenet_v2")
	if err := draw.Design(io.Discard, "bmp", &r); err == nil {
		t.Error("Design() knows the format bmp")
	}
	r = answer(t, map[string]float64{"cores": 32, "lanes": 256}, "mobilenet_v2")
	if err := draw.Design(io.Discard, "svg", &r); err == nil {
		t.Error("Design() draws an infeasible design")
	}
}

// Marks above the roofline are explained where there are any.
func TestMarksAboveTheLine(t *testing.T) {
	t.Parallel()
	r := answer(t, nil, "mobilenet_v2")
	for _, above := range []bool{true, false} {
		if !above {
			r.Layers = slices.Clone(r.Layers)
			for i := range r.Layers {
				l := &r.Layers[i].Roofline
				l.Achieved = min(l.Achieved, l.Attainable)
			}
		}
		var b bytes.Buffer
		if err := draw.Design(&b, "svg", &r); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "Marks above the line"); got != above {
			t.Errorf("marks above the line: %t, explained: %t", above, got)
		}
	}
}

// An array whose wires are parameters is drawn with the memories before it, its corners
// where it is large, and what every axis spreads and wires; other templates have none.
func TestArrayAsWired(t *testing.T) {
	t.Parallel()
	r := answer(t, nil, "mobilenet_v2")
	picture := func() string {
		var b bytes.Buffer
		if err := draw.Design(&b, "svg", &r); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	without := picture()
	if strings.Contains(without, "as it is wired") {
		t.Error("a template with wires of its own has a picture of an array")
	}
	if err := draw.Array(io.Discard, &r); err == nil {
		t.Error("an array is drawn where there is none")
	}
	r.Array = []report.Axis{
		{Loop: "C", Units: 16, Weights: report.Bus, Inputs: report.Bus, Outputs: report.Tree, WeightBits: 8, InputBits: 4, SumBits: 32, LengthMM: 1.25, Cycles: 7, Groups: true},
		{Loop: "P", Units: 2, Weights: report.Broadcast, Inputs: report.Links, Outputs: report.Bus, WeightBits: 8, InputBits: 4, SumBits: 32, LengthMM: 0.25, Cycles: 1},
	}
	r.Memories = []report.Memory{{Name: "shared memory", Bytes: 256 << 10, Instances: 1, BytesPerCycle: 64}, {Name: "local memory", Bytes: 96, Instances: 32}}
	with := picture()
	for _, text := range []string{
		"16 × 2 = 32 units<", "x: C, 16 units, groups past the loop<", "a line: 1.2 mm, 7 cycles<", "y: P, 2 units<", "a line: 0.25 mm, 1 cycle<",
		"sums, 32 bit: tree of 15 adders<", "weights, 8 bit: broadcast, all units at once<", "inputs, 4 bit: bus, links between neighbours<", "sums, 32 bit: bus, one unit at a time<",
		">256 KiB<", "64 B a cycle each way<", "a unit: local memory 96 B<", ">15, 1<",
	} {
		if !strings.Contains(with, text) {
			t.Errorf("the picture does not say %q", text)
		}
	}
	// Of sixteen columns the first two and the last are drawn, in each of two rows, which
	// have a tree of four leaves each.
	if got := strings.Count(with, "<circle") - strings.Count(without, "<circle"); got != 2*3 {
		t.Errorf("%d nodes of trees, want 6", got)
	}
	if got := strings.Count(with, `fill-opacity="0.60"`); got != 2*3 {
		t.Errorf("%d units are drawn, want 6", got)
	}
	r.Array = []report.Axis{{Loop: "CK", Units: 4, Weights: report.Bus, Inputs: report.Multicast, Outputs: report.Trees, WeightBits: 8, InputBits: 4, SumBits: 32}}
	with = picture()
	for _, text := range []string{"x: CK, 4 units<", "inputs, 4 bit: multicast, some units at once<", "sums, 32 bit: tree of 3 adders, and a bus<"} {
		if !strings.Contains(with, text) {
			t.Errorf("the picture of an axis of two loops does not say %q", text)
		}
	}
	if got := strings.Count(with, "<circle") - strings.Count(without, "<circle"); got != 3 {
		t.Errorf("%d nodes of the tree of four units, want 3", got)
	}
}

// However long the axes are, the drawing is as wide, and its shapes lie inside.
func TestArrayOfAnySize(t *testing.T) {
	t.Parallel()
	places := regexp.MustCompile(`(-?[0-9]+\.[0-9]{2})(?:,|" y=")(-?[0-9]+\.[0-9]{2})`)
	for _, sizes := range [][]int64{{1}, {65_536}, {1, 1, 1}, {1, 65_536}, {65_536, 1}, {256, 256, 256}, {2, 3, 4}, {4, 4}, {5, 5}} {
		r := report.Design{Feasible: true, IOBandwidth: 16e9}
		for i, n := range sizes {
			r.Array = append(r.Array, report.Axis{
				Loop: "C, K, R", Units: n, Weights: report.Bus, Inputs: report.Links, Outputs: []string{report.Tree, report.Bus, report.Broadcast}[i], WeightBits: 8, InputBits: 8, SumBits: 32,
			})
		}
		r.Memories = []report.Memory{{Name: "shared memory", Bytes: 1000, Instances: 1, BytesPerCycle: 0.5}, {Name: "local memory", Bytes: 128, Instances: sizes[0]}}
		var b bytes.Buffer
		if err := draw.Array(&b, &r); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		var width, height float64
		_, box, _ := strings.Cut(text, "viewBox=")
		if _, err := fmt.Sscanf(box, `"0 0 %f %f"`, &width, &height); err != nil || width != 720 || height > 700 {
			t.Errorf("%v: the drawing is %g x %g, %v", sizes, width, height, err)
		}
		for _, m := range places.FindAllStringSubmatch(text, -1) {
			x, wrong := strconv.ParseFloat(m[1], 64)
			y, err := strconv.ParseFloat(m[2], 64)
			if wrong != nil || err != nil || x < 0 || x > width || y < 0 || y > height {
				t.Fatalf("%v: a shape lies at %s of %g x %g", sizes, m[0], width, height)
			}
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "#4477aa") {
			t.Errorf("%v: the drawing has no number, or colours of its own", sizes)
		}
	}
}

// The bars of a network are those of its own parts: one may have fewer, in other places.
func TestBarsAreJoinedByName(t *testing.T) {
	t.Parallel()
	r := answer(t, nil, "mobilenet_v2", "mobilenet_edgetpu")
	r.Networks[0].Energy = report.Breakdown{{Name: "registers", Value: 2e-6}, {Name: "off_chip", Value: 3e-6}}
	r.Networks[1].Energy = report.Breakdown{{Name: "off_chip", Value: 7e-6}, {Name: "clock", Value: 5e-6}}
	var b bytes.Buffer
	if err := draw.Design(&b, "svg", &r); err != nil {
		t.Fatal(err)
	}
	_, energy, _ := strings.Cut(b.String(), "Energy: ")
	var got []string
	for _, m := range regexp.MustCompile(`>(off chip|registers|clock|[0-9])<`).FindAllStringSubmatch(energy, -1) {
		got = append(got, m[1])
	}
	if want := []string{"off chip", "3", "7", "registers", "2", "0", "clock", "0", "5"}; !slices.Equal(got, want) {
		t.Errorf("the bars are %q, want %q", got, want)
	}
}

// The line of the peak rate does not run through the names of layers that reach it.
func TestNamesStandBesideTheRoof(t *testing.T) {
	t.Parallel()
	r := answer(t, nil, "mobilenet_v2")
	r.Layers = slices.Clone(r.Layers)
	peak := float64(r.MACsPerCycle) * float64(r.ClockHz)
	for i := range r.Layers {
		if l := &r.Layers[i]; l.MACs > 0 {
			l.Roofline.Achieved = peak
		}
	}
	var b bytes.Buffer
	if err := draw.Design(&b, "svg", &r); err != nil {
		t.Fatal(err)
	}
	roof := regexp.MustCompile(`<polyline points="[^ ]+ [^,]+,([0-9.]+) [^ ]+"[^>]*stroke-width="1\.80"`).FindStringSubmatch(b.String())
	if roof == nil {
		t.Fatal("there is no roof")
	}
	line, _ := strconv.ParseFloat(roof[1], 64)
	named := 0
	for _, l := range r.Layers {
		name := regexp.MustCompile(`y="([0-9.]+)" font-size="8\.0"[^>]*>` + regexp.QuoteMeta(l.ID) + `<`).FindStringSubmatch(b.String())
		if name == nil {
			continue
		}
		named++
		// Letters of 8 are about 6 above the foot that y is, and 2 below it.
		if y, _ := strconv.ParseFloat(name[1], 64); y-6 < line && line < y+2 {
			t.Errorf("%s stands at %g, the roof at %g runs through it", l.ID, y, line)
		}
	}
	if named == 0 {
		t.Error("no layer is named")
	}
}
