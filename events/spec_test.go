package events_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/events"
)

// The hash of a stored study must not change when a build adds fields.
func TestSpecSHA256IsStable(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Networks = spec.Networks[:1] // networks with layers came later
	spec.Evaluator.Version = ""       // as did the version
	spec.Evaluator.Noise, spec.Evaluator.Manual = nil, false
	spec.Parameters[1].When = ""
	source := &spec.Transfer.Sources[0]
	spec.Transfer.Method = ""
	*source = events.Source{Study: source.Study, Run: source.Run, Parquet: source.Parquet}
	spec.Objectives[0].Reference = nil
	spec.Start, spec.Fork, spec.Search, spec.EarlyStop, spec.Fidelity = nil, nil, "", nil, nil
	spec.Budget.WallSeconds, spec.Budget.EvaluatorSeconds = 0, 0
	const want = "f3960317a9d35554"
	if got := events.SpecSHA256(&spec); !strings.HasPrefix(got, want) || len(got) != 64 {
		t.Errorf("SpecSHA256() = %s, want %s…", got, want)
	}
}

func TestSpecSHA256IgnoresSpelling(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*events.Spec){
		"labels":            func(s *events.Spec) { s.Labels = map[string]string{"x": "y"} },
		"option order":      func(s *events.Spec) { s.Algorithm.Options = json.RawMessage(`{ "b": [], "population": 1e2 }`) },
		"an empty list":     func(s *events.Spec) { s.Parameters[0].Labels = []string{} },
		"a trip over JSON":  roundTrip,
		"null in a default": func(s *events.Spec) { s.Algorithm.Options = json.RawMessage(`{"x":null,"population":100.0}`) },
	} {
		a, b := sampleSpec(), sampleSpec()
		edit(&b)
		if events.SpecSHA256(&a) != events.SpecSHA256(&b) {
			t.Errorf("%s changes the hash", name)
		}
		if d := events.DiffSpecs(&a, &b); len(d) != 0 {
			t.Errorf("%s: DiffSpecs() = %q, want nothing", name, d)
		}
	}
}

func roundTrip(s *events.Spec) {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	*s = events.Spec{}
	if err := json.Unmarshal(b, s); err != nil {
		panic(err)
	}
}

func TestDiffSpecs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*events.Spec)
		want []string
	}{
		{"trials", func(s *events.Spec) { s.Budget.Trials = 900 }, []string{"/budget/trials: 400, now 900"}},
		{"seed", func(s *events.Spec) { s.Seed-- }, []string{"/seed: 18446744073709551615, now 18446744073709551614"}},
		{"values", func(s *events.Spec) { s.Parameters[0].Values = []float64{1} }, []string{"/parameters/0/values: [4096,8192.5], now [1]"}},
		{"model", func(s *events.Spec) { s.Evaluator.Version = "2" }, []string{`/evaluator/version: "1", now "2"`}},
		{"gone", func(s *events.Spec) { s.Constraints = nil }, []string{`/constraints: [{"max":6.8,"metric":"area_mm2","min":0.5}], now none`}},
		{"added", func(s *events.Spec) { s.Rules = append(s.Rules, events.Rule{ID: "x", Expr: "a<b"}) }, []string{`/rules/1: none, now {"expr":"a<b","id":"x"}`}},
		{
			"several, in order", func(s *events.Spec) { s.Order, s.Budget.Batch, s.Stop.Plateau.Improvement = "relaxed", 8, 0.01 },
			[]string{"/budget/batch: 16, now 8", `/order: "strict", now "relaxed"`, "/stop/plateau/improvement: 0.001, now 0.01"},
		},
		{
			"option", func(s *events.Spec) { s.Algorithm.Options = json.RawMessage(`{"population":50,"a/b":1}`) },
			[]string{"/algorithm/options/a~1b: none, now 1", "/algorithm/options/population: 100, now 50"},
		},
		{
			"long texts that differ at the end", func(s *events.Spec) { s.Rules[0].Expr = strings.Repeat("a", 200) + "c" },
			[]string{fmt.Sprintf(`/rules/0/expr: "pe_memory <= 64 * KiB && pe_memory > 0", now "%s…`, strings.Repeat("a", 156))},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := sampleSpec(), sampleSpec()
			test.edit(&b)
			if diff := cmp.Diff(test.want, events.DiffSpecs(&a, &b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if events.SpecSHA256(&a) == events.SpecSHA256(&b) {
				t.Error("the hash is the same")
			}
		})
	}
}

func TestDiffSpecsIsBounded(t *testing.T) {
	t.Parallel()
	a, b := sampleSpec(), sampleSpec()
	b.Rules = nil
	for i := range 50 {
		a.Rules = append(a.Rules, events.Rule{ID: strconv.Itoa(i), Expr: "x"})
		b.Rules = append(b.Rules, events.Rule{ID: strconv.Itoa(i), Expr: "y"})
	}
	got := events.DiffSpecs(&a, &b)
	if len(got) != 21 || !strings.HasPrefix(got[20], "and ") {
		t.Errorf("%d lines, the last %q", len(got), got[len(got)-1])
	}
}

func TestSpecWithoutJSON(t *testing.T) {
	t.Parallel()
	a, b := sampleSpec(), sampleSpec()
	b.Constraints[0].Max = new(math.Inf(1))
	if got := events.SpecSHA256(&b); got != "" {
		t.Errorf("SpecSHA256() = %q, want none", got)
	}
	if got := events.DiffSpecs(&a, &b); len(got) != 1 || !strings.Contains(got[0], "not finite") {
		t.Errorf("DiffSpecs() = %q", got)
	}
}

func TestSpecSpace(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	sp, err := spec.Space()
	if err != nil || sp.Size() != 4 || spec.MetricIndex("area_mm2") != 1 || spec.MetricIndex("x") != -1 {
		t.Errorf("Space() = %d points, %v", sp.Size(), err)
	}
	spec.Parameters[1].Name = "pe_memory"
	if _, err := spec.Space(); err == nil || !strings.Contains(err.Error(), "pe_memory") {
		t.Errorf("Space() of a repeated parameter = %v", err)
	}
}

// Mappers minimise what the study does.
func TestMapperGoal(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		objectives []events.Objective
		want       string
	}{
		{[]events.Objective{{Metric: "latency_s", Goal: "minimize"}}, ""},
		{[]events.Objective{{Metric: "area_mm2", Goal: "minimize"}}, ""},
		{[]events.Objective{{Metric: "energy_j", Goal: "minimize"}}, "energy"},
		{[]events.Objective{{Metric: "energy_j", Goal: "maximize"}}, ""},
		{[]events.Objective{{Metric: "energy_j", Goal: "minimize"}, {Metric: "area_mm2", Goal: "minimize"}}, "energy"},
		{[]events.Objective{{Metric: "latency_s", Goal: "minimize"}, {Metric: "energy_j", Goal: "minimize"}}, "energy_delay"},
		{[]events.Objective{{Metric: "edp_js", Goal: "minimize"}}, "energy_delay"},
		{[]events.Objective{{Metric: "score", Goal: "minimize"}}, "energy_delay"},
		{[]events.Objective{{Metric: "cost", Goal: "minimize"}}, "energy"},
	} {
		spec := &events.Spec{Objectives: x.objectives, Metrics: []events.Metric{
			{Name: "latency_s", Unit: "s"},
			{Name: "area_mm2", Unit: "mm2"},
			{Name: "energy_j", Unit: "J"},
			{Name: "edp_js", Unit: "Js", Expr: "energy * latency"},
			{Name: "cost", Expr: "energy / 1 J + area / 1 mm2"},
			{Name: "score", Expr: "edp / 1 nJs"},
		}}
		if got := spec.MapperGoal(); got != x.want {
			t.Errorf("%+v: mappers minimise %q, want %q", x.objectives, got, x.want)
		}
	}
}
