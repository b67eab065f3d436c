package template

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// Every set of one to three of seven loops stands once: 7 + 21 + 35.
func TestAxesAreSets(t *testing.T) {
	t.Parallel()
	labels := axisLabels()
	seen := map[string]bool{}
	for _, l := range labels {
		letters := strings.Split(l, "+")
		for i := 1; i < len(letters); i++ {
			if letters[i-1] >= letters[i] {
				t.Errorf("%s is not in the order of the alphabet", l)
			}
		}
		seen[l] = true
	}
	if len(labels) != 63 || len(seen) != 63 {
		t.Errorf("%d labels, %d of them distinct, want 63", len(labels), len(seen))
	}
}

// Parameters whose condition does not hold change nothing.
func TestAbsentAxesMeanNothing(t *testing.T) {
	t.Parallel()
	s := spatialSpec()
	list := layers(t, "mobilenet_v2")
	base := []int64{0, 8, 2, 2, 0, 0, 128, 256 * kib, 64, 16e9}
	cost := func(v []int64) (Cost, float64) {
		m := declared(&s).machine(v)
		var found model.Mapping
		c, misfit := m.Flow.Find(&list[3], leastTime(), &found)
		if misfit != nil {
			t.Fatal(misfit.What)
		}
		return c, m.Area.Total()
	}
	for axes, label := range axisLabels() {
		at := append([]int64(nil), base...)
		at[spatialAxes] = int64(axes)
		c, area := cost(at)
		for param := range s.Params {
			if !absent(at, param) {
				continue
			}
			other := append([]int64(nil), at...)
			if other[param]++; param == spatialY || param == spatialZ {
				other[param] = 16
			}
			if d, mm2 := cost(other); d != c || mm2 != area {
				t.Errorf("%s: %s changes %+v to %+v", label, s.Params[param].Name, c, d)
			}
		}
	}
}

// absent reports whether a parameter means nothing in a design.
func absent(v []int64, param int) bool {
	label := axisLabels()[v[spatialAxes]]
	switch param {
	case spatialY:
		return !strings.Contains(label, "+")
	case spatialZ:
		return strings.Count(label, "+") < 2
	case spatialSums:
		return !strings.Contains(label, "C")
	case spatialOutputs:
		return !strings.Contains(label, "K")
	}
	return false
}

// A word to 8 x 4 units: an axis of output channels has it along the whole line,
// one of rows on the average half of it; sums over input channels of 4 units
// meet in two stages that cross half of the line each.
func TestWires(t *testing.T) {
	t.Parallel()
	s := spatialSpec()
	c := &chip{constants: *declared(&s), view: defaultView()}
	c.part("units", 32) // a unit is 1 mm2, its side 1 mm
	axes := []arrayAxis{{dim: model.C, units: 4}, {dim: model.P, units: 8}}
	w := c.wire(axes, 32, 16)
	perMM, side := c.Node.HopPJPerByte/0.6, math.Sqrt(32)
	adders := 3 * c.Node.AddPJ / 4 // of four bytes
	want := [model.Operands]float64{
		model.Weights: (2 + 8) * perMM, model.Inputs: (2 + 4) * perMM, model.Outputs: (4+4)*perMM + adders,
	}
	for o, pj := range want {
		pj += side / 2 * perMM              // the trunk, half of the side on the average
		if math.Abs(w.pj[o]/pj-1) > 1e-12 { // rounding
			t.Errorf("%s: %g pJ a byte, want %g", model.Operand(o), w.pj[o], pj)
		}
	}
	// Lines: 8 of 4 mm and 4 of 8 mm, with 8, 8 and 32 bits; links beside rows of 8 bits.
	// The trunk has 16 bytes each way.
	bits := 8.0*4*(8+8+32) + 4*8*(8+8+32) + 4*8*8 + 2*16*8*side
	if got := c.area[len(c.area)-1]; got.Name != "wires" || math.Abs(got.Value/(bits*160e-6)-1) > 1e-12 {
		t.Errorf("wires take %+v, want %g mm2", got, bits*160e-6)
	}
	// 4 mm are 7 hops of 0.6 mm and two stages; 8 mm are 14 hops.
	if axes[0].cycles != 9 || axes[1].cycles != 14 || !w.links {
		t.Errorf("%d and %d cycles, links %t; want 9, 14, true", axes[0].cycles, axes[1].cycles, w.links)
	}
}

// An axis of more units of the same size, and a wider trunk, cost no less area, energy of a
// byte and time on any set of axes.
func TestWiresAreMonotone(t *testing.T) {
	t.Parallel()
	s := spatialSpec()
	type priced struct {
		area   float64
		pj     [model.Operands]float64
		cycles int64
	}
	price := func(v []int64) (p priced) {
		axes, units := axesOf(v), int64(1)
		for _, a := range axes {
			units *= a.units
		}
		c := &chip{constants: *declared(&s), view: defaultView()}
		const unit = 0.001 // mm2
		c.part("units", unit*float64(units))
		w := c.wire(axes, units, v[spatialNoC])
		for _, a := range axes {
			p.cycles += a.cycles
		}
		p.area, p.pj = c.area.Total()-unit*float64(units), w.pj
		return p
	}
	for label := range axisLabels() {
		for _, param := range [...]int{spatialX, spatialY, spatialZ, spatialNoC} {
			v := baselineOf(&s)
			v[spatialAxes] = int64(label)
			var before priced
			for _, level := range s.Params[param].Values {
				v[param] = int64(level)
				now := price(v)
				if now.area < before.area || now.cycles < before.cycles || now.pj[0] < before.pj[0] || now.pj[1] < before.pj[1] || now.pj[2] < before.pj[2] {
					t.Errorf("%s: at %s = %g wires cost %+v, with less of it %+v", axisLabels()[label], s.Params[param].Name, level, now, before)
				}
				before = now
			}
		}
	}
}

// The presets beside the templates that they follow: docs/spatial.md#presets has
// each figure as it is computed, and its reason.
func TestPresetsBesideTemplates(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/spatial.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(string(page), "\n")
	for preset, other := range map[string]string{"eyeriss_like": "eyeriss", "nvdla_like": "nvdla", "shidiannao_like": "shidiannao", "tpu_like": "systolic"} {
		var values []space.Value
		if other == "systolic" {
			values = []space.Value{{Num: 256}, {Num: 256}, {Label: "ws"}, {Num: 2048 * kib}, {Num: 1024 * kib}, {Num: 1024 * kib}, {Num: 32e9}}
		}
		var cells []string
		for _, network := range []string{"mobilenet_v2", "resnet50_v1"} {
			ours, theirs := presetMetrics(t, "spatial", preset, network, nil), presetMetrics(t, other, "baseline", network, values)
			cells = append(cells, fmt.Sprintf("%+.1f %%, %+.1f %%", 100*(ours[0]/theirs[0]-1), 100*(ours[1]/theirs[1]-1)))
		}
		figures := "| " + strings.Join(cells, " | ") + " |"
		i := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "| `"+preset+"` ") })
		if i < 0 || !strings.Contains(rows[i], figures) {
			t.Errorf("docs/spatial.md has no row of %s with %s", preset, figures)
		}
	}
}

// presetMetrics returns latency and energy.
func presetMetrics(t *testing.T, template, preset, network string, values []space.Value) [2]float64 {
	t.Helper()
	spec, ok := Named(template)
	if !ok {
		t.Fatalf("there is no template %s", template)
	}
	w, err := workload.Builtin(network)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range spec.Presets() {
		if p.Name == preset && values == nil {
			values = p.Values
		}
	}
	d, err := spec.Inspect([]evaluator.Network{{Workload: w, Weight: 1}}, report.Point{Values: values}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Feasible {
		t.Fatal(d.Reason.Message)
	}
	var out [2]float64
	for _, m := range d.Metrics {
		switch m.Name {
		case "latency_s":
			out[0] = *m.Value
		case "energy_j":
			out[1] = *m.Value
		}
	}
	return out
}
