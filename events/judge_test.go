package events_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
	"apollo/optimizer/space"
)

func judgeSpec() *events.Spec {
	return &events.Spec{
		Parameters: ruleParams(),
		Rules:      []events.Rule{{ID: "small", Expr: "pes_x <= 4"}},
		Metrics:    []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "area_mm2", Unit: "mm2"}, {Name: "slack"}},
		Constraints: []events.Constraint{
			{Metric: "area_mm2", Max: new(6.8), Min: new(1.0)},
			{Metric: "slack", Min: new(0.0)},
		},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	j, err := events.NewJudge(judgeSpec())
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	small, large := row(4, 1, "weight"), row(8, 1, "weight")
	tests := []struct {
		name      string
		design    []space.Value
		result    events.TrialResult
		feasible  bool
		violation float64
		code, say string
	}{
		{"feasible", small, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, 6.8, 0}}, true, 0, "", ""},
		{"above", small, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, 13.6, 0}}, false, 1, "constraint", "area_mm2 is 13.6 mm2, the constraint allows at most 6.8"},
		{"below", small, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, 0.5, 0}}, false, 0.5, "constraint", "at least 1"},
		{"limit zero is absolute", small, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, 5, -3}}, false, 3, "constraint", "slack is -3"},
		{"two constraints, the first is named", small, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, 13.6, -3}}, false, 4, "constraint", "area_mm2"},
		{"rule before constraint", large, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, 13.6, 0}}, false, 2, "rule", `"small"`},
		{"infeasible", small, events.TrialResult{Outcome: "infeasible", Reason: &events.Reason{Code: "sram"}}, false, 0, "sram", ""},
		{"infeasible keeps its violation", small, events.TrialResult{Outcome: "infeasible", Values: events.Numbers{nan, 13.6, nan}}, false, 1, "infeasible", ""},
		{"infeasible, needs twice what there is", small, events.TrialResult{Outcome: "infeasible", Reason: &events.Reason{Code: "sram", Need: 64, Have: 32}}, false, 1, "sram", ""},
		{"infeasible, has three times what it may", small, events.TrialResult{Outcome: "infeasible", Reason: &events.Reason{Code: "ports", Need: 8, Have: 24}}, false, 2, "ports", ""},
		{"infeasible, has nothing", small, events.TrialResult{Outcome: "infeasible", Reason: &events.Reason{Code: "sram", Need: 64}}, false, 0, "sram", ""},
		{"infeasible, no finite ratio", small, events.TrialResult{Outcome: "infeasible", Reason: &events.Reason{Code: "sram", Need: math.MaxFloat64, Have: math.SmallestNonzeroFloat64}}, false, math.MaxFloat64, "sram", ""},
		{"infeasible, no numbers", small, events.TrialResult{Outcome: "infeasible", Reason: &events.Reason{Code: "sram", Need: nan, Have: math.Inf(1)}}, false, 0, "sram", ""},
		{"infeasible by design and by metrics", small, events.TrialResult{Outcome: "infeasible", Values: events.Numbers{nan, 13.6, nan}, Reason: &events.Reason{Code: "sram", Need: 64, Have: 32}}, false, 2, "sram", ""},
		{"failed, whatever it needs", small, events.TrialResult{Outcome: "failed", Reason: &events.Reason{Code: "memory", Need: 64, Have: 32}}, false, 0, "memory", ""},
		{"failed without a reason", small, events.TrialResult{Outcome: "failed"}, false, 0, "failed", ""},
		{"a finite violation", small, events.TrialResult{Outcome: "measured", Values: events.Numbers{1, math.MaxFloat64, -math.MaxFloat64}}, false, math.MaxFloat64, "constraint", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := j.Judge(test.design, &test.result)
			if got.Feasible != test.feasible || math.Abs(got.Violation-test.violation) > 1e-12*test.violation || (got.Reason == nil) != test.feasible {
				t.Fatalf("Judge() = %+v, want feasible %t, violation %v", got, test.feasible, test.violation)
			}
			if got.Reason != nil && (got.Reason.Code != test.code || !strings.Contains(got.Reason.Message, test.say)) {
				t.Errorf("reason = %+v, want %s %q", got.Reason, test.code, test.say)
			}
		})
	}
}

// Properties of the judgement: of a measured trial only design and values
// count; the quick checks agree with the slow ones; a trial that is feasible
// under a budget is feasible under a larger one.
func TestJudgeProperties(t *testing.T) {
	t.Parallel()
	spec := judgeSpec()
	j, err := events.NewJudge(spec)
	if err != nil {
		t.Fatal(err)
	}
	loose := judgeSpec()
	loose.Constraints[0].Max = new(8.0)
	wider, err := events.NewJudge(loose)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	feasible := 0
	for range 5000 {
		design := row(spec.Parameters[0].Values[rng.IntN(5)], 1, "weight")
		values := events.Numbers{rng.Float64(), 10 * rng.Float64(), 2*rng.Float64() - 0.5}
		plain := events.TrialResult{Outcome: events.OutcomeMeasured, Values: values}
		chatty := plain
		chatty.Trial, chatty.Attempts, chatty.Seconds, chatty.Extra = 9, 3, 2, map[string]float64{"x": 1}
		chatty.Reason = &events.Reason{Code: "ignored"}
		got := j.Judge(design, &plain)
		if diff := cmp.Diff(got, j.Judge(design, &chatty)); diff != "" {
			t.Fatalf("what a measured trial says besides its values counts:\n%s", diff)
		}
		if quick := j.RulesOK(design) && j.MetricsOK(values); quick != got.Feasible || (got.Violation == 0) != got.Feasible {
			t.Fatalf("quick checks say %t, Judge %+v", quick, got)
		}
		if got.Feasible {
			feasible++
			if !wider.Judge(design, &plain).Feasible {
				t.Fatalf("%v is feasible at 6.8 mm2 and not at 8", values)
			}
		}
	}
	if feasible == 0 || feasible == 5000 {
		t.Errorf("%d of 5000 are feasible: the property was not tried", feasible)
	}
}

func TestNewJudgeRefusesUnknownMetric(t *testing.T) {
	t.Parallel()
	spec := judgeSpec()
	spec.Constraints[1].Metric = "power_w"
	if _, err := events.NewJudge(spec); err == nil || !strings.Contains(err.Error(), `constraint 1: the evaluator measures no "power_w"`) {
		t.Errorf("NewJudge() = %v", err)
	}
}

// The hash is part of the contract: people compare it between runs.
func TestTrialHash(t *testing.T) {
	t.Parallel()
	type trial struct {
		n       int
		design  []space.Value
		outcome string
		values  []float64
	}
	of := func(trials ...trial) string {
		h := events.NewTrialHash()
		for _, x := range trials {
			h.Add(x.n, x.design, x.outcome, x.values)
		}
		return h.String()
	}
	a := trial{0, row(4, 0.5, "weight"), "measured", []float64{0.125, 6.5}}
	b := trial{1, row(8, 65536, "output"), "infeasible", []float64{math.NaN(), 7}}
	const want = "01e263076e50aaeb"
	if got := of(a, b); !strings.HasPrefix(got, want) || len(got) != 64 {
		t.Errorf("hash = %s, want %s…: the hash of old studies must not change", got, want)
	}
	for name, other := range map[string]string{
		"nothing": of(), "order": of(b, a), "one": of(a),
		"number":  of(trial{2, a.design, a.outcome, a.values}, b),
		"design":  of(trial{0, row(4, 0.25, "weight"), a.outcome, a.values}, b),
		"label":   of(trial{0, row(4, 0.5, "output"), a.outcome, a.values}, b),
		"outcome": of(trial{0, a.design, "failed", a.values}, b),
		"values":  of(trial{0, a.design, a.outcome, []float64{0.125, math.Nextafter(6.5, 7)}}, b),
		"missing": of(trial{0, a.design, a.outcome, []float64{math.NaN(), 6.5}}, b),
	} {
		if other == of(a, b) {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

func TestAppendValue(t *testing.T) {
	t.Parallel()
	numbers := []float64{0, math.Copysign(0, -1), 0.5, -1, 1, 2.5, 10, 100_000, 999_999, 999_999.5, 1e6, 1_000_001, 1e15, 1e21, math.MaxFloat64, math.NaN(), math.Inf(1), math.Inf(-1)}
	for _, f := range numbers {
		if got, want := string(events.AppendValue(nil, space.Value{Num: f})), strconv.FormatFloat(f, 'g', -1, 64); got != want {
			t.Errorf("AppendValue(%v) = %q, want %q", f, got, want)
		}
	}
	if got := string(events.AppendValue([]byte("x="), space.Value{Label: `a "b"`})); got != `x="a \"b\""` {
		t.Errorf("AppendValue of a label = %s", got)
	}
}
