package events_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apollo/events"
)

// computed has two measured metrics in units that are not the base ones.
func computed(more ...events.Metric) []events.Metric {
	return append([]events.Metric{
		{Name: "latency_ms", Unit: "ms"}, {Name: "area_mm2", Unit: "mm2", Cheap: true}, {Name: "energy_j", Unit: "J"}, {Name: "score"},
	}, more...)
}

// Only what certainly has no value is called so: the numbers of metrics may be any.
func TestExpressionsWithoutValue(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{
		"score / 0": true, "energy / 0 J": true, "energy / (2 mJ - 0.002 J)": true, "-(score / 0) + 1": true, "score % 0": true,
		"score > 1 ? score / 0 : score % 0": true, "score / (score * 0)": true, "score * log2(0)": true,
		"score > 1 ? score / 0 : 1": false, "1 / (score / 0)": true, "2 ** (score / 0)": true, "min(score / 0, 1)": false, "score / (area / 1 mm2 - 4)": false,
		"(latency / 1 ms - energy / 1 J) ** 0.5": false, "(energy / 1 J - latency / 1 ms) ** 0.5": false,
		"log2(latency / 1 ms - area / 1 mm2 - energy / 1 J)": false, "(0 - score) ** 0.5": false, "score > 1e300 ? score : score / 0": false,
	} {
		d, err := events.NewDeriver(computed(events.Metric{Name: "x", Expr: expr}))
		if err != nil {
			t.Fatal(expr, err)
		}
		if d.Valueless() != want {
			t.Errorf("%s: without value %t, want %t", expr, !want, want)
		}
		values := d.Row([]float64{2, 4, 1e-3, 3})
		if v := values[len(values)-1]; want && !math.IsNaN(v) {
			t.Errorf("%s is %g", expr, v)
		}
	}
}

func TestMetricsAreComputed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		unit, expr string
		want       float64
	}{
		{"W", "energy / latency", 0.25},
		{"mW", "energy / latency", 250},
		{"Js", "energy * latency", 1e-6},
		{"nJs", "energy * latency", 1000},
		{"", "area * 0.12 + energy / 1 mJ", 0.48 + 0.5},
		{"", "area*0.12+energy/1mJ", 0.48 + 0.5},
		{"us", "max(latency, 1500 us) + 1 ms", 3000},
		{"J", "latency > 1 ms and area <= 4 mm2 ? energy + 2 mJ : energy", 0.0025},
		{"", "(latency / 1 ms) ** 2 + score", 4 + 3},
		{"", "1 s / latency", 500},
		{"Hz", "1 / latency", 500},
		{"", "log2(area / 1 mm2)", 2},
		{"mm2", "area ** 2 / area", 4},
		{"", "score % 2", 1},
		{"GB/s", "3 GB/s * (latency / 1 ms) - 0.5 GB/s", 5.5},
		{"", "energy / 5e-1 mJ", 1},
		{"J", "energy * 1e3", 0.5},
		{"J", "energy * 1.5e+3", 0.75},
		{"", "score > 2 ? 1e3 : 2", 1000},
		{"", "score * 0x10", 48},
		{"Hz", "latency ** -1", 500},
		{"", "2 ** (latency / 1 ms)", 4},
	}
	for _, test := range tests {
		t.Run(test.expr, func(t *testing.T) {
			t.Parallel()
			d, err := events.NewDeriver(computed(events.Metric{Name: "x", Unit: test.unit, Expr: test.expr}))
			if err != nil {
				t.Fatal(err)
			}
			want := []float64{2, 4, 0.0005, 3, test.want}
			if diff := cmp.Diff(want, d.Row([]float64{2, 4, 0.0005, 3}), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What lacks an input, or has no finite value, is NaN, and the rest is as it is.
func TestComputedMetricsWithoutValue(t *testing.T) {
	t.Parallel()
	d, err := events.NewDeriver(computed(
		events.Metric{Name: "power_w", Unit: "W", Expr: "energy / latency"}, events.Metric{Name: "half", Expr: "power / 2 W"},
		events.Metric{Name: "density", Expr: "area / 2 mm2"},
	))
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	for _, test := range []struct{ in, want []float64 }{
		{[]float64{0, 4, 1, 1}, []float64{0, 4, 1, 1, nan, nan, 2}},
		{[]float64{nan, 4, 1, 1}, []float64{nan, 4, 1, 1, nan, nan, 2}},
		{[]float64{1e-300, 4, 1e300, 1}, []float64{1e-300, 4, 1e300, 1, nan, nan, 2}},
		{[]float64{1}, []float64{1, nan, nan, nan, nan, nan, nan}},
		{nil, []float64{nan, nan, nan, nan, nan, nan, nan}},
		{[]float64{2, 4, 1, 1, 99, 99, 99}, []float64{2, 4, 1, 1, 500, 250, 2}},
	} {
		if diff := cmp.Diff(test.want, d.Row(test.in), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("Row(%v): %s", test.in, diff)
		}
	}
}

func TestMetricsThatCannotBeComputed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		unit, expr string
		column     int
		want       string
	}{
		{"", "area + energy", 6, "an area and an energy do not go together"},
		{"", "energy / 1 mJ + latency", 15, "a plain number and a time"},
		{"J", "energy + 3", 8, "write the number with its unit"},
		{"W", "energy * latency", 1, "an energy-delay product, the metric's unit is that of a power"},
		{"", "enrgy / 1 mJ", 1, `there is no metric "enrgy", did you mean "energy"`},
		{"", "energy_j / 1 mJ", 1, `did you mean "energy"`},
		{"", "floor(energy)", 1, "floor takes a plain number"},
		{"", "log2(latency)", 1, "log2 takes a plain number"},
		{"", "latency < 1 mm2 ? 1 : 0", 9, "a time and an area"},
		{"", "latency in [1 ms, 2 mm2] ? 1 : 0", 12, "a time and an area"},
		{"", "min(area, latency)", 1, "an area and a time"},
		{"", "area ** 0.5", 6, "a whole number from -8 to 8 as the exponent"},
		{"", "area ** 9", 6, "a whole number from -8 to 8"},
		{"", "((area ** 8) ** 8) ** 8", 20, "the unit has the exponent 512"},
		{"", "2 ** energy", 6, "an exponent is a plain number, this is an energy"},
		{"", "(energy / 1 mJ) ** latency", 20, "this is a time"},
		{"", "latency * 3furlong", 12, `there is no unit "furlong"`},
		{"", "latency * 3 e3", 13, `there is no unit "e3"`},
		{"", "12 + 1", 1, "names no metric"},
		{"", "3 mJ / 1 mJ", 1, "names no metric"},
		{"", "latency > 1 ms", 1, "a metric must be a number"},
		{"", "latency / 1 mx", 13, `there is no unit "mx"`},
		{"", "latency / 1 ms +", 16, ""},
		{"", "x / x", 1, `there is no metric "x"`},
		{"", "", 0, "measured stands before"},
		{"furlong", "energy", 0, `there is no unit "furlong"`},
		{"s", "area * area / energy", 1, "in mm2^2 J^-1"},
	}
	for _, test := range tests {
		t.Run(test.expr, func(t *testing.T) {
			t.Parallel()
			before := []events.Metric(nil)
			if test.expr == "" {
				before = append(before, events.Metric{Name: "y", Expr: "score * 2"})
			}
			_, err := events.NewDeriver(computed(append(before, events.Metric{Name: "x", Unit: test.unit, Expr: test.expr})...))
			at, ok := errors.AsType[*events.MetricError](err)
			if !ok || at.Metric != "x" {
				t.Fatalf("NewDeriver() = %v, want a MetricError of x", err)
			}
			if at.Column != test.column || !strings.Contains(at.Message, test.want) {
				t.Errorf("column %d: %s; want column %d: %s", at.Column, at.Message, test.column, test.want)
			}
		})
	}
}

// Bounds enclose what an expression is anywhere between the ends, and are its own
// values where there is nothing between them.
func TestBoundsOfComputedMetrics(t *testing.T) {
	t.Parallel()
	exprs := []string{
		"energy * latency / 1 Js", "energy / latency / 1 W", "1 s / latency", "area * 0.12 + energy / 1 mJ", "latency > 1 ms ? score : -score",
		"max(score, 2) - min(score, area / 1 mm2)", "abs(score - 2) * (score - 1)", "floor(score) + ceil(score) - round(score)", "log2(area / 1 mm2)",
		"(score - 1) / (3 - score)", "2 ** score", "(area / 1 mm2) ** -2", "-score ** 2", "score % 2", "1 / abs(score)", "(score - 5) ** 3", "1 / (-abs(score))",
	}
	unknown := []string{"score % 2", "(score - 5) ** 3"}
	inexact := regexp.MustCompile(`%|\*\*|log2|\?`)
	rng := rand.New(rand.NewPCG(7, 1))
	for _, expr := range exprs {
		d, err := events.NewDeriver(computed(events.Metric{Name: "half", Expr: expr}, events.Metric{Name: "x", Expr: "half * 2"}))
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		known := 0
		for range 300 {
			low, high := make([]float64, 6), make([]float64, 6)
			for i := range 4 {
				low[i] = float64(rng.IntN(5)) / 2
				high[i] = low[i] + float64(rng.IntN(4))/2
			}
			from, to := slices.Clone(low), slices.Clone(high)
			d.Bounds(low, high)
			if !math.IsInf(low[5], 0) || !math.IsInf(high[5], 0) {
				known++
			}
			for range 10 {
				row := make([]float64, 6)
				for i := range 4 {
					row[i] = from[i] + (to[i]-from[i])*[]float64{0, 1, rng.Float64()}[rng.IntN(3)]
				}
				d.Fill(row)
				if v := row[5]; v < low[5] || v > high[5] {
					t.Fatalf("%s of %v is %g, outside %g to %g", expr, row[:4], v, low[5], high[5])
				}
				if exact := slices.Equal(from, to); exact && !inexact.MatchString(expr) && row[5] == row[5] && (low[5] != row[5] || high[5] != row[5]) {
					t.Fatalf("%s of %v is %g, bounds %g to %g", expr, row[:4], row[5], low[5], high[5])
				}
			}
		}
		if (known == 0) != slices.Contains(unknown, expr) {
			t.Errorf("%s has bounds of %d rows", expr, known)
		}
	}
}

// An end that is not known leaves what is known of the other.
func TestBoundsOfOneEnd(t *testing.T) {
	t.Parallel()
	nan, none := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		expr      string
		low, high [2]float64 // of latency in ms and energy in J
		want      [2]float64
	}{
		{"energy * latency / 1 Js", [2]float64{2000, 3}, [2]float64{none, nan}, [2]float64{6, none}},
		{"energy / latency / 1 W", [2]float64{2000, 3}, [2]float64{none, nan}, [2]float64{0, none}},
		{"energy / latency / 1 W", [2]float64{2000, 3}, [2]float64{6000, nan}, [2]float64{0.5, none}},
		{"1 s / latency", [2]float64{2000, nan}, [2]float64{none, nan}, [2]float64{0, 0.5}},
	} {
		d, err := events.NewDeriver(computed(events.Metric{Name: "x", Expr: test.expr}))
		if err != nil {
			t.Fatal(err)
		}
		low, high := []float64{test.low[0], 0, test.low[1], 0, nan}, []float64{test.high[0], 0, test.high[1], 0, nan}
		d.Bounds(low, high)
		if got := [2]float64{low[4], high[4]}; got != test.want {
			t.Errorf("%s between %v and %v: %v, want %v", test.expr, test.low, test.high, got, test.want)
		}
	}
}

// An answer holds what is measured. What is computed is added, and bounds it as
// a constraint; where it has no value the trial has failed.
func TestAnswersAreCompleted(t *testing.T) {
	t.Parallel()
	two := 2.0
	spec := &events.Spec{
		Study: "s", Parameters: ruleParams(), Constraints: []events.Constraint{{Metric: "power_w", Max: &two}},
		Metrics: []events.Metric{{Name: "latency_s", Unit: "s"}, {Name: "energy_j", Unit: "J"}, {Name: "power_w", Unit: "W", Expr: "energy / latency"}},
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := events.Expected{Study: "s", Run: "r", Trials: []int{0, 1, 2, 3}, Metrics: []string{"latency_s", "energy_j"}, Derive: judge.Deriver()}
	trials, problems := events.ValidateResult(want, &events.BatchEvaluated{
		Study: "s", Run: "r", Metrics: []string{"energy_j", "latency_s"}, Trials: []events.TrialResult{
			{Trial: 0, Outcome: events.OutcomeMeasured, Values: events.Numbers{1, 2}},
			{Trial: 1, Outcome: events.OutcomeMeasured, Values: events.Numbers{6, 2}},
			{Trial: 2, Outcome: events.OutcomeMeasured, Values: events.Numbers{1, 0}},
			{Trial: 3, Outcome: events.OutcomeInfeasible},
		},
	})
	nan := math.NaN()
	for i, values := range []events.Numbers{{2, 1, 0.5}, {2, 6, 3}, {nan, nan, nan}, {nan, nan, nan}} {
		if diff := cmp.Diff(values, trials[i].Values, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("trial %d: %s", i, diff)
		}
	}
	if trials[2].Outcome != events.OutcomeFailed || len(problems) != 1 || !strings.Contains(problems[0], `"power_w" has no finite value with latency_s = 0, energy_j = 1`) {
		t.Errorf("a power of 1 J in no time is %+v, problems %q", trials[2], problems)
	}
	for i, feasible := range []bool{true, false} {
		if got := judge.Judge(row(1, 1, "weight"), &trials[i]); got.Feasible != feasible {
			t.Errorf("trial %d is feasible: %t, want %t (%v)", i, got.Feasible, feasible, got.Reason)
		}
	}
}
