// Package systolic holds the closed forms of a systolic array: the time and
// the operand traffic of a matrix multiplication whose operands march through
// a grid of multiply-accumulate units, one step per cycle.
//
// The forms are those of a skewed array that fills and drains between tiles
// (A. Samajdar et al., "A Systematic Methodology for Characterizing
// Scalability of DNN Accelerators using SCALE-Sim", ISPASS 2020): exact, not a
// bound.
package systolic

import (
	"fmt"

	"apollo/evaluator/model"
)

// Dataflow is the operand that stays in the array.
type Dataflow uint8

// The dataflows.
const (
	WeightStationary Dataflow = iota
	OutputStationary
	InputStationary
)

// String returns the dataflow's usual abbreviation.
func (d Dataflow) String() string {
	switch d {
	case WeightStationary:
		return "ws"
	case OutputStationary:
		return "os"
	case InputStationary:
		return "is"
	}
	return "?"
}

// Array is a grid of multiply-accumulate units.
type Array struct {
	// Rows and Cols are its size, at least 1.
	Rows, Cols int64
	Dataflow   Dataflow
}

// GEMM is a product of an M x K with a K x N matrix, all at least 1. A
// convolution is one with M = P·Q pixels, N output channels, K = R·S·C.
type GEMM struct{ M, N, K int64 }

// Of returns a layer as a matrix multiplication of one group, and the number
// of groups.
func Of(p *model.Problem) (g GEMM, groups int64) {
	b := &p.Bound
	return GEMM{M: b[model.N] * b[model.P] * b[model.Q], N: b[model.K], K: b[model.C] * b[model.R] * b[model.S]}, b[model.G]
}

// Pass is the cost of a matrix multiplication whose operands are always there.
// Reads and writes are those of the buffers beside the array, in elements.
type Pass struct {
	// Folds is the number of tiles that the array works through, FoldCycles
	// what each takes with its fill and drain, Cycles their product.
	Folds, FoldCycles, Cycles             int64
	InputReads, WeightReads, OutputWrites int64
}

// mapped returns the extents along rows, columns and time.
func (a *Array) mapped(g *GEMM) (rows, cols, time int64) {
	switch a.Dataflow {
	case OutputStationary:
		return g.M, g.N, g.K
	case InputStationary:
		return g.K, g.M, g.N
	}
	return g.K, g.N, g.M
}

// Pass returns the cost of g on the array. The stationary operand is loaded
// row by row before a tile starts, except for outputs, which start at zero.
func (a *Array) Pass(g *GEMM) Pass {
	sr, sc, t := a.mapped(g)
	down, across := model.CeilDiv(sr, a.Rows), model.CeilDiv(sc, a.Cols)
	p := Pass{Folds: down * across, FoldCycles: a.Rows + a.Cols + t - 2}
	inputs, weights, outputs := g.M*g.K, g.K*g.N, g.M*g.N
	switch a.Dataflow {
	case WeightStationary:
		p.FoldCycles += a.Rows
		p.InputReads, p.WeightReads, p.OutputWrites = inputs*across, weights, outputs*down
	case InputStationary:
		p.FoldCycles += a.Rows
		p.InputReads, p.WeightReads, p.OutputWrites = inputs, weights*across, outputs*down
	case OutputStationary:
		p.InputReads, p.WeightReads, p.OutputWrites = inputs*across, weights*down, outputs
	}
	p.Cycles = p.Folds * p.FoldCycles
	return p
}

// Validate returns an error when the array has no units.
func (a *Array) Validate() error {
	if a.Rows < 1 || a.Cols < 1 || a.Dataflow > InputStationary {
		return fmt.Errorf("an array of %d x %d units with dataflow %s: want at least one unit and ws, os or is", a.Rows, a.Cols, a.Dataflow)
	}
	return nil
}

// Buffers are the bytes per operand that can be filled while the other half is
// used.
type Buffers struct{ Input, Weight, Output int64 }
