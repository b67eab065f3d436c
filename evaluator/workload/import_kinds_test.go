package workload_test

import (
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// kindsOfTFLite are files that store weights in other ways than most, and files with
// several subgraphs and signatures: one product of 4 x 16 by 16 x 8 each, with the bytes
// that its weights and biases have.
func kindsOfTFLite() map[string]struct {
	model modeltest.TFLite
	bytes int64
} {
	const dequantize, densify, int32s = 6, 124, 2
	type tensors = []modeltest.TFTensor
	x := modeltest.TFTensor{Name: "x", Shape: []int32{4, 16}, Type: modeltest.TFInt8}
	y := modeltest.TFTensor{Name: "y", Shape: []int32{4, 8}, Type: modeltest.TFInt8}
	real := func(t modeltest.TFTensor) modeltest.TFTensor { t.Type = modeltest.TFFloat32; return t }
	weights := func(kind byte) modeltest.TFTensor {
		return modeltest.TFTensor{Name: "w", Shape: []int32{8, 16}, Type: kind, Const: true}
	}
	// stored are weights that an operator brings to the form that the product reads.
	stored := func(code int32, w modeltest.TFTensor, kind byte) modeltest.TFLite {
		form := modeltest.TFTensor{Name: "form", Shape: w.Shape, Type: kind}
		in, out := real(x), real(y)
		if kind == modeltest.TFInt8 {
			in, out = x, y
		}
		return modeltest.TFLite{
			Tensors: tensors{in, w, form, out}, Inputs: []int32{0}, Outputs: []int32{3},
			Ops: []modeltest.TFOp{{Code: code, In: []int32{1}, Out: []int32{2}}, {Code: tfFullyConnected, In: []int32{0, 2}, Out: []int32{3}}},
		}
	}
	channels, sparse, sparseHalf := weights(modeltest.TFInt8), weights(modeltest.TFInt8), weights(modeltest.TFFloat16)
	channels.Channels = 8
	sparse.Sparse, sparseHalf.Sparse = true, true
	plain := modeltest.TFLite{
		Tensors: tensors{x, channels, {Name: "b", Shape: []int32{8}, Type: int32s, Const: true, Channels: 8}, y},
		Inputs:  []int32{0}, Outputs: []int32{3},
		Ops: []modeltest.TFOp{{Code: tfFullyConnected, In: []int32{0, 1, 2}, Out: []int32{3}}},
	}
	signed, several := plain, plain
	signed.Signatures = 2
	several.Branches = []modeltest.TFLite{plain, stored(densify, sparse, modeltest.TFInt8)}
	type one = struct {
		model modeltest.TFLite
		bytes int64
	}
	return map[string]one{
		"a scale for each channel":    {plain, 8*16 + 4*8},
		"weights of 16 bits":          {stored(dequantize, weights(modeltest.TFFloat16), modeltest.TFFloat32), 2 * 8 * 16},
		"sparse weights":              {stored(densify, sparse, modeltest.TFInt8), 8 * 16},
		"sparse weights of 16 bits":   {stored(densify, sparseHalf, modeltest.TFFloat16), 2 * 8 * 16},
		"signatures":                  {signed, 8*16 + 4*8},
		"subgraphs that nothing runs": {several, 8*16 + 4*8},
		"a streaming layer":           {streaming(), 8 * 16}, // that two products read
	}
}

// Weights count as they are stored, dense where zeros are left out, once.
func TestImportKindsOfTFLite(t *testing.T) {
	t.Parallel()
	for name, c := range kindsOfTFLite() {
		w, _, err := workload.Import("m", c.model.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := w.Totals(); got.WeightBytes != c.bytes || got.MACs != 4*16*8 && name != "a streaming layer" {
			t.Errorf("%s: %d bytes of weights and %d MACs, want %d and 512\n%s", name, got.WeightBytes, got.MACs, c.bytes, summary(w))
		}
	}
}
