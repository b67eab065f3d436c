package events_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"apollo/events"
	"apollo/optimizer/space"
)

// idleParams is a space in which two parameters mean nothing where dataflow is
// "weight", and a third where the first of them does or is at most 1.
func idleParams() []events.Parameter {
	return []events.Parameter{
		{Name: "deep", Values: []float64{1, 2}, When: "pes_x > 1"},
		{Name: "pes_x", Values: []float64{0, 1, 2, 4, 8}, When: `dataflow == "output"`},
		{Name: "pe_memory", Unit: "B", Values: []float64{0.5, 65536, 1 << 20}},
		{Name: "dataflow", Labels: []string{"weight", "output"}},
		{Name: "mode", Labels: []string{"slow", "fast"}, When: `dataflow == "output"`},
	}
}

func idleJudge(t testing.TB, rules ...string) *events.Judge {
	t.Helper()
	spec := &events.Spec{Parameters: idleParams()}
	for i, r := range rules {
		spec.Rules = append(spec.Rules, events.Rule{ID: string(rune('a' + i)), Expr: r})
	}
	j, err := events.NewJudge(spec)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// A rule binds on what means something alone; here pes_x and mode mean nothing.
func TestRulesOnWhatMeansNothing(t *testing.T) {
	t.Parallel()
	idle := []space.Value{{Num: 1}, {Num: 0}, {Num: 65536}, {Label: "weight"}, {Label: "slow"}}
	for expr, legal := range map[string]bool{
		"pes_x > 4":                                          true,
		"pes_x + 1 > 4":                                      true,
		"-pes_x > 4":                                         true,
		"4 / pes_x == 1":                                     true,
		"5 % pes_x == 1":                                     true,
		"pes_x ** 0 == 2":                                    true,
		"min(pes_x, 1) > 4":                                  true,
		"max(1, pes_x, 3) < 2":                               true,
		"log2(abs(floor(pes_x))) == 7":                       true,
		"pes_x in [7, 9]":                                    true,
		"pes_x not in [0]":                                   true,
		"pe_memory in [1, pes_x]":                            true,
		"pe_memory in [65536, pes_x]":                        true,
		"pe_memory in 1..pes_x":                              true,
		"not (pes_x > 4)":                                    true,
		"deep == 2":                                          true, // its condition is on what means nothing
		`mode == "fast"`:                                     true,
		`mode in ["fast"]`:                                   true,
		`mode startsWith "f"`:                                true,
		`mode == dataflow`:                                   true,
		"(pes_x > 4) == (pe_memory > 4)":                     true,
		"pes_x > 4 ? pe_memory < 1 : pe_memory < 2":          true,
		"pe_memory < 1 or pes_x > 4":                         true,
		"pes_x > 4 or pe_memory < 1":                         true,
		"pe_memory > 1 and pes_x > 4":                        true,
		"pes_x > 4 and pe_memory < 1":                        false, // pe_memory alone decides
		"pe_memory < 1 and pes_x > 4":                        false,
		"not (pe_memory > 1 or pes_x > 4)":                   false,
		`dataflow == "output" ? pes_x > 4 : pe_memory < 1`:   false,
		`pe_memory * (dataflow == "output" ? pes_x : 1) < 1`: false,
		"pes_x > 4 and 1 / (pe_memory - 65536) > 0":          false, // no value
		"pes_x > 4 or 1 / (pe_memory - 65536) > 0":           true,
	} {
		j := idleJudge(t, expr)
		if got := j.Rules(idle); (got == nil) != legal || j.RulesOK(idle) != legal {
			t.Errorf("%s: %v, %t, want legal %t", expr, got, j.RulesOK(idle), legal)
		}
	}
	j := idleJudge(t)
	for _, bad := range [][]space.Value{
		{{Num: 1}, {Num: 4}, {Num: 65536}, {Label: "weight"}, {Label: "slow"}},
		{{Num: 1}, {Num: 0}, {Num: 65536}, {Label: "weight"}, {Label: "fast"}},
		{{Num: 2}, {Num: 0}, {Num: 65536}, {Label: "weight"}, {Label: "slow"}},
		{{Num: 2}, {Num: 1}, {Num: 65536}, {Label: "output"}, {Label: "slow"}},
		idle[:4], nil,
	} {
		if got := j.Rules(bad); got == nil || j.RulesOK(bad) {
			t.Errorf("Rules(%v) = %v, want a reason", bad, got)
		}
	}
	if got := j.Rules([]space.Value{{Num: 1}, {Num: 4}, {Num: 65536}, {Label: "weight"}, {Label: "slow"}}); !strings.Contains(got.Message, `"when-pes-x"`) {
		t.Errorf("the reason is %q, want the condition when-pes-x", got.Message)
	}
}

// A rule that refuses a design in which parameters mean nothing would refuse it
// at any of their levels.
func TestOpenRulesRefuseNothingThatALevelAllows(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(17, 17))
	refused := 0
	for range 3000 {
		source := expression(rng, 3) + " and pes_x >= 0"
		if len(source) > events.MaxRuleLength {
			continue
		}
		plain := ruleJudge(t, events.Rule{ID: "r", Expr: source})
		open := idleJudge(t, source)
		for _, memory := range ruleParams()[1].Values {
			if open.RulesOK([]space.Value{{Num: 1}, {Num: 0}, {Num: memory}, {Label: "weight"}, {Label: "slow"}}) {
				continue
			}
			refused++
			for _, x := range ruleParams()[0].Values {
				if plain.RulesOK(row(x, memory, "weight")) {
					t.Fatalf("%s: refused at memory %v where pes_x means nothing, but legal with pes_x %v", source, memory, x)
				}
			}
		}
	}
	if refused < 300 {
		t.Errorf("only %d designs were refused", refused)
	}
}

func TestConditionsThatAreNone(t *testing.T) {
	t.Parallel()
	for want, edit := range map[string]func(p []events.Parameter){
		"cannot depend on itself":   func(p []events.Parameter) { p[1].When = "pes_x > 1" },
		"depends on itself through": func(p []events.Parameter) { p[1].When = "deep > 1" },
		"no parameter":              func(p []events.Parameter) { p[1].When = "nothing > 1" },
		"true or false":             func(p []events.Parameter) { p[1].When = "pe_memory + 1" },
	} {
		p := idleParams()
		edit(p)
		_, err := events.NewJudge(&events.Spec{Parameters: p})
		if at, ok := errors.AsType[*events.RuleError](err); !ok || !strings.HasPrefix(at.ID, "when-") || !strings.Contains(at.Message, want) {
			t.Errorf("NewJudge() = %v, want a RuleError with %q", err, want)
		}
	}
}

func TestConditionsAllocateNothing(t *testing.T) {
	if underRace {
		t.Skip("a pool loses rows under the race detector")
	}
	j := idleJudge(t, "pes_x * pe_memory <= 64 * MiB")
	d := []space.Value{{Num: 1}, {Num: 0}, {Num: 65536}, {Label: "weight"}, {Label: "slow"}}
	if n := testing.AllocsPerRun(1000, func() { j.RulesOK(d); j.Rules(d) }); n != 0 {
		t.Errorf("a legal design costs %v allocations, want 0", n)
	}
}
