package workload_test

import (
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// Codes of the schema's BuiltinOperator.
const (
	tfConcat, tfFullyConnected                    = 2, 9
	tfLess, tfGreater                             = 58, 61
	tfIf, tfCallOnce                              = 118, 129
	tfVarHandle, tfReadVariable, tfAssignVariable = 142, 143, 144
)

// A streaming layer: what is new is joined to the variable, both go through a
// product, and the variable is assigned.
func streaming() modeltest.TFLite {
	text := map[int]string{1: "state"}
	return modeltest.TFLite{
		Tensors: []modeltest.TFTensor{
			{Name: "x", Shape: []int32{1, 4}, Type: modeltest.TFInt8},
			{Name: "handle"},
			{Name: "past", Shape: []int32{1, 12}, Type: modeltest.TFInt8},
			{Name: "all", Shape: []int32{1, 16}, Type: modeltest.TFInt8},
			{Name: "w", Shape: []int32{8, 16}, Type: modeltest.TFInt8, Const: true},
			{Name: "y", Shape: []int32{1, 8}, Type: modeltest.TFInt8},
			{Name: "handle again"},
			{Name: "again", Shape: []int32{1, 16}, Type: modeltest.TFInt8},
			{Name: "z", Shape: []int32{1, 8}, Type: modeltest.TFInt8},
		},
		Inputs: []int32{0}, Outputs: []int32{5, 8},
		Ops: []modeltest.TFOp{
			{Code: tfCallOnce, Options: map[int]int32{0: 1}},
			{Code: tfVarHandle, Out: []int32{1}, Text: text},
			{Code: tfReadVariable, In: []int32{1}, Out: []int32{2}},
			{Code: tfConcat, In: []int32{2, 0}, Out: []int32{3}},
			{Code: tfFullyConnected, In: []int32{3, 4}, Out: []int32{5}},
			{Code: tfAssignVariable, In: []int32{1, 3}},
			{Code: tfVarHandle, Out: []int32{6}, Text: text},
			{Code: tfReadVariable, In: []int32{6}, Out: []int32{7}},
			{Code: tfFullyConnected, In: []int32{7, 4}, Out: []int32{8}},
		},
	}
}

// What a variable holds from the run before is an input; after it is assigned,
// it is what was assigned.
func TestImportVariables(t *testing.T) {
	t.Parallel()
	w, r, err := workload.Import("m", streaming().Bytes(), workload.ImportOptions{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Totals().MACs; got != 2*16*8 || len(w.Inputs) != 2 || len(r.Unmodelled) != 0 {
		t.Errorf("%d MACs, inputs %v, want 256 and two inputs\n%s", got, w.Inputs, summary(w))
	}
	join := w.Layers[0].ID
	for _, l := range w.Layers[1:] {
		if l.In[0] != join {
			t.Errorf("layer %q reads %v, want %q: the variable holds it", l.ID, l.In, join)
		}
	}
	given := streaming()
	given.Inputs, given.Ops = []int32{0, 1}, slices.Delete(given.Ops[2:], 4, 5)
	given.Tensors[1].Type, given.Ops[4].In = 13, []int32{1}
	w, _, err = workload.Import("m", given.Bytes(), workload.ImportOptions{Strict: true})
	if err != nil {
		t.Fatal("a handle that is an input:", err)
	}
	// What is new and the variable come in, the products and the variable leave.
	if in, out := border(w); in != 4+12 || out != 8+8+16 || w.Totals().MACs != 2*16*8 {
		t.Errorf("a handle that is an input: %d bytes come in and %d go out, want 16 and 32\n%s", in, out, summary(w))
	}
	lost := streaming()
	lost.Ops = lost.Ops[2:]
	if _, _, err := workload.Import("m", lost.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), `(READ_VARIABLE): reads tensor "handle" before`) {
		t.Errorf("a variable without a handle: error %v", err)
	}
}

// An IF whose condition is constant is its branch.
func TestImportTFLiteBranch(t *testing.T) {
	t.Parallel()
	tensor := func(name string, shape ...int32) modeltest.TFTensor {
		return modeltest.TFTensor{Name: name, Shape: shape, Type: modeltest.TFInt8}
	}
	product := func(outputs int32) modeltest.TFLite {
		weights := tensor("w", outputs, 4)
		weights.Const = true
		return modeltest.TFLite{
			Tensors: []modeltest.TFTensor{weights, tensor("in", 1, 4), tensor("out", 1, outputs)},
			Inputs:  []int32{1}, Outputs: []int32{2},
			Ops: []modeltest.TFOp{{Code: tfFullyConnected, In: []int32{1, 0}, Out: []int32{2}}},
		}
	}
	m := modeltest.TFLite{
		Tensors: []modeltest.TFTensor{tensor("x", 1, 4), {Name: "c", Type: 6, True: true}, tensor("y", 1, 8)},
		Inputs:  []int32{0}, Outputs: []int32{2},
		Ops:      []modeltest.TFOp{{Code: tfIf, In: []int32{1, 0}, Out: []int32{2}, Options: map[int]int32{0: 1, 1: 2}}},
		Branches: []modeltest.TFLite{product(8), product(2)},
	}
	w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Totals().MACs; got != 32 || len(w.Layers) != 1 {
		t.Errorf("%d MACs in %d layers, want the 32 of the first branch in 1", got, len(w.Layers))
	}
	m.Tensors[1].True = false
	m.Inputs = append(m.Inputs, 1)
	if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "operator 0 (IF): its condition is computed at run time") {
		t.Errorf("a condition that is an input: error %v", err)
	}
}

// calledTFLite is a model whose operator is a subgraph with one matrix product, which is
// called twice.
func calledTFLite(op modeltest.TFOp) modeltest.TFLite {
	tensor := func(name string) modeltest.TFTensor {
		return modeltest.TFTensor{Name: name, Shape: []int32{1, 4}, Type: modeltest.TFInt8}
	}
	again := op
	op.In, op.Out, again.In, again.Out = []int32{0}, []int32{1}, []int32{1}, []int32{2}
	return modeltest.TFLite{
		Tensors: []modeltest.TFTensor{tensor("x"), tensor("m"), tensor("y")},
		Inputs:  []int32{0}, Outputs: []int32{2}, Ops: []modeltest.TFOp{op, again},
		Branches: []modeltest.TFLite{{
			Tensors: []modeltest.TFTensor{{Name: "w", Shape: []int32{4, 4}, Type: modeltest.TFInt8, Const: true}, tensor("in"), tensor("out")},
			Inputs:  []int32{1}, Outputs: []int32{2},
			Ops: []modeltest.TFOp{{Code: tfFullyConnected, In: []int32{1, 0}, Out: []int32{2}}},
		}},
	}
}

// What converters keep together is read where it stands; one that calls itself
// ends.
func TestImportTFLiteCalls(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]modeltest.TFOp{
		"CALL": {Code: 31, Options: map[int]int32{0: 1}}, "STABLEHLO_COMPOSITE": {Code: 206, More: map[int]int32{1: 1}},
	} {
		m := calledTFLite(op)
		w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := w.Totals().MACs; got != 2*16 || len(w.Layers) != 2 {
			t.Errorf("%s: %d MACs in %d layers, want 32 in 2", name, got, len(w.Layers))
		}
		op.In, op.Out = []int32{1}, []int32{2}
		m.Branches[0].Ops = []modeltest.TFOp{op}
		if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "more than 16 deep") {
			t.Errorf("%s of itself: error %v", name, err)
		}
		op.More, op.Options = map[int]int32{1: 7}, map[int]int32{0: 7}
		if _, _, err := workload.Import("m", calledTFLite(op).Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "subgraph 7 of 2") {
			t.Errorf("%s of nothing: error %v", name, err)
		}
	}
}

// computedBranch is a model with an IF over a comparison of its input's first dimension
// with a constant; outputs are those of the branch that is taken.
func computedBranch(comparison, outputs int32) modeltest.TFLite {
	const int32s, bools, shapeOf, stridedSlice = 2, 6, 77, 45
	tensor := func(name string, kind byte, shape ...int32) modeltest.TFTensor {
		return modeltest.TFTensor{Name: name, Shape: shape, Type: kind}
	}
	limit := tensor("limit", int32s) // 0x04030201
	limit.Const = true
	first := tensor("first", int32s, 1)
	first.Const = true // beyond the end, where the option says from the beginning
	product := func(outputs int32) modeltest.TFLite {
		weights := tensor("w", modeltest.TFInt8, outputs, 4)
		weights.Const = true
		return modeltest.TFLite{
			Tensors: []modeltest.TFTensor{weights, tensor("in", modeltest.TFInt8, 1, 4), tensor("out", modeltest.TFInt8, 1, outputs)},
			Inputs:  []int32{1}, Outputs: []int32{2},
			Ops: []modeltest.TFOp{{Code: tfFullyConnected, In: []int32{1, 0}, Out: []int32{2}}},
		}
	}
	return modeltest.TFLite{
		Tensors: []modeltest.TFTensor{
			tensor("x", modeltest.TFInt8, 1, 4), tensor("s", int32s, 2), first, tensor("d", int32s), limit, tensor("c", bools),
			tensor("y", modeltest.TFInt8, 1, outputs),
		},
		Inputs: []int32{0}, Outputs: []int32{6},
		Ops: []modeltest.TFOp{
			{Code: shapeOf, In: []int32{0}, Out: []int32{1}},
			{Code: stridedSlice, In: []int32{1, 2, 2, 2}, Out: []int32{3}, Options: map[int]int32{0: 1, 4: 1}},
			{Code: comparison, In: []int32{3, 4}, Out: []int32{5}},
			{Code: tfIf, In: []int32{5, 0}, Out: []int32{6}, Options: map[int]int32{0: 1, 1: 2}},
		},
		Branches: []modeltest.TFLite{product(8), product(2)},
	}
}

// A condition that follows from shapes and constants chooses a branch too.
func TestImportTFLiteComputedBranch(t *testing.T) {
	t.Parallel()
	for comparison, outputs := range map[int32]int32{tfLess: 8, tfGreater: 2} {
		w, _, err := workload.Import("m", computedBranch(comparison, outputs).Bytes(), workload.ImportOptions{})
		if err != nil {
			t.Errorf("operator %d: %v", comparison, err)
		} else if got := w.Totals().MACs; got != int64(4*outputs) {
			t.Errorf("operator %d: %d MACs, want %d", comparison, got, 4*outputs)
		}
	}
}

// Two directions are two layers, joined where the operator has one output.
func TestImportTFLiteBothDirections(t *testing.T) {
	t.Parallel()
	const bothRNN, bothLSTM = 46, 52
	for name, c := range map[string]struct {
		code  int32
		merge int
		in    int // inputs
		w, r  map[int]bool
		macs  int64
		want  string
	}{
		"RNN":                    {bothRNN, 2, 9, map[int]bool{1: true, 5: true}, map[int]bool{2: true, 6: true}, 2 * 5 * 8 * 12, ""},
		"LSTM":                   {bothLSTM, 3, 39, set(1, 2, 3, 4, 18, 19, 20, 21), set(5, 6, 7, 8, 22, 23, 24, 25), 2 * 5 * 32 * 12, ""},
		"LSTM with a projection": {bothLSTM, 3, 39, set(1, 2, 3, 4, 18, 19, 20, 21), set(5, 6, 7, 8, 22, 23, 24, 25, 16), 0, "convert the model with an LSTM for each direction"},
	} {
		weights := func(name string, shape ...int32) modeltest.TFTensor {
			return modeltest.TFTensor{Name: name, Shape: shape, Type: modeltest.TFInt8, Const: true}
		}
		in := []int32{0}
		for i := 1; i < c.in; i++ {
			switch {
			case c.w[i]:
				in = append(in, 1)
			case c.r[i]:
				in = append(in, 2)
			default:
				in = append(in, -1)
			}
		}
		for merged := range 2 {
			out, outputs := []int32{3, 4}, []int32{3, 4}
			if merged == 1 {
				out, outputs = []int32{5}, []int32{5}
			}
			m := modeltest.TFLite{
				Tensors: []modeltest.TFTensor{
					{Name: "x", Shape: []int32{1, 5, 4}, Type: modeltest.TFInt8},
					weights("w", 8, 4), weights("r", 8, 8),
					{Name: "f", Shape: []int32{1, 5, 8}, Type: modeltest.TFInt8},
					{Name: "b", Shape: []int32{1, 5, 8}, Type: modeltest.TFInt8},
					{Name: "y", Shape: []int32{1, 5, 16}, Type: modeltest.TFInt8},
				},
				Inputs: []int32{0}, Outputs: outputs,
				Ops: []modeltest.TFOp{{Code: c.code, In: in, Out: out, Options: map[int]int32{c.merge: int32(merged)}}},
			}
			w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
			switch {
			case c.want != "":
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: error %v, want one with %q", name, err, c.want)
				}
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case w.Totals().MACs != c.macs || len(w.Layers) != 2+merged:
				t.Errorf("%s: %d MACs in %d layers, want %d in %d", name, w.Totals().MACs, len(w.Layers), c.macs, 2+merged)
			}
		}
	}
}

// Recurrent cells store what they share once, each matrix for itself.
func TestImportTFLiteSharedCells(t *testing.T) {
	t.Parallel()
	const rnn, lstm = 35, 44 // UNIDIRECTIONAL_SEQUENCE_*
	const x, w, r, b, v, q, a = 0, 1, 2, 3, 4, 5, 6
	weights := func(name string, shape ...int32) modeltest.TFTensor {
		return modeltest.TFTensor{Name: name, Shape: shape, Type: modeltest.TFInt8, Const: true}
	}
	place := func(w, r, b int32) []int32 { // inputs, states and bias of all gates
		in := []int32{w, w, w, w, r, r, r, r, -1, -1, -1, b, b, b, b}
		return append([]int32{x}, in...)
	}
	for name, c := range map[string]struct {
		code          int32
		first, second []int32
		gates         int64
		matrices      int64
		biases        int64
	}{
		"RNN, all":                {rnn, []int32{x, w, r, b}, []int32{x, w, r, b}, 1, 2, 1},
		"RNN, inputs":             {rnn, []int32{x, w, r, b}, []int32{x, w, q, -1}, 1, 3, 2},
		"RNN, states":             {rnn, []int32{x, w, r, b}, []int32{x, v, r, b}, 1, 3, 1},
		"RNN, nothing":            {rnn, []int32{x, w, r, -1}, []int32{x, v, q, -1}, 1, 4, 2},
		"LSTM, all":               {lstm, place(w, r, b), place(w, r, b), 4, 2, 1},
		"LSTM, inputs":            {lstm, place(w, r, b), place(w, q, b), 4, 3, 1},
		"LSTM, states":            {lstm, place(w, r, b), place(v, r, -1), 4, 3, 2},
		"LSTM of one matrix, all": {16, []int32{x, -1, a, b, -1}, []int32{x, -1, a, b, -1}, 4, 2, 1},
	} {
		m := modeltest.TFLite{
			Tensors: []modeltest.TFTensor{
				{Name: "x", Shape: []int32{1, 5, 8}, Type: modeltest.TFInt8},
				weights("w", 8, 8), weights("r", 8, 8), weights("b", 8), weights("v", 8, 8), weights("q", 8, 8), weights("a", 32, 16),
				{Name: "y", Shape: []int32{1, 5, 8}, Type: modeltest.TFInt8},
				{Name: "z", Shape: []int32{1, 5, 8}, Type: modeltest.TFInt8},
			},
			Inputs: []int32{x}, Outputs: []int32{7, 8},
			Ops: []modeltest.TFOp{{Code: c.code, In: c.first, Out: []int32{7}}, {Code: c.code, In: c.second, Out: []int32{8}}},
		}
		got, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var loaded int64
		for i := range got.Layers {
			loaded += got.Layers[i].WeightBytes(got.Precision)
		}
		const matrix, bias = 8 * 8, 8
		params, bytes, all := c.gates*(c.matrices*matrix+c.biases*bias), c.gates*(c.matrices*matrix+4*c.biases*bias), c.gates*(4*matrix+2*4*bias)
		if n := got.Totals(); n.Params != params || n.WeightBytes != bytes || loaded != all {
			t.Errorf("%s: %d parameters in %d bytes, %d bytes come in, want %d, %d and %d\n%s", name, n.Params, n.WeightBytes, loaded, params, bytes, all, summary(got))
		}
	}
}

func set(list ...int) map[int]bool {
	m := map[int]bool{}
	for _, i := range list {
		m[i] = true
	}
	return m
}
