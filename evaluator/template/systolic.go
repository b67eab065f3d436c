package template

import (
	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
	"apollo/optimizer/space"
)

// systolicSpec is a systolic array with a buffer per operand.
func systolicSpec() Spec {
	return Spec{
		Name: "systolic",
		Doc: "A systolic array of rows x cols multiply-accumulate units with a double-buffered memory per operand, weight-, output- or " +
			"input-stationary; int8, 22 nm, 1 GHz. Its compute time is exact (SCALE-Sim's closed forms, ISPASS 2020) for the tiles that a " +
			"compiler would choose. The baseline is a quarter of the first TPU's array in each direction (N. Jouppi et al., ISCA 2017).",
		Params: []frame.Param{
			frame.Count("rows", "Rows of the array.", 64, 4, 8, 16, 32, 64, 128, 256),
			frame.Count("cols", "Columns of the array.", 64, 4, 8, 16, 32, 64, 128, 256),
			{
				Param: space.Param{Name: "dataflow", Labels: []string{"ws", "os", "is"}},
				Doc:   "Operand that stays in the array: weights, outputs or inputs.", Baseline: space.Value{Label: "ws"},
			},
			frame.Bytes("input_buffer", "Memory for inputs, used in two halves.", 256*kib, frame.Powers(8*kib, 4096*kib)...),
			frame.Bytes("weight_buffer", "Memory for weights, used in two halves.", 256*kib, frame.Powers(8*kib, 4096*kib)...),
			frame.Bytes("output_buffer", "Memory for partial sums and outputs, used in two halves.", 128*kib, frame.Powers(8*kib, 4096*kib)...),
			bandwidth(16e9),
		},
		Features: []evaluator.Feature{
			evaluator.Ratio("macs_per_cycle", "", 1, []string{"rows", "cols"}, nil),
			evaluator.Ratio("aspect", "", 1, []string{"rows"}, []string{"cols"}),
			evaluator.Ratio("bandwidth_per_mac", "B/s", 1, []string{"io_bandwidth"}, []string{"rows", "cols"}),
			onChipMemory("input_buffer", "weight_buffer", "output_buffer"),
		},
		ClockHz: 1e9,
		// A word for each row and column of the edge: what a skewed array takes
		// and gives in a cycle (source), of 8 bits, sums of 32.
		NetworkBytes: 1,
		// A. Samajdar et al., SCALE-Sim v3: rows keep N of M weights.
		Sparse: frame.Sparse{Blocks: true},
		Build:  buildSystolic,
	}
}

func buildSystolic(c *chip, v []int64) Machine {
	a := systolic.Array{Rows: v[0], Cols: v[1], Dataflow: systolic.Dataflow(v[2])}
	in, weight, out := c.memory("input_buffer", v[3], 1), c.memory("weight_buffer", v[4], 1), c.memory("output_buffer", v[5], 1)
	c.units(a.Rows*a.Cols, c.datapath.Weights+c.datapath.Activations+c.datapath.Sums) // weight, input, sum
	m := c.machine(v[6], a.Rows*a.Cols)
	if c.outline {
		return m
	}
	f := marching{array: a, m: &m, word: c.perByte}
	f.half = systolic.Buffers{Input: v[3] * c.perByte / 2, Weight: v[4] * c.perByte / 2, Output: v[5] * c.perByte / 2}
	inputs, weights, sums := c.rate(a.Rows), c.rate(a.Cols), c.rate(a.Cols*4)
	if a.Dataflow == systolic.InputStationary {
		inputs, weights = weights, inputs
	}
	f.arch = c.hierarchy(offChip(&m),
		ported(buffer("input buffer", v[3], 1, &in, model.Inputs), inputs, c.acrossPJ()),
		ported(buffer("weight buffer", v[4], 1, &weight, model.Weights), weights, c.acrossPJ()),
		ported(buffer("output buffer", v[5], a.Rows*a.Cols, &out, model.Outputs), sums, c.acrossPJ()))
	m.Arch, m.Flow = f.arch, &f
	return m
}
