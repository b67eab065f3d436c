package workload_test

import (
	"fmt"
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
		{"QGemm", image(uint8s), []modeltest.ONNXTensor{weights(int8s), floats("s"), zero}, list{
			op("Flatten", names{"x"}, "f", attrs{"axis": int64(-1)}), op("QGemm", names{"f", "s", "z", "w", "s", "z", "", "s", "z"}, "y", nil),
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

// A layer that writes another format than the network's moves bytes of that width,
// and so do the layers that read it, through views too.
func TestOutputsOfAnotherWidth(t *testing.T) {
	t.Parallel()
	const net = `{schema: apollo.workload/v1, name: x, inputs: [{name: i, shape: [1, 4, 4, 8]}], layers: [
  {id: a, op: conv, K: 16, P: 4, Q: 4, R: 1, S: 1, in: [i]@},
  {id: b, op: conv, K: 16, P: 4, Q: 4, R: 1, S: 1, in: [a]},
  {id: v, op: view, N: 1, P: 1, Q: 1, K: 256, in: [a]},
  {id: g, op: gemm, M: 1, K: 4, C: 256, in: [v]},
  {id: s, op: eltwise, fn: add, P: 4, Q: 4, K: 16, in: [a, b]}]}`
	read := func(own string) *workload.Workload {
		w, err := workload.Parse("x.yaml", []byte(strings.ReplaceAll(net, "@", own)))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	plain, own := read(""), read(", output_bits: 32, output_kind: float")
	if identityOf(t, plain) == identityOf(t, own) {
		t.Error("another width of an output is the same network")
	}
	int8, fp32 := number.Format{Bits: 8}, number.Format{Kind: number.Float, Bits: 32}
	for i, want := range []struct {
		in, out int64
		reads   number.Format
		writes  number.Format
	}{
		{128, 4 * 256, int8, fp32},
		{4 * 256, 256, fp32, int8},
		{4 * 256, 256, fp32, int8}, // a view moves nothing
		{4 * 256, 4, fp32, int8},
		{4*256 + 256, 256, fp32, int8},
	} {
		l := &own.Layers[i]
		if l.Op == workload.View {
			continue
		}
		_, reads, _ := l.Formats(own.Precision)
		if in, out := l.InputBytes(own.Precision), l.OutputBytes(own.Precision); in != want.in || out != want.out || reads != want.reads || l.OutputFormat(own.Precision) != want.writes {
			t.Errorf("%s reads %d bytes of %v and writes %d of %v, want %+v", l.ID, in, reads, out, l.OutputFormat(own.Precision), want)
		}
	}
	if a, b := plain.Totals().PeakLiveBytes, own.Totals().PeakLiveBytes; b <= a {
		t.Errorf("at most %d bytes live with an output of 32 bits, %d without", b, a)
	}
	for own, want := range map[string]string{
		", output_bits: 65": "output_bits is 65", ", output_bits: -1": "output_bits is -1", ", output_kind: float": "output_bits is not given",
		", output_bits: 32, output_kind: decimal": "decimal",
	} {
		if _, err := workload.Parse("x.yaml", []byte(strings.ReplaceAll(net, "@", own))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", own, err, want)
		}
	}
}

// A float product beside quantised ones reads and writes float, as its file says;
// products behind a quantisation, fixed or dynamic, read what it makes.
func TestImportFloatBesideIntegers(t *testing.T) {
	t.Parallel()
	const uint8s, int8s = 2, 3
	quantised := func(name string) modeltest.ONNXTensor {
		return modeltest.ONNXTensor{Name: name, Shape: ints{64, 64}, Kind: int8s}
	}
	first, second := op("DynamicQuantizeLinear", names{"x"}, "q", nil), op("DynamicQuantizeLinear", names{"r"}, "r8", nil)
	first.Out, second.Out = names{"q", "qs", "qz"}, names{"r8", "rs", "rz"}
	data := modeltest.ONNX{
		Inputs: []modeltest.ONNXInput{{Name: "x", Shape: ints{4, 64}}}, Outputs: names{"y"},
		Weights: []modeltest.ONNXTensor{quantised("w1"), quantised("w2"), floats("head", 64, 8)},
		Nodes: []modeltest.ONNXNode{
			first, op("MatMulInteger", names{"q", "w1", "qz"}, "i", nil), op("Cast", names{"i"}, "f", attrs{"to": int64(1)}), op("Mul", names{"f", "qs"}, "a", nil),
			op("Relu", names{"a"}, "r", nil),
			second, op("MatMulInteger", names{"r8", "w2", "rz"}, "j", nil), op("Cast", names{"j"}, "g", attrs{"to": int64(1)}), op("Mul", names{"g", "rs"}, "b", nil),
			op("MatMul", names{"b", "head"}, "y", nil),
		},
	}.Bytes()
	w, _, err := workload.Import("m", data, workload.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range w.Layers {
		if l := &w.Layers[i]; l.Op.HasMACs() {
			weights, in, _ := l.Formats(w.Precision)
			got = append(got, fmt.Sprint(weights, " x ", in, " to ", l.OutputFormat(w.Precision)))
		}
	}
	if want := []string{"int8 x int8 to int8", "int8 x int8 to fp32", "fp32 x fp32 to fp32"}; !slices.Equal(got, want) {
		t.Errorf("products %q, want %q", got, want)
		for i := range w.Layers {
			t.Logf("%+v", w.Layers[i])
		}
	}
}
