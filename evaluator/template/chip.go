package template

import (
	"fmt"
	"math"
	"strings"

	"apollo/evaluator/report"
	"apollo/evaluator/tech"
)

// Declared constants that all templates share.
const (
	// controlShare is clock tree, wiring and control as a share of everything
	// else: the middle of the 15 to 30 % that layouts report; see
	// docs/model.md#area.
	controlShare = 0.20
	// ioMM2PerGBps is the off-chip interface, as in evaluator/edge.
	ioMM2PerGBps = 0.012
	// registerPJ is the energy of reading or writing a byte of a register, in
	// pJ, as in evaluator/edge.
	registerPJ = 0.01
)

// constants are what machines are made with beyond their parameters, as data,
// so that a sensitivity study can move them. What is structure stays: widths of
// operands, states of a unit, and the fitted times of evaluator/gemmini.
type constants struct {
	clock                                  float64
	controlShare, ioMM2PerGBps, registerPJ float64
	node                                   tech.Node
	sramArea, sramEnergy, sramLeakage      float64
}

func declared(s *Spec) constants {
	return constants{
		clock: float64(s.ClockHz), controlShare: controlShare, ioMM2PerGBps: ioMM2PerGBps, registerPJ: registerPJ,
		node: tech.Node22(), sramArea: 1, sramEnergy: 1, sramLeakage: 1,
	}
}

// variable is a constant with the place where it lives.
type variable struct {
	name, unit string
	of         func(*constants) *float64
}

func variables() []variable {
	return []variable{
		{"clock", "Hz", func(k *constants) *float64 { return &k.clock }},
		{"io_area", "mm2 per GB/s", func(k *constants) *float64 { return &k.ioMM2PerGBps }},
		{"control_share", "", func(k *constants) *float64 { return &k.controlShare }},
		{"multiply_area", "mm2", func(k *constants) *float64 { return &k.node.MultiplyMM2 }},
		{"add_area", "mm2", func(k *constants) *float64 { return &k.node.AddMM2 }},
		{"register_area", "mm2", func(k *constants) *float64 { return &k.node.RegisterBitMM2 }},
		{"sram_area", "", func(k *constants) *float64 { return &k.sramArea }},
		{"multiply_energy", "pJ", func(k *constants) *float64 { return &k.node.MultiplyPJ }},
		{"add_energy", "pJ", func(k *constants) *float64 { return &k.node.AddPJ }},
		{"register_energy", "pJ/B", func(k *constants) *float64 { return &k.registerPJ }},
		{"hop_energy", "pJ/B", func(k *constants) *float64 { return &k.node.HopPJPerByte }},
		{"off_chip_energy", "pJ/B", func(k *constants) *float64 { return &k.node.DRAMPJPerByte }},
		{"sram_energy", "", func(k *constants) *float64 { return &k.sramEnergy }},
		{"sram_leakage", "", func(k *constants) *float64 { return &k.sramLeakage }},
	}
}

// move multiplies the named constant and returns its new value; "" moves none.
func (k *constants) move(name string, factor float64) (float64, error) {
	if name == "" {
		return 0, nil
	}
	if !(factor > 0) || math.IsInf(factor, 0) {
		return 0, fmt.Errorf("constant %s: the factor is %g, want a positive number", name, factor)
	}
	var names []string
	for _, v := range variables() {
		if v.name == name {
			at := v.of(k)
			*at *= factor
			return *at, nil
		}
		names = append(names, v.name)
	}
	return 0, fmt.Errorf("there is no constant %q; there are: %s", name, strings.Join(names, ", "))
}

// chip collects the parts of a machine.
type chip struct {
	constants
	area     report.Breakdown
	leakageW float64
}

// machine builds a design's machine.
func (s *Spec) machine(k *constants, design []int64) Machine {
	return s.Build(&chip{constants: *k}, design)
}

// memory adds instances of a memory and returns one of them.
func (c *chip) memory(name string, size, instances int64) tech.SRAM {
	const wattsPerMilliwatt = 1e-3
	m := c.node.SRAM(float64(size))
	m.ReadPJPerByte *= c.sramEnergy
	m.WritePJPerByte *= c.sramEnergy
	c.area = append(c.area, report.Part{Name: name, Value: m.AreaMM2 * float64(instances) * c.sramArea})
	c.leakageW += m.LeakageMW * wattsPerMilliwatt * float64(instances) * c.sramLeakage
	return m
}

// part adds another part, in mm².
func (c *chip) part(name string, mm2 float64) {
	c.area = append(c.area, report.Part{Name: name, Value: mm2})
}

// units adds multiply-accumulate units with the registers of one, in bits.
func (c *chip) units(n, registerBits int64) {
	c.part("arithmetic", float64(n)*(c.node.MultiplyMM2+c.node.AddMM2))
	c.part("registers", float64(n)*float64(registerBits)*c.node.RegisterBitMM2)
}

// machine completes the collection.
func (c *chip) machine(ioBytesPerSecond, units int64) Machine {
	const giga = 1e9
	c.part("io", float64(ioBytesPerSecond)/giga*c.ioMM2PerGBps)
	c.part("network_and_control", c.controlShare*c.area.Total())
	const milli = 1000
	clock := int64(math.Round(c.clock))
	return Machine{
		ClockHz: clock, IORate: max(ioBytesPerSecond/(clock/milli), 1), Units: units,
		Area: c.area, LeakageW: c.leakageW, AddPJ: c.node.AddPJ, DRAMPJPerByte: c.node.DRAMPJPerByte,
	}
}
