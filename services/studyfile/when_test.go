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

// A level that is asked for of a parameter that means nothing in any design is a mistake,
// at its place; the first level is what it has there, and may be said.
func TestLevelsThatMeanNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ narrow, want string }{
		{`fix: {dataflow: ws, stripe: 16}`, "spec.space.fix.stripe"},
		{`restrict: {cores: [1], stripe: [16, 32]}`, "spec.space.restrict.stripe"},
		{`fix: {dataflow: ws, stripe: 8}`, ""},
		{`restrict: {cores: [1, 2], stripe: [16, 32]}`, ""},
		{`fix: {stripe: 16}`, ""},
		{`fix: {dataflow: os, stripe: 16}`, ""},
	} {
		_, err := studyfile.Parse("kinds", []byte(strings.Replace(kinds, "  space:\n", "  space:\n    "+c.narrow+"\n", 1)), catalog(), studyfile.Options{})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.narrow, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want+`: the parameter "stripe" means nothing with any level of `) {
			t.Errorf("%s: %v, want a mistake at %s", c.narrow, err, c.want)
		}
	}
}

// The number of designs is the one that a person counts: what means nothing has
// one level, and no rule binds on it.
func TestConditionsCount(t *testing.T) {
	t.Parallel()
	const stripe = `{"name":"df","values":["ws","os"]},{"name":"stripe","values":[8,16,32],"when":"df == 'os'"}`
	for name, c := range map[string]struct {
		parameters, rest string
		want             uint64
	}{
		"plain":                           {stripe, ``, 1 + 3},
		"a rule on it":                    {stripe, `,"rules":[{"id":"r","expr":"stripe >= 16"}]`, 1 + 2},
		"a rule that forbids its first":   {stripe, `,"rules":[{"id":"r","expr":"stripe != 8"}]`, 1 + 2},
		"a rule that forbids all of it":   {stripe, `,"rules":[{"id":"r","expr":"stripe > 32"}]`, 1},
		"a relation":                      {stripe + `,{"name":"n","values":[8,16,32]}`, `,"rules":[{"id":"r","expr":"stripe != n"}]`, 3 + 3*2},
		"a rule on both sides":            {stripe + `,{"name":"n","values":[8,16,32]}`, `,"rules":[{"id":"r","expr":"n <= 16 and stripe >= n"}]`, 2 + 3 + 2},
		"a choice":                        {stripe + `,{"name":"n","values":[8,16,32]}`, `,"rules":[{"id":"r","expr":"(df == 'os' ? n * stripe : n) <= 128"}]`, 3 + 2 + 1},
		"restricted":                      {stripe, `,"restrict":{"stripe":[32,16]}`, 1 + 2},
		"restricted, and a rule":          {stripe, `,"restrict":{"stripe":[32,16]},"rules":[{"id":"r","expr":"stripe > 16"}]`, 1 + 1},
		"fixed":                           {stripe, `,"fix":{"stripe":16}`, 2},
		"fixed, and a rule":               {stripe, `,"fix":{"stripe":16},"rules":[{"id":"r","expr":"stripe < 16"}]`, 1},
		"the condition is fixed to false": {stripe, `,"fix":{"df":"ws"}`, 1},
		"declared before what it needs":   {`{"name":"b","values":[1,2],"when":"a == 'y'"},{"name":"a","values":["x","y"]}`, ``, 1 + 2},
		"a chain":                         {`{"name":"a","values":["x","y"]},{"name":"b","values":[1,2],"when":"a == 'y'"},{"name":"c","values":[1,2,3],"when":"b == 2"}`, ``, 1 + 1 + 3},
		"a chain from the first level":    {`{"name":"a","values":["x","y"]},{"name":"b","values":[2,3],"when":"a == 'y'"},{"name":"c","values":[1,2,3],"when":"b == 2"}`, ``, 1 + 3 + 1},
		"a chain that is negated":         {`{"name":"a","values":["x","y"]},{"name":"b","values":[2,3],"when":"a == 'y'"},{"name":"c","values":[1,2,3],"when":"not (b == 2)"}`, ``, 1 + 1 + 3},
		"a chain in reverse":              {`{"name":"c","values":[1,2,3],"when":"b == 2"},{"name":"b","values":[2,3],"when":"a == 'y'"},{"name":"a","values":["x","y"]}`, ``, 1 + 3 + 1},
		"either of two":                   {`{"name":"a","values":["x","y"]},{"name":"b","values":[2,3],"when":"a == 'y'"},{"name":"c","values":[1,2,3],"when":"b == 2 or a == 'x'"}`, ``, 3 + 3 + 1},
		"layers":                          {`{"name":"layers","min":1,"max":3},{"name":"w1","values":[16,32],"when":"layers >= 1"},{"name":"w2","values":[16,32],"when":"layers >= 2"},{"name":"w3","values":[16,32],"when":"layers >= 3"}`, ``, 2 + 4 + 8},
		"layers in order of width":        {`{"name":"layers","min":1,"max":3},{"name":"w1","values":[16,32]},{"name":"w2","values":[16,32],"when":"layers >= 2"},{"name":"w3","values":[16,32],"when":"layers >= 3"}`, `,"rules":[{"id":"r","expr":"w1 <= w2 and w2 <= w3"}]`, 2 + 3 + 4},
		"a number without end":            {`{"name":"a","values":["x","y"]},{"name":"b","min":1e-300,"max":1,"steps":3,"scale":"log","when":"a == 'y'"}`, ``, 1 + 3},
	} {
		src := `{"apiVersion":"apollo/v1","kind":"Study","metadata":{"name":"one"},"spec":{"space":{"parameters":[` + c.parameters + `]` + c.rest +
			`},"objectives":[{"metric":"m","goal":"minimize"}],"evaluator":{"name":"mine","metrics":[{"name":"m"}]}}}`
		doc, err := studyfile.Parse(name, []byte(src), catalog(), studyfile.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := doc.LegalShare(1000); !got.Exact || got.Legal != c.want {
			t.Errorf("%s: %d designs (exact %t), want %d", name, got.Legal, got.Exact, c.want)
		}
		if !strings.Contains(c.rest, "rules") {
			if got, err := events.Designs(doc.Spec.Parameters); got != c.want || err != nil {
				t.Errorf("%s: events.Designs() = %d, %v, want %d", name, got, err, c.want)
			}
			// The share is that of the designs, each once: all of them, and each that is drawn.
			if all := doc.LegalShare(1000); all.Size != c.want || all.Checked != c.want {
				t.Errorf("%s: the share is of %d designs, %d checked, want %d", name, all.Size, all.Checked, c.want)
			}
			if drawn := doc.LegalShare(1); drawn.Size != c.want || drawn.Legal != drawn.Checked {
				t.Errorf("%s: %d of %d drawn designs are legal, of %d in all; want all, of %d", name, drawn.Legal, drawn.Checked, drawn.Size, c.want)
			}
		}
		again, err := studyfile.Parse(name, doc.Normalised, catalog(), studyfile.Options{Published: true})
		if err != nil {
			t.Errorf("%s: published: %v", name, err)
			continue
		}
		if got := again.LegalShare(1000); got.Legal != c.want {
			t.Errorf("%s: %d designs as published, want %d", name, got.Legal, c.want)
		}
	}
}
