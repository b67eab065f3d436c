package template

import (
	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// nvdlaSpec is the open deep-learning accelerator.
func nvdlaSpec() Spec {
	return Spec{
		Name: "nvdla", Version: "15",
		Doc: "NVIDIA's open deep-learning accelerator (nvdla.org, hardware manual): a convolution buffer, an array that spreads input " +
			"channels (atomic-C) and output channels (atomic-K), weights held for a stripe of pixels, an accumulation buffer; int8, " +
			"22 nm, 1 GHz. The baseline is nv_full with 2048 MACs: 64 x 32, a buffer of 512 KiB.",
		Params: []frame.Param{
			frame.Count("atomic_c", "Input channels that the array takes in a cycle.", 64, frame.Powers(4, 256)...),
			frame.Count("atomic_k", "Output channels that the array makes in a cycle.", 32, frame.Powers(4, 128)...),
			frame.Bytes("conv_buffer", "Buffer for inputs and weights, used in two halves.", 512*kib, frame.Powers(32*kib, 4096*kib)...),
			frame.Bytes("accumulator", "Buffer for 32-bit sums, used in two halves.", 64*kib, frame.Powers(8*kib, 512*kib)...),
			bandwidth(16e9),
		},
		Features: []evaluator.Feature{
			evaluator.Ratio("macs_per_cycle", "", 1, []string{"atomic_c", "atomic_k"}, nil),
			evaluator.Ratio("aspect", "", 1, []string{"atomic_c"}, []string{"atomic_k"}),
			evaluator.Ratio("sums_per_channel", "B", 1, []string{"accumulator"}, []string{"atomic_k"}),
			evaluator.Ratio("bandwidth_per_mac", "B/s", 1, []string{"io_bandwidth"}, []string{"atomic_c", "atomic_k"}),
			onChipMemory("conv_buffer", "accumulator"),
		},
		ClockHz: 1e9,
		// Two read ports of 1024 bits, for data and weights, at atomic-C 64:
		// NV_NVDLA_cbuf of nv_full, per input channel.
		NetworkBytes: 4,
		Engines:      engines,
		// Weights may be stored without zeros, with a mask (hardware manual, weight
		// format "compressed"). Blocks are an option that the chip has not: a
		// multiplexer in front of every multiplier, as in A. Mishra et al., "Accelerating
		// sparse deep neural networks", arXiv 2104.08378.
		Sparse: frame.Sparse{Blocks: true, Masked: true},
		Build:  buildNVDLA,
	}
}

// engines is the area of NVDLA outside of its convolution core, as a share of that
// core: processors for single points, planes and channels,
// reshaping, the bridge, their DMA and FIFOs, and the 16-bit modes of the array. It
// is set from one row of the manual's areas, see docs/validation.md#area.
const engines = 1.01

func buildNVDLA(c *chip, v []int64) Machine {
	conv, acc := c.memory("conv_buffer", v[2], 1), c.memory("accumulator", v[3], 1)
	units := v[0] * v[1]
	c.units(units, 2*c.datapath.Weights+c.datapath.Activations) // two weights, input; sums are the accumulator's
	m := c.machine(v[4], units)
	if c.outline {
		return m
	}
	l := loops{
		spreads: [][]Spread{
			{axis(2, v[0], model.C).deep(1), axis(2, v[1], model.K).deep(2)},
			{axis(2, v[0], model.C).deep(1), axis(2, v[1], model.G).deep(2)},
			// Window positions take input lanes that channels leave idle.
			{axis(2, v[0], model.C, model.R, model.S).deep(1), axis(2, v[1], model.K).deep(2)},
			{axis(2, v[0], model.C, model.R, model.S).deep(1), axis(2, v[1], model.G).deep(2)},
		},
		// A stripe of pixels under one block of weights.
		order: [model.Dims]model.Dim{model.G, model.N, model.K, model.C, model.R, model.S, model.P, model.Q},
		inner: 2, innerDims: []model.Dim{model.K, model.C, model.R, model.S, model.P, model.Q},
		idle: []model.Dim{model.K, model.C, model.G}, halvings: 8, stride: 4,
		param: "conv_buffer or accumulator",
	}
	l.arch = c.hierarchy(offChip(&m),
		ported(buffer("convolution buffer", v[2], 1, &conv, model.Weights, model.Inputs), c.blockRate(v[0]), c.acrossPJ()),
		buffer("accumulator", v[3], units, &acc, model.Outputs),
		c.registers("weight registers", 1, model.Weights))
	l.arch.Level[2].Forwards = true
	m.Arch, m.Flow = l.arch, &l
	return m
}
