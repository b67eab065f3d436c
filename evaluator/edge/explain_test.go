package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/report"
	"apollo/evaluator/workload"
)

// The report is the evaluation in detail: equal metrics, parts that sum to the
// whole.
func TestExplainAgreesWithEvaluate(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	networks, e := evaluatortest.Networks(t, published()...), evaluatorOf(t, published()...)
	rng := rand.New(rand.NewPCG(2, 0))
	feasible := 0
	for range 300 {
		c := randomChip(rng)
		report := inspect(t, networks, c)
		result, err := e.Evaluate(context.Background(), evaluator.Request{Design: c.values()})
		if err != nil {
			t.Fatal(err)
		}
		if report.Feasible != (result.Outcome == evaluator.Measured) {
			t.Fatalf("%+v: feasible is %t, the outcome %s", c, report.Feasible, result.Outcome)
		}
		if !report.Feasible {
			if report.Reason.Message != result.Reason.Message || report.Metrics.Of("latency_s") != nil {
				t.Fatalf("%+v: %+v, evaluated %+v", c, report.Reason, result.Reason)
			}
			continue
		}
		feasible++
		for i, m := range report.Metrics {
			if *m.Value != result.Values[i] {
				t.Fatalf("%+v: %s is %g, evaluated %v", c, m.Name, *m.Value, result.Values)
			}
		}
		sums(t, &report)
	}
	if feasible < 20 {
		t.Errorf("%d designs were feasible, too few to prove anything", feasible)
	}
}

// sums checks that every breakdown adds up. The tolerance is for the order of
// float additions.
func sums(t *testing.T, r *report.Design) {
	t.Helper()
	const tolerance = 1e-9
	adds(t, "area", r.Area.Total(), *r.Metrics.Of("area_mm2"), tolerance)
	for _, n := range r.Networks {
		var seconds, layers float64
		joules := *n.Metrics.Of("energy_j")
		adds(t, "energy", n.Energy.Total(), joules, tolerance)
		crosses := n.Crossing.Total()
		adds(t, "what crosses the border", float64(crosses), float64(n.OffChipBytes), 0)
		adds(t, "energy of what crosses", float64(crosses)*declared().Node.DRAMPJPerByte*1e-12, n.Energy[energyOffChip].Value, tolerance)
		for _, l := range r.Layers {
			if l.Network != n.Name {
				continue
			}
			seconds += l.LatencySeconds
			adds(t, "what crosses the border", float64(l.Crossing.Total()), float64(l.Bytes.Of(report.OffChip)), 0)
			layers += l.EnergyJ
			if sum := l.ComputeCycles + l.MemoryCycles + l.IOCycles + l.InstructionCycles + l.SerialCycles; sum != l.Cycles {
				t.Fatalf("layer %s: the parts are %d cycles, the whole %d", l.ID, sum, l.Cycles)
			}
			if l.SerialCycles < declared().layerCycles || l.Utilisation > 1 || l.Bottleneck == "" || l.Mapping == "" {
				t.Fatalf("layer %s: %+v", l.ID, l)
			}
		}
		adds(t, "latency", seconds, *n.Metrics.Of("latency_s"), tolerance)
		adds(t, "energy of the layers", layers+n.Energy[energyClock].Value+n.Energy[energyLeakage].Value, joules, tolerance)
		split := n.Latency
		adds(t, "latency split", split.Compute+split.Memory+split.IO+split.Instruction+split.Serial, split.Total, tolerance)
	}
}

func adds(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Fatalf("%s: the parts are %g, the whole %g", what, got, want)
	}
}

func TestReportJSON(t *testing.T) {
	t.Parallel()
	networks := evaluatortest.Networks(t, "mobilenet_v2")
	small := baseline()
	small.ActivationMemory = 256
	r := inspect(t, networks, small)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"feasible":false`, `"code":"activation_memory"`, `"need":1344`, `"have":256`,
		`"latency_s":null`, `"layers":[]`, "activation_memory 2048 entries would do",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report lacks %s: %s", want, text)
		}
	}
	if _, err := Spec().Inspect(networks, report.Point{Values: small.values()[1:]}, nil); err == nil {
		t.Error("Inspect accepts 9 values")
	}
	small.Lanes = 0
	if _, err := Spec().Inspect(networks, report.Point{Values: small.values()}, nil); err == nil {
		t.Error("Inspect accepts a chip without lanes")
	}
}

// Each reason's advice, followed alone, repairs that reason.
func TestReasonsAdviseTheRepair(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil, repair func(*chip)
		advice        string
	}{
		codePEPort:            {func(c *chip) { c.Cores, c.Lanes = 4, 256 }, func(c *chip) { c.Cores = 2 }, "cores 2 or lanes 128 would do"},
		codeCoreMemory:        {func(c *chip) { c.CoreMemory = 4096 }, func(c *chip) { c.CoreMemory = 8192 }, "core_memory 8192 B or lanes 32 would do"},
		codeActivationMemory:  {func(c *chip) { c.ActivationMemory = 1024 }, func(c *chip) { c.ActivationMemory = 2048 }, "activation_memory 2048 entries would do"},
		codeParameterMemory:   {func(c *chip) { c.Cores, c.ParameterMemory = 4, 2048 }, func(c *chip) { c.ParameterMemory = 8192 }, "parameter_memory 8192 entries or lanes 16 would do"},
		codeInstructionMemory: {func(c *chip) { c.PEsX, c.PEsY, c.InstructionMemory = 10, 10, 8192 }, func(c *chip) { c.InstructionMemory = 16384 }, "instruction_memory 16384 entries would do"},
	}
	networks := evaluatortest.Networks(t, "mobilenet_v2")
	for code, tt := range tests {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c := baseline()
			tt.spoil(&c)
			r := inspect(t, networks, c)
			if r.Feasible || r.Reason.Code != code {
				t.Fatalf("got %+v, want reason %s", r.Reason, code)
			}
			if !strings.Contains(r.Reason.Message, tt.advice) || r.Reason.Need <= r.Reason.Have || r.Reason.Layer == "" {
				t.Errorf("got %+v, want need above have and the advice %q", *r.Reason, tt.advice)
			}
			tt.repair(&c)
			if r = inspect(t, networks, c); !r.Feasible && r.Reason.Code == code {
				t.Errorf("the repair does not help: %+v", r.Reason)
			}
		})
	}
}

// Each layer reads elements of its own width: what stands behind a depthwise layer
// does not change what its lanes ask of the port.
func TestPortOfTheLayerThatReads(t *testing.T) {
	t.Parallel()
	const file = `{schema: apollo.workload/v1, name: mixed, inputs: [{name: x, shape: [1, 8, 8, 512]}], layers: [
{id: a, op: eltwise, fn: add, output_bits: 32, output_kind: float, in: [x]},
{id: d, op: dwconv, P: 8, Q: 8, R: 3, S: 3, K: 512, in: [%s]}, {id: y, op: conv, P: 8, Q: 8, R: 1, S: 1, K: 8, in: [%s]}]}`
	for _, tt := range []struct {
		depthwise, last string
		need            float64 // 0 where the port is wide enough
	}{{"x", "x", 0}, {"x", "a", 0}, {"a", "a", 2048}, {"a", "x", 2048}} {
		w, err := workload.Parse("mixed.yaml", fmt.Appendf(nil, file, tt.depthwise, tt.last))
		if err != nil {
			t.Fatal(err)
		}
		c := baseline()
		c.Cores, c.Lanes = 4, 128
		r := inspect(t, []evaluator.Network{{Workload: w, Weight: 1}}, c)
		broken := !r.Feasible && r.Reason.Code == codePEPort
		if broken != (tt.need > 0) || broken && (r.Reason.Need != tt.need || r.Reason.Layer != "d") {
			t.Errorf("the depthwise layer reads %s, the last one %s: %+v, want a need of %g", tt.depthwise, tt.last, r.Reason, tt.need)
		}
	}
}
