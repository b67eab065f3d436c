package template

import (
	"cmp"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
)

// Spec is what a published accelerator adds to the frame of all templates.
type Spec struct {
	// Name is what studies write; Doc one paragraph for people with its source.
	Name, Doc string
	// Version is the template's own; empty means that of most.
	Version string
	// Params are the parameters in order.
	Params []frame.Param
	// Presets are named designs besides the baseline.
	Presets []report.Preset
	// Features are numbers derived from the parameters, for models of a search.
	Features []evaluator.Feature
	// Metrics are what the template measures; nil means those of frame.Metrics.
	Metrics []frame.Metric
	// ClockHz is the clock of every design.
	ClockHz int64
	// NetworkBytes is what the buffers give the array in a cycle, in bytes, times
	// a width that Build knows; 0 where the network is part of the times.
	NetworkBytes float64
	// Engines is the area of what the chip has beside the units and memories of
	// the template, as a share of these; the constant engines.
	Engines float64
	// WordBits is the width of a word that every element takes at least, 0 where
	// memories pack elements.
	WordBits int64
	// Wires says that the wires between the shared memory and the units are parts of
	// the machine.
	Wires bool
	// Splits says that the published units have multipliers of 8 bits which two
	// products of 4 bits share in a cycle.
	Splits bool
	// Sparse are the ways in which machines use that weights are zero.
	Sparse frame.Sparse
	// Stages are the parameters by index in the order in which a proof fixes them, nil
	// where designs have no bounds before they are whole. Those of the last stage are no
	// labels, and area does not fall when one of them rises.
	Stages [][]int
	// Build makes the machine of a design out of a chip's parts: one number per
	// parameter, whole and at least 1; of a categorical parameter the index of
	// its label.
	Build func(c *chip, design []int64) Machine
}

// Specs returns the templates of this package.
func Specs() []Spec {
	return []Spec{
		systolicSpec(),
		eyerissSpec(),
		nvdlaSpec(),
		shiDianNaoSpec(),
		simbaSpec(),
		gemminiSpec(),
		spatialSpec(),
	}
}

// version is that of the templates that state none of their own. A version changes
// with every change that can change a number.
const version = "9"

// Machine builds the machine of a design, on the lattice or off it, whose
// buffers give the array networkBytes instead of NetworkBytes.
func (s Spec) Machine(design []int64, networkBytes float64) Machine {
	k := declared(&s)
	k.network = networkBytes
	return k.machine(design)
}

// template puts the accelerator into the frame.
func (s Spec) template() *frame.Spec {
	return &frame.Spec{
		Name: s.Name, Version: cmp.Or(s.Version, version), Doc: s.Doc, Params: s.Params, Features: s.Features, Metrics: s.Metrics, Sparse: s.Sparse,
		OtherPresets: s.Presets,
		BaselineDoc:  "the published chip, or the design of the space nearest to it",
		Declare:      func() frame.Constants { return declared(&s) },
	}
}

// All returns every template of this build, the product's own first.
func All() []*frame.Spec {
	all := []*frame.Spec{edge.Spec()}
	for _, s := range Specs() {
		all = append(all, s.template())
	}
	return all
}

// Named returns the template with the name; false when there is none.
func Named(name string) (*frame.Spec, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

// onChipMemory is a feature that adds the sizes of memories.
func onChipMemory(params ...string) evaluator.Feature {
	f := evaluator.Feature{Name: "on_chip_memory", Unit: "B"}
	for _, p := range params {
		f.Terms = append(f.Terms, evaluator.Term{Times: []string{p}})
	}
	return f
}

// bandwidth is the off-chip interface, which every template has.
func bandwidth(baseline float64) frame.Param {
	p := frame.Count("io_bandwidth", "Bandwidth of the off-chip interface.", baseline, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9)
	p.Unit = "B/s"
	return p
}

const kib = 1 << 10
