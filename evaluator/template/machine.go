package template

import (
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// Machine is a design made ready for evaluating layers.
type Machine struct {
	// ClockHz is the clock.
	ClockHz int64
	// IORate is the off-chip bandwidth in bytes per 1000 cycles.
	IORate int64
	// Units is the number of multiply-accumulate units, which also bounds the
	// elements per cycle of layers without multiplications.
	Units int64
	// Area lists the parts in mm²; LeakageW is the memories' static power, ClockW
	// that of the clock network of the rest.
	Area             report.Breakdown
	LeakageW, ClockW float64
	// Axes are those of an array whose wires are parameters.
	Axes []report.Axis
	// AddPJ and DRAMPJPerByte are the energies of layers without
	// multiplications.
	AddPJ, DRAMPJPerByte float64
	// Arch is the hierarchy that mappings are written for.
	Arch model.Arch
	// Flow finds mappings and knows their cost.
	Flow Dataflow
}

// Dataflow is what a machine's wires and controllers can do with a layer. It is
// safe for concurrent use.
type Dataflow interface {
	// Find writes the best mapping for a goal that it finds into m. Misfit is nil
	// when there is one.
	Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit)
	// Detail returns the cost of a mapping in parts, for a mapping of Find the
	// same as Find's. The error says why the mapping is none of this machine's:
	// what does not fit with need and have, what does not cover the layer, or
	// which loop the machine cannot have there.
	Detail(p *model.Problem, m *model.Mapping) (Detail, error)
	// Nest returns the problem whose loops mappings split: the layer itself, or
	// what the machine makes of it.
	Nest(p *model.Problem) model.Problem
}

// Cost is what a layer takes.
type Cost struct {
	// Cycles is its time, OffChip the bytes over the chip's border, which the
	// time contains; EnergyPJ the dynamic energy with off-chip transfers.
	Cycles, OffChip int64
	EnergyPJ        float64
	// PeakPJ is the energy in a cycle of the layer that draws most, in a sum of layers.
	PeakPJ float64
	// inputs is what the loops of a layer bring of its inputs over the border.
	inputs int64
	needs  needs
	loops  bare
}

// bare is what the loops of a layer take, whatever of it crosses the border.
type bare struct {
	cycles int64
	pj     float64
}

// needs are the times that units, on-chip memories and interface need for a layer,
// which overlap.
type needs struct{ compute, memory, io int64 }

// Detail is a Cost by parts.
type Detail struct {
	Cost
	// Compute, Memory and IO are the time of the units, of on-chip memories and of
	// the interface: of those that overlap the longest has all of it, because the
	// others wait for it. Serial is what nothing hides. They sum to Cycles.
	Compute, Memory, IO, Serial int64
	// Bottleneck names the largest of them.
	Bottleneck string
	// Energy sums to EnergyPJ; Bytes is what each level moves.
	Energy   report.Breakdown
	Bytes    report.Counts
	Accesses []report.Access
}

// Misfit says why no mapping of a layer fits a machine.
type Misfit struct {
	// Code is a snake_case word, What says what is needed, Param the parameter
	// that would have to grow.
	Code, What, Param string
	Need, Have        int64
	Unit              string
}

// split fills the parts of the time; what nothing that is needed takes is serial.
// Of equal times the first counts.
func (d *Detail) split() {
	compute, memory := d.needs.compute, d.needs.memory
	d.Compute, d.Memory, d.IO = 0, 0, 0
	longest := min(max(compute, memory, d.needs.io), d.Cycles)
	d.Serial = d.Cycles - longest
	switch longest {
	case min(compute, d.Cycles):
		d.Compute, d.Bottleneck = longest, "compute"
	case min(memory, d.Cycles):
		d.Memory, d.Bottleneck = longest, "on-chip memory"
	default:
		d.IO, d.Bottleneck = longest, "off-chip interface"
	}
	if d.Serial > longest {
		d.Bottleneck = "serial"
	}
}

// ioCycles returns the time of off-chip transfers.
func (m *Machine) ioCycles(bytes int64) int64 {
	const milli = 1000
	return model.CeilDiv(bytes*milli, m.IORate)
}

// Fastest writes the fastest mapping that the machine finds into found.
func (m *Machine) Fastest(p *model.Problem, found *model.Mapping) (Cost, *Misfit) {
	return m.Flow.Find(p, leastTime(), found)
}

// Cheapest writes the mapping of the least dynamic energy that the machine finds
// into found.
func (m *Machine) Cheapest(p *model.Problem, found *model.Mapping) (Cost, *Misfit) {
	return m.Flow.Find(p, leastEnergy(), found)
}
