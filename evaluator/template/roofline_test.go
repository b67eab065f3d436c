package template

import (
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

// No layer and no network of any template runs above its roofline or above the
// machine's peak rate, and the parts of a layer's time sum to it.
func TestRoofline(t *testing.T) {
	t.Parallel()
	nets := networks(t, "mobilenet_v2", "alexnet", "bert_base", "unet")
	for _, x := range All() {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			tm := x.Template()
			designs := designsOf(t, &tm, 5, 4)
			checked := 0
			for _, v := range designs {
				for i := range nets {
					checked += underRoofline(t, x, nets[i:i+1], v)
				}
			}
			if checked < 50 {
				t.Errorf("only %d layers were checked", checked)
			}
		})
	}
}

func underRoofline(t *testing.T, x *frame.Spec, nets []evaluator.Network, v []space.Value) (layers int) {
	t.Helper()
	r, err := x.Inspect(nets, report.Point{Values: v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const rounding = 1 + 1e-9
	above := func(what string, f report.Roofline) {
		if f.Achieved > f.Attainable*rounding {
			t.Errorf("%s on %v, %s: %.4g MAC/s, above its roofline of %.4g (%s)", nets[0].Workload.Name, v, what, f.Achieved, f.Attainable, f.Bound)
		}
	}
	for i := range r.Networks {
		above("network", r.Networks[i].Roofline)
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
			t.Errorf("%s on %v, %s: utilisation %.4g", nets[0].Workload.Name, v, l.ID, l.Utilisation)
		}
		sum := l.ComputeCycles + l.MemoryCycles + l.IOCycles + l.InstructionCycles + l.SerialCycles
		if sum != l.Cycles {
			t.Errorf("%s on %v, %s: the parts are %d cycles of %d", nets[0].Workload.Name, v, l.ID, sum, l.Cycles)
		}
	}
	return layers
}
