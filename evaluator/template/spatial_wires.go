package template

import (
	"math"
	"math/bits"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/evaluator/tech"
)

// wires are what connects an array with its shared memory, declared.
type wires struct {
	// trackMM is the width of the area that a wire of one bit takes.
	trackMM float64
	// reachMM is how far a word comes in a cycle.
	reachMM float64
}

// declaredWires returns them at 22 nm: the pitch of the semi-global layer M5 of
// Intel's process (C. Auth et al., VLSI Technology 2012: 160 nm), and a register
// each hop of the on-chip network that energies are given for.
func declaredWires() wires { return wires{trackMM: 160e-6, reachMM: tech.HopMM} }

// wiring is what an array's wires cost beside their area.
type wiring struct {
	// pj is the energy in pJ of a byte between shared memory and units; linkPJ that
	// of one that passes from a unit to its neighbour.
	pj     [model.Operands]float64
	linkPJ float64
	// links says that neighbours pass inputs on.
	links bool
}

// wire adds the wires of an array to the chip, whose shared memory gives it so
// many bytes in a cycle, and fills in the lengths of its axes. A trunk of that
// width each way runs along the side of the array, where the lines of units begin. The units of the third axis stand side by side in a cell; cells are a
// grid of the first by the second axis.
//
// A line of an axis has a bus for every operand. Where the loop of the axis does
// not index the operand all units of the line get a word at once, over the whole
// line; where it does a word goes to one of them, on the average half of the line
// away. Sums over an axis meet in a tree of adders whose stages cross half of the
// line each. Rows, columns and windows overlap: units on their axes are linked to
// their neighbours, who pass inputs on.
func (c *chip) wire(axes []arrayAxis, units, noc int64) (w wiring) {
	const bitsPerByte, ways = 8, 2
	pitch := math.Sqrt(c.area.Total() / float64(units))
	perMM := c.Node.HopPJPerByte / tech.HopMM / float64(c.perByte)
	width := [model.Operands]int64{model.Weights: c.datapath.Weights, model.Inputs: c.datapath.Activations, model.Outputs: c.datapath.Sums}
	side := pitch * math.Sqrt(float64(units))
	bitMM := ways * bitsPerByte * float64(noc) * side // length of wires of one bit
	for o := range w.pj {
		w.pj[o] = side / 2 * perMM
	}
	for i := range axes {
		a := &axes[i]
		a.mm = pitch * float64(a.units)
		if i == 0 && len(axes) > 2 {
			a.mm *= float64(axes[2].units)
		}
		lines := float64(units / a.units)
		a.cycles = int64(math.Ceil(a.mm / c.reachMM))
		for o := range model.Operands {
			length, along := a.mm, a.mm
			switch shared := !model.Relevant(o, a.dim); {
			case !shared:
				along /= 2
			case o == model.Outputs:
				stages := int64(bits.Len64(uint64(a.units - 1)))
				length *= float64(stages) / 2
				along = length
				a.cycles += stages
				adders := lines * float64(a.units-1)
				c.logic("reduction_trees", adders*c.Node.AddMM2*c.datapath.Area.Add, 0)
				w.pj[o] += float64(a.units-1) * c.Node.AddPJ * c.energy.Add * bitsPerByte / float64(c.datapath.Sums) / float64(c.perByte)
			}
			bitMM += length * lines * float64(width[o])
			w.pj[o] += along * perMM
		}
		if a.linked() {
			w.links, w.linkPJ = true, pitch*perMM
			bitMM += a.mm * lines * float64(width[model.Inputs])
		}
	}
	c.part("wires", bitMM*c.trackMM)
	return w
}

// linked reports whether neighbours along the axis pass inputs on.
func (a *arrayAxis) linked() bool {
	return a.dim == model.P || a.dim == model.Q || a.dim == model.R || a.dim == model.S
}

// wired says how the axes are wired.
func (c *chip) wired(axes []arrayAxis) (list []report.Axis) {
	for i := range axes {
		a := &axes[i]
		x := report.Axis{
			Loop: a.dim.String(), Units: a.units, Groups: a.groups, LengthMM: a.mm, Cycles: a.cycles,
			Weights: report.Bus, Inputs: report.Bus, Outputs: report.Bus,
			WeightBits: c.datapath.Weights, InputBits: c.datapath.Activations, SumBits: c.datapath.Sums,
		}
		if !model.Relevant(model.Weights, a.dim) {
			x.Weights = report.Broadcast
		}
		switch {
		case a.linked():
			x.Inputs = report.Links
		case !model.Relevant(model.Inputs, a.dim):
			x.Inputs = report.Broadcast
		}
		if !model.Relevant(model.Outputs, a.dim) {
			x.Outputs = report.Tree
		}
		list = append(list, x)
	}
	return list
}
