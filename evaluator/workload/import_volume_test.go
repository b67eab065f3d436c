package workload_test

import (
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// volumes is a model of one convolution over depth, height and width: with a
// window of 3 x 3 x 3 and a stride of 2 over 8 frames of 16 x 16 with 4 channels, or
// the transposed one back from that.
func volumes(transposed bool) modeltest.TFLite {
	const conv3D, conv3DTranspose = 132, 141
	whole, part := []int32{1, 8, 16, 16, 4}, []int32{1, 4, 8, 8, 6}
	strides := map[int]int32{1: 2, 2: 2, 3: 2}
	m := modeltest.TFLite{
		Tensors: []modeltest.TFTensor{
			{Name: "x", Shape: whole, Type: modeltest.TFInt8},
			{Name: "y", Shape: part, Type: modeltest.TFInt8},
			{Name: "w", Shape: []int32{3, 3, 3, 4, 6}, Type: modeltest.TFInt8, Const: true},
			{Name: "b", Shape: []int32{6}, Type: modeltest.TFInt8, Const: true},
			{Name: "shape", Shape: []int32{5}, Type: modeltest.TFInt8, Const: true},
		},
		Inputs: []int32{0}, Outputs: []int32{1},
		Ops: []modeltest.TFOp{{Code: conv3D, In: []int32{0, 2, 3}, Out: []int32{1}, Options: strides}},
	}
	if transposed {
		m.Inputs, m.Outputs, m.Tensors[3].Shape = []int32{1}, []int32{0}, []int32{4}
		m.Ops[0] = modeltest.TFOp{Code: conv3DTranspose, In: []int32{4, 2, 1, 3}, Out: []int32{0}, Options: strides}
	}
	return m
}

func TestImportTFLiteVolumes(t *testing.T) {
	t.Parallel()
	const macs, params = 4 * 8 * 8 * 6 * 4 * 27, 27 * 4 * 6
	for transposed, bias := range map[bool]int64{false: 6, true: 4} {
		m := volumes(transposed)
		w, report, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Errorf("transposed %t: %v", transposed, err)
			continue
		}
		if got := w.Totals(); got.MACs != macs || got.Params != params+bias || len(report.Unmodelled) > 0 {
			t.Errorf("transposed %t: %d MACs and %d parameters, want %d and %d\n%s", transposed, got.MACs, got.Params, macs, params+bias, summary(w))
		}
	}
	m := volumes(false)
	m.Tensors[2].Shape = []int32{3, 3, 3, 3, 6}
	if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("a filter of three channels over four: error %v", err)
	}
	m.Ops[0] = modeltest.TFOp{Code: 32, Custom: "MaxPool3D", In: []int32{0}, Out: []int32{1}}
	if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "convert the model to ONNX") {
		t.Errorf("a custom pooling: error %v", err)
	}
}
