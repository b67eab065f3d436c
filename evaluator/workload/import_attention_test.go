package workload_test

import (
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

func tensorIn(name string, shape ...int64) modeltest.ONNXInput {
	return modeltest.ONNXInput{Name: name, Shape: shape}
}

func microsoft(n modeltest.ONNXNode) modeltest.ONNXNode {
	n.Domain = "com.microsoft"
	return n
}

// attentionModel is an attention, its multiplications by hand, how many layers
// it is, and whether its scores are a tensor.
type attentionModel struct {
	inputs  []modeltest.ONNXInput
	weights []modeltest.ONNXTensor
	nodes   []modeltest.ONNXNode
	outputs names
	macs    int64
	layers  int
	apart   bool
}

func (m attentionModel) bytes() []byte {
	return modeltest.ONNX{Inputs: m.inputs, Weights: m.weights, Nodes: m.nodes, Outputs: m.outputs}.Bytes()
}

func attentionModels() map[string]attentionModel {
	heads := []modeltest.ONNXInput{tensorIn("q", 2, 8, 5, 16), tensorIn("k", 2, 2, 5, 16), tensorIn("v", 2, 2, 5, 16)}
	cache := []modeltest.ONNXInput{tensorIn("pk", 2, 2, 7, 16), tensorIn("pv", 2, 2, 7, 16)}
	one := func(n modeltest.ONNXNode) []modeltest.ONNXNode { return []modeltest.ONNXNode{n} }
	return map[string]attentionModel{
		"Attention": {heads, nil, one(op("Attention", names{"q", "k", "v"}, "y", nil)), names{"y"}, 2 * 8 * 5 * 5 * 32, 3, false},
		"Attention with a cache": {
			append(heads, cache...), nil,
			one(modeltest.ONNXNode{Op: "Attention", In: names{"q", "k", "v", "", "pk", "pv"}, Out: names{"y", "rk", "rv"}}),
			names{"y", "rk", "rv"},
			2 * 8 * 5 * 12 * 32, 5, false,
		},
		"Attention with features in one axis": {
			[]modeltest.ONNXInput{tensorIn("q", 2, 5, 128), tensorIn("k", 2, 6, 32), tensorIn("v", 2, 6, 64)},
			nil,
			one(op("Attention", names{"q", "k", "v"}, "y", attrs{"q_num_heads": int64(8), "kv_num_heads": int64(2)})),
			names{"y"},
			2 * 8 * 5 * 6 * (16 + 32), 3, false,
		},
		"Attention whose scores are an output": {
			heads, nil, one(modeltest.ONNXNode{Op: "Attention", In: names{"q", "k", "v"}, Out: names{"y", "", "", "s"}}), names{"y", "s"}, 2 * 8 * 5 * 5 * 32, 4, true,
		},
		"MultiHeadAttention of one tensor": {
			[]modeltest.ONNXInput{tensorIn("q", 2, 5, 8, 3, 16)},
			nil, one(microsoft(op("MultiHeadAttention", names{"q"}, "y", attrs{"num_heads": int64(8)}))),
			names{"y"},
			2 * 8 * 5 * 5 * 32, 6, false,
		},
		"MultiHeadAttention with keys and values in one": {
			[]modeltest.ONNXInput{tensorIn("q", 2, 5, 128), tensorIn("k", 2, 9, 8, 2, 16)},
			nil,
			one(microsoft(op("MultiHeadAttention", names{"q", "k"}, "y", attrs{"num_heads": int64(8)}))),
			names{"y"},
			2 * 8 * 5 * 9 * 32, 5, false,
		},
		"TensorScatter": {
			append(cache, tensorIn("k", 2, 2, 1, 16), tensorIn("q", 2, 8, 1, 16)),
			nil,
			[]modeltest.ONNXNode{op("TensorScatter", names{"pk", "k"}, "ck", nil), op("Attention", names{"q", "ck", "pv"}, "y", nil)},
			names{"y"},
			2 * 8 * 7 * 32, 4, false,
		},
		"RotaryEmbedding": {
			heads,
			[]modeltest.ONNXTensor{floats("c", 2, 5, 8)},
			[]modeltest.ONNXNode{op("RotaryEmbedding", names{"q", "c", "c"}, "r", nil), op("Attention", names{"r", "k", "v"}, "y", nil)},
			names{"y"},
			2 * 8 * 5 * 5 * 32, 4, false,
		},
		"GroupQueryAttention": {
			[]modeltest.ONNXInput{tensorIn("q", 1, 3, 192), tensorIn("pk", 1, 2, 5, 16), tensorIn("pv", 1, 2, 5, 16)},
			nil,
			one(microsoft(modeltest.ONNXNode{
				Op: "GroupQueryAttention", In: names{"q", "", "", "pk", "pv"}, Out: names{"y", "rk", "rv"},
				Attrs: attrs{"num_heads": int64(8), "kv_num_heads": int64(2), "do_rotary": int64(1)},
			})),
			names{"y"},
			8 * 3 * 8 * 32, 10, false,
		},
		"MultiHeadAttention": {
			[]modeltest.ONNXInput{tensorIn("q", 1, 3, 128), tensorIn("k", 1, 7, 128), tensorIn("v", 1, 7, 128)},
			nil,
			one(microsoft(op("MultiHeadAttention", names{"q", "k", "v"}, "y", attrs{"num_heads": int64(8)}))),
			names{"y"},
			8 * 3 * 7 * 32, 3, false,
		},
		"Attention of com.microsoft": {
			[]modeltest.ONNXInput{tensorIn("x", 1, 6, 32)},
			[]modeltest.ONNXTensor{floats("w", 32, 96), floats("b", 96)},
			one(microsoft(op("Attention", names{"x", "w", "b"}, "y", attrs{"num_heads": int64(4)}))),
			names{"y"},
			6*32*96 + 4*6*6*16, 7, false,
		},
	}
}

func TestImportAttention(t *testing.T) {
	t.Parallel()
	for name, m := range attentionModels() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, err := workload.Import("m", m.bytes(), workload.ImportOptions{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Totals(); got.MACs != m.macs || got.Layers != m.layers {
				t.Errorf("%d MACs in %d layers, want %d in %d\n%s", got.MACs, got.Layers, m.macs, m.layers, summary(w))
			}
			fused, want := 0, 2 // scores and what the softmax makes of them
			for i := range w.Layers {
				if w.Layers[i].Fused {
					fused++
				}
			}
			if m.apart {
				want = 1
			}
			if fused != want {
				t.Errorf("%d layers are fused, want %d", fused, want)
			}
		})
	}
}

// A contraction is a product of matrices; what is none is refused with the way
// out.
func TestImportEinsum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		equation string
		b        ints
		macs     int64
		want     string
	}{
		{"bij,bjk->bik", ints{2, 4, 5}, 2 * 3 * 4 * 5, ""},
		{"b i j, k j -> b i k", ints{5, 4}, 2 * 3 * 4 * 5, ""},
		{"bij,jk", ints{4, 5}, 2 * 3 * 4 * 5, ""},
		{"...ij,...jk->...ik", ints{2, 4, 5}, 2 * 3 * 4 * 5, ""},
		{"bij,bij->b", ints{2, 3, 4}, 2 * 3 * 4, ""},
		{"bij,bij->bij", ints{2, 3, 4}, 0, ""},
		{"bii,bij->bij", ints{2, 3, 4}, 2 * 3 * 4, ""}, // of a diagonal
		{"bij,kl->bik", ints{5, 4}, 2 * 3 * 5, ""},     // of sums
		{"bij,bjk,bkl->bil", ints{2, 4, 5}, 0, "has 3 terms for 2 inputs"},
		{"bij,bjk->bikx", ints{2, 4, 5}, 0, "does not fit: 'x'"},
	} {
		shape := ints{2, 3, 4}
		if strings.HasPrefix(c.equation, "bii") {
			shape = ints{2, 3, 3}
		}
		data := modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("a", shape...), tensorIn("b", c.b...)}, Outputs: names{"y"},
			Nodes: []modeltest.ONNXNode{op("Einsum", names{"a", "b"}, "y", attrs{"equation": c.equation})},
		}.Bytes()
		w, _, err := workload.Import("m", data, workload.ImportOptions{Strict: true})
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), "operation 0 (Einsum)") || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one with %q", c.equation, err, c.want)
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.equation, err)
		case c.want == "" && w.Totals().MACs != c.macs:
			t.Errorf("%s: %d MACs, want %d", c.equation, w.Totals().MACs, c.macs)
		}
	}
}

// Weights of few bits keep their width; keys that a file repeats for the query
// heads that share them are read once, also behind a transposition.
func TestImportLanguageModelParts(t *testing.T) {
	t.Parallel()
	data := modeltest.ONNX{
		Inputs: []modeltest.ONNXInput{tensorIn("x", 1, 6, 32)}, Outputs: names{"y"},
		Weights: []modeltest.ONNXTensor{{Name: "w", Shape: ints{24, 2, 8}, Kind: 2}, floats("s", 48)},
		Nodes:   []modeltest.ONNXNode{microsoft(op("MatMulNBits", names{"x", "w", "s"}, "y", attrs{"N": int64(24), "K": int64(32), "bits": int64(4), "block_size": int64(16)}))},
	}.Bytes()
	w, _, err := workload.Import("m", data, workload.ImportOptions{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	// A scale of 32 bits for each block of 16 weights comes in with them.
	if got := w.Totals(); got.MACs != 6*32*24 || got.WeightBytes != 32*24/2+48*4 || got.Params != 32*24 {
		t.Errorf("%d MACs, %d parameters, %d bytes of weights, want 4608, 768 and 576", got.MACs, got.Params, got.WeightBytes)
	}
	for _, turned := range []bool{false, true} {
		keys := []modeltest.ONNXNode{
			op("Unsqueeze", names{"k", "two"}, "k5", nil), op("Expand", names{"k5", "shape"}, "ke", nil), op("Reshape", names{"ke", "flat"}, "kr", nil),
		}
		last := "kr"
		shape, flat := numbers("shape", 1, 2, 4, 16, 7), numbers("flat", 1, 8, 16, 7)
		in := tensorIn("k", 1, 2, 16, 7)
		if turned {
			shape, flat, in = numbers("shape", 1, 2, 4, 7, 16), numbers("flat", 1, 8, 7, 16), tensorIn("k", 1, 2, 7, 16)
			keys = append(keys, op("Transpose", names{"kr"}, "kt", attrs{"perm": ints{0, 1, 3, 2}}))
			last = "kt"
		}
		data := modeltest.ONNX{
			Inputs: []modeltest.ONNXInput{tensorIn("q", 1, 8, 5, 16), in}, Outputs: names{"y"}, Weights: []modeltest.ONNXTensor{numbers("two", 2), shape, flat},
			Nodes: append(keys, op("MatMul", names{"q", last}, "y", nil)),
		}.Bytes()
		w, _, err := workload.Import("m", data, workload.ImportOptions{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		product := &w.Layers[len(w.Layers)-1]
		if product.MACs() != 8*5*7*16 || product.Shared != 4 || product.InputElements() != 8*5*16+2*16*7 {
			t.Errorf("transposed %t: %d MACs, %d heads share keys, %d elements are read, want 4480, 4 and 864\n%s", turned, product.MACs(), product.Shared, product.InputElements(), summary(w))
		}
	}
}
