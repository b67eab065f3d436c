package studyfile_test

import (
	"strings"
	"testing"

	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/studyfile"
)

const kinds = `apiVersion: apollo/v1
kind: Study
metadata: {name: kinds}
spec:
  space:
    parameters:
      - {name: cores, values: [1, 2, 4, 8]}
      - {name: ways, min: 1, max: 4}
      - {name: voltage, min: 0.6, max: 1.1, steps: 11}
      - {name: clock, unit: Hz, min: 100 MHz, max: 1.6 GHz, steps: 5, scale: log}
      - {name: dataflow, values: [ws, os]}
      - {name: stripe, values: [32, 8, 16], when: dataflow == "os" and cores > 1}
      - {name: mode, values: [slow, fast], when: stripe > 8}
  evaluator: {name: mine, metrics: [{name: latency, unit: s}]}
  objectives: [{metric: latency, goal: minimize}]
`

// Every kind of parameter becomes levels.
func TestKindsOfParameters(t *testing.T) {
	t.Parallel()
	spec := parse(t, kinds, studyfile.Options{}).Spec
	for i, want := range [][]float64{
		{1, 2, 4, 8}, {1, 2, 3, 4}, {0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1}, {1e8, 2e8, 4e8, 8e8, 1.6e9}, nil, {8, 16, 32}, nil,
	} {
		got := spec.Parameters[i].Values
		if len(got) != len(want) {
			t.Errorf("%s has the levels %v, want %v", spec.Parameters[i].Name, got, want)
			continue
		}
		for at := range want {
			if got[at] != want[at] {
				t.Errorf("%s has the levels %v, want %v", spec.Parameters[i].Name, got, want)
			}
		}
	}
}

// A parameter that means nothing has one value: of the legal designs no two
// differ in it alone. Elsewhere all of its levels are legal.
func TestConditionalParameters(t *testing.T) {
	t.Parallel()
	doc := parse(t, kinds, studyfile.Options{})
	judge, err := events.NewJudge(doc.Spec)
	if err != nil {
		t.Fatal(err)
	}
	s, err := doc.Spec.Space()
	if err != nil {
		t.Fatal(err)
	}
	legal := map[bool]int{}
	for _, p := range s.All() {
		v := s.Values(p)
		active := v[4].Label == "os" && v[0].Num > 1
		if judge.RulesOK(v) != ((active || v[5].Num == 8) && (v[5].Num > 8 || v[6].Label == "slow")) {
			t.Fatalf("%v: legal %t", v, judge.RulesOK(v))
		}
		if judge.RulesOK(v) {
			legal[active]++
		}
	}
	// 5 of 8 pairs of cores and dataflow leave one design, 3 leave 1 + 2 x 2.
	const others = 4 * 11 * 5
	if legal[false] != 5*others || legal[true] != 3*5*others {
		t.Errorf("%d inactive and %d active legal designs, want %d and %d", legal[false], legal[true], 5*others, 3*5*others)
	}
	if reason := judge.Rules([]space.Value{{Num: 1}, {Num: 1}, {Num: 1}, {Num: 1e8}, {Label: "ws"}, {Num: 16}, {Label: "slow"}}); reason == nil || !strings.Contains(reason.Message, "when-stripe") {
		t.Errorf("the reason is %+v, want the rule when-stripe", reason)
	}
}
