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
	// passes are the loops along which neighbours pass inputs on.
	passes [model.Dims]bool
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
//
// Of loops that share an axis each has the wires that it would have alone: a word for some of the lanes passes the
// whole line, and sums of some leave the tree for a bus. One loop of rows, columns or windows has its neighbours next
// to each other, with other loops outside; of two neither has links.
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
			indexed, shared := a.indexes(o)
			switch {
			case !shared:
				along /= 2
			case o == model.Outputs:
				stages := int64(bits.Len64(uint64(a.units - 1)))
				tree := length * float64(stages) / 2
				if length, along = tree, tree; indexed {
					length, along = tree+a.mm, tree+a.mm/2 // a sum of some of the lanes leaves the tree for a bus
				}
				a.cycles += stages
				adders := lines * float64(a.units-1)
				c.logic("reduction_trees", adders*c.Node.AddMM2*c.datapath.Area.Add, 0)
				w.pj[o] += float64(a.units-1) * c.Node.AddPJ * c.energy.Add * bitsPerByte / float64(c.datapath.Sums) / float64(c.perByte)
			}
			bitMM += length * lines * float64(width[o])
			w.pj[o] += along * perMM
		}
		if a.linked {
			w.linkPJ = pitch * perMM
			bitMM += a.mm * lines * float64(width[model.Inputs])
		}
	}
	w.passes = passing
	for i := range axes {
		for _, d := range axes[i].dims {
			w.passes[d] = w.passes[d] && axes[i].linked
		}
	}
	if w.linkPJ == 0 {
		w.passes = [model.Dims]bool{}
	}
	c.part("wires", bitMM*c.trackMM)
	return w
}

// passing are the loops whose windows overlap.
var passing = [model.Dims]bool{model.P: true, model.Q: true, model.R: true, model.S: true}

// wired says how the axes are wired.
func (c *chip) wired(axes []arrayAxis) (list []report.Axis) {
	for i := range axes {
		a := &axes[i]
		x := report.Axis{
			Units: a.units, Groups: len(a.groups) > 0, LengthMM: a.mm, Cycles: a.cycles,
			Weights: a.feeds(model.Weights), Inputs: a.feeds(model.Inputs), Outputs: report.Bus,
			WeightBits: c.datapath.Weights, InputBits: c.datapath.Activations, SumBits: c.datapath.Sums,
		}
		for _, d := range a.dims {
			x.Loop += d.String()
		}
		if a.linked {
			x.Inputs = report.Links
		}
		if indexed, shared := a.indexes(model.Outputs); shared {
			x.Outputs = report.Tree
			if indexed {
				x.Outputs = report.Trees
			}
		}
		list = append(list, x)
	}
	return list
}

// feeds is the wire that brings an operand to the units of a line.
func (a *arrayAxis) feeds(o model.Operand) string {
	switch indexed, shared := a.indexes(o); {
	case indexed && shared:
		return report.Multicast
	case shared:
		return report.Broadcast
	}
	return report.Bus
}
