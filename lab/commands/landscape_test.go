package commands

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/edge"
	"apollo/evaluator/frame"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
	"apollo/services/cli"
)

// Regrets are relative to the network's own optimum within the same area.
func TestLandscapeRelatesOptima(t *testing.T) {
	t.Parallel()
	design := func(n float64) map[string]any { return map[string]any{"pes_x": n} }
	r := &landscapeReport{
		Template: "edge", Version: "0", Draws: 10, Networks: []networkDraws{
			{Network: "a", MinSeconds: 1, Rejections: []frame.Rejection{{Code: "pe_port", Alone: 5}}},
			{Network: "b", MinSeconds: 1, Rejections: []frame.Rejection{{Code: "pe_port"}}},
		},
		Optima: []networkBest{
			{Network: "a", MaxAreaMM2: 4.8, LatencySeconds: 2, Design: design(1)},
			{Network: "b", MaxAreaMM2: 4.8, LatencySeconds: 4, Design: design(2)},
			{Network: "a", MaxAreaMM2: 5.8, LatencySeconds: 1, Design: design(2)},
			{Network: "b", MaxAreaMM2: 5.8, LatencySeconds: 2, Design: design(2)},
			{Network: "a", MaxAreaMM2: 6.8, LatencySeconds: 1, Design: design(2)},
			{Network: "b", MaxAreaMM2: 6.8, LatencySeconds: 2, Design: design(2)},
		},
	}
	for i := range r.Optima {
		r.Regret = append(r.Regret, networkRegret{OptimumOf: r.Optima[i].Network, MaxAreaMM2: r.Optima[i].MaxAreaMM2, Regret: []*float64{new(3.0), new(5.0)}, Broken: []string{"", ""}})
	}
	r.Regret[1].Regret[0], r.Regret[1].Broken[0] = nil, "pe_port"
	r.relate()
	for _, c := range []struct {
		row, column int
		want        float64
	}{{0, 0, 0.5}, {0, 1, 0.25}, {2, 0, 2}, {5, 1, 1.5}} {
		if got := *r.Regret[c.row].Regret[c.column]; math.Abs(got-c.want) > 1e-12 { // one division
			t.Errorf("regret of row %d, column %d = %g, want %g", c.row, c.column, got, c.want)
		}
	}
	r.Levels = levelsOf([]space.Param{{Name: "pes_x", Values: []float64{1, 2, 4}}}, r.Optima)
	if len(r.Levels) != 3 || r.Levels[0].Optima != 1 || r.Levels[1].Optima != 5 || r.Levels[2].Optima != 0 {
		t.Errorf("levels %+v, want 1, 5 and 0 optima", r.Levels)
	}
	var text bytes.Buffer
	landscapeAnswer(r).Text(&text, cli.Paint{})
	for _, want := range []string{"pes_x      1 x 1, 2 x 5", "b           pe_port  25.0 %", "50.0 %", "Regret within 6.8 mm2"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
}

// latencyOf agrees with the evaluator, and has none for a design that does not
// run.
func TestLatencyOf(t *testing.T) {
	t.Parallel()
	w, err := workload.Builtin("mobilenet_v2")
	if err != nil {
		t.Fatal(err)
	}
	tpl := edge.Spec().Template()
	ev, err := tpl.Backend.New(evaluator.Task{Params: tpl.Params, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	design := map[string]any{}
	for i, p := range tpl.Params {
		design[p.Name] = tpl.Baseline[i].Num
	}
	result, err := ev.Evaluate(t.Context(), evaluator.Request{Design: tpl.Baseline})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := latencyOf(t.Context(), &tpl, ev, design); err != nil || got == nil || *got != result.Values[0] {
		t.Errorf("latencyOf(baseline) = %v, %v, want %g", got, err, result.Values[0])
	}
	design["activation_memory"] = 256.0
	if got, broken, err := latencyOf(t.Context(), &tpl, ev, design); err != nil || got != nil || broken != "activation_memory" {
		t.Errorf("latencyOf(infeasible) = %v, %q, %v, want none, %s", got, broken, err, "activation_memory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := latencyOf(ctx, &tpl, ev, design); err == nil {
		t.Error("latencyOf ignores the context")
	}
}
