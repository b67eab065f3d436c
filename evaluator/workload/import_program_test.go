package workload_test

import (
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

const square = 3 * 5 * 5 // MACs of x [3, 5] times w [5, 5]

// step is the body of a Loop that multiplies its state with w; further nodes
// make the condition "c" and what is collected.
func step(outputs names, more ...modeltest.ONNXNode) modeltest.ONNX {
	return modeltest.ONNX{
		Inputs: []modeltest.ONNXInput{{Name: "i", Shape: ints{}, Kind: 7}, {Name: "go", Shape: ints{}, Kind: 9}, tensorIn("a", 3, 5)},
		Nodes:  append([]modeltest.ONNXNode{op("MatMul", names{"a", "w"}, "a2", nil)}, more...), Outputs: outputs,
	}
}

// A loop whose turns follow from the file is its turns, one after the other.
func oddLoops() map[string]oddModel {
	in := []modeltest.ONNXInput{tensorIn("x", 3, 5)}
	weights := func(more ...modeltest.ONNXTensor) []modeltest.ONNXTensor {
		return append([]modeltest.ONNXTensor{floats("w", 5, 5), scalar("yes", 1), scalar("no", 0), scalar("one", 1)}, more...)
	}
	always := step(names{"c", "a2"}, op("Identity", names{"go"}, "c", nil))
	upTo6 := step(names{"c", "a2"}, op("Add", names{"i", "one"}, "i1", nil), op("Less", names{"i1", "six"}, "c", nil))
	collects := step(names{"c", "a2", "s"}, op("Identity", names{"go"}, "c", nil), op("Relu", names{"a2"}, "s", nil))
	loop := func(body modeltest.ONNX, in ...string) modeltest.ONNXNode {
		return op("Loop", in, "l", attrs{"body": body})
	}
	data := step(names{"c", "a2"}, op("ReduceMax", names{"a2"}, "m", nil), op("Greater", names{"m", "one"}, "c", nil))
	last := op("MatMul", names{"l", "w"}, "y", nil)
	scan := modeltest.ONNX{
		Inputs:  []modeltest.ONNXInput{tensorIn("h", 2, 6), tensorIn("xt", 2, 5)},
		Nodes:   []modeltest.ONNXNode{op("MatMul", names{"xt", "v"}, "p", nil), op("Add", names{"p", "h"}, "h2", nil), op("Tanh", names{"h2"}, "o", nil)},
		Outputs: names{"h2", "o"},
	}
	return map[string]oddModel{
		"a loop of four turns":                   {in, weights(scalar("m", 4)), []modeltest.ONNXNode{loop(always, "m", "yes", "x"), last}, 5 * square},
		"a loop of no turns":                     {in, weights(scalar("m", 0)), []modeltest.ONNXNode{loop(always, "m", "yes", "x"), last}, square},
		"a loop that never runs":                 {in, weights(), []modeltest.ONNXNode{loop(always, "", "no", "x"), last}, square},
		"one turn, whose condition nothing asks": {in, weights(scalar("m1", 1)), []modeltest.ONNXNode{loop(data, "m1", "", "x"), last}, 2 * square},
		"no turns, under a condition of data": {in, weights(scalar("m", 0)), []modeltest.ONNXNode{
			op("ReduceMax", names{"x"}, "top", nil), op("Greater", names{"top", "one"}, "more", nil), loop(always, "m", "more", "x"), last,
		}, square},
		"a while loop": {in, weights(scalar("six", 6)), []modeltest.ONNXNode{loop(upTo6, "", "yes", "x"), last}, 7 * square},
		"turns from a shape": {in, weights(scalar("zero", 0)), []modeltest.ONNXNode{
			op("Shape", names{"x"}, "s", nil), op("Gather", names{"s", "zero"}, "m", nil), loop(always, "m", "", "x"), last,
		}, 4 * square},
		"a loop that collects": {in, weights(scalar("m", 4)), []modeltest.ONNXNode{
			{Op: "Loop", In: names{"m", "", "x"}, Out: names{"l", "all"}, Attrs: attrs{"body": collects}}, op("MatMul", names{"all", "w"}, "y", nil),
		}, 8 * square},
		"a scan": {
			[]modeltest.ONNXInput{tensorIn("h0", 2, 6), tensorIn("x", 2, 7, 5)},
			[]modeltest.ONNXTensor{floats("v", 5, 6), floats("u", 6, 3)},
			[]modeltest.ONNXNode{
				{Op: "Scan", In: names{"h0", "x"}, Out: names{"", "all"}, Attrs: attrs{"num_scan_inputs": int64(1), "scan_input_axes": ints{1}, "scan_output_axes": ints{1}, "body": scan}},
				op("MatMul", names{"all", "u"}, "y", nil),
			},
			7*2*5*6 + 2*7*6*3,
		},
	}
}

// Sequences are lists that are known while a file is read.
func oddSequences() map[string]oddModel {
	in := []modeltest.ONNXInput{tensorIn("x", 3, 10)}
	at := func(w int64, nodes ...modeltest.ONNXNode) oddModel {
		return oddModel{in, []modeltest.ONNXTensor{floats("w", w, 4), scalar("minus", -1), scalar("one", 1), numbers("parts", 4, 6)}, append(nodes, op("MatMul", names{"c", "w"}, "y", nil)), 0}
	}
	with := func(m oddModel, macs int64) oddModel { m.macs = macs; return m }
	return map[string]oddModel{
		"joined": with(at(20, op("SequenceConstruct", names{"x", "x"}, "s", nil), op("ConcatFromSequence", names{"s"}, "c", attrs{"axis": int64(1)})), 3*20*4),
		"stacked": with(at(10, op("SequenceEmpty", nil, "e", nil), op("SequenceInsert", names{"e", "x"}, "s", nil), op("SequenceInsert", names{"s", "x"}, "t", nil),
			op("ConcatFromSequence", names{"t"}, "c", attrs{"axis": int64(0), "new_axis": int64(1)})), 2*3*10*4),
		"a part of a given size": with(at(6, op("SplitToSequence", names{"x", "parts"}, "s", attrs{"axis": int64(1)}), op("SequenceAt", names{"s", "one"}, "c", nil)), 3*6*4),
		"one of all rows":        with(at(10, op("SplitToSequence", names{"x"}, "s", attrs{"keepdims": int64(0)}), op("SequenceAt", names{"s", "minus"}, "c", nil)), 10*4),
		"without the last": with(at(10, op("SplitToSequence", names{"x", "one"}, "s", nil), op("SequenceErase", names{"s"}, "t", nil),
			op("ConcatFromSequence", names{"t"}, "c", attrs{"axis": int64(0)})), 2*10*4),
	}
}

// Operations that take a picture at computed places, and others whose shape
// follows from their inputs.
func oddSamples() map[string]oddModel {
	one := floats("w", 4, 3, 1, 1)
	conv := op("Conv", names{"a", "w"}, "y", nil)
	like := func(macs int64, first modeltest.ONNXNode, inputs []modeltest.ONNXInput, weights ...modeltest.ONNXTensor) oddModel {
		return oddModel{append(picture(), inputs...), append(weights, one), []modeltest.ONNXNode{first, conv}, macs}
	}
	return map[string]oddModel{
		"GridSample":    like(conv1*6*7, op("GridSample", names{"x", "g"}, "a", nil), []modeltest.ONNXInput{tensorIn("g", 1, 6, 7, 2)}),
		"RoiAlign":      like(conv1*10*49, op("RoiAlign", names{"x", "r", "b"}, "a", attrs{"output_height": int64(7), "output_width": int64(7)}), []modeltest.ONNXInput{tensorIn("r", 10, 4), tensorIn("b", 10)}),
		"CenterCropPad": like(conv1*6*10, op("CenterCropPad", names{"x", "s"}, "a", attrs{"axes": ints{2, 3}}), nil, numbers("s", 6, 10)),
		"Acos":          like(conv1*64, op("Acos", names{"x"}, "a", nil), nil),
		"Compress":      like(conv1*3*8, op("Compress", names{"x", "k"}, "a", attrs{"axis": int64(2)}), nil, numbers("k", 1, 0, 1, 0, 1)),
		"Bernoulli":     like(conv1*64, op("Bernoulli", names{"x"}, "a", nil), nil),

		"noise like a picture":  like(conv1*64, op("RandomNormalLike", names{"x"}, "a", nil), nil),
		"noise like a constant": like(conv1*20, op("RandomUniformLike", names{"k"}, "a", nil), nil, floats("k", 1, 3, 4, 5)),
		"noise of a shape":      like(conv1*30, op("RandomUniform", nil, "a", attrs{"shape": ints{1, 3, 5, 6}}), nil),
		"noise of constants":    like(conv1*20, op("Bernoulli", names{"k"}, "a", nil), nil, floats("k", 1, 3, 4, 5)),
		"DeformConv": {
			append(picture(), tensorIn("o", 1, 18, 4, 4), tensorIn("m", 1, 9, 4, 4)),
			[]modeltest.ONNXTensor{floats("w", 4, 3, 3, 3), floats("b", 4)},
			[]modeltest.ONNXNode{op("DeformConv", names{"x", "w", "o", "b", "m"}, "y", attrs{"pads": ints{1, 1, 1, 1}, "strides": ints{2, 2}})},
			conv3 * 4 * 4,
		},
		"Col2Im": {
			[]modeltest.ONNXInput{tensorIn("x", 1, 12, 9)},
			[]modeltest.ONNXTensor{numbers("s", 6, 6), numbers("b", 2, 2), one},
			[]modeltest.ONNXNode{op("Col2Im", names{"x", "s", "b"}, "a", nil), conv},
			conv1 * 36,
		},
		"OneHot": {
			[]modeltest.ONNXInput{{Name: "x", Shape: ints{2, 3}, Kind: 7}},
			[]modeltest.ONNXTensor{scalar("d", 10), floats("v", 2), floats("w", 10, 4)},
			[]modeltest.ONNXNode{op("OneHot", names{"x", "d", "v"}, "a", nil), op("MatMul", names{"a", "w"}, "y", nil)},
			6 * 10 * 4,
		},
		"a chain of three": {
			[]modeltest.ONNXInput{tensorIn("a", 2, 3, 4), tensorIn("b", 4, 5), tensorIn("c", 5, 6)},
			nil,
			[]modeltest.ONNXNode{op("Einsum", names{"a", "b", "c"}, "y", attrs{"equation": "bij,jk,kl->bil"})},
			6*4*5 + 6*5*6,
		},
		"GRU with the batch first": {
			[]modeltest.ONNXInput{tensorIn("x", 2, 7, 8)},
			[]modeltest.ONNXTensor{floats("W", 1, 48, 8), floats("R", 1, 48, 16), floats("w", 16, 3)},
			[]modeltest.ONNXNode{
				{Op: "GRU", In: names{"x", "W", "R"}, Out: names{"", "h"}, Attrs: attrs{"layout": int64(1), "hidden_size": int64(16)}},
				op("Squeeze", names{"h"}, "s", attrs{"axes": ints{1}}), op("MatMul", names{"s", "w"}, "y", nil),
			},
			7*2*3*16*(8+16) + 2*16*3,
		},
	}
}

// What a runtime writes into optimised files.
func oddRuntime() map[string]oddModel {
	last := []modeltest.ONNXInput{tensorIn("x", 1, 8, 8, 3)}
	ids := []modeltest.ONNXInput{{Name: "ids", Shape: ints{2, 7}, Kind: 6}, {Name: "segments", Shape: ints{2, 7}, Kind: 6}}
	return map[string]oddModel{
		"NhwcConv": {last, []modeltest.ONNXTensor{floats("w", 4, 3, 3, 3)}, []modeltest.ONNXNode{microsoft(op("NhwcConv", names{"x", "w"}, "y", nil))}, conv3 * 36},
		"QLinearAveragePool": {
			last,
			[]modeltest.ONNXTensor{floats("s"), scalar("z", 0), floats("w", 4, 4)},
			[]modeltest.ONNXNode{
				microsoft(op("QLinearAveragePool", names{"x", "s", "z", "s", "z"}, "p", attrs{"kernel_shape": ints{2, 2}, "strides": ints{2, 2}, "channels_last": int64(1)})),
				op("Transpose", names{"p"}, "t", attrs{"perm": ints{0, 3, 1, 2}}), op("MatMul", names{"t", "w"}, "y", nil),
			},
			3 * 4 * 4 * 4,
		},
		"EmbedLayerNormalization": {
			ids,
			[]modeltest.ONNXTensor{floats("words", 100, 32), floats("places", 64, 32), floats("kinds", 2, 32), floats("g", 32), floats("b", 32), floats("w", 32, 8)},
			[]modeltest.ONNXNode{
				microsoft(op("EmbedLayerNormalization", names{"ids", "segments", "words", "places", "kinds", "g", "b"}, "e", nil)), op("MatMul", names{"e", "w"}, "y", nil),
			},
			14 * 32 * 8,
		},
		"GatherBlockQuantized": {
			ids[:1],
			[]modeltest.ONNXTensor{{Name: "t", Shape: ints{100, 32}, Kind: 2}, floats("s", 100, 2), floats("w", 64, 4)},
			[]modeltest.ONNXNode{microsoft(op("GatherBlockQuantized", names{"t", "ids", "s"}, "e", attrs{"bits": int64(4), "block_size": int64(32)})), op("MatMul", names{"e", "w"}, "y", nil)},
			14 * 64 * 4,
		},
		"QAttention": {
			[]modeltest.ONNXInput{{Name: "x", Shape: ints{2, 7, 32}, Kind: 2}},
			[]modeltest.ONNXTensor{{Name: "w", Shape: ints{32, 96}, Kind: 3}, floats("b", 96), floats("s"), scalar("z", 0)},
			[]modeltest.ONNXNode{microsoft(op("QAttention", names{"x", "w", "b", "s", "s", "", "z", "z"}, "y", attrs{"num_heads": int64(4)}))},
			2*7*32*96 + 2*2*7*7*32,
		},
	}
}

// A loop that depends on data is refused with the way out, and one without end
// ends.
func TestImportLoopErrors(t *testing.T) {
	t.Parallel()
	forever := modeltest.ONNX{
		Inputs:  []modeltest.ONNXInput{{Name: "i", Shape: ints{}, Kind: 7}, {Name: "go", Shape: ints{}, Kind: 9}},
		Outputs: names{"go"},
	}
	data := step(names{"c", "a2"}, op("ReduceMax", names{"a2"}, "m", nil), op("Greater", names{"m", "one"}, "c", nil))
	always := step(names{"c", "a2"}, op("Identity", names{"go"}, "c", nil))
	turns := modeltest.ONNXInput{Name: "turns", Shape: ints{}, Kind: 7}
	for name, c := range map[string]struct {
		loop   modeltest.ONNXNode
		inputs []modeltest.ONNXInput
		want   names
	}{
		"two turns":    {op("Loop", names{"two", "yes", "x"}, "y", attrs{"body": data}), nil, names{"whether it goes on after turn 1 is computed at run time"}},
		"much to cut":  {op("SplitToSequence", names{"x", "much"}, "y", attrs{"axis": int64(1)}), nil, names{"the parts [4 4] do not add up to axis 1 of the input [3 5]"}},
		"little":       {op("SplitToSequence", names{"x", "little"}, "y", attrs{"axis": int64(1)}), nil, names{"the parts [1 3] do not add up to axis 1"}},
		"split":        {op("Split", names{"x", "much"}, "y", attrs{"axis": int64(1)}), nil, names{"the parts [4 4] do not add up to axis 1"}},
		"data":         {op("Loop", names{"", "yes", "x"}, "y", attrs{"body": data}), nil, names{"(Loop)", "whether it goes on after turn 1 is computed at run time"}},
		"an input":     {op("Loop", names{"turns", "", "x"}, "y", attrs{"body": always}), []modeltest.ONNXInput{turns}, names{"how often it turns is computed at run time", "--value turns=N"}},
		"no end":       {op("Loop", names{"", ""}, "y", attrs{"body": forever}), nil, names{"more than 4096 turns"}},
		"no body":      {op("Loop", names{"one", "yes", "x"}, "y", nil), nil, names{"it has no body"}},
		"few inputs":   {op("Loop", names{"one", "yes"}, "y", attrs{"body": always}), nil, names{"does not fit its 2 inputs"}},
		"a sequence":   {op("Relu", names{"list"}, "y", nil), nil, names{"input 0 is a sequence of tensors"}},
		"not in it":    {op("SequenceAt", names{"list", "one"}, "y", nil), nil, names{"position 1 does not exist in a sequence of 1"}},
		"no such list": {op("SequenceAt", names{"x", "one"}, "y", nil), nil, names{"is no sequence whose length follows from the file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := modeltest.ONNX{
				Inputs:  append([]modeltest.ONNXInput{tensorIn("x", 3, 5)}, c.inputs...),
				Weights: []modeltest.ONNXTensor{floats("w", 5, 5), scalar("yes", 1), scalar("one", 1), scalar("two", 2), numbers("much", 4, 4), numbers("little", 1, 3)},
				Nodes:   []modeltest.ONNXNode{op("SequenceConstruct", names{"x"}, "list", nil), c.loop}, Outputs: names{"y"},
			}.Bytes()
			_, _, err := workload.Import("m", data, workload.ImportOptions{})
			if err == nil || slices.ContainsFunc(c.want, func(s string) bool { return !strings.Contains(err.Error(), s) }) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
