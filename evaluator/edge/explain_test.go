package edge

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"apollo/evaluator"
)

// The report is the evaluation in detail: equal metrics, parts that sum to the
// whole.
func TestExplainAgreesWithEvaluate(t *testing.T) {
	t.Parallel()
	task := taskFor(t, Networks()...)
	b := boundTo(t, Networks()...)
	rng := rand.New(rand.NewPCG(2, 0))
	feasible := 0
	for range 300 {
		c := randomChip(rng)
		report, err := Explain(task, c.Values())
		if err != nil {
			t.Fatal(err)
		}
		result, err := b.Evaluate(context.Background(), evaluator.Request{Design: c.Values()})
		if err != nil {
			t.Fatal(err)
		}
		if report.Feasible != (result.Outcome == evaluator.Measured) {
			t.Fatalf("%+v: feasible is %t, the outcome %s", c, report.Feasible, result.Outcome)
		}
		if !report.Feasible {
			if report.Reason.Message != result.Reason.Message || report.Metrics.LatencySeconds != nil {
				t.Fatalf("%+v: %+v, evaluated %+v", c, report.Reason, result.Reason)
			}
			continue
		}
		feasible++
		if *report.Metrics.LatencySeconds != result.Values[metricLatency] || *report.Metrics.EnergyJ != result.Values[metricEnergy] {
			t.Fatalf("%+v: %g s, %g J, evaluated %v", c, *report.Metrics.LatencySeconds, *report.Metrics.EnergyJ, result.Values)
		}
		sums(t, &report)
	}
	if feasible < 20 {
		t.Errorf("%d designs were feasible, too few to prove anything", feasible)
	}
}

// sums checks that every breakdown adds up. The tolerance is for the order of
// float additions.
func sums(t *testing.T, r *Report) {
	t.Helper()
	const tolerance = 1e-9
	var area float64
	for _, p := range r.Area.Parts() {
		area += p.Value
	}
	adds(t, "area", area, r.Area.Total, tolerance)
	for _, n := range r.Networks {
		var energy, seconds, layers float64
		for _, p := range n.Energy.Parts() {
			energy += p.Value
		}
		adds(t, "energy", energy, n.EnergyJ, tolerance)
		for _, l := range r.Layers {
			if l.Network != n.Name {
				continue
			}
			seconds += l.LatencySeconds
			layers += l.EnergyJ
			if sum := l.ComputeCycles + l.MemoryCycles + l.IOCycles + l.InstructionCycles + l.SerialCycles; sum != l.Cycles {
				t.Fatalf("layer %s: the parts are %d cycles, the whole %d", l.ID, sum, l.Cycles)
			}
			if l.SerialCycles < LayerCycles || l.Utilisation > 1 || l.Bottleneck == "" || l.Mapping == "" {
				t.Fatalf("layer %s: %+v", l.ID, l)
			}
		}
		adds(t, "latency", seconds, n.LatencySeconds, tolerance)
		adds(t, "energy of the layers", layers+n.Energy.Leakage, n.EnergyJ, tolerance)
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
	task := taskFor(t, "mobilenet_v2")
	small := Baseline()
	small.ActivationMemory = 256
	r, err := Explain(task, small.Values())
	if err != nil {
		t.Fatal(err)
	}
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
	if _, err := Explain(task, small.Values()[1:]); err == nil {
		t.Error("Explain accepts 9 values")
	}
	small.Lanes = 0
	if _, err := ExplainChip(task.Networks, small); err == nil {
		t.Error("ExplainChip accepts a chip without lanes")
	}
}

// Each reason's advice, followed alone, repairs that reason.
func TestReasonsAdviseTheRepair(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil, repair func(*Chip)
		advice        string
	}{
		CodePEPort:            {func(c *Chip) { c.Cores, c.Lanes = 4, 256 }, func(c *Chip) { c.Cores = 2 }, "cores 2 or lanes 128 would do"},
		CodeCoreMemory:        {func(c *Chip) { c.CoreMemory = 4096 }, func(c *Chip) { c.CoreMemory = 8192 }, "core_memory 8192 B or lanes 32 would do"},
		CodeActivationMemory:  {func(c *Chip) { c.ActivationMemory = 1024 }, func(c *Chip) { c.ActivationMemory = 2048 }, "activation_memory 2048 entries would do"},
		CodeParameterMemory:   {func(c *Chip) { c.Cores, c.ParameterMemory = 4, 2048 }, func(c *Chip) { c.ParameterMemory = 8192 }, "parameter_memory 8192 entries or lanes 16 would do"},
		CodeInstructionMemory: {func(c *Chip) { c.PEsX, c.PEsY, c.InstructionMemory = 10, 10, 8192 }, func(c *Chip) { c.InstructionMemory = 16384 }, "instruction_memory 16384 entries would do"},
	}
	networks := taskFor(t, "mobilenet_v2").Networks
	for code, tt := range tests {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c := Baseline()
			tt.spoil(&c)
			r, err := ExplainChip(networks, c)
			if err != nil || r.Feasible || r.Reason.Code != code {
				t.Fatalf("got %+v, %v, want reason %s", r.Reason, err, code)
			}
			if !strings.Contains(r.Reason.Message, tt.advice) || r.Reason.Need <= r.Reason.Have || r.Reason.Layer == "" {
				t.Errorf("got %+v, want need above have and the advice %q", *r.Reason, tt.advice)
			}
			tt.repair(&c)
			if r, err = ExplainChip(networks, c); err != nil || !r.Feasible && r.Reason.Code == code {
				t.Errorf("the repair does not help: %+v, %v", r.Reason, err)
			}
		})
	}
}
