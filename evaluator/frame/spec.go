// Package frame makes a template out of what only it knows. A Spec names its
// parameters, constants and metrics and gives a Model: how long a design takes
// for each network, and where the time goes. The frame does the rest, once for
// all templates: it binds tasks, checks networks, means over them, moves
// constants, answers the tools that look at single designs, and bounds partial
// designs for proofs.
package frame

import (
	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// Spec is one template.
type Spec struct {
	// Name is what studies write; Version changes with every change that can
	// change a number; Doc is one paragraph for people with its source.
	Name, Version, Doc string
	// Params are the parameters in order, at most MaxParams.
	Params []Param
	// Features are numbers derived from the parameters, for models of a search.
	Features []evaluator.Feature
	// BaselineDoc says what the baseline is. OtherPresets are the named designs
	// besides it.
	BaselineDoc  string
	OtherPresets []report.Preset
	// Metrics are what the template measures; nil means those of Metrics.
	Metrics []Metric
	// Declare returns the constants as they are declared.
	Declare func() Constants
	// Sparse are the ways in which machines use that weights are zero.
	Sparse Sparse
	// Fixed says why no mapping can be given for a layer; "" means that one can.
	Fixed string
	// Codes are the codes of reasons, cheapest check first, and Targets the
	// built-in networks that the space is searched for: a landscape needs both.
	Codes, Targets []string
	// MapperGoal is what Inspect and its like map layers for; "" is latency.
	MapperGoal evaluator.MapperGoal
	// Asked are the metrics on request that Inspect and its like measure.
	Asked []evaluator.Metric

	choice *evaluator.Choice
}

// Choosing returns the template for designs that run one of several networks. Their
// values of the choice stand behind those of Params.
func (s *Spec) Choosing(c *evaluator.Choice) *Spec {
	own := *s
	own.choice = c
	return &own
}

// Sparse are ways to use that weights are zero.
type Sparse struct {
	// Blocks: of blocks of weights only those that count are stored and
	// multiplied. Masked: weights that are zero are not stored; their products
	// still take time.
	Blocks, Masked bool
}

// Param is one parameter of a template.
type Param struct {
	space.Param
	// Doc is one sentence; Baseline is the value of the published chip, or the
	// level nearest to it.
	Doc      string
	Baseline space.Value
	// When is an expression of the rules' language over other parameters: where it
	// is false the parameter means nothing and stays at its first level. "" for one
	// that always means something.
	When string
}

// Count is a parameter without a unit.
func Count(name, doc string, baseline float64, values ...float64) Param {
	return Param{Param: space.Param{Name: name, Values: values}, Doc: doc, Baseline: space.Value{Num: baseline}}
}

// Bytes is a parameter in bytes.
func Bytes(name, doc string, baseline float64, values ...float64) Param {
	p := Count(name, doc, baseline, values...)
	p.Unit = "B"
	return p
}

// Powers returns low, twice low and so on, up to high.
func Powers(low, high float64) []float64 {
	var v []float64
	for ; low <= high; low *= 2 {
		v = append(v, low)
	}
	return v
}

// MaxParams is how many parameters a template can have: designs are passed by
// value, so that checking one allocates nothing.
const MaxParams = 12

// Design is a design as models read it.
type Design struct {
	// Values are in the template's order: whole numbers from 1 to 2^40, of a
	// categorical parameter the index of its label.
	Values [MaxParams]int64
	// Preset is the preset that it started from, which may have more than the
	// parameters; "" for the designs of a study.
	Preset string
}

// Task is what a model is bound to.
type Task struct {
	// Params are the template's parameters in its order, with the task's levels.
	Params   []space.Param
	Networks []Network
	// MapperGoal is what mappings are chosen for.
	MapperGoal evaluator.MapperGoal
	// Peak says that Totals.PeakWatts is wanted. Without it a model need not know it.
	Peak bool
}

// Network is a network that was checked: it has a name that no other has, and a
// layer.
type Network struct {
	Name     string
	Weight   float64
	Workload *workload.Workload
	// Layers leaves out views, which are free.
	Layers []Layer
}

// Layer is a layer that does something.
type Layer struct {
	*workload.Layer
	// At is its index in the workload.
	At int
}

// Machine is what metrics and the roofline know of a design.
type Machine struct {
	ClockHz, MACsPerCycle int64
	// IOBandwidth is the off-chip bandwidth in bytes per second.
	IOBandwidth int64
	AreaMM2     float64
}

// Totals is what one network takes.
type Totals struct {
	Cycles          int64
	Seconds, Joules float64
	// PeakWatts is what the layer that draws most takes, with clock and leakage: what
	// report.NewPower says.
	PeakWatts float64
}

// Constants are what the machines of a template are made with beyond their
// parameters.
type Constants interface {
	// Rows lists them, with pointers to where they live.
	Rows() []Constant
	// Bind makes the model of a task with the constants as they are now. The
	// error names a network and what is wrong with it.
	Bind(t Task) (Model, error)
}

// Model is a template bound to networks. It is safe for concurrent use.
type Model interface {
	// Measure writes what each network takes, or says why the design cannot run
	// them. Without totals it only tells the machine, which is fast and allocates
	// nothing where designs are checked by the dozen.
	Measure(d Design, totals []Totals) (Machine, *evaluator.Reason)
	// Broken returns every reason for which the design cannot run the networks, in
	// the order in which Measure finds the first; quick leaves out those that take
	// a mapping to find.
	Broken(d Design, quick bool) []*evaluator.Reason
	// Explain says where area, time and energy go. The error is for a given
	// mapping that is none of the machine's.
	Explain(d Design, given []report.Given) (Explained, error)
}

// Explained is a design in parts.
type Explained struct {
	Machine Machine
	Area    report.Breakdown
	// Array and Memories are there for an array whose wires are parameters.
	Array    []report.Axis
	Memories []report.Memory
	// Beyond is what the design's preset has beyond the parameters.
	Beyond report.Fields
	// Reason is nil for a feasible design; another one has no networks.
	Reason   *evaluator.Reason
	Networks []NetworkParts
}

// NetworkParts is one network in parts.
type NetworkParts struct {
	Totals
	Energy report.Breakdown
	// ProgramEntries of an instruction memory hold the program, 0 where there is
	// none.
	ProgramEntries int64
	// Crossing is what crosses the chip's border by kind, where the model knows.
	Crossing report.Counts
	// Layers are those of Network.Layers. The frame fills in names, latency,
	// utilisation and roofline.
	Layers []report.Layer
}

// Template returns the template as studies see it.
func (s *Spec) Template() evaluator.Template {
	t := evaluator.Template{Name: s.Name, Doc: s.Doc, Features: s.Features, Params: s.params(), Backend: backend{s}}
	for _, p := range s.Params {
		t.ParamDocs, t.When = append(t.ParamDocs, p.Doc), append(t.When, p.When)
		t.Baseline = append(t.Baseline, p.Baseline)
	}
	return t.Choosing(s.choice)
}

func (s *Spec) params() []space.Param {
	var list []space.Param
	for _, p := range s.Params {
		list = append(list, p.Param)
	}
	return list
}
