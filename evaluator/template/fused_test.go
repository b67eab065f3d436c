package template

import (
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/workload"
)

// measured returns the totals of the baseline of a template, or why it has none.
func measured(t *testing.T, x *Spec, name string, s workload.Sizes) (frame.Totals, *evaluator.Reason) {
	t.Helper()
	w, err := workload.Sized(name, s)
	if err != nil {
		t.Fatal(err)
	}
	net := frame.Network{Name: name, Weight: 1, Workload: w}
	for at := range w.Layers {
		if l := &w.Layers[at]; l.Op != workload.View {
			net.Layers = append(net.Layers, frame.Layer{Layer: l, At: at})
		}
	}
	m, err := declared(x).Bind(frame.Task{Networks: []frame.Network{net}})
	if err != nil {
		t.Fatal(err)
	}
	var d frame.Design
	copy(d.Values[:], baselineOf(x))
	all := make([]frame.Totals, 1)
	_, why := m.Measure(d, all)
	return all[0], why
}

// At least four templates run every network with attention as their published
// designs are (docs/workloads.md#sizes says which do not).
func TestTransformersRun(t *testing.T) {
	t.Parallel()
	for _, name := range workload.Names() {
		w, err := workload.Sized(name, workload.Sizes{Attention: workload.AttentionFused})
		if err != nil || w.Decode != nil {
			continue // has no attention, or its phases are networks of their own
		}
		runs := 0
		for _, x := range Specs() {
			if got, why := measured(t, &x, w.Name, workload.Sizes{Attention: workload.AttentionFused}); why == nil && got.Cycles > 0 {
				runs++
			}
		}
		if runs < 5 {
			t.Errorf("%d templates run %s, want 5 or more", runs, name)
		}
	}
}

// Scores that stay in the units cost no more than scores in memory, and less
// energy where a tensor would leave the chip.
func TestFusedAttentionCostsNoMore(t *testing.T) {
	t.Parallel()
	for _, x := range Specs() {
		for _, name := range []string{"bert_base", "gpt2_decode", "whisper_tiny_encoder"} {
			fused, why := measured(t, &x, name, workload.Sizes{Attention: workload.AttentionFused})
			apart, whyApart := measured(t, &x, name, workload.Sizes{Attention: workload.AttentionSeparate})
			if why != nil || whyApart != nil {
				t.Fatalf("%s, %s: %v, %v", x.Name, name, why, whyApart)
			}
			if fused.Cycles > apart.Cycles || fused.Joules >= apart.Joules {
				t.Errorf("%s, %s: fused takes %d cycles and %g J, separate %d and %g", x.Name, name, fused.Cycles, fused.Joules, apart.Cycles, apart.Joules)
			}
		}
	}
}

// A token reads every weight and the cache once: no machine is faster than its
// interface, and one whose units are wide enough is within a tenth of it.
func TestDecodeIsBoundByTheInterface(t *testing.T) {
	t.Parallel()
	w, err := workload.Builtin("llama_1b_decode")
	if err != nil {
		t.Fatal(err)
	}
	var bytes int64
	for i := range w.Layers {
		bytes += w.Layers[i].WeightBytes(w.Precision)
	}
	bytes += 16 * 2 * 8 * 1024 * 64 // layers, keys and values, heads, tokens, features
	for _, x := range Specs() {
		got, why := measured(t, &x, w.Name, workload.Sizes{})
		if why != nil {
			t.Fatalf("%s: %v", x.Name, why)
		}
		m := declared(&x).machine(baselineOf(&x))
		ratio := got.Seconds / (float64(bytes) / float64(m.known().IOBandwidth))
		if wide := x.Name == "nvdla" || x.Name == "simba" || x.Name == "systolic"; ratio < 1 || wide && ratio > 1.1 {
			t.Errorf("%s takes %.3f times what its interface needs for %d bytes", x.Name, ratio, bytes)
		}
	}
}
