package frame

import (
	"fmt"
	"math"
	"strings"

	"apollo/evaluator/report"
	"apollo/evaluator/tech"
)

// Constant is a declared number of a model, with the place where it lives.
type Constant struct {
	// Name is snake_case; factors have no unit.
	Name, Unit string
	// At is a *float64, or an *int64 where the constant takes whole numbers only.
	At any
}

// value returns the number.
func (c *Constant) value() float64 {
	if n, ok := c.At.(*int64); ok {
		return float64(*n)
	}
	return *c.At.(*float64)
}

// scale multiplies the number. Whole ones move by at least one and stay
// positive.
func (c *Constant) scale(factor float64) {
	n, whole := c.At.(*int64)
	if !whole {
		*c.At.(*float64) *= factor
		return
	}
	to := int64(math.Round(float64(*n) * factor))
	switch {
	case factor > 1:
		to = max(to, *n+1)
	case factor < 1:
		to = min(to, *n-1)
	}
	*n = max(to, 1)
}

// move multiplies the named constant and returns its new value; "" moves none.
func move(rows []Constant, name string, factor float64) (float64, error) {
	if name == "" {
		return 0, nil
	}
	if !(factor > 0) || math.IsInf(factor, 0) {
		return 0, fmt.Errorf("constant %s: the factor is %g, want a positive number", name, factor)
	}
	var names []string
	for i := range rows {
		if rows[i].Name == name {
			rows[i].scale(factor)
			return rows[i].value(), nil
		}
		names = append(names, rows[i].Name)
	}
	return 0, fmt.Errorf("there is no constant %q; there are: %s", name, strings.Join(names, ", "))
}

// Constants lists the declared constants that Model can move.
func (s *Spec) Constants() []report.Constant {
	var out []report.Constant
	for _, c := range s.Declare().Rows() {
		out = append(out, report.Constant{Name: c.Name, Unit: c.Unit, Value: c.value()})
	}
	return out
}

// Technology is what the machines of all templates are built in.
type Technology struct {
	Node tech.Node
	// ControlShare is clock tree, network wiring and global control as a share
	// of everything else; IOMM2PerGBps the off-chip interface, per 10^9 bytes
	// per second.
	ControlShare, IOMM2PerGBps float64
	// Factors on the figures of the memories' table.
	SRAMArea, SRAMEnergy, SRAMLeakage float64
}

// Declared returns the technology at 22 nm; chosen: see docs/model.md#area and
// docs/model.md#energy. The share is the middle of the 15 to 30 % that layouts
// report. Cells of memories are those of chips for the edge, itrs-lstp, under a
// periphery of itrs-lop: by CACTI 7 at 350 K the leakage of 64 KiB to 4 MiB is then
// 0.113, 0.110, 0.103 and 0.102 of the table's, whose cells are itrs-lop as well.
func Declared() Technology {
	return Technology{
		Node: tech.Node22(), ControlShare: 0.20, IOMM2PerGBps: 0.012,
		SRAMArea: 1, SRAMEnergy: 1, SRAMLeakage: 0.11,
	}
}

// ClockW is the power of the clock network of an area of logic, in W.
func (k *Technology) ClockW(logicMM2 float64, clockHz int64) float64 {
	const joulesPerPicojoule = 1e-12
	return logicMM2 * k.Node.ClockPJPerMM2 * float64(clockHz) * joulesPerPicojoule
}

// Rows lists the constants.
func (k *Technology) Rows() []Constant {
	return []Constant{
		{"io_area", "mm2 per GB/s", &k.IOMM2PerGBps},
		{"control_share", "", &k.ControlShare},
		{"multiply_area", "mm2", &k.Node.MultiplyMM2},
		{"add_area", "mm2", &k.Node.AddMM2},
		{"register_area", "mm2", &k.Node.RegisterBitMM2},
		{"sram_area", "", &k.SRAMArea},
		{"multiply_energy", "pJ", &k.Node.MultiplyPJ},
		{"add_energy", "pJ", &k.Node.AddPJ},
		{"register_energy", "pJ/B", &k.Node.RegisterPJPerByte},
		{"clock_energy", "pJ/mm2", &k.Node.ClockPJPerMM2},
		{"hop_energy", "pJ/B", &k.Node.HopPJPerByte},
		{"off_chip_energy", "pJ/B", &k.Node.DRAMPJPerByte},
		{"sram_energy", "", &k.SRAMEnergy},
		{"sram_leakage", "", &k.SRAMLeakage},
	}
}
