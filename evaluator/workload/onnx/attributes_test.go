package onnx_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"apollo/evaluator/workload/graph"
	"apollo/evaluator/workload/internal/modeltest"
	"apollo/evaluator/workload/onnx"
)

// one reads a model of one operation on x, and on a filter w where it has one.
func one(op string, x, w []int64, attrs map[string]any) (*graph.Graph, error) {
	m := modeltest.ONNX{
		Inputs:  []modeltest.ONNXInput{{Name: "x", Shape: x}},
		Nodes:   []modeltest.ONNXNode{{Op: op, In: []string{"x"}, Out: []string{"y"}, Attrs: attrs}},
		Outputs: []string{"y"},
	}
	if w != nil {
		m.Weights = []modeltest.ONNXTensor{{Name: "w", Shape: w}}
		m.Nodes[0].In = []string{"x", "w"}
	}
	return onnx.Read(m.Bytes(), onnx.Options{})
}

func TestAttributesOfConvolutionsAndPoolings(t *testing.T) {
	t.Parallel()
	type attrs = map[string]any
	type ints = []int64
	x, w := ints{1, 4, 11, 13}, ints{8, 4, 3, 5}
	for name, test := range map[string]struct {
		op   string
		x, w ints
		a    attrs
		want ints // the shape of the output
	}{
		"no attributes":        {"Conv", x, w, nil, ints{1, 8, 9, 9}},
		"strides":              {"Conv", x, w, attrs{"strides": ints{2, 3}}, ints{1, 8, 5, 3}},
		"dilations":            {"Conv", x, w, attrs{"dilations": ints{2, 3}}, ints{1, 8, 7, 1}}, // windows of 5 and 13
		"pads: both begins":    {"Conv", x, w, attrs{"pads": ints{1, 2, 0, 1}}, ints{1, 8, 10, 12}},
		"pads: ends alone":     {"Conv", x, w, attrs{"pads": ints{0, 0, 3, 1}}, ints{1, 8, 12, 10}},
		"pads that crop":       {"Conv", x, w, attrs{"pads": ints{-1, 0, 0, -2}}, ints{1, 8, 8, 7}},
		"pads, auto_pad=NOT":   {"Conv", x, w, attrs{"pads": ints{1, 2, 0, 1}, "auto_pad": "NOTSET"}, ints{1, 8, 10, 12}},
		"SAME_UPPER":           {"Conv", x, w, attrs{"auto_pad": "SAME_UPPER", "strides": ints{2, 3}}, ints{1, 8, 6, 5}},
		"SAME_LOWER":           {"Conv", x, w, attrs{"auto_pad": "SAME_LOWER", "strides": ints{4, 1}}, ints{1, 8, 3, 13}},
		"VALID":                {"Conv", x, w, attrs{"auto_pad": "VALID", "strides": ints{2, 3}}, ints{1, 8, 5, 3}},
		"one dimension":        {"Conv", ints{1, 4, 20}, ints{8, 4, 5}, attrs{"strides": ints{2}, "pads": ints{1, 3}}, ints{1, 8, 10}},
		"three dimensions":     {"Conv", ints{1, 4, 5, 6, 7}, ints{8, 4, 2, 3, 3}, attrs{"strides": ints{2, 1, 1}, "pads": ints{1, 0, 0, 0, 1, 0}}, ints{1, 8, 3, 5, 5}},
		"pool":                 {"MaxPool", x, nil, attrs{"kernel_shape": ints{2, 3}, "strides": ints{2, 2}}, ints{1, 4, 5, 6}},
		"pool, ceil":           {"MaxPool", x, nil, attrs{"kernel_shape": ints{2, 2}, "strides": ints{2, 2}, "ceil_mode": int64(1)}, ints{1, 4, 6, 7}},
		"pool, ceil, outside":  {"AveragePool", ints{1, 4, 4, 4}, nil, attrs{"kernel_shape": ints{2, 2}, "strides": ints{3, 3}, "pads": ints{1, 1, 1, 1}, "ceil_mode": int64(1)}, ints{1, 4, 2, 2}},
		"pool, ceil, behind":   {"MaxPool", ints{1, 4, 8, 8}, nil, attrs{"kernel_shape": ints{2, 2}, "pads": ints{0, 0, 2, 3}, "ceil_mode": int64(1)}, ints{1, 4, 8, 9}},
		"pool, longer":         {"MaxPool", ints{1, 4, 4, 2}, nil, attrs{"kernel_shape": ints{5, 4}, "strides": ints{2, 3}}, ints{1, 4, 1, 1}},
		"window, longer":       {"Conv", ints{1, 4, 2, 8}, w, attrs{"strides": ints{2, 1}}, ints{1, 8, 1, 4}},
		"pool, dilations":      {"MaxPool", x, nil, attrs{"kernel_shape": ints{2, 3}, "dilations": ints{3, 4}}, ints{1, 4, 8, 5}},
		"transposed":           {"ConvTranspose", ints{1, 4, 5, 6}, ints{4, 3, 3, 2}, attrs{"strides": ints{2, 2}, "pads": ints{1, 0, 0, 1}, "output_padding": ints{1, 0}, "dilations": ints{1, 2}}, ints{1, 3, 11, 12}},
		"transposed, SAME":     {"ConvTranspose", ints{1, 4, 5, 6}, ints{4, 3, 3, 2}, attrs{"strides": ints{2, 3}, "auto_pad": "SAME_UPPER"}, ints{1, 3, 10, 18}},
		"transposed, shape":    {"ConvTranspose", ints{1, 4, 5, 6}, ints{4, 3, 3, 2}, attrs{"strides": ints{2, 2}, "output_shape": ints{10, 13}}, ints{1, 3, 10, 13}},
		"transposed, groups":   {"ConvTranspose", ints{1, 4, 5, 6}, ints{4, 3, 3, 2}, attrs{"group": int64(2)}, ints{1, 6, 7, 7}},
		"space to depth":       {"SpaceToDepth", ints{1, 3, 4, 6}, nil, attrs{"blocksize": int64(2)}, ints{1, 12, 2, 3}},
		"flatten, axis 2":      {"Flatten", ints{2, 3, 4, 5}, nil, attrs{"axis": int64(2)}, ints{6, 20}},
		"transpose":            {"Transpose", ints{2, 3, 4}, nil, attrs{"perm": ints{2, 0, 1}}, ints{4, 2, 3}},
		"transpose, reversing": {"Transpose", ints{2, 3, 4}, nil, nil, ints{4, 3, 2}},
		"mean, axes kept":      {"ReduceMean", ints{2, 3, 4, 5}, nil, attrs{"axes": ints{1, -1}}, ints{2, 1, 4, 1}},
		"mean, axes dropped":   {"ReduceMean", ints{2, 3, 4, 5}, nil, attrs{"axes": ints{1, -1}, "keepdims": int64(0)}, ints{2, 4}},
	} {
		g, err := one(test.op, test.x, test.w, test.a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := g.Shape(g.Outputs[0]); !slices.Equal(got, test.want) {
			t.Errorf("%s: the output is %v, want %v", name, got, test.want)
		}
	}
}

// A size of 0 makes an input empty, -1 is open as some exporters write it, and no other is below 0.
func TestSizesOfInputs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		x    []int64
		dims map[string]int64
		want string // of the error, "" for the shape 4, 3, 8, 8
	}{
		"none":               {[]int64{0, 3, 8, 8}, nil, `input "x" has no elements, and nothing else comes in: give its dimensions sizes of 1 or more with --dim, by name or as x.0=N`},
		"none, of rows":      {[]int64{4, 3, 0, 8}, nil, `input "x" has no elements`},
		"none, but given":    {[]int64{0, 3, 8, 8}, map[string]int64{"x.0": 4}, ""},
		"open":               {[]int64{-1, 3, 8, 8}, map[string]int64{"x.0": 4}, ""},
		"less than none":     {[]int64{-3, 3, 8, 8}, nil, `"x": dimension 0 is -3, want 0 or more, or a name where it is open`},
		"given all the same": {[]int64{4, 3, -3, 8}, map[string]int64{"x.2": 8}, `"x": dimension 2 is -3`},
	} {
		m := modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{{Name: "x", Shape: test.x}}, Outputs: []string{"y"},
			Nodes: []modeltest.ONNXNode{{Op: "Relu", In: []string{"x"}, Out: []string{"y"}}},
		}
		g, err := onnx.Read(m.Bytes(), onnx.Options{Dims: test.dims})
		switch {
		case test.want != "":
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", name, err, test.want)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case !slices.Equal(g.Shape(g.Outputs[0]), []int64{4, 3, 8, 8}):
			t.Errorf("%s: the output is %v", name, g.Shape(g.Outputs[0]))
		}
	}
}

// The units of a recurrent cell are those of its matrices, and its attribute says the same.
func TestUnitsOfCells(t *testing.T) {
	t.Parallel()
	for cell, gates := range map[string]int64{"RNN": 1, "GRU": 3, "LSTM": 4} {
		for hidden, valid := range map[int64]bool{8: true, 16: false, 0: false} {
			m := modeltest.ONNX{
				Inputs:  []modeltest.ONNXInput{{Name: "x", Shape: []int64{5, 1, 4}}},
				Weights: []modeltest.ONNXTensor{{Name: "w", Shape: []int64{1, gates * 8, 4}}, {Name: "r", Shape: []int64{1, gates * 8, 8}}},
				Nodes:   []modeltest.ONNXNode{{Op: cell, In: []string{"x", "w", "r"}, Out: []string{"y"}, Attrs: map[string]any{"hidden_size": hidden}}},
				Outputs: []string{"y"},
			}
			_, err := onnx.Read(m.Bytes(), onnx.Options{})
			if want := fmt.Sprintf("(%s): hidden_size is %d, the matrices", cell, hidden); valid && err != nil || !valid && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s of 8 units, hidden_size %d: %v", cell, hidden, err)
			}
		}
	}
}

// The layer says what multiplies: filters, groups, steps, and the input's size.
func TestLayerOfAConvolution(t *testing.T) {
	t.Parallel()
	type ints = []int64
	for name, test := range map[string]struct {
		op   string
		x, w ints
		a    map[string]any
		want graph.Dims
	}{
		"groups": {
			"Conv",
			ints{1, 4, 11, 13},
			ints{8, 2, 3, 5},
			map[string]any{"group": int64(2), "strides": ints{2, 3}, "dilations": ints{2, 1}},
			graph.Dims{N: 1, K: 8, C: 2, P: 4, Q: 3, R: 3, S: 5, H: 11, W: 13, Groups: 2, Stride: [2]int64{2, 3}, Dilation: [2]int64{2, 1}},
		},
		"depthwise": {
			"Conv",
			ints{2, 4, 11, 13},
			ints{4, 1, 3, 3},
			map[string]any{"group": int64(4)},
			graph.Dims{N: 2, K: 4, C: 1, P: 9, Q: 11, R: 3, S: 3, H: 11, W: 13, Groups: 4, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}},
		},
		"one dimension": {
			"Conv",
			ints{1, 4, 20},
			ints{8, 4, 5},
			map[string]any{"dilations": ints{3}},
			graph.Dims{N: 1, K: 8, C: 4, P: 1, Q: 8, R: 1, S: 5, H: 1, W: 20, Groups: 1, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 3}},
		},
		"transposed": {
			"ConvTranspose",
			ints{1, 4, 5, 6},
			ints{4, 3, 3, 2},
			map[string]any{"group": int64(2), "strides": ints{2, 1}},
			graph.Dims{N: 1, K: 6, C: 2, P: 11, Q: 7, R: 3, S: 2, H: 5, W: 6, Groups: 2, Stride: [2]int64{2, 1}, Dilation: [2]int64{1, 1}},
		},
		// The window of a dilated pooling is what it spans.
		"pool": {
			"MaxPool",
			ints{1, 4, 11, 13},
			nil,
			map[string]any{"kernel_shape": ints{2, 3}, "dilations": ints{3, 4}, "strides": ints{1, 2}},
			graph.Dims{N: 1, K: 4, P: 8, Q: 3, R: 4, S: 9, H: 11, W: 13, Stride: [2]int64{1, 2}},
		},
	} {
		g, err := one(test.op, test.x, test.w, test.a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := g.Nodes[0].Dims; got != test.want {
			t.Errorf("%s: the layer is %+v, want %+v", name, got, test.want)
		}
	}
}

func TestAttributesThatFitNothing(t *testing.T) {
	t.Parallel()
	type ints = []int64
	x, w := ints{1, 4, 11, 13}, ints{8, 4, 3, 5}
	for name, test := range map[string]struct {
		op   string
		x, w ints
		a    map[string]any
		want string
	}{
		"three pads":        {"Conv", x, w, map[string]any{"pads": ints{1, 1, 1}}, "pads has 3 numbers, want 4"},
		"three strides":     {"Conv", x, w, map[string]any{"strides": ints{1, 1, 1}}, "strides has 3 numbers, want 2"},
		"a stride of 0":     {"Conv", x, w, map[string]any{"strides": ints{0, 1}}, "kernel, stride or dilation is 0, want 1 to"},
		"a dilation of -1":  {"Conv", x, w, map[string]any{"dilations": ints{1, -1}}, "kernel, stride or dilation is -1"},
		"three groups":      {"Conv", x, w, map[string]any{"group": int64(3)}, "the filter [8 4 3 5] in 3 groups does not fit the input [1 4 11 13]"},
		"no groups":         {"Conv", x, w, map[string]any{"group": int64(0)}, "in 0 groups does not fit"},
		"a large filter":    {"Conv", x, ints{8, 4, 12, 5}, nil, "a window of 12 does not fit into an input of 11"},
		"a dilated filter":  {"Conv", x, w, map[string]any{"dilations": ints{6, 1}}, "a window of 13 does not fit into an input of 11"},
		"other channels":    {"Conv", x, ints{8, 5, 3, 5}, nil, "does not fit the input"},
		"four dimensions":   {"Conv", ints{1, 4, 5, 6, 7, 8}, ints{8, 4, 1, 1, 1, 1}, nil, "windows over more than three dimensions"},
		"a far axis":        {"Flatten", x, nil, map[string]any{"axis": int64(9)}, "axis"},
		"a filter too many": {"ConvTranspose", x, ints{5, 4, 3, 3}, nil, "does not fit the input"},
	} {
		_, err := one(test.op, test.x, test.w, test.a)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "operation 0 ("+test.op+")") {
			t.Errorf("%s: error %v, want one of operation 0 that has %q", name, err, test.want)
		}
	}
}

func message(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

// with adds a field to the graph of a model.
func with(t *testing.T, model []byte, field protowire.Number, m []byte) []byte {
	t.Helper()
	var out []byte
	for len(model) > 0 {
		num, typ, tag := protowire.ConsumeTag(model)
		size := protowire.ConsumeFieldValue(num, typ, model[tag:])
		if size < 0 {
			t.Fatal("the model is damaged")
		}
		if num == 7 {
			body, _ := protowire.ConsumeBytes(model[tag:])
			out = message(out, 7, message(slices.Clone(body), field, m))
		} else {
			out = append(out, model[:tag+size]...)
		}
		model = model[tag+size:]
	}
	return out
}

// Lists of numbers are packed in files of protocol buffers version 3.
func TestPackedAttribute(t *testing.T) {
	t.Parallel()
	model := modeltest.ONNX{
		Inputs:  []modeltest.ONNXInput{{Name: "x", Shape: []int64{1, 4, 11, 13}}},
		Weights: []modeltest.ONNXTensor{{Name: "w", Shape: []int64{8, 4, 3, 5}}},
		Outputs: []string{"y"},
	}
	strides := message(message(nil, 1, []byte("strides")), 8, []byte{2, 3})
	pads := message(message(nil, 1, []byte("pads")), 8, slices.Concat(protowire.AppendVarint(nil, ^uint64(0)), []byte{2, 0, 1})) // -1, 2, 0, 1
	conv := message(message(message(nil, 1, []byte("x")), 1, []byte("w")), 2, []byte("y"))
	conv = message(message(message(conv, 4, []byte("Conv")), 5, strides), 5, pads)
	g, err := onnx.Read(with(t, model.Bytes(), 1, conv), onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// (11 - 1 - 3) / 2 + 1 and (13 + 3 - 5) / 3 + 1.
	if got := g.Shape(g.Outputs[0]); !slices.Equal(got, []int64{1, 8, 4, 4}) {
		t.Errorf("the output is %v, want [1 8 4 4]", got)
	}
	damaged := message(message(nil, 1, []byte("strides")), 8, []byte{2, 0x80})
	conv = message(message(message(message(nil, 1, []byte("x")), 2, []byte("y")), 4, []byte("Relu")), 5, damaged)
	if _, err := onnx.Read(with(t, model.Bytes(), 1, conv), onnx.Options{}); err == nil || !strings.Contains(err.Error(), "a list of numbers does not fit into the file") {
		t.Errorf("a list that ends within a number: %v", err)
	}
}

// Weights in a file beside the model are not needed; a shape there is not read,
// and never taken for another one.
func TestDataInAnotherFile(t *testing.T) {
	t.Parallel()
	external := func(name string, kind uint64, shape ...uint64) []byte {
		var b []byte
		for _, d := range shape {
			b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), d)
		}
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), kind)
		b = message(b, 8, []byte(name))
		b = message(b, 13, message(message(nil, 1, []byte("location")), 2, []byte("weights.bin")))
		return protowire.AppendVarint(protowire.AppendTag(b, 14, protowire.VarintType), 1)
	}
	model := modeltest.ONNX{
		Inputs:  []modeltest.ONNXInput{{Name: "x", Shape: []int64{1, 4, 6, 6}}},
		Nodes:   []modeltest.ONNXNode{{Op: "Conv", In: []string{"x", "w"}, Out: []string{"y"}}},
		Outputs: []string{"y"},
	}
	g, err := onnx.Read(with(t, model.Bytes(), 5, external("w", 1, 8, 4, 3, 3)), onnx.Options{})
	if err != nil || !slices.Equal(g.Shape(g.Outputs[0]), []int64{1, 8, 4, 4}) || g.Nodes[0].WeightBits != 32 {
		t.Errorf("weights: %+v, %v", g, err)
	}
	model.Nodes = []modeltest.ONNXNode{{Op: "Reshape", In: []string{"x", "to"}, Out: []string{"y"}}}
	_, err = onnx.Read(with(t, model.Bytes(), 5, external("to", 7, 2)), onnx.Options{})
	if err == nil || !strings.Contains(err.Error(), `operation 0 (Reshape): tensor "to" is stored outside the model`) {
		t.Errorf("a target shape: %v, want a refusal", err)
	}
}

// Every file that ends early is refused, with the place and what to do.
func TestTruncated(t *testing.T) {
	t.Parallel()
	data := modeltest.SampleONNX()
	for n := 1; n < len(data); n++ {
		_, err := onnx.Read(data[:n:n], onnx.Options{})
		whole := err != nil && strings.Contains(err.Error(), "the file has no graph") && n == 2 // the version alone
		if !whole && (err == nil || !strings.Contains(err.Error(), "does not fit into the file: it is damaged or not complete")) {
			t.Fatalf("%d of %d bytes: %v, want a refusal", n, len(data), err)
		}
	}
}
