// Package gemmini is the time of a layer on Gemmini, the open systolic-array
// generator (H. Genc et al., "Gemmini: Enabling Systematic Deep-Learning
// Architecture Evaluation via Full-Stack Integration", DAC 2021), under a given
// tiling.
//
// A layer runs as tiles that the scratchpad and the accumulator hold. The
// library loops over batch, rows, columns and output channels outside, over
// filter taps and input channels inside, and loads inputs and weights anew for
// every tile; outputs leave once, when their sums are complete. Loading,
// executing and storing overlap, but not fully: they share the queue that
// issues their instructions.
package gemmini

import "apollo/evaluator/model"

// Constants of the machine. The unit of the array and of the buses follows
// from the source; those marked fitted minimise the mean logarithmic error on
// the even rows of two published sets of RTL simulations (102 rows on arrays
// of 16 x 16, 784 rows on 128 x 128), one value for both, rounded; the odd rows
// were held out. See docs/validation.md#gemmini.
const (
	// BusBytes is what a load or a store moves per cycle, in bytes (fitted:
	// 0.113 to 0.123 cycles per byte).
	BusBytes = 8
	// switchCycles is the cost of putting another block of weights into the
	// array (fitted: 9.6 to 10.5).
	switchCycles = 10
	// inputRowCycles is the cost of each request for one row of the
	// scratchpad, beyond its bytes (fitted: 0.9 to 1.0).
	inputRowCycles = 1
	// outputRowCycles is the same for rows of the accumulator (fitted: 1.8 to
	// 3.3).
	outputRowCycles = 3
	// tileCycles is the cost of starting a tile (fitted: 99 to 113).
	tileCycles = 100
	// exposedPercent is the share of the shorter activities that the longest
	// does not hide, in percent (fitted: 17 to 22).
	exposedPercent = 20
)

// Chip is one instance of the generator.
type Chip struct {
	// Dim is the number of rows and columns of the array.
	Dim int64
	// PerByte is how many of the units of a problem's sizes a byte has; 0 means 1.
	PerByte int64
}

// bus returns what a load or a store moves per cycle.
func (c *Chip) bus() int64 { return BusBytes * max(c.PerByte, 1) }

// Tiling is how a layer is cut.
type Tiling struct {
	// Outer is the number of tiles per dimension, Tile the extent of one; both
	// at least 1.
	Outer, Tile [model.Dims]int64
	// Blocks is the number of blocks of weights that the array works through
	// in one tile: temporal steps over output channels, input channels and
	// taps.
	Blocks int64
}

// Time is the time of a layer and what it is made of, in cycles.
type Time struct {
	Execute, Load, Store, Start int64
	Total                       int64
	// Tiles is the number of tiles, LoadBytes and StoreBytes the traffic of
	// the scratchpad and the accumulator with the memory outside.
	Tiles, LoadBytes, StoreBytes int64
}

// Time returns the time of a problem under a tiling.
func (c *Chip) Time(p *model.Problem, t *Tiling) Time {
	n := c.work(p, t)
	r := Time{Tiles: n.tiles, Start: n.tiles * tileCycles, LoadBytes: n.loadBytes, StoreBytes: n.storeBytes}
	r.Execute = n.steps + n.blocks*switchCycles
	r.Load = model.CeilDiv(r.LoadBytes, c.bus()) + n.inputRows*inputRowCycles
	r.Store = model.CeilDiv(r.StoreBytes, c.bus()) + n.outputRows*outputRowCycles
	longest := max(r.Execute, r.Load, r.Store)
	rest := r.Execute + r.Load + r.Store - longest
	const whole = 100
	r.Total = longest + model.CeilDiv(rest*exposedPercent, whole) + r.Start
	return r
}

// work is Counts in whole numbers.
type work struct{ tiles, blocks, steps, loadBytes, inputRows, storeBytes, outputRows int64 }

func (c *Chip) work(p *model.Problem, t *Tiling) (n work) {
	stores := int64(1)
	n.tiles = 1
	for d := range model.Dims {
		n.tiles *= t.Outer[d]
		if model.Relevant(model.Outputs, d) {
			stores *= t.Outer[d]
		}
	}
	weights := p.Elements(model.Weights, &t.Tile)
	inputs := p.Elements(model.Inputs, &t.Tile)
	outputs := p.Elements(model.Outputs, &t.Tile)
	channels := t.Tile[model.G] * t.Tile[model.C]
	kernels := t.Tile[model.G] * t.Tile[model.K]
	n.blocks = n.tiles * t.Blocks
	n.steps = n.blocks * t.Tile[model.N] * t.Tile[model.P] * t.Tile[model.Q]
	n.loadBytes = n.tiles * (weights*p.Bytes[model.Weights] + inputs*p.Bytes[model.Inputs])
	n.storeBytes = stores * outputs * p.Bytes[model.Outputs]
	n.inputRows = n.tiles * (inputs / channels * model.CeilDiv(channels, c.Dim))
	n.outputRows = stores * (outputs / kernels * model.CeilDiv(kernels, c.Dim))
	return n
}

// Counts returns what costs time in a problem under a tiling.
func (c *Chip) Counts(p *model.Problem, t *Tiling) Counts {
	n := c.work(p, t)
	return Counts{
		Tiles: float64(n.tiles), Blocks: float64(n.blocks), Steps: float64(n.steps), LoadBytes: float64(n.loadBytes),
		InputRows: float64(n.inputRows), StoreBytes: float64(n.storeBytes), OutputRows: float64(n.outputRows),
	}
}

// Counts is what costs time over all tiles of a layer, for bounds: of tilings
// with at least these counts none is faster.
type Counts struct {
	// Blocks are changes of the weights in the array, Steps the pixels that pass
	// it, over all blocks; rows are those of scratchpad and accumulator.
	Tiles, Blocks, Steps                         float64
	LoadBytes, InputRows, StoreBytes, OutputRows float64
}

// Fit is the fitted constants as numbers that another fit may move.
type Fit struct{ BusBytes, SwitchCycles, InputRowCycles, OutputRowCycles, TileCycles, Exposed float64 }

// Fitted returns the constants of the machine.
func Fitted() Fit {
	const whole = 100
	return Fit{BusBytes, switchCycles, inputRowCycles, outputRowCycles, tileCycles, exposedPercent / float64(whole)}
}

// Cycles returns the time of executing, loading, storing and starting, each by
// itself, in cycles that need not be whole.
func (c *Chip) Cycles(n *Counts) (execute, load, store, start float64) {
	f := Fitted()
	return f.cycles(n, float64(c.bus()))
}

func (f *Fit) cycles(n *Counts, bus float64) (execute, load, store, start float64) {
	return n.Steps + n.Blocks*f.SwitchCycles, n.LoadBytes/bus + n.InputRows*f.InputRowCycles,
		n.StoreBytes/bus + n.OutputRows*f.OutputRowCycles, n.Tiles * f.TileCycles
}

// Total returns the time of a layer of whole bytes with these constants.
func (f *Fit) Total(n *Counts) float64 {
	execute, load, store, start := f.cycles(n, f.BusBytes)
	return f.overlap(execute, load, store, start)
}

// Overlap returns the time of the four together. It falls with none of them.
func Overlap(execute, load, store, start float64) float64 {
	f := Fitted()
	return f.overlap(execute, load, store, start)
}

func (f *Fit) overlap(execute, load, store, start float64) float64 {
	longest := max(execute, load, store)
	return longest + (execute+load+store-longest)*f.Exposed + start
}
