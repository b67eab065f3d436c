package template

import (
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
)

// No layer and no network of any template runs above its roofline or above the
// machine's peak rate, and the parts of a layer's time sum to it.
func TestRoofline(t *testing.T) {
	t.Parallel()
	nets := evaluatortest.Networks(t, "mobilenet_v2", "alexnet", "bert_base", "unet")
	for _, x := range All() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			tm := x.Template()
			designs := designsOf(t, &tm, 5, 4)
			checked := 0
			for _, v := range designs {
				for i := range nets {
					r, err := x.Inspect(nets[i:i+1], report.Point{Values: v}, nil)
					if err != nil {
						t.Fatal(err)
					}
					checked += underRoofline(t, x, &r)
				}
			}
			if checked < 50 {
				t.Errorf("only %d layers were checked", checked)
			}
		})
	}
}

// waitsForItsLargestPart checks that the part of the time that a layer's bound is
// named after is the largest one: time that overlaps counts for what takes longest.
func waitsForItsLargestPart(t *testing.T, l *report.Layer) {
	t.Helper()
	parts := map[string]int64{
		"compute": l.ComputeCycles, "off-chip interface": l.IOCycles, "instructions": l.InstructionCycles, "serial": l.SerialCycles,
		"on-chip memory": l.MemoryCycles, "PE memory port": l.MemoryCycles, "weight bus": l.MemoryCycles, "mesh links": l.MemoryCycles,
	}
	if own, ok := parts[l.Bottleneck]; !ok || own < max(l.ComputeCycles, l.MemoryCycles, l.IOCycles, l.InstructionCycles, l.SerialCycles) {
		t.Errorf("layer %s waits for %q, the parts of its time are %v", l.ID, l.Bottleneck, parts)
	}
}

// A pass that makes a token reads every weight for one product: where its layers
// wait for the interface, so does the network.
func TestDecodeWaitsForTheInterface(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"systolic", "nvdla", "simba"} {
		x, _ := Named(name)
		tm := x.Template()
		r, err := x.Inspect([]evaluator.Network{{Workload: sizedNetwork(t, "gpt2_decode", workload.Sizes{}), Weight: 1}}, report.Point{Values: tm.Baseline}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var waiting float64
		for i := range r.Layers {
			if r.Layers[i].Bottleneck == "off-chip interface" {
				waiting += r.Layers[i].LatencySeconds
			}
		}
		if split := r.Networks[0].Latency; waiting < 0.9*split.Total || split.IO < 0.9*split.Total {
			t.Errorf("%s: layers that wait for the interface take %.3g of %.3g s, its part of the breakdown is %.3g s", name, waiting, split.Total, split.IO)
		}
	}
}

func underRoofline(t *testing.T, x *frame.Spec, r *report.Design) (layers int) {
	t.Helper()
	const rounding = 1 + 1e-9
	above := func(what string, f report.Roofline) {
		if f.Achieved > f.Attainable*rounding {
			t.Errorf("%s on %v, %s: %.4g MAC/s, above its roofline of %.4g (%s)", x.Name, r.Design, what, f.Achieved, f.Attainable, f.Bound)
		}
	}
	for i := range r.Networks {
		above("network "+r.Networks[i].Name, r.Networks[i].Roofline)
	}
	for i := range r.Layers {
		l := &r.Layers[i]
		layers++
		// edge loads weights while earlier layers run: a layer may have more
		// bytes than its own time has room for, the network has not.
		if x.Name != "edge" {
			above(l.ID, l.Roofline)
		}
		if l.Utilisation > rounding {
			t.Errorf("%s on %v, %s: utilisation %.4g", x.Name, r.Design, l.ID, l.Utilisation)
		}
		waitsForItsLargestPart(t, l)
		sum := l.ComputeCycles + l.MemoryCycles + l.IOCycles + l.InstructionCycles + l.SerialCycles
		if sum != l.Cycles {
			t.Errorf("%s on %v, %s: the parts are %d cycles of %d", x.Name, r.Design, l.ID, sum, l.Cycles)
		}
	}
	return layers
}
