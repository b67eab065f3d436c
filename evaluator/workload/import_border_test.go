package workload_test

import (
	"slices"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// crossing is a model, with the bytes that come in and go out by hand.
type crossing struct {
	model           modeltest.ONNX
	arrives, leaves int64
}

func crossings() map[string]crossing {
	w, v := floats("w", 4, 3, 3, 3), floats("v", 144, 5)
	conv := op("Conv", names{"x", "w"}, "c", nil) // 4 x 6 x 6
	const picture32, conv32 = 4 * 3 * 8 * 8, 4 * 4 * 6 * 6
	past := func(out names, attributes attrs, in ...modeltest.ONNXInput) modeltest.ONNX {
		attributes["num_heads"] = int64(4)
		read := names{"x", "w", "b"}
		if len(in) > 0 {
			read = append(read, "", "past")
		}
		return modeltest.ONNX{
			Inputs: append(in, tensorIn("x", 1, 6, 32)), Weights: []modeltest.ONNXTensor{floats("w", 32, 96), floats("b", 96)}, Outputs: out,
			Nodes: []modeltest.ONNXNode{microsoft(modeltest.ONNXNode{Op: "Attention", In: read, Out: out, Attrs: attributes})},
		}
	}
	const token32 = 4 * 32 // of a token: features, keys, values
	return map[string]crossing{
		"an output that a layer reads": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"c", "y"},
			Nodes: []modeltest.ONNXNode{conv, op("Softmax", names{"c"}, "y", nil)},
		}, picture32, 2 * conv32},
		"an output under another shape": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w, v}, Outputs: names{"f", "y"},
			Nodes: []modeltest.ONNXNode{conv, op("Flatten", names{"c"}, "f", nil), op("Gemm", names{"f", "v"}, "y", nil)},
		}, picture32, conv32 + 4*5},
		"an output named twice": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"c", "i", "y"},
			Nodes: []modeltest.ONNXNode{conv, op("Identity", names{"c"}, "i", nil), op("Softmax", names{"c"}, "y", nil)},
		}, picture32, 2 * conv32},
		"an input that is an output": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"x", "c"}, Nodes: []modeltest.ONNXNode{conv},
		}, picture32, conv32},
		"an input that two layers read": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"c", "y"},
			Nodes: []modeltest.ONNXNode{conv, op("Conv", names{"x", "w"}, "y", nil)},
		}, picture32, 2 * conv32},
		"a stored operand, which is weights": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 7, 5)}, Weights: []modeltest.ONNXTensor{floats("w", 3, 7)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("MatMul", names{"w", "x"}, "y", nil)},
		}, 4 * 7 * 5, 4 * 3 * 5},
		// Widths are those of the file: 8 bits where a tensor is quantised, 32 elsewhere.
		"what is not quantised again": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 7, 5)}, Weights: []modeltest.ONNXTensor{{Name: "w", Shape: ints{5, 3}, Kind: 3}, floats("s")}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{
				op("QuantizeLinear", names{"x", "s"}, "q", nil), op("DequantizeLinear", names{"q", "s"}, "d", nil),
				op("DequantizeLinear", names{"w", "s"}, "v", nil), op("MatMul", names{"d", "v"}, "y", nil),
			},
		}, 7 * 5, 4 * 7 * 3},
		"a choice by a mask": {modeltest.ONNX{
			Inputs: append(picture(), modeltest.ONNXInput{Name: "m", Shape: ints{1, 1, 1, 1}, Kind: 9}), Weights: []modeltest.ONNXTensor{w, floats("z")}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{conv, op("Where", names{"m", "c", "z"}, "y", nil)},
		}, picture32 + 4, conv32},
		"a comparison": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w, floats("z")}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{conv, op("Greater", names{"c", "z"}, "y", nil)},
		}, picture32, conv32 / 4},
		"places of the largest": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{conv, op("ArgMax", names{"c"}, "y", attrs{"axis": int64(1)})},
		}, picture32, 8 * 6 * 6},
		"values and places of the largest": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w, numbers("k", 2)}, Outputs: names{"y", "at"},
			Nodes: []modeltest.ONNXNode{conv, {Op: "TopK", In: names{"c", "k"}, Out: names{"y", "at"}}},
		}, picture32, (4 + 8) * 4 * 6 * 2},
		"places of a pooling": {modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"y", "at"},
			Nodes: []modeltest.ONNXNode{conv, {Op: "MaxPool", In: names{"c"}, Out: names{"y", "at"}, Attrs: attrs{"kernel_shape": ints{2, 2}, "strides": ints{2, 2}}}},
		}, picture32, (4 + 8) * 4 * 3 * 3},
		"a scale and a shift that come in": {modeltest.ONNX{
			Inputs: append(picture(), tensorIn("s", 4), tensorIn("b", 4)), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{conv, op("InstanceNormalization", names{"c", "s", "b"}, "y", nil)},
		}, picture32 + 4*(4+4), conv32},
		"a scale and a shift that are made": {modeltest.ONNX{
			Inputs: append(picture(), tensorIn("z", 1, 144)), Weights: []modeltest.ONNXTensor{w, floats("u", 144, 8)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{
				conv, op("MatMul", names{"z", "u"}, "f", nil),
				{Op: "Split", In: names{"f"}, Out: names{"s", "b"}, Attrs: attrs{"axis": int64(1)}},
				op("LayerNormalization", names{"c", "s", "b"}, "y", attrs{"axis": int64(1)}),
			},
		}, picture32 + 4*144, conv32},
		"a normalisation of batches whose scale comes in": {modeltest.ONNX{
			Inputs: append(picture(), tensorIn("s", 4)), Weights: []modeltest.ONNXTensor{w, floats("b", 4), floats("m", 4), floats("d", 4)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{conv, op("BatchNormalization", names{"c", "s", "b", "m", "d"}, "y", nil)},
		}, picture32 + 4*4, conv32},
		"slopes that come in": {modeltest.ONNX{
			Inputs: append(picture(), tensorIn("s", 4, 1, 1)), Weights: []modeltest.ONNXTensor{w}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{conv, op("PRelu", names{"c", "s"}, "y", nil)},
		}, picture32 + 4*4, conv32},
		"a matrix that a product adds": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 3, 144), tensorIn("c", 3, 5)}, Weights: []modeltest.ONNXTensor{v}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("Gemm", names{"x", "v", "c"}, "y", nil)},
		}, 4 * (3*144 + 3*5), 4 * 3 * 5},
		"angles that come in": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 2, 6, 144), tensorIn("cos", 1, 6, 72), tensorIn("sin", 1, 6, 72)}, Weights: []modeltest.ONNXTensor{v}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("RotaryEmbedding", names{"x", "cos", "sin"}, "r", nil), op("MatMul", names{"r", "v"}, "y", nil)},
		}, 4 * (12*144 + 2*6*72), 4 * 12 * 5},
		"a sum over no axes": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 3, 144)}, Weights: []modeltest.ONNXTensor{v}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("ReduceSum", names{"x"}, "s", attrs{"noop_with_empty_axes": int64(1)}), op("MatMul", names{"s", "v"}, "y", nil)},
		}, 4 * 3 * 144, 4 * 3 * 5},
		"a part without elements": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 3, 144)}, Weights: []modeltest.ONNXTensor{v, numbers("three", 3)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{
				op("Slice", names{"x", "three", "three"}, "none", nil), op("Concat", names{"none", "x"}, "a", attrs{"axis": int64(0)}), op("MatMul", names{"a", "v"}, "y", nil),
			},
		}, 4 * 3 * 144, 4 * 3 * 5},
		"a network that multiplies nothing": {modeltest.ONNX{
			Inputs: picture(), Outputs: names{"y"}, Nodes: []modeltest.ONNXNode{op("Softmax", names{"x"}, "y", nil)},
		}, picture32, picture32},
		"states of an LSTM": {modeltest.ONNX{
			Inputs:  []modeltest.ONNXInput{tensorIn("x", 5, 1, 4), tensorIn("h", 1, 1, 8), tensorIn("c", 1, 1, 8)},
			Weights: []modeltest.ONNXTensor{floats("w", 1, 32, 4), floats("r", 1, 32, 8)}, Outputs: names{"y", "yh", "yc"},
			Nodes: []modeltest.ONNXNode{{Op: "LSTM", In: names{"x", "w", "r", "", "", "h", "c"}, Out: names{"y", "yh", "yc"}}},
		}, 4 * (5*4 + 8 + 8), 4 * (5*8 + 8 + 8)},
		"the state of a GRU in both directions": {modeltest.ONNX{
			Inputs:  []modeltest.ONNXInput{tensorIn("x", 5, 2, 4), tensorIn("h", 2, 2, 8)},
			Weights: []modeltest.ONNXTensor{floats("w", 2, 24, 4), floats("r", 2, 24, 8)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("GRU", names{"x", "w", "r", "", "", "h"}, "y", attrs{"direction": "bidirectional"})},
		}, 4 * (5*2*4 + 2*2*8), 4 * 5 * 2 * 2 * 8},
		"a state of zeros": {modeltest.ONNX{
			Inputs:  []modeltest.ONNXInput{tensorIn("x", 5, 1, 4)},
			Weights: []modeltest.ONNXTensor{floats("w", 1, 8, 4), floats("r", 1, 8, 8), floats("h", 1, 1, 8)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("RNN", names{"x", "w", "r", "", "", "h"}, "y", nil)},
		}, 4 * 5 * 4, 4 * 5 * 8},
		// 10 tokens come from the cache and 6 are appended, which leave.
		"keys and values of the past in one": {past(names{"y", "present"}, attrs{}, tensorIn("past", 2, 1, 4, 10, 8)), token32 * (6 + 2*10), token32 * (6 + 2*6)},
		"a cache with room":                  {past(names{"y", "present"}, attrs{"past_present_share_buffer": int64(1)}, tensorIn("past", 2, 1, 4, 16, 8)), token32 * (6 + 2*10), token32 * (6 + 2*6)},
		"keys and values of the first run":   {past(names{"y", "present"}, attrs{}), token32 * 6, token32 * (6 + 2*6)},
	}
}

// Every input and every output of a file crosses the border once, whoever reads it
// too.
func TestImportBorder(t *testing.T) {
	t.Parallel()
	for name, c := range crossings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, err := workload.Import("m", c.model.Bytes(), workload.ImportOptions{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			if in, out := border(w); in != c.arrives || out != c.leaves {
				t.Errorf("%d bytes come in and %d go out, want %d and %d\n%s", in, out, c.arrives, c.leaves, summary(w))
			}
		})
	}
}

// A part of a cache that a TensorFlow Lite model writes leaves alone; of one that is
// stored all is read.
func TestImportUpdatedCache(t *testing.T) {
	t.Parallel()
	const update, token, cache = 151, 4 * 8 * 16, 4 * 64 * 8 * 16
	for stored, want := range map[bool][2]int64{false: {token, token}, true: {token, cache}} {
		m := modeltest.TFLite{
			Tensors: []modeltest.TFTensor{
				{Name: "x", Shape: []int32{1, 1, 8, 16}},
				{Name: "cache", Shape: []int32{1, 64, 8, 16}, Const: stored},
				{Name: "at", Shape: []int32{4}, Type: 2, Const: true},
				{Name: "y", Shape: []int32{1, 64, 8, 16}},
			},
			Inputs: []int32{0, 1}, Outputs: []int32{3},
			Ops: []modeltest.TFOp{{Code: update, In: []int32{1, 0, 2}, Out: []int32{3}}},
		}
		if stored {
			m.Inputs = m.Inputs[:1]
		}
		w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		if in, out := border(w); in != want[0] || out != want[1] {
			t.Errorf("stored %t: %d bytes come in and %d go out, want %v\n%s", stored, in, out, want, summary(w))
		}
	}
}

// Weights that are computed come in as stored ones do, and both formats say so in the
// same words.
func TestImportNotesComputedWeights(t *testing.T) {
	t.Parallel()
	onnx := modeltest.ONNX{
		Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 3, 8, 8), tensorIn("w", 4, 3, 3, 3)}, Outputs: names{"y"},
		Nodes: []modeltest.ONNXNode{op("Conv", names{"x", "w"}, "y", nil)},
	}
	const dense = 9
	tflite := modeltest.TFLite{
		Tensors: []modeltest.TFTensor{{Name: "x", Shape: []int32{1, 8}}, {Name: "w", Shape: []int32{4, 8}}, {Name: "y", Shape: []int32{1, 4}}},
		Inputs:  []int32{0, 1}, Outputs: []int32{2},
		Ops: []modeltest.TFOp{{Code: dense, In: []int32{0, 1}, Out: []int32{2}}},
	}
	for title, file := range map[string][]byte{"operation 0 (Conv)": onnx.Bytes(), "FULLY_CONNECTED y": tflite.Bytes()} {
		_, r, err := workload.Import("m", file, workload.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if want := "the weights of " + title + ", computed at run time: they come in as stored ones do, and are no parameters"; !slices.Contains(r.Notes, want) {
			t.Errorf("notes %q, want %q", r.Notes, want)
		}
	}
}

// Places where a lookup reads are no parameters, and neither is what comes in.
func TestImportParameters(t *testing.T) {
	t.Parallel()
	last := op("MatMul", names{"a", "v"}, "y", nil)
	for name, m := range map[string]modeltest.ONNX{
		"a place": {
			Inputs: []modeltest.ONNXInput{tensorIn("x", 2, 5, 6)}, Weights: []modeltest.ONNXTensor{floats("v", 6, 4), scalar("i", -1)},
			Nodes: []modeltest.ONNXNode{op("Gather", names{"x", "i"}, "a", attrs{"axis": int64(1)}), last},
		},
		"a bias that comes in": {
			Inputs: []modeltest.ONNXInput{tensorIn("a", 2, 6), tensorIn("b", 4)}, Weights: []modeltest.ONNXTensor{floats("v", 6, 4)},
			Nodes: []modeltest.ONNXNode{op("Gemm", names{"a", "v", "b"}, "y", nil)},
		},
	} {
		m.Outputs = names{"y"}
		w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := w.Totals(); got.Params != 24 || got.MACs != 2*24 {
			t.Errorf("%s: %d parameters and %d MACs, want 24 and 48\n%s", name, got.Params, got.MACs, summary(w))
		}
	}
}

// A tensor that several layers read as weights is stored once and comes in for each of
// them; one that is computed is not stored.
func TestImportSharedWeights(t *testing.T) {
	t.Parallel()
	w, table := floats("w", 32, 32), floats("e", 100, 32)
	places := []modeltest.ONNXInput{{Name: "i", Shape: ints{4}, Kind: 7}}
	row := op("Gather", names{"e", "i"}, "a", nil)
	for name, c := range map[string]struct {
		model          modeltest.ONNX
		stored, loaded int64 // elements
	}{
		"three products": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 8, 32)}, Weights: []modeltest.ONNXTensor{w},
			Nodes: []modeltest.ONNXNode{op("MatMul", names{"x", "w"}, "a", nil), op("MatMul", names{"a", "w"}, "b", nil), op("MatMul", names{"b", "w"}, "y", nil)},
		}, 32 * 32, 3 * 32 * 32},
		"a table that is the output's matrix, turned": {modeltest.ONNX{
			Inputs: places, Weights: []modeltest.ONNXTensor{w, table},
			Nodes: []modeltest.ONNXNode{row, op("MatMul", names{"a", "w"}, "b", nil), op("Transpose", names{"e"}, "t", nil), op("MatMul", names{"b", "t"}, "y", nil)},
		}, 32*32 + 100*32, 4*32 + 32*32 + 100*32},
		"a table that is the output's matrix": {modeltest.ONNX{
			Inputs: places, Weights: []modeltest.ONNXTensor{table},
			Nodes: []modeltest.ONNXNode{row, op("Gemm", names{"a", "e"}, "y", attrs{"transB": int64(1)})},
		}, 100 * 32, 4*32 + 100*32},
		"a table of its own": {modeltest.ONNX{
			Inputs: places, Weights: []modeltest.ONNXTensor{w, table},
			Nodes: []modeltest.ONNXNode{row, op("MatMul", names{"a", "w"}, "y", nil)},
		}, 32*32 + 100*32, 4*32 + 32*32},
		"a matrix that a sum reads too": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 32, 32)}, Weights: []modeltest.ONNXTensor{w},
			Nodes: []modeltest.ONNXNode{op("MatMul", names{"x", "w"}, "a", nil), op("Softmax", names{"a"}, "b", nil), op("Mul", names{"b", "w"}, "y", nil)},
		}, 32 * 32, 2 * 32 * 32},
		"two lookups of a table": {modeltest.ONNX{
			Inputs: append(places, modeltest.ONNXInput{Name: "j", Shape: ints{4}, Kind: 7}), Weights: []modeltest.ONNXTensor{table},
			Nodes: []modeltest.ONNXNode{row, op("Gather", names{"e", "j"}, "b", nil), op("Softmax", names{"a"}, "c", nil), op("Softmax", names{"b"}, "d", nil), op("Add", names{"c", "d"}, "y", nil)},
		}, 100 * 32, 2 * 4 * 32},
		"a filter and a bias of two convolutions": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 4, 8, 8)}, Weights: []modeltest.ONNXTensor{floats("f", 4, 4, 1, 1), floats("s", 4)},
			Nodes: []modeltest.ONNXNode{op("Conv", names{"x", "f", "s"}, "a", nil), op("Relu", names{"a"}, "b", nil), op("Conv", names{"b", "f", "s"}, "y", nil)},
		}, 4*4 + 4, 2 * (4*4 + 4)},
		"a bias that two products add behind them": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 8, 32)}, Weights: []modeltest.ONNXTensor{w, floats("v", 32, 32), floats("s", 32)},
			Nodes: []modeltest.ONNXNode{op("MatMul", names{"x", "w"}, "a", nil), op("Add", names{"a", "s"}, "b", nil), op("MatMul", names{"b", "v"}, "c", nil), op("Add", names{"c", "s"}, "y", nil)},
		}, 2*32*32 + 32, 2 * (32*32 + 32)},
		"a bias that is computed": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 4, 8, 8), tensorIn("s", 4)}, Weights: []modeltest.ONNXTensor{floats("f", 4, 4, 1, 1)},
			Nodes: []modeltest.ONNXNode{op("Conv", names{"x", "f", "s"}, "y", nil)},
		}, 4 * 4, 4*4 + 4},
		"matrices of two recurrent layers": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 5, 1, 8)}, Weights: []modeltest.ONNXTensor{floats("w", 1, 8, 8), floats("r", 1, 8, 8), floats("b", 1, 16), numbers("s", 5, 1, 8)},
			Nodes: []modeltest.ONNXNode{op("RNN", names{"x", "w", "r", "b"}, "a", nil), op("Reshape", names{"a", "s"}, "h", nil), op("RNN", names{"h", "w", "r", "b"}, "y", nil)},
		}, 2*64 + 8, 2 * (2*64 + 8)},
		"a matrix of two recurrent layers with states of their own": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 5, 1, 8)}, Weights: []modeltest.ONNXTensor{floats("w", 1, 8, 8), floats("r", 1, 8, 8), floats("q", 1, 8, 8), numbers("s", 5, 1, 8)},
			Nodes: []modeltest.ONNXNode{op("RNN", names{"x", "w", "r"}, "a", nil), op("Reshape", names{"a", "s"}, "h", nil), op("RNN", names{"h", "w", "q"}, "y", nil)},
		}, 3 * 64, 4 * 64},
		"states' matrix of two recurrent layers with inputs of their own": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 5, 1, 4)}, Weights: []modeltest.ONNXTensor{floats("w", 1, 8, 4), floats("r", 1, 8, 8), floats("v", 1, 8, 8), numbers("s", 5, 1, 8)},
			Nodes: []modeltest.ONNXNode{op("RNN", names{"x", "w", "r"}, "a", nil), op("Reshape", names{"a", "s"}, "h", nil), op("RNN", names{"h", "v", "r"}, "y", nil)},
		}, 32 + 2*64, 32 + 3*64},
		"both directions of a recurrent layer": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 5, 1, 8)}, Weights: []modeltest.ONNXTensor{floats("w", 2, 8, 8), floats("r", 2, 8, 8)},
			Nodes: []modeltest.ONNXNode{op("RNN", names{"x", "w", "r"}, "y", attrs{"direction": "bidirectional"})},
		}, 4 * 64, 4 * 64},
		"experts of two layers": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 8), tensorIn("p", 1, 4)}, Weights: []modeltest.ONNXTensor{floats("u", 4, 8, 16), floats("d", 4, 16, 8)},
			Nodes: []modeltest.ONNXNode{microsoft(op("MoE", names{"x", "p", "u", "", "d"}, "a", attrs{"k": int64(1)})), microsoft(op("MoE", names{"a", "p", "u", "", "d"}, "y", attrs{"k": int64(1)}))},
		}, 4 * 2 * 8 * 16, 2 * 2 * 8 * 16},
		"a vector that two sums read": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 32, 32)}, Weights: []modeltest.ONNXTensor{w},
			Nodes: []modeltest.ONNXNode{op("Mul", names{"x", "w"}, "a", nil), op("Softmax", names{"a"}, "b", nil), op("Mul", names{"b", "w"}, "y", nil)},
		}, 32 * 32, 2 * 32 * 32},
		"a filter that comes in": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 4, 8, 8), tensorIn("f", 8, 4, 3, 3)},
			Nodes:  []modeltest.ONNXNode{op("Conv", names{"x", "f"}, "y", nil)},
		}, 0, 8 * 4 * 9},
		"a filter that is computed": {modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 4, 8, 8), tensorIn("z", 1, 4, 6, 6)}, Weights: []modeltest.ONNXTensor{floats("w", 18, 4, 3, 3), numbers("s", 8, 4, 3, 3)},
			Nodes: []modeltest.ONNXNode{op("Conv", names{"z", "w"}, "a", nil), op("Reshape", names{"a", "s"}, "f", nil), op("Conv", names{"x", "f"}, "y", nil)},
		}, 18 * 36, 18*36 + 8*36},
	} {
		c.model.Outputs = names{"y"}
		w, _, err := workload.Import("m", c.model.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var loaded int64
		for i := range w.Layers {
			loaded += w.Layers[i].WeightBytes(w.Precision)
		}
		if got := w.Totals(); got.Params != c.stored || got.WeightBytes != 4*c.stored || loaded != 4*c.loaded {
			t.Errorf("%s: %d parameters in %d bytes, %d bytes come in, want %d, %d and %d\n%s", name, got.Params, got.WeightBytes, loaded, c.stored, 4*c.stored, 4*c.loaded, summary(w))
		}
	}
}

func border(w *workload.Workload) (arrives, leaves int64) {
	for _, l := range w.Lives() {
		arrives += l.Arrives
		leaves += l.Leaves
	}
	return arrives, leaves
}

// Operations of QONNX say how many bits their input has.
func TestImportQONNX(t *testing.T) {
	t.Parallel()
	one := func(name string, bits float32) modeltest.ONNXNode {
		return op("Constant", nil, name, attrs{"value_float": bits})
	}
	quant := func(kind string, in names, out string) modeltest.ONNXNode {
		return modeltest.ONNXNode{Op: kind, Domain: "qonnx.custom_op.general", In: in, Out: names{out}}
	}
	for name, c := range map[string]struct {
		weights, activations modeltest.ONNXNode
		want                 workload.Precision
		bytes                int64
	}{
		"Quant":        {quant("Quant", names{"w", "s", "z", "three"}, "wq"), quant("Quant", names{"x", "s", "z", "five"}, "xq"), workload.Precision{Weights: 3, Activations: 5, Accumulators: 32}, (3*108 + 7) / 8},
		"BipolarQuant": {quant("BipolarQuant", names{"w", "s"}, "wq"), quant("IntQuant", names{"x", "s", "z", "five"}, "xq"), workload.Precision{Weights: 1, Activations: 5, Accumulators: 32}, (108 + 7) / 8},
	} {
		data := modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{floats("w", 4, 3, 3, 3)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{one("s", 1), one("z", 0), one("three", 3), one("five", 4.5), c.weights, c.activations, op("Conv", names{"xq", "wq"}, "y", nil)},
		}.Bytes()
		w, r, err := workload.Import("m", data, workload.ImportOptions{Strict: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := w.Totals(); w.Precision != c.want || got.MACs != conv3*36 || got.WeightBytes != c.bytes || r.Folded.Quantisation != 1 {
			t.Errorf("%s: %+v, %d MACs, %d bytes of weights, %d changes of representation", name, w.Precision, got.MACs, got.WeightBytes, r.Folded.Quantisation)
		}
	}
}
