package workload_test

import (
	"strings"
	"testing"

	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// mixtureOf is a model of one mixture of eight experts, 16 features outside and
// 32 inside, over so many tokens. fused holds gate and values in one matrix.
func mixtureOf(quantised, fused bool, tokens int64, attributes attrs) modeltest.ONNX {
	const experts, width, inner, halves = 8, 16, 32, 2
	first := int64(inner)
	if fused {
		first *= 2
	}
	attributes["k"] = int64(2)
	m := modeltest.ONNX{Inputs: []modeltest.ONNXInput{tensorIn("x", 1, tokens, width), tensorIn("router", tokens, experts)}, Outputs: names{"y"}}
	if quantised {
		m.Weights = []modeltest.ONNXTensor{
			{Name: "up", Shape: ints{experts, first, width / halves}, Kind: 2},
			{Name: "down", Shape: ints{experts, width, inner / halves}, Kind: 2},
			floats("s1", experts*first), floats("s2", experts*width),
		}
		m.Nodes = []modeltest.ONNXNode{microsoft(op("QMoE", names{"x", "router", "up", "s1", "", "down", "s2"}, "y", attributes))}
		return m
	}
	m.Weights = []modeltest.ONNXTensor{
		{Name: "up", Shape: ints{experts, first, width}, Kind: 1}, {Name: "down", Shape: ints{experts, width, inner}, Kind: 1},
	}
	m.Nodes = []modeltest.ONNXNode{microsoft(op("MoE", names{"x", "router", "up", "", "down"}, "y", attributes))}
	return m
}

// One token of a mixture reads the two experts that it chooses, a hundred read
// all eight: 25 rows each.
func TestImportExperts(t *testing.T) {
	t.Parallel()
	const each = 16 * 32 // weights of a matrix
	for _, c := range []struct {
		name             string
		quantised, fused bool
		tokens           int64
		attributes       attrs
		macs, bytes      int64
	}{
		{"one token", false, false, 1, attrs{}, 2 * 2 * each, 8 * 2 * each * 4},
		{"a hundred", false, false, 100, attrs{"activation_type": "silu"}, 100 * 2 * 2 * each, 8 * 2 * each * 4},
		{"gated, packed", true, true, 1, attrs{"activation_type": "swiglu", "expert_weight_bits": int64(4)}, 2 * 3 * each, 8*3*each/2 + 2*(64+16)*4}, // a scale for each column of those that are read
	} {
		w, report, err := workload.Import("m", mixtureOf(c.quantised, c.fused, c.tokens, c.attributes).Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := w.Totals(); got.MACs != c.macs || got.WeightBytes != c.bytes || len(report.Unmodelled) > 0 {
			t.Errorf("%s: %d MACs and %d bytes of weights, want %d and %d\n%s", c.name, got.MACs, got.WeightBytes, c.macs, c.bytes, summary(w))
		}
	}
	for name, m := range map[string]modeltest.ONNX{
		`experts of type "fp4" are not supported`: mixtureOf(true, false, 1, attrs{"quant_type": "fp4"}),
		"expert_weight_bits is 3, want 2, 4 or 8": mixtureOf(true, false, 1, attrs{"expert_weight_bits": int64(3)}),
	} {
		if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
	m := mixtureOf(false, false, 1, attrs{})
	m.Nodes[0].Attrs["k"] = int64(9)
	if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "9 of 8 experts") {
		t.Errorf("nine of eight experts: %v", err)
	}
	m = mixtureOf(false, false, 1, attrs{})
	m.Inputs, m.Weights = append(m.Inputs, tensorIn("up", 8, 32, 16)), m.Weights[1:]
	if _, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{}); err == nil || !strings.Contains(err.Error(), "store them as initializers") {
		t.Errorf("experts that are computed: %v", err)
	}
}

// A gate has a bias of its own, which may be the only one.
func TestImportExpertsBias(t *testing.T) {
	t.Parallel()
	const experts, width, inner = 8, 16, 32
	for _, c := range []struct {
		name     string
		in       names
		up, gate bool
	}{
		{"up", names{"x", "router", "up", "bias", "down", "", "gate", ""}, true, false},
		{"gate", names{"x", "router", "up", "", "down", "", "gate", "bias"}, false, true},
	} {
		m := mixtureOf(false, false, 1, attrs{})
		m.Weights = append(m.Weights, modeltest.ONNXTensor{Name: "gate", Shape: ints{experts, inner, width}, Kind: 1},
			modeltest.ONNXTensor{Name: "bias", Shape: ints{experts, inner}, Kind: 1})
		m.Nodes[0].In = c.in
		w, _, err := workload.Import("m", m.Bytes(), workload.ImportOptions{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		biased := map[string]bool{}
		for i := range w.Layers {
			if l := &w.Layers[i]; l.Op.HasWeights() {
				biased[[]string{"up", "gate", "down"}[len(biased)]] = !l.NoBias
			}
		}
		if len(biased) != 3 || biased["up"] != c.up || biased["gate"] != c.gate || biased["down"] {
			t.Errorf("a bias of %s: layers with one are %v", c.name, biased)
		}
	}
}
