package template

import (
	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/tech"
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
	// Build makes the machine of a design: one number per parameter, whole and
	// at least 1; of a categorical parameter the index of its label.
	Build func(design []int64) Machine
}

// Param is one parameter of a template.
type Param struct {
	space.Param
	// Doc is one sentence; Baseline is the value of the published chip, or the
	// level nearest to it.
	Doc      string
	Baseline space.Value
}

// Machine is a design made ready for evaluating layers.
type Machine struct {
	// ClockHz is the clock.
	ClockHz int64
	// IORate is the off-chip bandwidth in bytes per 1000 cycles.
	IORate int64
	// Units is the number of multiply-accumulate units, which also bounds the
	// elements per cycle of layers without multiplications.
	Units int64
	// Area lists the parts in mm²; LeakageW is the memories' static power.
	Area     []Part
	LeakageW float64
	// Map finds a mapping of a layer. Misfit is nil when there is one.
	Map func(p *model.Problem) (Cost, *Misfit)
}

// Part is a named number of a breakdown.
type Part struct {
	Name  string
	Value float64
}

// Cost is what a layer takes.
type Cost struct {
	// Cycles is its time, OffChip the bytes over the chip's border, which the
	// time contains; EnergyPJ the dynamic energy with off-chip transfers.
	Cycles, OffChip int64
	EnergyPJ        float64
}

// Misfit says why no mapping of a layer fits a machine.
type Misfit struct {
	// Code is a snake_case word, What says what is needed, Param the parameter
	// that would have to grow.
	Code, What, Param string
	Need, Have        int64
	Unit              string
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

// total is a feature that adds parameters of one unit.
func total(name, unit string, params ...string) evaluator.Feature {
	f := evaluator.Feature{Name: name, Unit: unit}
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

// chip collects the parts of a machine.
type chip struct {
	node     tech.Node
	area     []Part
	leakageW float64
}

func newChip() *chip { return &chip{node: tech.Node22()} }

// memory adds instances of a memory and returns one of them.
func (c *chip) memory(name string, size, instances int64) tech.SRAM {
	const wattsPerMilliwatt = 1e-3
	m := c.node.SRAM(float64(size))
	c.area = append(c.area, Part{name, m.AreaMM2 * float64(instances)})
	c.leakageW += m.LeakageMW * wattsPerMilliwatt * float64(instances)
	return m
}

// units adds multiply-accumulate units with the registers of one, in bits.
func (c *chip) units(n, registerBits int64) {
	c.area = append(c.area,
		Part{"arithmetic", float64(n) * (c.node.MultiplyMM2 + c.node.AddMM2)},
		Part{"registers", float64(n) * float64(registerBits) * c.node.RegisterBitMM2})
}

// controlShare is clock tree, wiring and control as a share of everything
// else: the middle of the 15 to 30 % that layouts report; see
// docs/model.md#area.
const controlShare = 0.20

// ioMM2PerGBps is the off-chip interface, as in evaluator/edge.
const ioMM2PerGBps = 0.012

// machine completes the collection.
func (c *chip) machine(clockHz, ioBytesPerSecond, units int64) Machine {
	const giga = 1e9
	c.area = append(c.area, Part{"io", float64(ioBytesPerSecond) / giga * ioMM2PerGBps})
	var rest float64
	for _, p := range c.area {
		rest += p.Value
	}
	c.area = append(c.area, Part{"network_and_control", controlShare * rest})
	const milli = 1000
	return Machine{
		ClockHz: clockHz, IORate: max(ioBytesPerSecond/(clockHz/milli), 1), Units: units,
		Area: c.area, LeakageW: c.leakageW,
	}
}

// ioCycles returns the time of off-chip transfers.
func (m *Machine) ioCycles(bytes int64) int64 {
	const milli = 1000
	return model.CeilDiv(bytes*milli, m.IORate)
}
