package template

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

// What the tools show of a design is what a study measures, part by part.
func TestInspectAgreesWithTheEvaluator(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		tm := x.Template()
		t.Run(tm.Name, func(t *testing.T) {
			t.Parallel()
			nets := []evaluator.Network{{Workload: tiny(t, "a", 16), Weight: 1}, {Workload: tiny(t, "b", 24), Weight: 3}}
			e, err := tm.Backend.New(evaluator.Task{Params: tm.Params, Networks: nets})
			if err != nil {
				t.Fatal(err)
			}
			s, err := space.New(tm.Params...)
			if err != nil {
				t.Fatal(err)
			}
			plain, _, err := x.Model(nets, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(8, 0))
			for range 30 {
				design := s.Values(s.At(rng.Uint64N(s.Size())))
				want, err := e.Evaluate(t.Context(), evaluator.Request{Design: design})
				if err != nil {
					t.Fatal(err)
				}
				p := report.Point{Values: design}
				got, err := x.Inspect(nets, p, nil)
				if err != nil {
					t.Fatal(err)
				}
				agree(t, &got, &want)
				m, reason, err := plain(p)
				if err != nil || (reason == nil) != got.Feasible || *m.Of("area_mm2") != want.Values[1] {
					t.Fatalf("%v: the model has %+v, %v, %v", design, m, reason, err)
				}
				broken, err := x.Broken(nets, p)
				if err != nil || (len(broken) == 0) != got.Feasible {
					t.Fatalf("%v: broken rules %v, %v, feasible %t", design, broken, err, got.Feasible)
				}
			}
		})
	}
}

func agree(t *testing.T, got *report.Design, want *evaluator.Result) {
	t.Helper()
	if got.Feasible != (want.Outcome == evaluator.Measured) {
		t.Fatalf("%v: feasible %t, the evaluator says %s", got.Design, got.Feasible, want.Outcome)
	}
	for i, m := range got.Metrics {
		if v := want.Values[i]; m.Value == nil != math.IsNaN(v) || m.Value != nil && *m.Value != v {
			t.Fatalf("%v: %s is %v, the evaluator has %v", got.Design, m.Name, m.Value, want.Values)
		}
	}
	if !got.Feasible {
		if got.Reason.Code != want.Reason.Code {
			t.Fatalf("%v: the reason is %s, the evaluator's %s", got.Design, got.Reason.Code, want.Reason.Code)
		}
		return
	}
	for i := range got.Networks {
		n := &got.Networks[i]
		var cycles int64
		for at := range got.Layers {
			if l := &got.Layers[at]; l.Network == n.Name {
				cycles += l.Cycles
				if sum := l.ComputeCycles + l.MemoryCycles + l.IOCycles + l.SerialCycles; sum != l.Cycles {
					t.Fatalf("%s: the parts sum to %d of %d cycles", l.ID, sum, l.Cycles)
				}
				if l.Mapping == "" || l.Bottleneck == "" {
					t.Fatalf("%s: mapping %q, bottleneck %q", l.ID, l.Mapping, l.Bottleneck)
				}
			}
		}
		if seconds := float64(cycles) / float64(got.ClockHz); seconds != *n.Metrics.Of("latency_s") {
			t.Fatalf("%s: the layers take %g s, the network %g", n.Name, seconds, *n.Metrics.Of("latency_s"))
		}
		if joules := *n.Metrics.Of("energy_j"); math.Abs(n.Energy.Total()-joules) > 1e-9*joules {
			t.Fatalf("%s: the parts sum to %g of %g J", n.Name, n.Energy.Total(), joules)
		}
	}
}

// A mapping that is given is used for its layer, and only for it.
func TestInspectWithGivenMappings(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		tm := x.Template()
		nets := []evaluator.Network{{Workload: tiny(t, "tiny", 32), Weight: 1}}
		p := report.Point{Values: tm.Baseline}
		first, err := x.Inspect(nets, p, nil)
		if err != nil {
			t.Fatal(err)
		}
		mapped, err := x.Mapped(nets, p, nil)
		if err != nil || len(mapped) != 4 {
			t.Fatalf("%s: %d layers are mapped, %v", tm.Name, len(mapped), err)
		}
		again, err := x.Inspect(nets, p, []report.Given{{Layer: "p", Nest: mapped[2].Mapping.String(&mapped[2].Arch)}})
		if x.Fixed != "" {
			if err == nil || err.Error() != x.Fixed {
				t.Errorf("%s takes no mappings: %v", tm.Name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tm.Name, err)
		}
		for i := range again.Layers {
			l := &again.Layers[i]
			if l.Given != (l.ID == "p") || l.Cycles != first.Layers[i].Cycles || l.Mapping != first.Layers[i].Mapping {
				t.Errorf("%s: layer %s has the given mapping: %t; %d cycles, before %d", tm.Name, l.ID, l.Given, l.Cycles, first.Layers[i].Cycles)
			}
		}
		for layer, want := range map[string]string{"nowhere": "which no network has", "a": "no multiplications"} {
			if _, err := x.Inspect(nets, p, []report.Given{{Layer: layer, Nest: "x"}}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: a mapping for the layer %s: %v, want %q", tm.Name, layer, err, want)
			}
		}
		if _, err := x.Inspect(nets, p, []report.Given{{Network: "tiny", Layer: "p", Nest: "buffer:\n"}}); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: a nest that is none: %v", tm.Name, err)
		}
	}
}

// Every constant moves, changes something in a study's metrics, and an unknown
// one is refused.
func TestConstantsMove(t *testing.T) {
	t.Parallel()
	nets := []evaluator.Network{{Workload: tiny(t, "tiny", 32), Weight: 1}}
	moved := map[string]bool{}
	for _, x := range All() {
		tm := x.Template()
		plain, _, err := x.Model(nets, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		p := report.Point{Values: tm.Baseline}
		before, _, err := plain(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range x.Constants() {
			measure, value, err := x.Model(nets, k.Name, 1.2)
			tolerance := 1e-9 * value
			if k.Value == math.Trunc(k.Value) && value == math.Trunc(value) {
				tolerance = 1 // whole numbers stay whole
			}
			if err != nil || value == k.Value || math.Abs(value-1.2*k.Value) > tolerance {
				t.Fatalf("%s: %s is %g at 1.2 times %g, %v", tm.Name, k.Name, value, k.Value, err)
			}
			after, _, err := measure(p)
			if err != nil {
				t.Fatal(err)
			}
			moved[k.Name] = moved[k.Name] || !cmp.Equal(before, after)
		}
		if _, _, err := x.Model(nets, "gravity", 1.2); err == nil {
			t.Errorf("%s has the constant gravity", tm.Name)
		}
	}
	// Those that only one template has are that template's to test.
	for _, k := range declared(&Specs()[0]).Rows() {
		if !moved[k.Name] {
			t.Errorf("the constant %s changes nothing in any template", k.Name)
		}
	}
}
