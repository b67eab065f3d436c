package template

import (
	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// simbaSpec is one chiplet of the multi-chip accelerator.
func simbaSpec() Spec {
	return Spec{
		Name: "simba", Version: "15",
		Doc: "One chiplet of Simba (Y. Shao et al., MICRO 2019): a global buffer, a mesh of processing elements with a weight buffer and an " +
			"input buffer each, lanes over output channels of vector multiply-accumulate units over input channels; int8, 22 nm, 1 GHz. " +
			"The baseline is the published chiplet: 16 elements of 8 x 8 units, 32 KiB and 8 KiB, a global buffer of 64 KiB.",
		Params: []frame.Param{
			frame.Count("pes_x", "Columns of the mesh, which take output channels or columns.", 4, 1, 2, 4, 6, 8, 12, 16),
			frame.Count("pes_y", "Rows of the mesh, which take input channels or rows.", 4, 1, 2, 4, 6, 8, 12, 16),
			frame.Count("lanes", "Lanes of one element, which take output channels.", 8, 2, 4, 8, 16, 32),
			frame.Count("vector", "Multiply-accumulate units of one lane, which take input channels.", 8, 2, 4, 8, 16, 32),
			frame.Bytes("weight_buffer", "Weight buffer of one element, used in two halves.", 32*kib, frame.Powers(4*kib, 256*kib)...),
			frame.Bytes("input_buffer", "Input buffer of one element, used in two halves.", 8*kib, frame.Powers(2*kib, 64*kib)...),
			frame.Bytes("global_buffer", "Buffer for inputs and outputs of all elements, used in two halves.", 64*kib, frame.Powers(32*kib, 4096*kib)...),
			bandwidth(16e9),
		},
		Features: []evaluator.Feature{
			evaluator.Ratio("pes", "", 1, []string{"pes_x", "pes_y"}, nil),
			evaluator.Ratio("pe_macs_per_cycle", "", 1, []string{"lanes", "vector"}, nil),
			evaluator.Ratio("macs_per_cycle", "", 1, []string{"pes_x", "pes_y", "lanes", "vector"}, nil),
			evaluator.Ratio("weight_buffers", "B", 1, []string{"pes_x", "pes_y", "weight_buffer"}, nil),
			evaluator.Ratio("input_buffers", "B", 1, []string{"pes_x", "pes_y", "input_buffer"}, nil),
			evaluator.Ratio("weights_per_mac", "B", 1, []string{"weight_buffer"}, []string{"lanes", "vector"}),
			evaluator.Ratio("bandwidth_per_mac", "B/s", 1, []string{"io_bandwidth"}, []string{"pes_x", "pes_y", "lanes", "vector"}),
		},
		ClockHz: 1e9,
		// 68 GB/s per element and for the global buffer, all of them nodes of
		// the mesh (source, Table 2), at 1 GHz.
		NetworkBytes: 68,
		Splits:       true,                       // a chip of the same group: B. Keller et al., JSSC 58(4), 2023, vectors of 64 at 4 bits
		Sparse:       frame.Sparse{Blocks: true}, // an option, as in nvdla
		Build:        buildSimba,
	}
}

func buildSimba(c *chip, v []int64) Machine {
	x, y, lanes, vector := v[0], v[1], v[2], v[3]
	global := c.memory("global_buffer", v[6], 1)
	weights, inputs := c.memory("weight_buffers", v[4], x*y), c.memory("input_buffers", v[5], x*y)
	at := &c.datapath
	units := x * y * lanes * vector
	c.units(units, at.Weights+at.Activations) // a lane's sum is shared by its vector
	c.logic("accumulators", 0, x*y*lanes*2*at.Sums)
	vector, units = vector*c.products, units*c.products
	m := c.machine(v[7], units)
	if c.outline {
		return m
	}
	hop := c.Node.HopPJPerByte * float64(x+y) / 2 / float64(c.perByte)
	const mesh, element = 1, 4
	inside := func(mesh ...Spread) []Spread {
		return append([]Spread{axis(element, vector, model.C), axis(element, lanes, model.K)}, mesh...)
	}
	l := loops{
		spreads: [][]Spread{
			inside(axis(mesh, x, model.K).deep(4), axis(mesh, y, model.C).deep(4)),
			inside(axis(mesh, x, model.K).deep(4), axis(mesh, y, model.P).deep(4)),
			inside(axis(mesh, x, model.Q).deep(4), axis(mesh, y, model.P).deep(4)),
			inside(axis(mesh, x*y, model.K).deep(2)),
			{axis(element, lanes, model.G), axis(mesh, x, model.Q).deep(4), axis(mesh, y, model.P).deep(4)},
		},
		// Weights stay in an element while its pixels pass.
		order: [model.Dims]model.Dim{model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
		inner: 3, innerDims: []model.Dim{model.K, model.C, model.P, model.Q, model.R, model.S},
		idle: []model.Dim{model.K, model.C, model.G, model.P, model.Q}, halvings: 1, meshHalvings: 2, stride: 4,
		param: "global_buffer, weight_buffer or input_buffer",
	}
	global.ReadPJPerByte += hop
	global.WritePJPerByte += hop
	weights.WritePJPerByte += hop
	l.arch = c.hierarchy(offChip(&m),
		ported(buffer("global buffer", v[6], x*y, &global, model.Inputs, model.Outputs), c.blockRate(1), 0),
		buffer("weight buffer", v[4], 1, &weights, model.Weights),
		buffer("input buffer", v[5], 1, &inputs, model.Inputs),
		c.registers("accumulators", lanes*vector, model.Outputs))
	for few := lanes / 2; few > 0; few /= 2 {
		// Weights that are on fewer lanes of more elements find room in more buffers.
		l.spreads = append(l.spreads, []Spread{axis(element, vector, model.C), axis(element, few, model.K), axis(mesh, x, model.K).deep(4), axis(mesh, y, model.C).deep(4)})
	}
	m.Arch, m.Flow = l.arch, &l
	return m
}
