package template

import (
	"fmt"
	"maps"
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

// Every set of axes stands once: 7 + 21 + 35 of one to three loops with an axis each, 9 of one axis of several
// loops, 56 of two axes. Axes and the loops of each are in the order of the alphabet, and no loop stands on two.
func TestAxesAreSets(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	seen := map[string]bool{}
	for _, l := range axisLabels() {
		axes := strings.Split(l, "+")
		letters := []byte(strings.Join(axes, ""))
		if slices.Sort(letters); len(slices.Compact(letters)) != len(l)-len(axes)+1 {
			t.Errorf("a loop of %s stands on two axes", l)
		}
		if !slices.IsSorted(axes) || slices.ContainsFunc(axes, func(a string) bool { return !slices.IsSorted([]byte(a)) }) {
			t.Errorf("%s is not in the order of the alphabet", l)
		}
		seen[l] = true
		count[fmt.Sprint(len(axes), len(letters) > len(axes))]++
	}
	want := map[string]int{"1 false": 7, "2 false": 21, "3 false": 35, "1 true": 9, "2 true": 56}
	if len(seen) != len(axisLabels()) || !maps.Equal(count, want) {
		t.Errorf("%d labels, %d of them distinct, by axes and whether loops share one %v; want %v", len(axisLabels()), len(seen), count, want)
	}
}

// Features say of a design what its axes say: the units, and the lanes of loops and of groups.
func TestFeaturesOfAxes(t *testing.T) {
	t.Parallel()
	tm := spatialSpec().template().Template()
	of, err := evaluator.LogFeatures(tm.Features, tm.Params)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		axes, sums, outputs string
		want                map[string]float64
	}{
		{"C+K", "idle", "groups", map[string]float64{"units": 42, "lanes_c": 6, "lanes_k": 7, "lanes_of_groups": 7}},
		{"C+K", "groups", "groups", map[string]float64{"units": 42, "lanes_of_groups": 42}},
		{"CRS+K", "idle", "idle", map[string]float64{"units": 42, "lanes_c": 6, "lanes_r": 6, "lanes_s": 6, "lanes_k": 7, "lanes_of_groups": 6}},
		{"G+K+P", "idle", "idle", map[string]float64{"units": 126, "lanes_g": 6, "lanes_k": 7, "lanes_p": 3, "lanes_q": 1, "lanes_of_groups": 18}},
		{"K", "idle", "idle", map[string]float64{"units": 6, "lanes_k": 6, "lanes_c": 1, "lanes_of_groups": 1}},
	} {
		design := slices.Clone(tm.Baseline)
		design[spatialAxes].Label, design[spatialSums].Label, design[spatialOutputs].Label = c.axes, c.sums, c.outputs
		design[spatialX].Num, design[spatialY].Num, design[spatialZ].Num = 6, 7, 3
		got := of(nil, design)
		for name, want := range c.want {
			at := slices.IndexFunc(tm.Features, func(f evaluator.Feature) bool { return f.Name == name })
			if math.Abs(math.Exp(got[at])-want) > 1e-9 {
				t.Errorf("%s, sums %s, outputs %s: %s is %v, want %v", c.axes, c.sums, c.outputs, name, math.Exp(got[at]), want)
			}
		}
	}
}

// Ten output channels and nine rows on sixteen lanes: five and three take six steps. More of the first leave one row
// at a time, and nine rows one channel.
func TestLanesAreShared(t *testing.T) {
	t.Parallel()
	s := axis(1, 16, model.K, model.P)
	bound := [model.Dims]int64{1, 1, 10, 64, 9, 9, 3, 3}
	var got []string
	list := s.splits(&bound)
	for _, x := range list {
		got = append(got, fmt.Sprintf("%dx%d: %d", x.lanes[0], x.lanes[1], x.steps))
	}
	want := []string{"5x3: 6", "3x5: 8", "10x1: 9", "1x9: 10"}
	if !slices.Equal(got, want) {
		t.Errorf("the splits are %v, want %v", got, want)
	}
	if few := chosen(list, 2); len(few) != 3 || few[0] != list[0] || few[1] != list[2] || few[2] != list[3] {
		t.Errorf("of %v %v are chosen: want the fewest steps, most channels and most rows", list, few)
	}
}

// The rows of a systolic array are those of a matrix product: 147 window positions of the first layer of ResNet-50,
// 3 x 7 x 7, are one step on 256 lanes and 49 steps where each axis has one loop. On other layers channels leave no lane.
func TestWindowsTakeIdleLanes(t *testing.T) {
	t.Parallel()
	s := spatialSpec()
	p := layers(t, "resnet50_v1")[0]
	for axes, steps := range map[string]int64{"C+K": 49, "CR+K": 7, "CRS+K": 1} {
		v := baselineOf(&s)
		v[spatialAxes], v[spatialX], v[spatialY] = int64(slices.Index(axisLabels(), axes)), 256, 64
		m := declared(&s).machine(v)
		var found model.Mapping
		c, misfit := m.Flow.Find(&p, leastTime(), &found)
		if misfit != nil {
			t.Fatal(misfit.What)
		}
		if got, want := m.Flow.(*free).steps(&p), steps*p.Bound[model.P]*p.Bound[model.Q]; got != want {
			t.Errorf("%s: at least %d steps, want %d", axes, got, want)
		}
		if d, err := m.Flow.Detail(&p, &found); err != nil || d.Cost != c {
			t.Errorf("%s: in detail the mapping costs %+v (%v), found %+v", axes, d.Cost, err, c)
		}
	}
}

// On an axis of channels of both kinds weights go to one unit of 4, inputs to some of them, and sums of some of them
// leave their tree for a bus. Rows that share an axis with channels have links, rows and columns on one have none.
func TestWiresOfSharedAxes(t *testing.T) {
	t.Parallel()
	s := spatialSpec()
	wire := func(label string, x, y int64) (*chip, []arrayAxis, wiring) {
		c := &chip{constants: *declared(&s), view: defaultView()}
		c.part("units", float64(x*y)) // a unit is 1 mm2, its side 1 mm
		v := baselineOf(&s)
		v[spatialAxes], v[spatialX], v[spatialY] = int64(slices.Index(axisLabels(), label)), x, y
		axes := axesOf(v, new([maxAxes]arrayAxis))
		return c, axes, c.wire(axes, x*y, 16)
	}
	c, axes, w := wire("CK", 4, 1)
	perMM, adders := c.Node.HopPJPerByte/0.6, 3*c.Node.AddPJ/4
	for o, pj := range [model.Operands]float64{model.Weights: 2 * perMM, model.Inputs: 4 * perMM, model.Outputs: (4+2)*perMM + adders} {
		if pj += perMM; math.Abs(w.pj[o]/pj-1) > 1e-12 { // half of a side of 2 mm
			t.Errorf("%s: %g pJ a byte, want %g", model.Operand(o), w.pj[o], pj)
		}
	}
	bits := 4.0*8 + 4*8 + (4+4)*32 + 2*16*8*2
	if got := c.area[len(c.area)-1]; got.Name != "wires" || math.Abs(got.Value/(bits*160e-6)-1) > 1e-12 {
		t.Errorf("wires take %+v, want %g mm2", got, bits*160e-6)
	}
	if x := c.wired(axes)[0]; x.Loop != "CK" || x.Weights != report.Bus || x.Inputs != report.Multicast || x.Outputs != report.Trees {
		t.Errorf("the axis is wired as %+v", x)
	}
	for label, want := range map[string][model.Dims]bool{
		"CRS+K": {}, "PQ": {}, "CR+KP": passing, "CRS+P": {model.P: true, model.Q: true}, "KPQ+R": {model.R: true, model.S: true},
	} {
		c, axes, w := wire(label, 4, 4)
		if w.passes != want {
			t.Errorf("%s: inputs pass along %v, want %v", label, w.passes, want)
		}
		for i, a := range c.wired(axes) {
			if linked := a.Inputs == report.Links; linked != axes[i].linked {
				t.Errorf("%s: the inputs of %s have %s", label, a.Loop, a.Inputs)
			}
		}
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
	axes := []arrayAxis{{dims: []model.Dim{model.C}, units: 4}, {dims: []model.Dim{model.P}, units: 8, linked: true}}
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
	if axes[0].cycles != 9 || axes[1].cycles != 14 || w.passes != passing {
		t.Errorf("%d and %d cycles, links along %v; want 9, 14, %v", axes[0].cycles, axes[1].cycles, w.passes, passing)
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
		axes, units := axesOf(v, new([maxAxes]arrayAxis)), int64(1)
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
			clock, bits := 1.0, int64(8)
			if other == "eyeriss" {
				clock, bits = 0.2, 16 // 200 MHz and words of 16 bits, as the other has
			}
			ours, theirs := presetMetrics(t, "spatial", preset, network, nil, clock, bits), presetMetrics(t, other, "baseline", network, values, 1, 8)
			cells = append(cells, fmt.Sprintf("%+.1f %%, %+.1f %%", 100*(ours[0]/theirs[0]-1), 100*(ours[1]/theirs[1]-1)))
		}
		figures := "| " + strings.Join(cells, " | ") + " |"
		i := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "| `"+preset+"` ") })
		if i < 0 || !strings.Contains(rows[i], figures) {
			t.Errorf("docs/spatial.md has no row of %s with %s", preset, figures)
		}
	}
}

// presetMetrics returns latency and energy of a preset, or of other values, with a clock so many times as fast and
// weights and activations of so many bits.
func presetMetrics(t *testing.T, template, preset, network string, values []space.Value, clock float64, bits int64) [2]float64 {
	t.Helper()
	spec, ok := Named(template)
	if !ok {
		t.Fatalf("there is no template %s", template)
	}
	w, err := workload.Builtin(network)
	if err != nil {
		t.Fatal(err)
	}
	w.Precision.Weights, w.Precision.Activations = bits, bits
	for _, p := range spec.Presets() {
		if p.Name == preset && values == nil {
			values = p.Values
		}
	}
	measure, _, err := spec.Model([]evaluator.Network{{Workload: w, Weight: 1}}, "clock", clock)
	if err != nil {
		t.Fatal(err)
	}
	m, why, err := measure(report.Point{Values: values})
	if err != nil || why != nil {
		t.Fatal(why, err)
	}
	return [...]float64{*m.Of("latency_s"), *m.Of("energy_j")}
}
