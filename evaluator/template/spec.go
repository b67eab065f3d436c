package template

import (
	"apollo/evaluator"
	"apollo/optimizer/space"
)

// Spec is one template.
type Spec struct {
	// Name is what studies write; Doc one paragraph for people with its source.
	Name, Doc string
	// Params are the parameters in order.
	Params []Param
	// Features are numbers derived from the parameters, for models of a search.
	Features []evaluator.Feature
	// ClockHz is the clock of every design.
	ClockHz int64
	// Build makes the machine of a design out of a chip's parts: one number per
	// parameter, whole and at least 1; of a categorical parameter the index of
	// its label.
	Build func(c *chip, design []int64) Machine
}

// Param is one parameter of a template.
type Param struct {
	space.Param
	// Doc is one sentence; Baseline is the value of the published chip, or the
	// level nearest to it.
	Doc      string
	Baseline space.Value
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
	}
}

// All returns the templates as studies see them.
func All() []evaluator.Template {
	var all []evaluator.Template
	for _, s := range Specs() {
		t := evaluator.Template{Name: s.Name, Doc: s.Doc, Features: s.Features, Backend: backend{s}}
		for _, p := range s.Params {
			t.Params = append(t.Params, p.Param)
			t.ParamDocs = append(t.ParamDocs, p.Doc)
			t.Baseline = append(t.Baseline, p.Baseline)
		}
		all = append(all, t)
	}
	return all
}

// count is a parameter without a unit, bytes one in bytes.
func count(name, doc string, baseline float64, values ...float64) Param {
	return Param{Param: space.Param{Name: name, Values: values}, Doc: doc, Baseline: space.Value{Num: baseline}}
}

func bytes(name, doc string, baseline float64, values ...float64) Param {
	p := count(name, doc, baseline, values...)
	p.Unit = "B"
	return p
}

// derived is a feature of one term: the parameters times over those under.
func derived(name, unit string, times, over []string) evaluator.Feature {
	return evaluator.Feature{Name: name, Unit: unit, Terms: []evaluator.Term{{Times: times, Over: over}}}
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
func bandwidth(baseline float64) Param {
	p := count("io_bandwidth", "Bandwidth of the off-chip interface.", baseline, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9)
	p.Unit = "B/s"
	return p
}

const kib = 1 << 10

// powers returns the powers of two from low to high.
func powers(low, high float64) []float64 {
	var v []float64
	for ; low <= high; low *= 2 {
		v = append(v, low)
	}
	return v
}
