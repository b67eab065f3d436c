package template

import (
	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// shiDianNaoSpec is the output-stationary sensor accelerator.
func shiDianNaoSpec() Spec {
	return Spec{
		Name: "shidiannao", Version: "15",
		Doc: "An output-stationary grid: every processing element makes one output pixel, weights are broadcast, inputs and outputs lie in a " +
			"neuron buffer, weights in a synapse buffer; after ShiDianNao (Z. Du et al., ISCA 2015); int8, 22 nm, 1 GHz. Inputs go " +
			"from neighbour to neighbour while a window passes. The baseline is the published 8 x 8 grid with 128 KiB of each.",
		Params: []frame.Param{
			frame.Count("rows", "Rows of the grid, which take output rows.", 8, 2, 4, 8, 12, 16, 24, 32),
			frame.Count("cols", "Columns of the grid, which take output columns.", 8, 2, 4, 8, 12, 16, 24, 32),
			frame.Bytes("neuron_buffer", "Buffer for inputs and outputs, used in two halves.", 128*kib, frame.Powers(16*kib, 4096*kib)...),
			frame.Bytes("synapse_buffer", "Buffer for weights, used in two halves.", 128*kib, frame.Powers(16*kib, 4096*kib)...),
			bandwidth(8e9),
		},
		Features: []evaluator.Feature{
			evaluator.Ratio("macs_per_cycle", "", 1, []string{"rows", "cols"}, nil),
			evaluator.Ratio("aspect", "", 1, []string{"rows"}, []string{"cols"}),
			evaluator.Ratio("bandwidth_per_mac", "B/s", 1, []string{"io_bandwidth"}, []string{"rows", "cols"}),
			onChipMemory("neuron_buffer", "synapse_buffer"),
		},
		ClockHz: 1e9,
		// The neuron buffer has two banks per row of elements, as wide as the
		// row (source, Section 6): two words per element. The synapse buffer
		// gives one.
		NetworkBytes: 2,
		Build:        buildShiDianNao,
	}
}

// grids spread output pixels over a grid and its halves.
func grids(rows, cols int64) (list [][]Spread) {
	for r := rows; r > 0; r /= 2 {
		for c := cols; c > 0; c /= 2 {
			list = append(list, []Spread{axis(2, r, model.P).deep(2), axis(2, c, model.Q).deep(2)})
		}
	}
	return list
}

func buildShiDianNao(c *chip, v []int64) Machine {
	neurons, synapses := c.memory("neuron_buffer", v[2], 1), c.memory("synapse_buffer", v[3], 1)
	units, at := v[0]*v[1], &c.datapath
	c.units(units, at.Weights+at.Activations+at.Sums+2*8*at.Activations) // operands, sum, two FIFOs of eight inputs
	m := c.machine(v[4], units)
	if c.outline {
		return m
	}
	l := loops{
		// Parts of the grid may idle: a tile is at least as large as what works.
		spreads: grids(v[0], v[1]),
		// An element sums one output before it turns to the next.
		order: [model.Dims]model.Dim{model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
		inner: 2, innerDims: []model.Dim{model.K, model.C, model.P, model.Q, model.R, model.S},
		// Inputs go from neighbour to neighbour while a window passes (source,
		// Section 5.1): the neuron buffer gives each of a tile's inputs once.
		window: 3, stride: 4,
		param: "neuron_buffer or synapse_buffer",
	}
	l.arch = c.hierarchy(offChip(&m),
		ported(buffer("neuron buffer", v[2], 1, &neurons, model.Inputs, model.Outputs), c.rate(units), c.acrossPJ()),
		ported(buffer("synapse buffer", v[3], units, &synapses, model.Weights), c.rate(units)/2, c.acrossPJ()),
		c.registers("accumulator", 1, model.Inputs, model.Outputs))
	l.arch.Level[l.window].Passes = passing
	m.Arch, m.Flow = l.arch, &l
	return m
}
