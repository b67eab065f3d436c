package lower_test

import (
	"testing"

	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/systolic"
	"apollo/evaluator/workload"
)

func product(m, k, c int64) *workload.Layer {
	return &workload.Layer{ID: "y", Op: workload.GEMM, M: m, K: k, C: c}
}

// Cycles of SCALE-Sim 3.0.0 with SparsitySupport on matrix products of so many
// rows, columns and sums (of which the tool prints one less).
func TestBlocksTakeTheTimeOfSCALESim(t *testing.T) {
	t.Parallel()
	const ws, os, is = systolic.WeightStationary, systolic.OutputStationary, systolic.InputStationary
	for _, c := range []struct {
		flow                systolic.Dataflow
		rows, cols, m, k, c int64
		sparsity            string
		want                int64
	}{
		{ws, 16, 16, 111, 72, 17, "2:4", 785},
		{os, 32, 8, 93, 11, 50, "2:4", 384},
		{is, 4, 16, 70, 36, 107, "2:4", 4060},
		{ws, 4, 8, 11, 32, 114, "1:4", 800},
		{os, 16, 8, 108, 54, 50, "1:4", 1715},
		{is, 4, 8, 89, 61, 42, "1:4", 2700},
		{ws, 8, 4, 10, 31, 65, "4:8", 1120},
		{os, 8, 8, 47, 45, 60, "4:8", 1656},
		{is, 8, 8, 98, 30, 108, "4:8", 4732},
	} {
		p, _, err := lower.Blocks(product(c.m, c.k, c.c), workload.Precision{Sparsity: c.sparsity})
		if err != nil {
			t.Fatal(err)
		}
		g, _ := systolic.Of(&p)
		a := systolic.Array{Rows: c.rows, Cols: c.cols, Dataflow: c.flow}
		if got := a.Pass(&g).Cycles; got != c.want {
			t.Errorf("%v %d x %d, %d x %d x %d at %s: %d cycles, want %d", c.flow, c.rows, c.cols, c.m, c.k, c.c, c.sparsity, got, c.want)
		}
	}
}

// Of 64 weights 32 are stored with two bits for their place, beside all inputs.
func TestStoredBits(t *testing.T) {
	t.Parallel()
	all := [model.Dims]int64{1, 1, 16, 64, 1, 1, 1, 1}
	for _, c := range []struct {
		sparsity        string
		weights, inputs int64 // bits in all
	}{
		{"1:1", 16 * 64 * 8, 64 * 8},
		{"2:4", 16 * 32 * (8 + 2), 64 * 8},
		{"3:4", 16 * 48 * (8 + 2), 64 * 8},
		{"1:8", 16 * 8 * (8 + 3), 64 * 8},
		{"0.5", 16 * 64 * (4 + 1), 64 * 8},
		{"1", 16 * 64 * 8, 64 * 8}, // a mask would take more
	} {
		pack := lower.Blocks
		bits := workload.Precision{Sparsity: c.sparsity}
		l := product(1, 16, 64)
		if s := l.Sparsity(bits); !s.Blocks() {
			pack = lower.Masked
		}
		p, perByte, err := pack(l, bits)
		if err != nil {
			t.Fatal(err)
		}
		extent := all
		extent[model.C] = p.Bound[model.C]
		const byteBits = 8
		for o, want := range map[model.Operand]int64{model.Weights: c.weights, model.Inputs: c.inputs, model.Outputs: 16 * 8} {
			if got := p.Elements(o, &extent) * p.Bytes[o] * byteBits / perByte; got != want {
				t.Errorf("%s: %d bits of %v, want %d", c.sparsity, got, o, want)
			}
		}
	}
}
