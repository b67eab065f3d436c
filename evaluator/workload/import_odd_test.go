package workload_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

type (
	attrs = map[string]any
	ints  = []int64
	names = []string
)

// picture is the input of most models here: 3 channels of 8 x 8.
func picture() []modeltest.ONNXInput {
	return []modeltest.ONNXInput{{Name: "x", Shape: ints{1, 3, 8, 8}}}
}

func floats(name string, shape ...int64) modeltest.ONNXTensor {
	return modeltest.ONNXTensor{Name: name, Shape: shape}
}

func numbers(name string, v ...int64) modeltest.ONNXTensor {
	return modeltest.ONNXTensor{Name: name, Shape: ints{int64(len(v))}, Ints: v}
}

func scalar(name string, v int64) modeltest.ONNXTensor {
	return modeltest.ONNXTensor{Name: name, Shape: ints{}, Ints: ints{v}}
}

func op(name string, in names, out string, a attrs) modeltest.ONNXNode {
	return modeltest.ONNXNode{Op: name, In: in, Out: names{out}, Attrs: a}
}

// oddModel is a model that is valid and unusual, and its multiplications by hand.
type oddModel struct {
	inputs  []modeltest.ONNXInput // nil: picture
	weights []modeltest.ONNXTensor
	nodes   []modeltest.ONNXNode
	macs    int64
}

func (m oddModel) bytes() []byte {
	if m.inputs == nil {
		m.inputs = picture()
	}
	return modeltest.ONNX{Inputs: m.inputs, Weights: m.weights, Nodes: m.nodes, Outputs: names{"y"}}.Bytes()
}

const (
	conv3 = 4 * 3 * 9 // MACs of an output of the filter w, 3x3 over 3 channels to 4
	conv1 = 4 * 3     // of a 1x1 filter
)

func oddPadding() map[string]oddModel {
	w, one := []modeltest.ONNXTensor{floats("w", 4, 3, 3, 3)}, []modeltest.ONNXTensor{floats("w", 4, 3, 1, 1)}
	up := []modeltest.ONNXTensor{floats("w", 3, 4, 2, 2)}
	conv := func(a attrs) []modeltest.ONNXNode { return []modeltest.ONNXNode{op("Conv", names{"x", "w"}, "y", a)} }
	deconv := func(a attrs) []modeltest.ONNXNode {
		return []modeltest.ONNXNode{op("ConvTranspose", names{"x", "w"}, "y", a)}
	}
	pool := func(a attrs) []modeltest.ONNXNode {
		if a["kernel_shape"] == nil {
			a["kernel_shape"] = ints{3, 3}
		}
		return []modeltest.ONNXNode{op("AveragePool", names{"x"}, "p", a), op("Conv", names{"p", "w"}, "y", nil)}
	}
	volume := []modeltest.ONNXInput{{Name: "x", Shape: ints{2, 3, 6, 7, 8}}}
	return map[string]oddModel{
		"padding beyond the window":        {nil, w, conv(attrs{"pads": ints{4, 4, 4, 4}, "strides": ints{2, 2}}), conv3 * 7 * 7},
		"padding at the end":               {nil, one, conv(attrs{"pads": ints{0, 0, 6, 6}}), conv1 * 14 * 14},
		"padding on one axis":              {nil, one, conv(attrs{"pads": ints{0, 2, 0, 2}}), conv1 * 8 * 12},
		"negative padding":                 {nil, w, conv(attrs{"pads": ints{-1, -1, -1, -1}}), conv3 * 4 * 4},
		"same lower, dilated":              {nil, w, conv(attrs{"auto_pad": "SAME_LOWER", "strides": ints{3, 3}, "dilations": ints{2, 2}}), conv3 * 3 * 3},
		"a pooling rounded up":             {nil, one, pool(attrs{"ceil_mode": int64(1), "strides": ints{2, 2}}), conv1 * 4 * 4},
		"a pooling longer than its input":  {nil, one, pool(attrs{"kernel_shape": ints{9, 3}, "strides": ints{2, 1}}), conv1 * 1 * 6},
		"a pooling padded beyond":          {nil, one, pool(attrs{"pads": ints{3, 3, 3, 3}, "count_include_pad": int64(1)}), conv1 * 12 * 12},
		"a transposed one cropped":         {nil, up, deconv(attrs{"strides": ints{2, 2}, "pads": ints{3, 3, 3, 3}}), 8 * 8 * 3 * 4 * 4},
		"a transposed one of a given size": {nil, up, deconv(attrs{"strides": ints{2, 2}, "output_shape": ints{19, 19}}), 8 * 8 * 3 * 4 * 4},
		"an explicit pad that crops": {
			nil, append(w, numbers("p", 0, 0, -1, -1, 0, 0, -1, -1)),
			[]modeltest.ONNXNode{op("Pad", names{"x", "p"}, "q", nil), op("Conv", names{"q", "w"}, "y", nil)},
			conv3 * 4 * 4,
		},
		"three dimensions": {
			volume,
			[]modeltest.ONNXTensor{floats("w", 5, 3, 2, 3, 3)},
			conv(attrs{"pads": ints{1, 1, 1, 1, 1, 1}, "strides": ints{2, 1, 1}}), 2 * 5 * 3 * 18 * 4 * 7 * 8,
		},
		"three dimensions, pooled": {
			volume,
			[]modeltest.ONNXTensor{floats("w", 4, 3, 1, 1, 1)},
			[]modeltest.ONNXNode{op("MaxPool", names{"x"}, "p", attrs{"kernel_shape": ints{2, 2, 2}}), op("Conv", names{"p", "w"}, "y", nil)},
			2 * conv1 * 5 * 6 * 7,
		},
		"three dimensions, transposed": {
			volume, []modeltest.ONNXTensor{floats("w", 3, 4, 2, 2, 2)}, deconv(attrs{"strides": ints{2, 2, 2}}), 2 * 3 * 4 * 8 * 6 * 7 * 8,
		},
		"one dimension": {
			[]modeltest.ONNXInput{{Name: "x", Shape: ints{1, 3, 8}}},
			[]modeltest.ONNXTensor{floats("w", 4, 3, 3)},
			conv(attrs{"pads": ints{4, 4}, "strides": ints{2}}), 4 * 9 * 7,
		},
	}
}

// Attributes of the first opsets, and shapes that operations compute.
func oddOperations() map[string]oddModel {
	w, one := floats("w", 4, 3, 3, 3), floats("w", 4, 3, 1, 1)
	conv := func(in string) modeltest.ONNXNode { return op("Conv", names{in, "w"}, "y", nil) }
	two := func(first modeltest.ONNXNode, macs int64, weights ...modeltest.ONNXTensor) oddModel {
		return oddModel{nil, weights, []modeltest.ONNXNode{first, conv(first.Out[0])}, macs}
	}
	wide := floats("w", 4, 6, 1, 1)
	return map[string]oddModel{
		"Pad-1":         two(op("Pad", names{"x"}, "a", attrs{"paddings": ints{0, 0, 1, 1, 0, 0, 1, 1}}), conv3*8*8, w),
		"Pad-18":        two(op("Pad", names{"x", "p", "", "axes"}, "a", nil), conv3*8*8, w, numbers("p", 1, 1, 1, 1), numbers("axes", 2, -1)),
		"Upsample-1":    two(op("Upsample", names{"x"}, "a", attrs{"height_scale": float32(2), "width_scale": float32(3)}), conv1*16*24, one),
		"Upsample-7":    two(op("Upsample", names{"x"}, "a", attrs{"scales": []float32{1, 1, 2, 2}}), conv1*16*16, one),
		"Resize-18":     two(op("Resize", names{"x", "", "", "s"}, "a", attrs{"axes": ints{2, 3}, "keep_aspect_ratio_policy": "not_larger"}), conv1*16*16, one, numbers("s", 16, 20)),
		"Tile-1":        two(op("Tile", names{"x", "t", "a"}, "b", nil), conv1*8*16, one, numbers("t", 2), numbers("a", 3)),
		"Concat-1":      two(op("Concat", names{"x", "x"}, "a", nil), 4*6*64, wide),
		"Cast-1":        two(op("Cast", names{"x"}, "a", attrs{"to": "FLOAT16"}), conv3*6*6, w),
		"Dropout-1":     two(modeltest.ONNXNode{Op: "Dropout", In: names{"x"}, Out: names{"a", "mask"}}, conv3*6*6, w),
		"Crop":          two(op("Crop", names{"x"}, "a", attrs{"border": ints{1, 1, 1, 1}}), conv1*6*6, one),
		"ImageScaler-1": two(op("ImageScaler", names{"x"}, "a", nil), conv3*6*6, w),
		"Add-6": {nil, []modeltest.ONNXTensor{w, floats("b", 4)}, []modeltest.ONNXNode{
			op("Conv", names{"x", "w"}, "a", nil), op("Add", names{"a", "b"}, "y", attrs{"axis": int64(1), "broadcast": int64(1)}),
		}, conv3 * 6 * 6},
		"a sparse Constant": {nil, nil, []modeltest.ONNXNode{
			op("Constant", nil, "v", attrs{"sparse_value": modeltest.ONNXSparse{8, 7}}), op("MatMul", names{"x", "v"}, "y", nil),
		}, 3 * 64 * 7},
		"a shape in parts": {nil, []modeltest.ONNXTensor{floats("v", 64, 7)}, []modeltest.ONNXNode{
			op("Shape", names{"x"}, "s", nil),
			{Op: "Split", In: names{"s"}, Out: names{"n", "c", "h", "w"}, Attrs: attrs{"axis": int64(0)}},
			op("Mul", names{"h", "w"}, "area", nil), op("Concat", names{"n", "c", "area"}, "t", attrs{"axis": int64(0)}),
			op("Reshape", names{"x", "t"}, "r", nil), op("MatMul", names{"r", "v"}, "y", nil),
		}, 3 * 64 * 7},
		"a shape of two rows": {nil, []modeltest.ONNXTensor{floats("v", 64, 7), {Name: "m", Shape: ints{2, 2}, Ints: ints{1, 64, 3, 0}}, scalar("zero", 0)}, []modeltest.ONNXNode{
			op("Transpose", names{"m"}, "u", nil), // 1 3, 64 0
			op("Gather", names{"u", "zero"}, "a", attrs{"axis": int64(0)}),
			op("ReduceMax", names{"m"}, "b", attrs{"axes": ints{0}, "keepdims": int64(0)}), // 3 64
			op("Slice", names{"b"}, "c", attrs{"starts": ints{1}, "ends": ints{2}}),
			op("Concat", names{"a", "c"}, "t", attrs{"axis": int64(0)}),
			op("Reshape", names{"x", "t"}, "r", nil), op("MatMul", names{"r", "v"}, "y", nil),
		}, 3 * 64 * 7},
	}
}

func TestImportOddModels(t *testing.T) {
	t.Parallel()
	for _, table := range []map[string]oddModel{oddPadding(), oddOperations(), oddLoops(), oddSequences(), oddSamples(), oddRuntime(), oddValues(), oddCalls()} {
		for name, m := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w, r, err := workload.Import("m", m.bytes(), workload.ImportOptions{Strict: true})
				if err != nil {
					t.Fatal(err)
				}
				if got := w.Totals().MACs; got != m.macs || len(r.Unmodelled) > 0 {
					t.Errorf("%d MACs, want %d; not modelled: %v\n%s", got, m.macs, r.Unmodelled, summary(w))
				}
			})
		}
	}
}

// branched is a model with an If over the given nodes' tensor "c".
func branched(inputs []modeltest.ONNXInput, weights []modeltest.ONNXTensor, before ...modeltest.ONNXNode) []byte {
	then := modeltest.ONNX{
		Weights: []modeltest.ONNXTensor{floats("own", 4, 3, 3, 3)},
		Nodes:   []modeltest.ONNXNode{op("Conv", names{"x", "own"}, "t", nil)}, Outputs: names{"t"},
	}
	other := modeltest.ONNX{Nodes: []modeltest.ONNXNode{op("Relu", names{"x"}, "e", nil)}, Outputs: names{"e"}}
	nodes := slices.Concat(before, []modeltest.ONNXNode{op("If", names{"c"}, "y", attrs{"then_branch": then, "else_branch": other})})
	return modeltest.ONNX{Inputs: append(picture(), inputs...), Weights: weights, Nodes: nodes, Outputs: names{"y"}}.Bytes()
}

// A branch that is always taken is read as if it stood in its place; an input
// that chooses one is given on the command line.
func TestImportBranches(t *testing.T) {
	t.Parallel()
	rate := []modeltest.ONNXInput{{Name: "sr", Shape: ints{}, Kind: 7}}
	equal := op("Equal", names{"sr", "k"}, "c", nil)
	constant := []modeltest.ONNXTensor{scalar("k", 16000)}
	for name, c := range map[string]struct {
		data  []byte
		value map[string]int64
		macs  int64
		want  string
	}{
		"taken":     {branched(nil, []modeltest.ONNXTensor{scalar("c", 1)}), nil, conv3 * 36, ""},
		"not taken": {branched(nil, []modeltest.ONNXTensor{scalar("c", 0)}), nil, 0, ""},
		"from the shape": {branched(nil, []modeltest.ONNXTensor{scalar("one", 1), scalar("three", 3)},
			op("Shape", names{"x"}, "s", nil), op("Gather", names{"s", "one"}, "d", nil), op("LessOrEqual", names{"three", "d"}, "c", nil)), nil, conv3 * 36, ""},
		"given":       {branched(rate, constant, equal), map[string]int64{"sr": 16000}, conv3 * 36, ""},
		"given other": {branched(rate, constant, equal), map[string]int64{"sr": 8000}, 0, ""},
		"not given":   {branched(rate, constant, equal), nil, 0, "give the input that decides it with --value sr=N"},
		"no such":     {branched(rate, constant, equal), map[string]int64{"x": 1}, 0, "--value x: the model has no such input of one element, there are: sr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, err := workload.Import("m", c.data, workload.ImportOptions{Values: c.value})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want one with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Totals().MACs; got != c.macs {
				t.Errorf("%d MACs, want %d", got, c.macs)
			}
		})
	}
}

// called is a model that calls a function of its own twice.
func called(step int64) modeltest.ONNX {
	strided := modeltest.ONNXFunction{Domain: "own", Name: "Block", In: names{"a", "f"}, Out: names{"b"}, Nodes: []modeltest.ONNXNode{
		op("Conv", names{"a", "f"}, "t", attrs{"strides": modeltest.ONNXRef("step")}), op("Relu", names{"t"}, "b", nil),
	}}
	call := func(in, out string, step int64) modeltest.ONNXNode {
		return modeltest.ONNXNode{Op: "Block", Domain: "own", In: names{in, "w" + in}, Out: names{out}, Attrs: attrs{"step": ints{step, step}}}
	}
	return modeltest.ONNX{
		Inputs: picture(), Weights: []modeltest.ONNXTensor{floats("wx", 4, 3, 3, 3), floats("wm", 5, 4, 1, 1)},
		Nodes: []modeltest.ONNXNode{call("x", "m", step), call("m", "y", 1)}, Outputs: names{"y"}, Functions: []modeltest.ONNXFunction{strided},
	}
}

// Functions of the file are read as if they stood where they are called; one
// that calls itself is refused.
func TestImportFunctions(t *testing.T) {
	t.Parallel()
	m := called(2)
	w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.Totals().MACs, int64(conv3*9+5*4*9); got != want || len(w.Layers) != 2 {
		t.Errorf("%d MACs in %d layers, want %d in 2", got, len(w.Layers), want)
	}
	m.Functions[0].Nodes = []modeltest.ONNXNode{{Op: "Block", Domain: "own", In: names{"a", "f"}, Out: names{"b"}}}
	if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "branches and functions are more than 16 deep") {
		t.Errorf("a function that calls itself: error %v", err)
	}
}

// Small tensors outside the model are read, so that shapes follow from them.
func TestImportTensorsOutside(t *testing.T) {
	t.Parallel()
	data := modeltest.ONNX{
		Inputs: picture(), Outputs: names{"y"},
		Weights: []modeltest.ONNXTensor{{Name: "s", Shape: ints{2}, File: "weights.bin", Offset: "8"}, {Name: "v", Shape: ints{192, 10}, Kind: 1, File: "weights.bin", Offset: "64"}},
		Nodes:   []modeltest.ONNXNode{op("Reshape", names{"x", "s"}, "a", nil), op("MatMul", names{"a", "v"}, "y", nil)},
	}.Bytes()
	file := make([]byte, 24)
	binary.LittleEndian.PutUint64(file[8:], 1)
	binary.LittleEndian.PutUint64(file[16:], 192)
	var asked []string
	open := func(location string, offset, length int64) ([]byte, error) {
		asked = append(asked, location)
		return file[offset : offset+length], nil
	}
	w, _, err := workload.Import("m", data, workload.ImportOptions{External: open})
	if err != nil {
		t.Fatal(err)
	}
	if w.Totals().MACs != 1920 || len(asked) != 1 {
		t.Errorf("%d MACs, files asked for: %v, want 1920 and one: weights need no file", w.Totals().MACs, asked)
	}
	for place, want := range map[[2]string]string{
		{"-8", "16"}: `its offset is "-8", want a whole number`, {"8", "many"}: `its length is "many", want a whole number`,
		{"8", "24"}: "its length is 24 bytes, want 16 for the shape [2]",
	} {
		s := modeltest.ONNXTensor{Name: "s", Shape: ints{2}, File: "weights.bin", Offset: place[0], Length: place[1]}
		m := modeltest.ONNX{
			Inputs: picture(), Outputs: names{"y"}, Weights: []modeltest.ONNXTensor{s}, Nodes: []modeltest.ONNXNode{op("Reshape", names{"x", "s"}, "y", nil)},
		}
		_, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{External: open})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("offset and length %q: error %v, want one with %q", place, err, want)
		}
	}
	nowhere := modeltest.ONNX{
		Inputs: picture(), Outputs: names{"y"}, Weights: []modeltest.ONNXTensor{{Name: "s", Shape: ints{2}, Offset: "8"}}, Nodes: []modeltest.ONNXNode{op("Reshape", names{"x", "s"}, "y", nil)},
	}
	if _, _, err := workload.Import("m", nowhere.Bytes(), workload.ImportOptions{External: open}); err == nil || !strings.Contains(err.Error(), `tensor "s" is stored outside the model, and the model does not say in which file`) {
		t.Errorf("error %v, want one that says that the file is not named", err)
	}
	for _, open := range []func(string, int64, int64) ([]byte, error){
		nil,
		func(string, int64, int64) ([]byte, error) { return nil, errors.New("there is no such file") },
		func(string, int64, int64) ([]byte, error) { return []byte{1}, nil },
	} {
		_, _, err := workload.Import("m", data, workload.ImportOptions{External: open})
		if err == nil || !strings.Contains(err.Error(), `operation 0 (Reshape)`) || !strings.Contains(err.Error(), `tensor "s" is stored outside the model, in "weights.bin"`) {
			t.Errorf("error %v, want one that names operation, tensor and file", err)
		}
	}
}

// A float table beside quantised layers keeps its width; a model in
// QuantizeLinear and DequantizeLinear has the widths that it runs in.
func TestImportWidths(t *testing.T) {
	t.Parallel()
	const uint8s = 2
	data := modeltest.ONNX{
		Inputs: []modeltest.ONNXInput{{Name: "ids", Shape: ints{7}, Kind: 7}}, Outputs: names{"y"},
		Weights: []modeltest.ONNXTensor{
			floats("table", 100, 16),
			floats("s"),
			{Name: "z", Shape: ints{}, Kind: uint8s},
			{Name: "q", Shape: ints{16, 10}, Kind: uint8s},
		},
		Nodes: []modeltest.ONNXNode{
			op("Gather", names{"table", "ids"}, "e", nil),
			op("QuantizeLinear", names{"e", "s", "z"}, "eq", nil), op("DequantizeLinear", names{"eq", "s", "z"}, "ed", nil),
			op("DequantizeLinear", names{"q", "s", "z"}, "w", nil),
			op("MatMul", names{"ed", "w"}, "m", nil),
			op("QuantizeLinear", names{"m", "s", "z"}, "mq", nil), op("DequantizeLinear", names{"mq", "s", "z"}, "y", nil),
		},
	}.Bytes()
	w, _, err := workload.Import("m", data, workload.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (workload.Precision{Weights: 8, Activations: 8, Accumulators: 32}); w.Precision != want {
		t.Errorf("precision %+v, want %+v", w.Precision, want)
	}
	table, product := &w.Layers[0], &w.Layers[1]
	if got := table.WeightBytes(w.Precision); table.WeightBits != 32 || got != 4*7*16 || table.Params() != 1600 {
		t.Errorf("the table has %d bits, %d bytes of %d parameters are read, want 32, seven rows and 1600", table.WeightBits, got, table.Params())
	}
	if got := product.WeightBytes(w.Precision); product.WeightBits != 0 || got != 160 {
		t.Errorf("the product's weights have %d bits, %d bytes, want those of the network and 160", product.WeightBits, got)
	}
}
