package commands

import (
	"strings"
	"testing"

	"apollo/lab/bench"
)

// taughtReport is a comparison of two tasks with and without sources.
func taughtReport() *bench.Report {
	result := func(name string, regret ...float64) bench.TaskResult {
		r := bench.TaskResult{Algorithm: name}
		for _, v := range regret {
			r.Regret = append(r.Regret, &v)
		}
		return r
	}
	with := result("default", 0.4, 0.1)
	with.Marks = []bench.Mark{{Trials: 2, Change: &bench.Figure{Value: new(-0.25), Low: new(-0.5), High: new(-0.125)}}}
	with.Reaches = new(2.0)
	lost := result("default", 2, 0.5)
	lost.Marks = []bench.Mark{{Trials: 2, Change: &bench.Figure{Value: new(0.25), Low: new(-0.5), High: new(0.5)}}}
	first := bench.TaskReport{Task: "first", Best: new(1.0), Algorithms: []bench.TaskResult{with, result("default-alone", 0.8, 0.2)}}
	second := bench.TaskReport{Task: "second", Best: new(1.0), Algorithms: []bench.TaskResult{lost, result("default-alone", 0.8, 0.2)}}
	second.Algorithms[1].Regret[0] = nil
	scored := bench.AlgorithmReport{Algorithm: "default", Scored: true, Marks: []bench.Mark{{Trials: 2}}}
	return &bench.Report{
		Suite: "transfer-networks", Split: "test", Defaults: "none", Trials: 2, Seeds: []uint64{1}, Reference: "default-alone", Confidence: 0.95,
		Twins: []bench.Twin{{Task: "first", Source: "third", Regret: 0.01}},
		Lanes: []bench.LaneReport{{
			Lane: bench.KnownArea, Tasks: []bench.TaskReport{first, second},
			Algorithms: []bench.AlgorithmReport{scored, {Algorithm: "default-alone", Scored: true, Marks: []bench.Mark{{Trials: 2}}}},
		}},
	}
}

// Markdown says what sources change on every task, what cannot be claimed, and
// which pairs are left out.
func TestMarkdownOfTransfer(t *testing.T) {
	t.Parallel()
	r := taughtReport()
	text := markdown(r, &r.Lanes[0])
	for _, want := range []string{
		"| task | algorithm | change at 2 | as good after |",
		"| first | `default` | -25.0 % [-50.0, -12.5] | 2 |",
		"| second | `default` | ~ +25.0 % [-50.0, +50.0] | not |",
		"| default | 2 | 2 | 0 | 1 | +50.0 % | second |",
		"Left out: first learns nothing of third: their best designs are within 1 and 0 % of each other's.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables do not say %q:\n%s", want, text)
		}
	}
}

// A figure compares every task of a suite of transfer; other suites have none.
func TestPairsOfTransfer(t *testing.T) {
	t.Parallel()
	r := taughtReport()
	c := pairChart(r, &r.Lanes[0])
	if c == nil || len(c.Pairs) != 2 || c.Before != "default-alone" || c.After != "default" {
		t.Fatalf("pairChart() = %+v", c)
	}
	if p := c.Pairs[0]; p.Name != "first" || p.Before[0] != 0.2 || p.After[0] != 0.1 {
		t.Errorf("the first pair is %+v, want 0.2 and 0.1 at the end", p)
	}
	r.Reference = "random"
	if pairChart(r, &r.Lanes[0]) != nil {
		t.Error("a comparison with random has pairs")
	}
}
