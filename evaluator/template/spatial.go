package template

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

// Parameters of the template spatial, by index.
const (
	spatialAxes = iota
	spatialX
	spatialY
	spatialZ
	spatialSums
	spatialOutputs
	spatialLocal
	spatialShared
	spatialNoC
	spatialIO
)

// spatialSpec is an array whose connectivity is a parameter, and whose controllers
// have the loops on chip in every order.
func spatialSpec() Spec { return spatialIn(freeOrders[:]) }

// SpatialHolding is the template spatial with controllers that know one order of the
// loops on chip, in which an operand stays in the units: what it costs to have no
// other is measured with it. It has another name, so that no log holds both under one.
func SpatialHolding(o model.Operand) *frame.Spec {
	order := map[model.Operand]int{model.Outputs: 0, model.Weights: 1, model.Inputs: 2}[o]
	s := spatialIn(freeOrders[order : order+1])
	s.Name = fmt.Sprintf("spatial holding %s", o)
	return s.template()
}

// spatialIn is the template with some orders of the loops on chip.
func spatialIn(orders [][model.Dims]model.Dim) Spec {
	sizes := []float64{2, 3, 4, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 56, 64, 96, 128, 256}
	label := func(name, doc, baseline, when string, labels ...string) frame.Param {
		return frame.Param{Param: space.Param{Name: name, Labels: labels}, Doc: doc, Baseline: space.Value{Label: baseline}, When: when}
	}
	size := func(name, doc string, baseline float64, when string) frame.Param {
		p := frame.Count(name, doc, baseline, sizes...)
		p.When = when
		return p
	}
	noc := frame.Count("noc", "Bytes that the shared memory gives the array, and takes from it, in a cycle.", 64, frame.Powers(16, 256)...)
	noc.Unit = "B"
	return Spec{
		Name: "spatial", Version: "14",
		Doc: "An array of one to three axes whose connectivity is part of the design, as NAAS searches it (Y. Lin et al., arXiv 2105.13258): " +
			"each axis spreads one loop, or several that share its lanes, with broadcast wires, a reduction tree or links between neighbours as they need them; registers and " +
			"a local memory in every unit, one shared memory; int8, 22 nm, 1 GHz. The mapper chooses the order of loops and the tiles of each layer.",
		Params: []frame.Param{
			label("axes", "The loops that the axes spread, in the order of the alphabet: x the first, y the second, z the third. CR+K has two axes, and C and R share the lanes of the first.", "C+K", "", axisLabels()...),
			size("x", "Units along the first axis.", 16, ""),
			size("y", "Units along the second axis.", 16, axesWith(func(l string) bool { return strings.Contains(l, "+") })),
			size("z", "Units along the third axis, whose units stand side by side.", 2, axesWith(func(l string) bool { return strings.Count(l, "+") == 2 })),
			label("grouped_sums", "What a grouped layer does with the lanes of input channels that its groups leave: idle, or one group a lane past the reduction tree.",
				grouped[0], axesWith(func(l string) bool { return strings.Contains(l, "C") }), grouped...),
			label("grouped_outputs", "The same for the lanes of output channels, which have no tree.",
				grouped[1], axesWith(func(l string) bool { return strings.Contains(l, "K") }), grouped...),
			frame.Bytes("local_memory", "Memory of one unit for weights, inputs and sums, used in two halves.", 128, frame.Powers(32, 4*kib)...),
			frame.Bytes("shared_memory", "Memory of all units for weights, inputs and sums, used in two halves.", 256*kib, frame.Powers(32*kib, 4096*kib)...),
			noc,
			bandwidth(16e9),
		},
		Presets: []report.Preset{
			spatialPreset("eyeriss_like", "Rows of the window and sets of input channels by output rows and sets of output channels, after Eyeriss: 12 x 14 units.", "CR+KP", 12, 14, 512, 128*kib, 16, 1e9, 0),
			spatialPreset("nvdla_like", "Input channels with the window by output channels, after nv_full of NVDLA: 64 x 32 units.", "CRS+K", 64, 32, 128, 512*kib, 128, 16e9, 1),
			spatialPreset("shidiannao_like", "Output rows by output columns, after ShiDianNao: 8 x 8 units.", "P+Q", 8, 8, 128, 256*kib, 64, 8e9, 0),
			spatialPreset("tpu_like", "Rows of a matrix product by its columns, after the first TPU: 256 x 256 units.", "CRS+K", 256, 256, 32, 4096*kib, 256, 32e9, 0),
		},
		Features:     spatialFeatures(),
		ClockHz:      1e9,
		NetworkBytes: 1,
		Wires:        true,
		Stages: [][]int{
			{spatialAxes, spatialSums, spatialOutputs, spatialX, spatialY, spatialZ, spatialIO},
			{spatialLocal, spatialShared, spatialNoC},
		},
		Build: func(c *chip, v []int64) Machine { return buildSpatial(c, v, orders) },
	}
}

// grouped are what grouped layers may do on an axis of channels.
var grouped = []string{"idle", "groups"}

func spatialPreset(name, doc, axes string, x, y, local, shared, noc, io float64, outputs int) report.Preset {
	number := func(v float64) space.Value { return space.Value{Num: v} }
	return report.Preset{Name: name, Doc: doc, Values: []space.Value{
		{Label: axes}, number(x), number(y), number(2), {Label: grouped[0]}, {Label: grouped[outputs]}, number(local), number(shared), number(noc), number(io),
	}}
}

// axisDims are the loops that an axis may spread, in the order of their letters.
var axisDims = []model.Dim{model.C, model.G, model.K, model.P, model.Q, model.R, model.S}

// sharedAxes are the axes on which several loops share the lanes: docs/decisions/0087-axes-of-several-loops.md
// says why these.
var sharedAxes = []string{"CK", "CKR", "CR", "CRS", "CS", "KP", "KPQ", "KQ", "PQ"}

// axisLabels lists the sets of one to three loops with an axis each, and behind them those of one or two axes of
// which some have several loops, each once: axes have no order, and no loop is on two of them.
var axisLabels = sync.OnceValue(func() []string {
	var labels []string
	for most := 1; most <= 3; most++ {
		labels = appendSets(labels, "", axisDims, most)
	}
	labels = append(labels, sharedAxes...)
	axes := slices.Clone(sharedAxes)
	for _, d := range axisDims {
		axes = append(axes, d.String())
	}
	slices.Sort(axes)
	for i, a := range axes {
		for _, b := range axes[i+1:] {
			if len(a)+len(b) > 2 && !strings.ContainsAny(a, b) {
				labels = append(labels, a+"+"+b)
			}
		}
	}
	return labels
})

// appendSets appends the sets of so many of some loops behind a prefix.
func appendSets(labels []string, prefix string, of []model.Dim, size int) []string {
	for i, d := range of {
		if size == 1 {
			labels = append(labels, prefix+d.String())
			continue
		}
		labels = appendSets(labels, prefix+d.String()+"+", of[i+1:], size-1)
	}
	return labels
}

// axesWith is the condition that the axes are among some.
func axesWith(ok func(label string) bool) string {
	var list []string
	for _, l := range axisLabels() {
		if ok(l) {
			list = append(list, fmt.Sprintf("%q", l))
		}
	}
	return "axes in [" + strings.Join(list, ", ") + "]"
}

// arrayAxis is one axis of a design.
type arrayAxis struct {
	// dims are its loops, units its lanes.
	dims  []model.Dim
	units int64
	// groups are those whose lanes groups may take.
	groups []model.Dim
	// linked says that neighbours along the axis pass inputs on.
	linked bool
	// mm is the length of a line of units, cycles what a word takes along it.
	mm     float64
	cycles int64
}

// maxAxes is room for the axes of a design.
const maxAxes = 3

// axesOf reads the axes of a design into a list.
func axesOf(v []int64, into *[maxAxes]arrayAxis) []arrayAxis {
	list := into[:copy(into[:], labelAxes()[v[spatialAxes]][v[spatialSums]][v[spatialOutputs]])]
	for i := range list {
		list[i].units = v[spatialX+i]
	}
	return list
}

// labelAxes are the axes of each label, by what grouped layers may do on lanes of input and of output channels. A
// search reads those of a thousand designs for each that it proposes.
var labelAxes = sync.OnceValue(func() (all [][2][2][]arrayAxis) {
	for _, label := range axisLabels() {
		var own [2][2][]arrayAxis
		for sums := range own {
			for outputs := range own[sums] {
				own[sums][outputs] = axesOn(label, sums == 1, outputs == 1)
			}
		}
		all = append(all, own)
	}
	return all
})

// axesOn are the axes of a label, without their sizes, where groups may take the lanes of some channels.
func axesOn(label string, sums, outputs bool) (list []arrayAxis) {
	for letters := range strings.SplitSeq(label, "+") {
		var a arrayAxis
		positions := 0
		for _, d := range axisDims {
			if !strings.Contains(letters, d.String()) {
				continue
			}
			a.dims = append(a.dims, d)
			if d == model.C && sums || d == model.K && outputs {
				a.groups = append(a.groups, d)
			}
			if overlapping(d) {
				positions++
			}
		}
		a.linked = positions == 1
		list = append(list, a)
	}
	return list
}

// overlapping reports whether windows of neighbours along a loop have inputs in common.
func overlapping(d model.Dim) bool {
	return d == model.P || d == model.Q || d == model.R || d == model.S
}

// indexes reports whether one of the axis' loops indexes an operand, and whether one does not.
func (a *arrayAxis) indexes(o model.Operand) (some, others bool) {
	for _, d := range a.dims {
		if model.Relevant(o, d) {
			some = true
		} else {
			others = true
		}
	}
	return some, others
}

func buildSpatial(c *chip, v []int64, orders [][model.Dims]model.Dim) Machine {
	const array, local = 1, 2
	axes, units, at := axesOf(v, &c.axes), int64(1), &c.datapath
	for _, a := range axes {
		units *= a.units
	}
	c.units(units, at.Weights+at.Activations+at.Sums)
	near := c.memory("local_memories", v[spatialLocal], units)
	c.arrayMM2 += near.AreaMM2 * float64(units)
	w := c.wire(axes, units, v[spatialNoC])
	far := c.memory("shared_memory", v[spatialShared], 1)
	m := c.machine(v[spatialIO], units)
	if c.outline {
		return m
	}

	m.Axes = c.wired(axes)
	near.WritePJPerByte += w.linkPJ
	arch := c.hierarchy(offChip(&m),
		ported(buffer("shared memory", v[spatialShared], units, &far, everything...), c.rate(v[spatialNoC]), 0),
		buffer("local memory", v[spatialLocal], 1, &near, everything...),
		c.registers("registers", 1, everything...))
	arch.Level[array].WirePJ = w.pj
	arch.Level[local].Passes = w.passes

	f, spreads := free{flows: make([]loops, len(orders))}, spreadsOf(axes, array)
	for i := range axes {
		f.several = f.several || len(axes[i].dims) > 1
	}
	for i, order := range orders {
		f.flows[i] = loops{
			arch: arch, spreads: spreads, order: order,
			inner: local, innerDims: []model.Dim{model.K, model.C, model.P, model.Q, model.R, model.S},
			param: "shared_memory or local_memory",
		}
	}
	m.Arch, m.Flow = arch, &f
	return m
}

// spreadsOf lists the ways in which the axes of a level spread loops: each its own, or groups on some of those
// that they may have. On one axis groups share its lanes with its other loops, on several they have all of them.
func spreadsOf(axes []arrayAxis, level int) (list [][]Spread) {
	type lanes struct {
		axis int
		of   model.Dim
	}
	var may []lanes
	for i := range axes {
		for _, d := range axes[i].groups {
			may = append(may, lanes{i, d})
		}
	}
	for set := range 1 << len(may) {
		dims, on := make([][]model.Dim, len(axes)), 0
		for i := range axes {
			taken := false
			for _, d := range axes[i].dims {
				at := slices.Index(may, lanes{i, d})
				if at >= 0 && set>>at&1 == 1 {
					d = model.G
				}
				if d != model.G || !taken {
					dims[i] = append(dims[i], d)
				}
				taken = taken || d == model.G
			}
			if taken {
				on++
			}
		}
		var own []Spread
		together := Spread{Level: level, Limit: 1, Dims: []model.Dim{model.G}}
		for i := range axes {
			a := &axes[i]
			if slices.Contains(dims[i], model.G) && (on > 1 || len(dims[i]) == 1) {
				together.Limit *= a.units
				together.Cycles = max(together.Cycles, a.cycles)
				continue
			}
			s := axis(level, a.units, dims[i]...)
			s.Cycles = a.cycles
			own = append(own, s)
		}
		if together.Limit > 1 {
			own = append(own, together)
		}
		list = append(list, own)
	}
	return list
}

var everything = []model.Operand{model.Weights, model.Inputs, model.Outputs}
