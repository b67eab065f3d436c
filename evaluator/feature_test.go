package evaluator_test

import (
	"math"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

func params() []space.Param {
	return []space.Param{
		{Name: "rows", Values: []float64{-1, 0, 4, 8}},
		{Name: "mode", Labels: []string{"a", "b"}},
		{Name: "buffer", Unit: "B", Values: []float64{16, 32}},
	}
}

func TestLogFeatures(t *testing.T) {
	t.Parallel()
	of, err := evaluator.LogFeatures([]evaluator.Feature{
		{Name: "square", Terms: []evaluator.Term{{Times: []string{"rows", "rows"}}}},
		{Name: "share", Unit: "B", Terms: []evaluator.Term{{Scale: 2, Times: []string{"buffer"}, Over: []string{"rows"}}}},
		{Name: "sum", Terms: []evaluator.Term{{Times: []string{"buffer"}}, {Scale: 3, Times: []string{"rows"}}}},
		{Name: "by_mode", Terms: []evaluator.Term{
			{Times: []string{"buffer"}, Where: []evaluator.Condition{{Param: "mode", Labels: []string{"a"}}}},
			{Scale: 5, Where: []evaluator.Condition{{Param: "mode", Labels: []string{"b", "c"}}}},
			{Scale: 7, Where: []evaluator.Condition{{Param: "mode", Labels: []string{"b"}}, {Param: "mode", Labels: []string{"a"}}}},
		}},
	}, params())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rows float64
		want []float64
	}{
		{4, []float64{math.Log(16), math.Log(16), math.Log(44), math.Log(5)}},
		{0, []float64{math.NaN(), math.Inf(1), math.Log(32), math.Log(5)}},
		{-1, []float64{0, math.NaN(), math.Log(29), math.Log(5)}},
	} {
		got := of([]float64{7}, []space.Value{{Num: c.rows}, {Label: "b"}, {Num: 32}})
		if got[0] != 7 || len(got) != 1+len(c.want) {
			t.Fatalf("rows %v: %v, want the features behind what was there", c.rows, got)
		}
		for i, want := range c.want {
			if got[1+i] != want && !(math.IsNaN(want) && math.IsNaN(got[1+i])) {
				t.Errorf("rows %v, feature %d: %v, want %v", c.rows, i, got[1+i], want)
			}
		}
	}
}

func TestLogFeaturesExplainsMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		feature evaluator.Feature
		want    string
	}{
		{evaluator.Feature{Name: "none"}, "feature none: there is no term"},
		{evaluator.Feature{Name: "typo", Terms: []evaluator.Term{{Over: []string{"row"}}}}, "feature typo: there is no numeric parameter row"},
		{evaluator.Feature{Name: "label", Terms: []evaluator.Term{{Times: []string{"mode"}}}}, "feature label: there is no numeric parameter mode"},
		{
			evaluator.Feature{Name: "number", Terms: []evaluator.Term{{Where: []evaluator.Condition{{Param: "rows", Labels: []string{"4"}}}}}},
			"feature number: there is no categorical parameter rows",
		},
	} {
		if _, err := evaluator.LogFeatures([]evaluator.Feature{c.feature}, params()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.feature.Name, err, c.want)
		}
	}
}
