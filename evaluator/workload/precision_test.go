package workload_test

import (
	"strings"
	"testing"

	"apollo/evaluator/number"
	"apollo/evaluator/workload"
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
		{"weights: 4, weight_kind: float", "", "float with 8 or more"},
		{"weights: 8, weight_kind: bfloat", "", "bfloat with 16"},
		{"activations: 16, activation_kind: posit", "", `the kind of numbers is "posit"`},
		{"weights: 8", ", weight_kind: float", "weight_bits is not given"},
		{"weights: 8", ", weight_bits: 4, weight_kind: float", "float with 8 or more"},
		{"weights: 16, weight_kind: bfloat, activations: 16, activation_kind: float", ", weight_bits: 8", ""},
	} {
		text := strings.NewReplacer("%", c.precision, "#", c.layer).Replace(net)
		if _, err := workload.Parse("x.yaml", []byte(text)); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s: %v, want %q", c.precision, c.layer, err, c.want)
		}
	}
}
