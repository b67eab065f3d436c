// Package report is what the tools that look at one design are told about it,
// in one shape for every template: where time, energy and area go, layer by
// layer, and what its mappings are.
package report

import (
	"bytes"
	"encoding/json"
	"slices"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/number"
	"apollo/optimizer/space"
)

// Point is a design of a template. Its values need not be levels of the space.
type Point struct {
	// Preset is the named design that it started from, which may have more than
	// the parameters, a clock for one.
	Preset string
	// Values holds one value per parameter, in order.
	Values []space.Value
}

// Preset is a named design.
type Preset struct {
	Name string
	// Values holds one value per parameter; Doc says what it is.
	Values []space.Value
	Doc    string
}

// Design is the detailed answer for one design.
type Design struct {
	Template string `json:"template"`
	Version  string `json:"version"`
	// Design has the parameters, and what a preset has beyond them.
	Design Fields `json:"design"`
	// ClockHz is the clock, MACsPerCycle and PeakTOPS the peak rate,
	// IOBandwidth the off-chip bandwidth in bytes per second.
	ClockHz      int64   `json:"clock_hz"`
	MACsPerCycle int64   `json:"macs_per_cycle"`
	PeakTOPS     float64 `json:"peak_tops"`
	IOBandwidth  int64   `json:"io_bandwidth"`
	Feasible     bool    `json:"feasible"`
	// Reason is nil for a feasible design.
	Reason  *Reason   `json:"reason"`
	Metrics Metrics   `json:"metrics"`
	Area    Breakdown `json:"area"`
	// Array has the axes of an array whose wires are parameters; others have none.
	Array []Axis `json:"array,omitempty"`
	// Memories has those on the chip between its border and the units of Array, the
	// outermost first.
	Memories []Memory `json:"memories,omitempty"`
	// Networks and Layers are empty for an infeasible design. Layers holds the
	// layers of all networks in order.
	Networks []Network `json:"networks"`
	Layers   []Layer   `json:"layers"`
}

// Axis is an axis of an array: the loops that it spreads, a letter each, and the wires of the
// lines of units along it.
type Axis struct {
	Loop  string `json:"loop"`
	Units int64  `json:"units"`
	// Groups says that groups take the lanes that the loop leaves.
	Groups bool `json:"groups"`
	// Weights, Inputs and Outputs are the wires of an operand: Broadcast, Bus, Links or
	// Tree.
	Weights string `json:"weights"`
	Inputs  string `json:"inputs"`
	Outputs string `json:"outputs"`
	// WeightBits, InputBits and SumBits are the widths of these wires.
	WeightBits int64 `json:"weight_bits"`
	InputBits  int64 `json:"input_bits"`
	SumBits    int64 `json:"sum_bits"`
	// LengthMM is that of a line, Cycles what a word takes along it.
	LengthMM float64 `json:"length_mm"`
	Cycles   int64   `json:"cycles"`
}

// The wires of an axis.
const (
	Broadcast = "broadcast" // all units get a word at once
	Bus       = "bus"       // a word is one unit's
	Links     = "links"     // a bus, and units pass words on to their neighbours
	Tree      = "tree"      // the units' sums are added up
	Multicast = "multicast" // some of the units get a word at once
	Trees     = "trees"     // the sums of some of the units are added up, and a bus takes each
)

// Memory is a memory of which a chip has some instances.
type Memory struct {
	Name      string `json:"name"`
	Bytes     int64  `json:"bytes"`
	Instances int64  `json:"instances"`
	// BytesPerCycle is what it gives, and takes, in a cycle; 0 says that nothing
	// waits for it.
	BytesPerCycle float64 `json:"bytes_per_cycle,omitempty"`
}

// Reason is evaluator.Reason with the names of the wire.
type Reason struct {
	Code    string  `json:"code"`
	Layer   string  `json:"layer"`
	Need    float64 `json:"need"`
	Have    float64 `json:"have"`
	Unit    string  `json:"unit"`
	Message string  `json:"message"`
}

// ReasonOf translates a reason; nil stays nil.
func ReasonOf(r *evaluator.Reason) *Reason {
	if r == nil {
		return nil
	}
	return &Reason{Code: r.Code, Layer: r.Layer, Need: r.Need, Have: r.Have, Unit: r.Unit, Message: r.Message}
}

// Metric is a metric of a design; Value is nil where there is none.
type Metric struct {
	evaluator.Metric
	Value *float64
}

// Metrics are the metrics of a design in the order of its template; in JSON an
// object.
type Metrics []Metric

// Of returns the value of the metric with the name, nil when there is none.
func (m Metrics) Of(name string) *float64 {
	for i := range m {
		if m[i].Name == name {
			return m[i].Value
		}
	}
	return nil
}

// fields are the values by name.
func (m Metrics) fields() Fields {
	f := Fields{}
	for i := range m {
		f = append(f, Field{m[i].Name, m[i].Value})
	}
	return f
}

// MarshalJSON writes the values in order.
func (m Metrics) MarshalJSON() ([]byte, error) { return m.fields().MarshalJSON() }

// Network is one network's totals.
type Network struct {
	Name   string
	Weight float64
	// Runs is how often it runs where it is a phase of one that generates tokens,
	// else 1. All numbers are those of one time.
	Runs int64
	MACs int64
	// Metrics are those that depend on a network.
	Metrics Metrics
	// Utilisation is the share of the peak rate over the whole latency.
	Utilisation float64
	Latency     Latency
	Energy      Breakdown
	Power       Power
	// ProgramEntries of the instruction memory hold the program, 0 where a
	// template has none. OffChipBytes cross the chip's border.
	ProgramEntries, OffChipBytes int64
	// Crossing says what they are, where a template knows; they sum to them.
	Crossing Counts
	// Roofline is where the whole network stands.
	Roofline Roofline
}

// MarshalJSON writes the metrics among the other numbers.
func (n *Network) MarshalJSON() ([]byte, error) {
	f := Fields{{"name", n.Name}, {"weight", n.Weight}}
	if n.Runs > 1 {
		f = append(f, Field{"runs", n.Runs})
	}
	f = append(append(f, Field{"macs", n.MACs}), n.Metrics.fields()...)
	f = append(f, Field{"utilisation", n.Utilisation}, Field{"latency", &n.Latency}, Field{"energy", n.Energy}, Field{"power", &n.Power})
	if n.ProgramEntries > 0 {
		f = append(f, Field{"program_entries", n.ProgramEntries})
	}
	f = append(f, Field{"off_chip_bytes", n.OffChipBytes})
	if len(n.Crossing) > 0 {
		f = append(f, Field{"crossing_bytes", n.Crossing})
	}
	return append(f, Field{"roofline", &n.Roofline}).MarshalJSON()
}

// Power is what a network draws, in W: in the mean over its run, and in the layer
// that draws most. What is no layer's (clock, leakage) is spread evenly over the
// time, so bursts within a layer are not seen.
type Power struct {
	Mean      float64 `json:"mean_w"`
	Peak      float64 `json:"peak_w"`
	PeakLayer string  `json:"peak_layer"`
}

// NewPower is the power of layers that take so many joules together, with all that
// is no layer's, in so many seconds.
func NewPower(layers []Layer, joules, seconds float64) Power {
	rest := joules
	for i := range layers {
		rest -= layers[i].EnergyJ
	}
	p := Power{Mean: joules / seconds}
	for i := range layers {
		l := &layers[i]
		if l.LatencySeconds <= 0 {
			continue
		}
		if w := l.EnergyJ/l.LatencySeconds + rest/seconds; w > p.Peak {
			p.Peak, p.PeakLayer = w, l.ID
		}
	}
	return p
}

// Latency says what the latency is spent on, in s. Total is the sum of the
// others.
type Latency struct {
	// Compute is the time of the multipliers, Memory that of on-chip memories and
	// wires, IO that of off-chip transfers. Where they overlap, all of it counts
	// for the one that takes longest, because the others wait for it.
	Compute float64 `json:"compute_s"`
	Memory  float64 `json:"memory_s"`
	IO      float64 `json:"io_s"`
	// Instruction is the time of issuing work.
	Instruction float64 `json:"instruction_s"`
	// Serial is what nothing hides: starting, filling and draining.
	Serial float64 `json:"serial_s"`
	Total  float64 `json:"total_s"`
}

// Parts lists the parts by name, without the total.
func (l *Latency) Parts() []Part {
	return []Part{{"compute", l.Compute}, {"memory", l.Memory}, {"I/O", l.IO}, {"instructions", l.Instruction}, {"serial", l.Serial}}
}

// Layer is one layer of one network.
type Layer struct {
	Network string `json:"network"`
	ID      string `json:"id"`
	Op      string `json:"op"`
	MACs    int64  `json:"macs"`
	// Cycles is the layer's time; the five numbers after it are its split.
	Cycles            int64   `json:"cycles"`
	ComputeCycles     int64   `json:"compute_cycles"`
	MemoryCycles      int64   `json:"memory_cycles"`
	IOCycles          int64   `json:"io_cycles"`
	InstructionCycles int64   `json:"instruction_cycles"`
	SerialCycles      int64   `json:"serial_cycles"`
	LatencySeconds    float64 `json:"latency_s"`
	// Utilisation is the share of the peak rate over Cycles.
	Utilisation float64 `json:"utilisation"`
	// Bottleneck names what the layer waits for.
	Bottleneck string `json:"bottleneck"`
	// Bytes is what each level moves, reads and writes together; off_chip is
	// what crosses the chip's border.
	Bytes Counts `json:"bytes"`
	// Crossing is what of it crosses, where a template knows; it sums to off_chip.
	Crossing Counts `json:"crossing_bytes,omitempty"`
	// Accesses is the mapping's traffic per level and operand; empty for layers
	// without multiplications.
	Accesses []Access `json:"accesses"`
	Roofline Roofline `json:"roofline"`
	// EnergyJ is the dynamic energy.
	EnergyJ float64 `json:"energy_j"`
	// Mapping is the loop nest; Given says that the user gave it.
	Mapping string `json:"mapping"`
	Given   bool   `json:"mapping_given,omitempty"`
	// Counts has what a template counts beside: bands, tiles.
	Counts Counts `json:"counts,omitempty"`
	// Mapped is the mapping on its hierarchy; nil for layers without
	// multiplications.
	Mapped *Mapped `json:"-"`
}

// OffChip is the name of the level outside in Bytes.
const OffChip = "off_chip"

// Roofline is where a layer, or a network, stands under the chip's roofline:
// S. Williams et al., "Roofline", CACM 52(4), 2009.
type Roofline struct {
	// Intensity is the multiply-accumulates per byte that crosses the chip's
	// border.
	Intensity float64 `json:"macs_per_byte"`
	// Attainable is what the chip's peak rate and its off-chip bandwidth allow
	// at this intensity, Achieved what the layer does, in MAC/s.
	Attainable float64 `json:"attainable_macs_per_s"`
	Achieved   float64 `json:"achieved_macs_per_s"`
	// Bound is "compute" or "off-chip bandwidth": which of the two is lower.
	Bound string `json:"bound"`
}

// NewRoofline places work of so many multiplications, bytes and seconds under
// the roofline of a peak rate in MAC/s and a bandwidth in bytes per second.
func NewRoofline(macs, offChip int64, seconds, peak, bandwidth float64) Roofline {
	r := Roofline{Attainable: peak, Bound: "compute"}
	if seconds > 0 {
		r.Achieved = float64(macs) / seconds
	}
	if offChip > 0 {
		r.Intensity = float64(macs) / float64(offChip)
		if slope := r.Intensity * bandwidth; slope < r.Attainable {
			r.Attainable, r.Bound = slope, "off-chip bandwidth"
		}
	}
	return r
}

// Access is the traffic of one operand at one level of the hierarchy, in
// elements over all instances of the level.
type Access struct {
	Level   string `json:"level"`
	Operand string `json:"operand"`
	// Reads leave the level for the one below, Fills arrive from above; outputs
	// also arrive from below (Updates) and leave for above (Drains).
	Reads   int64 `json:"reads"`
	Fills   int64 `json:"fills"`
	Updates int64 `json:"updates"`
	Drains  int64 `json:"drains"`
}

// Accesses lists what a mapping moves, level by level.
func Accesses(a *model.Arch, e *model.Result) []Access {
	var out []Access
	for i := range a.Levels {
		for o := range model.Operands {
			if !a.Level[i].Keeps[o] {
				continue
			}
			x := &e.Access[i][o]
			out = append(out, Access{a.Level[i].Name, o.String(), x.Reads, x.Fills, x.Updates, x.Drains})
		}
	}
	return out
}

// Mapped is a layer with multiplications, as a loop nest on a hierarchy.
type Mapped struct {
	Network, Layer string
	Problem        model.Problem
	Arch           model.Arch
	Mapping        model.Mapping
	// CycleSeconds is the time of a cycle.
	CycleSeconds float64
	// Weights, Activations, Outputs and Sums are the formats of the layer's numbers;
	// activations are its inputs.
	Weights, Activations, Outputs, Sums number.Format
	// Packed says that two elements of up to four bits share a byte.
	Packed bool
}

// Constant is a declared number of a model that a sensitivity study moves.
type Constant struct {
	// Name is snake_case, Unit as in the declaration; factors have none.
	Name, Unit string
	// Value is the declared one.
	Value float64
}

// Part is a named number of a breakdown.
type Part struct {
	Name  string
	Value float64
}

// Breakdown is a number by parts. In JSON it is an object of the parts by name,
// and their sum as "total".
type Breakdown []Part

// Total returns the sum of the parts.
func (b Breakdown) Total() float64 {
	var sum float64
	for _, p := range b {
		sum += p.Value
	}
	return sum
}

// Of returns the part with the name, nil where there is none: not every breakdown of a
// template has all parts, nor in the same places.
func (b Breakdown) Of(name string) *float64 {
	if i := slices.IndexFunc(b, func(p Part) bool { return p.Name == name }); i >= 0 {
		return &b[i].Value
	}
	return nil
}

// Parts returns a copy of the parts.
func (b Breakdown) Parts() []Part { return slices.Clone(b) }

// MarshalJSON writes the parts in order, then the total.
func (b Breakdown) MarshalJSON() ([]byte, error) {
	f := make(Fields, 0, len(b)+1)
	for _, p := range b {
		f = append(f, Field{p.Name, p.Value})
	}
	return append(f, Field{"total", b.Total()}).MarshalJSON()
}

// Count is a named whole number.
type Count struct {
	Name  string
	Value int64
}

// Counts are named whole numbers; in JSON an object.
type Counts []Count

// Of returns the number with the name, 0 when there is none.
func (c Counts) Of(name string) int64 {
	for _, x := range c {
		if x.Name == name {
			return x.Value
		}
	}
	return 0
}

// Total returns the sum of the numbers.
func (c Counts) Total() int64 {
	var sum int64
	for _, x := range c {
		sum += x.Value
	}
	return sum
}

// Plus returns the sums, name by name, with numbers of the same names; c may be
// empty.
func (c Counts) Plus(o Counts) Counts {
	sum := slices.Clone(o)
	for i := range c {
		sum[i].Value += c[i].Value
	}
	return sum
}

// MarshalJSON writes the numbers in order.
func (c Counts) MarshalJSON() ([]byte, error) {
	f := make(Fields, 0, len(c))
	for _, x := range c {
		f = append(f, Field{x.Name, x.Value})
	}
	return f.MarshalJSON()
}

// Field is a named value.
type Field struct {
	Name  string
	Value any
}

// Fields are an object whose keys keep their order.
type Fields []Field

// MarshalJSON writes the fields in order. Whether what HTML would misread is
// escaped is left to the encoder around it.
func (f Fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, x := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(x.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(x.Value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// FieldsOf returns a design's values by name: numbers, and the labels of
// categorical parameters.
func FieldsOf(params []space.Param, values []space.Value) Fields {
	var f Fields
	for i, p := range params {
		if p.Categorical() {
			f = append(f, Field{p.Name, values[i].Label})
			continue
		}
		f = append(f, Field{p.Name, values[i].Num})
	}
	return f
}

// Given is a mapping that a user gives for a layer.
type Given struct {
	// Network is "" for the layer of this id in every network.
	Network, Layer string
	// Nest is the loop nest, as Layer.Mapping has it.
	Nest string
	// Or are nests of which one may be taken in its place: the best that the machine can
	// run is.
	Or []string
}

// For reports whether the mapping is for a layer.
func (g *Given) For(network, layer string) bool {
	return g.Layer == layer && (g.Network == "" || g.Network == network)
}

// Of returns the mapping that is given for a layer, or nil; a mapping with the
// network's name comes before one without.
func Of(given []Given, network, layer string) *Given {
	var found *Given
	for i := range given {
		if g := &given[i]; g.For(network, layer) && (found == nil || g.Network != "") {
			found = g
		}
	}
	return found
}
