package model

import "fmt"

// MaxLevels is the largest number of levels of an Arch. Results are arrays of
// this size so that evaluating allocates nothing.
const MaxLevels = 6

// Arch is a hierarchy of memories around multiply-accumulate units.
type Arch struct {
	// Level holds Levels levels, outermost first.
	Level  [MaxLevels]Level
	Levels int
	// MACPJ is the energy of one multiply-accumulate in pJ.
	MACPJ float64
}

// Level is one level of memory: one or more equal instances.
type Level struct {
	// Name is for reports: "core memory".
	Name string
	// Keeps tells which operands the level stores; the others pass it by. Every
	// operand is kept by at least one level.
	Keeps [Operands]bool
	// Capacity is the size of one instance in bytes; 0 means unbounded.
	Capacity int64
	// ReadRate and WriteRate are the bandwidth of one instance in bytes per
	// 1000 cycles, so that rates below one byte per cycle stay whole numbers; 0
	// means unbounded.
	ReadRate, WriteRate int64
	// Shared levels have one port for both: reads and writes take turns, and
	// both rates are the port's.
	Shared bool
	// DoubleBuffered levels are filled while they are read, in half of their
	// capacity each. Other levels stop their readers while they are filled.
	DoubleBuffered bool
	// Forwards says that outputs leave the level as soon as they are complete, not
	// with the tile.
	Forwards bool
	// Passes says over which of P, Q, R and S instances pass inputs on to their neighbours: the
	// level above reads once what the windows of those have in common.
	Passes [Dims]bool
	// Scattered says that nothing adds up on the way what instances below it made of
	// one sum: each part arrives here by itself.
	Scattered bool
	// Fanout is the number of instances of the next level under one instance,
	// or of multiply-accumulate units under one innermost instance; at least 1.
	Fanout int64
	// ReadPJ and WritePJ are the energy per byte in pJ.
	ReadPJ, WritePJ float64
	// WirePJ is the energy in pJ of a byte of an operand on its way between this
	// level and the next one inside that keeps it, whatever else the byte costs.
	WirePJ [Operands]float64
}

// Units returns the number of multiply-accumulate units.
func (a *Arch) Units() int64 {
	n := int64(1)
	for i := range a.Levels {
		n *= a.Level[i].Fanout
	}
	return n
}

// Validate returns an error that names the first level that breaks a rule of
// Arch or Level.
func (a *Arch) Validate() error {
	if a.Levels < 1 || a.Levels > MaxLevels {
		return fmt.Errorf("the hierarchy has %d levels, want 1 to %d", a.Levels, MaxLevels)
	}
	var kept [Operands]bool
	for i := range a.Levels {
		l := &a.Level[i]
		if l.Fanout < 1 || l.Capacity < 0 || l.ReadRate < 0 || l.WriteRate < 0 {
			return fmt.Errorf("level %d (%s): fan-out %d, capacity %d, rates %d and %d: want a fan-out of at least 1 and nothing negative",
				i, l.Name, l.Fanout, l.Capacity, l.ReadRate, l.WriteRate)
		}
		for o := range Operands {
			kept[o] = kept[o] || l.Keeps[o]
		}
	}
	for o := range Operands {
		if !kept[o] {
			return fmt.Errorf("no level keeps %s", o)
		}
	}
	return nil
}
