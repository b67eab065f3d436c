package workload_test

import (
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/number"
	"apollo/evaluator/workload"
	"apollo/evaluator/workload/internal/modeltest"
)

// Formats are part of a network's identity; those that it has anyway are not, and
// they move its bytes.
func TestFormatsOfBuiltins(t *testing.T) {
	t.Parallel()
	sized := func(s workload.Sizes) *workload.Workload {
		w, err := workload.Sized("resnet18_v1", s)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	whole := builtin(t, "resnet18_v1")
	if same := sized(workload.Sizes{Weights: "int8", Activations: "int8", Accumulators: "int32"}); identityOf(t, same) != identityOf(t, whole) {
		t.Error("int8 by name is another network than int8 by default")
	}
	half, float, brain := sized(workload.Sizes{Weights: "int4"}), sized(workload.Sizes{Weights: "fp16", Activations: "fp16"}), sized(workload.Sizes{Weights: "bf16", Activations: "fp16"})
	if identityOf(t, half) == identityOf(t, whole) || identityOf(t, float) == identityOf(t, brain) {
		t.Error("another format is the same network")
	}
	bias := int64(0)
	for i := range whole.Layers {
		bias += 4 * whole.Layers[i].BiasElements()
	}
	w := whole.Totals().WeightBytes - bias
	if got := half.Totals().WeightBytes - bias; got != w/2 {
		t.Errorf("int4 weights have %d bytes, want half of %d", got, w)
	}
	if got := float.Totals(); got.WeightBytes-bias != 2*w || got.PeakLiveBytes != 2*whole.Totals().PeakLiveBytes {
		t.Errorf("fp16 has %+v, want twice of %+v", got, whole.Totals())
	}
	first := &half.Layers[0]
	for _, c := range []struct {
		w    *workload.Workload
		want [3]number.Format
	}{
		{whole, [3]number.Format{{Bits: 8}, {Bits: 8}, {Bits: 32}}},
		{half, [3]number.Format{{Bits: 4}, {Bits: 8}, {Bits: 32}}},
		{float, [3]number.Format{{Kind: number.Float, Bits: 16}, {Kind: number.Float, Bits: 16}, {Kind: number.Float, Bits: 32}}},
	} {
		if a, b, sum := first.Formats(c.w.Precision); [3]number.Format{a, b, sum} != c.want {
			t.Errorf("the first layer has %v, %v and %v, want %v", a, b, sum, c.want)
		}
	}
}

func TestKindsOfNumbersAreChecked(t *testing.T) {
	t.Parallel()
	const net = "schema: apollo.workload/v1\nname: x\nprecision: {%}\ninputs: [{name: i, shape: [1, 8]}]\nlayers: [{id: y, op: gemm, M: 1, K: 4, C: 8, in: [i]#}]\n"
	for _, c := range []struct{ precision, layer, want string }{
		{"weights: 6, weight_kind: float", "", "float with 4, or 8 or more"},
		{"weights: 8, weight_kind: bfloat", "", "bfloat with 16"},
		{"activations: 16, activation_kind: posit", "", `the kind of numbers is "posit"`},
		{"weights: 8", ", weight_kind: float", "weight_bits is not given"},
		{"weights: 8", ", weight_bits: 3, weight_kind: float", "float with 4, or 8 or more"},
		{"weights: 16, weight_kind: bfloat, activations: 16, activation_kind: float", ", weight_bits: 8", ""},
	} {
		text := strings.NewReplacer("%", c.precision, "#", c.layer).Replace(net)
		if _, err := workload.Parse("x.yaml", []byte(text)); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s: %v, want %q", c.precision, c.layer, err, c.want)
		}
	}
}

// Models carry the formats of their tensors: floating-point ones, weights of few
// bits, products of quantised and of dynamically quantised activations.
func TestImportFormats(t *testing.T) {
	t.Parallel()
	const uint8s, int8s, halfs, brains, float8s, float4s = 2, 3, 10, 16, 17, 23
	image := func(kind int64) modeltest.ONNXInput {
		return modeltest.ONNXInput{Name: "x", Shape: ints{1, 6, 32}, Kind: kind}
	}
	weights := func(kind int64) modeltest.ONNXTensor {
		return modeltest.ONNXTensor{Name: "w", Shape: ints{32, 24}, Kind: kind}
	}
	zero := modeltest.ONNXTensor{Name: "z", Shape: ints{}, Kind: uint8s}
	bits := microsoft(op("MatMulNBits", names{"x", "p", "s"}, "y", attrs{"N": int64(24), "K": int64(32), "bits": int64(4), "block_size": int64(16)}))
	packed := modeltest.ONNXTensor{Name: "p", Shape: ints{24, 2, 8}, Kind: uint8s}
	dynamic := op("DynamicQuantizeLinear", names{"x"}, "q", nil)
	dynamic.Out = names{"q", "qs", "qz"}
	type list = []modeltest.ONNXNode
	for _, c := range []struct {
		name    string
		in      modeltest.ONNXInput
		weights []modeltest.ONNXTensor
		nodes   list
		want    [2]string // weights, activations
	}{
		{"fp32", image(0), []modeltest.ONNXTensor{weights(0)}, list{op("MatMul", names{"x", "w"}, "y", nil)}, [2]string{"fp32", "fp32"}},
		{"fp16", image(halfs), []modeltest.ONNXTensor{weights(halfs)}, list{op("MatMul", names{"x", "w"}, "y", nil)}, [2]string{"fp16", "fp16"}},
		{"bf16", image(brains), []modeltest.ONNXTensor{weights(brains)}, list{op("MatMul", names{"x", "w"}, "y", nil)}, [2]string{"bf16", "bf16"}},
		{"fp4", image(float4s), []modeltest.ONNXTensor{weights(float4s)}, list{op("MatMul", names{"x", "w"}, "y", nil)}, [2]string{"fp4", "fp4"}},
		{"fp8", image(float8s), []modeltest.ONNXTensor{weights(float8s)}, list{op("MatMul", names{"x", "w"}, "y", nil)}, [2]string{"fp8", "fp8"}},
		{"MatMulNBits", image(0), []modeltest.ONNXTensor{packed, floats("s", 48)}, list{bits}, [2]string{"int4", "fp32"}},
		{"QLinearMatMul", image(uint8s), []modeltest.ONNXTensor{weights(int8s), floats("s"), zero}, list{
			op("QLinearMatMul", names{"x", "s", "z", "w", "s", "z", "s", "z"}, "y", nil),
		}, [2]string{"int8", "int8"}},
		{"QDQ", image(0), []modeltest.ONNXTensor{weights(uint8s), floats("s"), zero}, list{
			op("QuantizeLinear", names{"x", "s", "z"}, "xq", nil), op("DequantizeLinear", names{"xq", "s", "z"}, "xd", nil),
			op("DequantizeLinear", names{"w", "s", "z"}, "wd", nil), op("MatMul", names{"xd", "wd"}, "m", nil),
			op("QuantizeLinear", names{"m", "s", "z"}, "mq", nil), op("DequantizeLinear", names{"mq", "s", "z"}, "y", nil),
		}, [2]string{"int8", "int8"}},
		{"dynamic", image(0), []modeltest.ONNXTensor{weights(int8s)}, list{
			dynamic, op("MatMulInteger", names{"q", "w", "qz"}, "i", nil), op("Cast", names{"i"}, "f", attrs{"to": int64(1)}), op("Mul", names{"f", "qs"}, "y", nil),
		}, [2]string{"int8", "int8"}},
	} {
		data := modeltest.ONNX{Inputs: []modeltest.ONNXInput{c.in}, Outputs: names{"y"}, Weights: c.weights, Nodes: c.nodes}.Bytes()
		w, _, err := workload.Import("m", data, workload.ImportOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		at := slices.IndexFunc(w.Layers, func(l workload.Layer) bool { return l.Op.HasMACs() })
		weights, activations, _ := w.Layers[at].Formats(w.Precision)
		for i, got := range []number.Format{weights, activations} {
			if want, _ := number.Named(c.want[i]); got != want {
				t.Errorf("%s: %v of weights and %v of activations, want %v", c.name, weights, activations, c.want)
				break
			}
		}
	}
}
