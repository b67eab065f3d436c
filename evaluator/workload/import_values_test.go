package workload_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// small is a constant of 16 or 32 bits an element, of the given type.
func small(name string, kind int64, patterns ...uint16) modeltest.ONNXTensor {
	var raw []byte
	for _, p := range patterns {
		if raw = binary.LittleEndian.AppendUint16(raw, p); kind == 12 {
			raw = append(raw, 0, 0)
		}
	}
	return modeltest.ONNXTensor{Name: name, Shape: ints{}, Kind: kind, Raw: raw}
}

// oddValues have a branch whose condition follows from the file, or a shape that
// does.
func oddValues() map[string]oddModel {
	const uint16s, int16s, halves, uint32s, brains = 4, 5, 10, 12, 16
	taken := func(from []modeltest.ONNXTensor, before ...modeltest.ONNXNode) oddModel {
		then := modeltest.ONNX{
			Weights: []modeltest.ONNXTensor{floats("own", 4, 3, 3, 3)},
			Nodes:   []modeltest.ONNXNode{op("Conv", names{"x", "own"}, "t", nil)}, Outputs: names{"t"},
		}
		other := modeltest.ONNX{Nodes: []modeltest.ONNXNode{op("Relu", names{"x"}, "e", nil)}, Outputs: names{"e"}}
		return oddModel{nil, from, append(before, op("If", names{"c"}, "y", attrs{"then_branch": then, "else_branch": other})), conv3 * 36}
	}
	shape := op("Shape", names{"x"}, "s", nil) // 1 3 8 8
	is := func(from string) []modeltest.ONNXNode {
		return []modeltest.ONNXNode{op("ReduceSum", names{from}, "sum", attrs{"keepdims": int64(0)}), op("Equal", names{"sum", "want"}, "c", nil)}
	}
	sum := func(want int64, out modeltest.ONNXNode, from ...modeltest.ONNXTensor) oddModel {
		return taken(append(from, scalar("want", want)), append([]modeltest.ONNXNode{shape, out}, is(out.Out[len(out.Out)-1])...)...)
	}
	greater := op("Greater", names{"a", "b"}, "c", nil)
	places := func(v ...int64) modeltest.ONNXTensor {
		return modeltest.ONNXTensor{Name: "at", Shape: ints{int64(len(v)), 1}, Ints: v}
	}
	v := floats("v", 64, 7)
	return map[string]oddModel{
		"Clip":                                  sum(1+3+5+5, op("Clip", names{"s", "", "most"}, "o", nil), scalar("most", 5)),
		"Clip from below":                       sum(4+4+8+8, op("Clip", names{"s", "least"}, "o", nil), scalar("least", 4)),
		"Tile":                                  sum(3*20, op("Tile", names{"s", "times"}, "o", nil), numbers("times", 3)),
		"Pad":                                   sum(20+2*7, op("Pad", names{"s", "around", "by"}, "o", nil), numbers("around", 1, 1), scalar("by", 7)),
		"GatherND":                              sum(3+8, op("GatherND", names{"s", "at"}, "o", nil), places(1, -1)),
		"GatherElements":                        sum(3+8, op("GatherElements", names{"s", "at"}, "o", nil), numbers("at", 1, -1)),
		"ScatterND":                             sum(20-3+9, op("ScatterND", names{"s", "at", "by"}, "o", nil), places(1), numbers("by", 9)),
		"ScatterElements":                       sum(20-8+9, op("ScatterElements", names{"s", "at", "by"}, "o", nil), numbers("at", -1), numbers("by", 9)),
		"CumSum":                                sum(1+4+12+20, op("CumSum", names{"s", "axis"}, "o", nil), scalar("axis", 0)),
		"TopK":                                  sum(3+8+8, op("TopK", names{"s", "k"}, "o", nil), numbers("k", 3)),
		"TopK, the least, and where they stand": sum(1+0, modeltest.ONNXNode{Op: "TopK", In: names{"s", "k"}, Out: names{"v", "at"}, Attrs: attrs{"largest": int64(0)}}, numbers("k", 2)),
		"MatMul":                                sum(1+2*3+3*8+0, op("MatMul", names{"s", "by"}, "o", nil), numbers("by", 1, 2, 3, 0)),
		"ArgMax":                                sum(2, op("ArgMax", names{"s"}, "o", nil)),
		"ReduceMean":                            sum(5, op("ReduceMean", names{"s"}, "o", nil)),
		"Sign":                                  sum(4, op("Sign", names{"s"}, "o", nil)),
		"OptionalHasElement":                    taken(nil, op("OptionalHasElement", names{"x"}, "c", nil)),
		"numbers of 16 bits":                    taken([]modeltest.ONNXTensor{small("a", uint16s, 0xffff), small("b", int16s, 0xffff)}, greater),
		"numbers of 32 bits":                    taken([]modeltest.ONNXTensor{small("a", uint32s, 2), small("b", uint32s, 1)}, greater),
		"halves":                                taken([]modeltest.ONNXTensor{small("a", halves, 0x3c00), small("b", halves, 0xc000)}, greater), // 1 and -2
		"halves below normal":                   taken([]modeltest.ONNXTensor{small("a", halves, 0x0002), small("b", halves, 0x0001)}, greater),
		"bfloat16":                              taken([]modeltest.ONNXTensor{small("a", brains, 0x3f80), small("b", brains, 0xc000)}, greater), // 1 and -2
		"to truth values": taken([]modeltest.ONNXTensor{floats("none")}, op("Constant", nil, "half", attrs{"value_float": float32(0.5)}),
			op("Cast", names{"half"}, "c", attrs{"to": int64(9)})),
		"CastLike": {nil, []modeltest.ONNXTensor{floats("w", 4, 3, 3, 3)}, []modeltest.ONNXNode{
			op("Constant", nil, "one", attrs{"value_float": float32(1)}), op("CastLike", names{"one", "x"}, "cast", nil),
			op("Add", names{"x", "cast"}, "a", nil), op("Conv", names{"a", "w"}, "y", nil),
		}, conv3 * 36},
		"a shape of no numbers": {nil, []modeltest.ONNXTensor{{Name: "none", Shape: ints{0}, Kind: 7}, numbers("t", 3, 64), v}, []modeltest.ONNXNode{
			op("ReduceMean", names{"x"}, "m", nil), op("Reshape", names{"m", "none"}, "one", nil),
			op("Mul", names{"x", "one"}, "a", nil), op("Reshape", names{"a", "t"}, "r", nil), op("MatMul", names{"r", "v"}, "y", nil),
		}, 3 * 64 * 7},
		"Pad-18, axes in another order": {nil, []modeltest.ONNXTensor{floats("w", 4, 3, 1, 3), numbers("p", 0, 0, 8, 0), numbers("axes", 3, 2)}, []modeltest.ONNXNode{
			op("Pad", names{"x", "p", "", "axes"}, "a", nil), op("Conv", names{"a", "w"}, "y", nil),
		}, 4 * 3 * 3 * 8 * 14},
	}
}

// oddCalls are operations of runtimes and functions, and products that equations
// write.
func oddCalls() map[string]oddModel {
	const bytes8 = 3
	einsum := func(equation string, macs int64, a, b ints) oddModel {
		return oddModel{
			[]modeltest.ONNXInput{tensorIn("a", a...), tensorIn("b", b...)},
			nil,
			[]modeltest.ONNXNode{op("Einsum", names{"a", "b"}, "y", attrs{"equation": equation})},
			macs,
		}
	}
	return map[string]oddModel{
		"Einsum, capitals beside dots":           einsum("...S,SZ->...Z", 2*3*4*5, ints{2, 3, 4}, ints{4, 5}),
		"Einsum, capitals, the output left open": einsum("...S,SZ", 2*3*4*5, ints{2, 3, 4}, ints{4, 5}),
		"Einsum, a batch that repeats":           einsum("bij,bjk->bik", 2*3*4*5, ints{1, 3, 4}, ints{2, 4, 5}),
		"Einsum, a row that repeats":             einsum("ij,jk->ik", 3*5, ints{3, 1}, ints{4, 5}), // the other is added up first
		"DynamicQuantizeLSTM": {
			[]modeltest.ONNXInput{tensorIn("x", 5, 1, 4)},
			[]modeltest.ONNXTensor{{Name: "w", Shape: ints{1, 4, 32}, Kind: bytes8}, {Name: "r", Shape: ints{1, 8, 32}, Kind: bytes8}, floats("b", 1, 64)},
			[]modeltest.ONNXNode{microsoft(op("DynamicQuantizeLSTM", names{"x", "w", "r", "b"}, "y", attrs{"hidden_size": int64(8)}))},
			5 * 32 * 12,
		},
		"a matrix of ones": {
			[]modeltest.ONNXInput{tensorIn("x", 3, 3)},
			nil,
			[]modeltest.ONNXNode{op("EyeLike", names{"x"}, "e", nil), op("MatMul", names{"x", "e"}, "y", nil)},
			27,
		},
	}
}

// A function may be called without its last inputs, and may have a namesake.
func TestImportFunctionCalls(t *testing.T) {
	t.Parallel()
	block := func(overload string, step int64) modeltest.ONNXFunction {
		return modeltest.ONNXFunction{Domain: "own", Name: "Conv", Overload: overload, In: names{"a", "f", "bias"}, Out: names{"b"}, Nodes: []modeltest.ONNXNode{
			op("Conv", names{"a", "f", "bias"}, "b", attrs{"strides": ints{step, step}}),
		}}
	}
	for name, c := range map[string]struct {
		call modeltest.ONNXNode
		macs int64
		want string
	}{
		"an input left out":     {modeltest.ONNXNode{In: names{"x", "w"}, Overload: "one"}, conv3 * 36, ""},
		"an input left empty":   {modeltest.ONNXNode{In: names{"x", "w", ""}, Overload: "one"}, conv3 * 36, ""},
		"the other of a name":   {modeltest.ONNXNode{In: names{"x", "w"}, Overload: "two"}, conv3 * 9, ""},
		"none of this name":     {modeltest.ONNXNode{In: names{"x", "w"}, Overload: "three"}, 0, `operation 0 (Conv): the operation (of "own") is not known`},
		"without what it reads": {modeltest.ONNXNode{In: names{"", "w"}, Overload: "one"}, 0, "operation 0 (Conv): input 0 is missing"},
	} {
		c.call.Op, c.call.Domain, c.call.Out = "Conv", "own", names{"y"}
		m := modeltest.ONNX{
			Inputs: picture(), Weights: []modeltest.ONNXTensor{floats("w", 4, 3, 3, 3)}, Nodes: []modeltest.ONNXNode{c.call}, Outputs: names{"y"},
			Functions: []modeltest.ONNXFunction{block("one", 1), block("two", 2)},
		}
		w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{})
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want one with %q", name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case w.Totals().MACs != c.macs:
			t.Errorf("%s: %d MACs, want %d", name, w.Totals().MACs, c.macs)
		}
	}
}

// A cache that is empty at the first run brings nothing in; a mask comes in.
func TestImportAttentionInputs(t *testing.T) {
	t.Parallel()
	heads := []modeltest.ONNXInput{tensorIn("q", 1, 8, 5, 16), tensorIn("k", 1, 2, 5, 16), tensorIn("v", 1, 2, 5, 16)}
	past := func(name string) modeltest.ONNXInput {
		return modeltest.ONNXInput{Name: name, Shape: ints{1, 2, -1, 16}, Dims: names{"", "", "past", ""}}
	}
	m := modeltest.ONNX{
		Inputs: append(heads, tensorIn("m", 5, 5), past("pk"), past("pv")), Outputs: names{"y", "rk", "rv"},
		Nodes: []modeltest.ONNXNode{{Op: "Attention", In: names{"q", "k", "v", "m", "pk", "pv"}, Out: names{"y", "rk", "rv"}}},
	}
	w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Dims: map[string]int64{"past": 0}})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Totals().MACs; got != 8*5*5*32 || len(w.Inputs) != 4 {
		t.Errorf("%d MACs and inputs %v, want 6400 and q, k, v, m\n%s", got, w.Inputs, summary(w))
	}
	softmax := &w.Layers[1]
	if softmax.Op != workload.Softmax || softmax.InElements != 8*5*5+5*5 || softmax.FusedElements != 8*5*5 {
		t.Errorf("the softmax reads %d elements, %d of them fused, want the scores and the mask", softmax.InElements, softmax.FusedElements)
	}
}

// Sums of integer products that are not scaled back have 32 bits.
func TestImportIntegerProducts(t *testing.T) {
	t.Parallel()
	const uint8s, int8s = 2, 3
	for _, product := range []string{"ConvInteger", "MatMulInteger"} {
		in, w := ints{1, 3, 8, 8}, ints{4, 3, 3, 3}
		if product == "MatMulInteger" {
			in, w = ints{5, 6}, ints{6, 7}
		}
		m := modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{{Name: "x", Shape: in, Kind: uint8s}}, Outputs: names{"y"},
			Weights: []modeltest.ONNXTensor{{Name: "w", Shape: w, Kind: int8s}}, Nodes: []modeltest.ONNXNode{op(product, names{"x", "w"}, "y", nil)},
		}
		got, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if l := &got.Layers[0]; l.OutputBits != 32 || got.Precision.Activations != 8 {
			t.Errorf("%s: outputs of %d bits from inputs of %d, want 32 from 8", product, l.OutputBits, got.Precision.Activations)
		}
	}
}
