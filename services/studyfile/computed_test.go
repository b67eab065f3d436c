package studyfile_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator/workload"
	"apollo/events"
	"apollo/services/studyfile"
)

// Known metrics are added where they are named, after those of the study's own,
// in one order however often a study is read again.
func TestComputedMetrics(t *testing.T) {
	t.Parallel()
	src := strings.Replace(small, "  objectives: [{metric: latency, goal: minimize}]", `  metrics:
    - {name: power}
    - {name: cost, expr: "area * 0.12 + power / 1 W"}
    - {name: size, unit: um2, expr: "area * 2"}
  objectives: [{metric: edp, goal: minimize}]
  constraints: [{metric: power, max: 500 mW}, {metric: size, max: 12 mm2}, {metric: edp, max: 3 mJs}]`, 1)
	doc := parse(t, src, studyfile.Options{})
	want := []events.Metric{
		{Name: "latency_s", Unit: "s"},
		{Name: "area_mm2", Unit: "mm2", Cheap: true},
		{Name: "energy_j", Unit: "J"},
		{Name: "power_w", Unit: "W", Expr: "energy / latency"},
		{Name: "cost", Expr: "area * 0.12 + power / 1 W"},
		{Name: "size_um2", Unit: "um2", Cheap: true, Expr: "area * 2"},
		{Name: "edp_js", Unit: "Js", Expr: "energy * latency"},
	}
	if diff := cmp.Diff(want, doc.Spec.Metrics); diff != "" {
		t.Errorf("the metrics are (-want +got):\n%s", diff)
	}
	if c := doc.Spec.Constraints; *c[0].Max != 0.5 || *c[1].Max != 12e6 || *c[2].Max != 3e-3 {
		t.Errorf("the constraints are %v, %v and %v, want 0.5 W, 12e6 um2 and 0.003 Js", *c[0].Max, *c[1].Max, *c[2].Max)
	}
	again, err := studyfile.Parse("published", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc.Spec, again.Spec); diff != "" {
		t.Errorf("published it is another study:\n%s", diff)
	}
	// A core takes 1 mm2 and a MiB 0.5 mm2: the cheap limit on size leaves fewer designs.
	if all := parse(t, small, studyfile.Options{}).LegalShare(1 << 20); doc.LegalShare(1<<20).Legal >= all.Legal {
		t.Errorf("%d of %d legal designs keep a limit on a cheap computed metric, want fewer", doc.LegalShare(1<<20).Legal, all.Legal)
	}
}

// The work of networks is counted once, and as their metrics are: by the
// weighted geometric mean.
func TestComputedWork(t *testing.T) {
	t.Parallel()
	one := parse(t, strings.Replace(small, "metric: latency, goal: minimize", "metric: tops_per_w, goal: maximize}, {metric: fps, goal: maximize", 1), studyfile.Options{})
	derive, err := events.NewDeriver(one.Spec.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	row := derive.Row([]float64{2e-3, 4, 1e-6})
	net, err := catalog().Network("net_a", workload.Sizes{})
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * float64(net.Totals().MACs) / 1e-6 / 1e12; math.Abs(row[3]/want-1) > 1e-9 {
		t.Errorf("%v tops per watt, want %v", row[3], want)
	}
	if row[4] != 500 {
		t.Errorf("%v frames a second in 2 ms each, want 500", row[4])
	}
}

// Metrics of single networks are measured where they are named, whatever names
// them, in one order; aggregates are expressions of them.
func TestMetricsOfSingleNetworks(t *testing.T) {
	t.Parallel()
	src := strings.NewReplacer("[{name: net_a}]", "[{name: net_a}, {name: net_b, weight: 2}]",
		"  objectives: [{metric: latency, goal: minimize}]", `  metrics:
    - {name: twice, unit: s, expr: "2 * latency.net_b"}
  objectives: [{metric: area, goal: minimize}]
  constraints: [{metric: power.worst, max: 2 W}, {metric: latency.weighted_sum, max: 5 ms}, {metric: latency.net_a, max: 1 ms}]`).Replace(small)
	doc := parse(t, src, studyfile.Options{})
	want := []events.Metric{
		{Name: "latency_s", Unit: "s"},
		{Name: "area_mm2", Unit: "mm2", Cheap: true},
		{Name: "energy_j", Unit: "J"},
		{Name: "latency_s.net_a", Unit: "s"},
		{Name: "latency_s.net_b", Unit: "s"},
		{Name: "energy_j.net_a", Unit: "J"},
		{Name: "energy_j.net_b", Unit: "J"},
		{Name: "twice_s", Unit: "s", Expr: "2 * latency.net_b"},
		{Name: "power_w.worst", Unit: "W", Expr: "max(energy.net_a / latency.net_a, energy.net_b / latency.net_b)"},
		{Name: "latency_s.weighted_sum", Unit: "s", Expr: "latency.net_a + 2 * latency.net_b"},
	}
	if diff := cmp.Diff(want, doc.Spec.Metrics); diff != "" {
		t.Errorf("the metrics are (-want +got):\n%s", diff)
	}
	again, err := studyfile.Parse("published", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc.Spec, again.Spec); diff != "" {
		t.Errorf("published it is another study:\n%s", diff)
	}
	derive, err := events.NewDeriver(doc.Spec.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	row := derive.Row([]float64{2, 4, 3, 1, 4, 2, 20})
	if row[7] != 8 || row[8] != 5 || row[9] != 9 {
		t.Errorf("the row ends in %v, want 8 s, 5 W and 9 s", row[7:])
	}
}

// An expression may name what needs none without declaring it: rates, networks, the worst.
func TestExpressionsNameComputedMetrics(t *testing.T) {
	t.Parallel()
	with := func(metrics string) string {
		return strings.Replace(small, "  objectives: [{metric: latency, goal: minimize}]", "  metrics: ["+metrics+"]\n  objectives: [{metric: latency, goal: minimize}]", 1)
	}
	doc := parse(t, with(`{name: cost, expr: "area * 0.1 + power / 1 W + latency.worst / 1 s"}`), studyfile.Options{})
	var names []string
	for _, m := range doc.Spec.Metrics {
		names = append(names, m.Name)
	}
	if want := "latency_s area_mm2 energy_j latency_s.net_a power_w latency_s.worst cost"; strings.Join(names, " ") != want {
		t.Errorf("the metrics are %v, want %s", names, want)
	}
	again, err := studyfile.Parse("published", doc.Normalised, catalog(), studyfile.Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc.Spec, again.Spec); diff != "" {
		t.Errorf("published it is another study:\n%s", diff)
	}
	for _, expr := range []string{"(area / 1 mm2 - energy / 1 J) ** 0.5", "(energy / 1 J - area / 1 mm2) ** 0.5"} {
		parse(t, with(`{name: cost, expr: "`+expr+`"}`), studyfile.Options{}) // some of them have a value
	}
	for metrics, want := range map[string]string{
		`{name: cost, expr: "area / 0 mm2"}`:      "the expression has no value, whatever is measured",
		`{name: cost, expr: "latency.net_x * 2"}`: `the metric "latency.net_x" is not known here: the study has no network "net_x"`,
		`{name: cost, expr: "powr * 2"}`:          `there is no metric "powr"`,
		`{name: cost, expr: "cost * 2"}`:          `there is no metric "cost"`,
	} {
		if _, err := studyfile.Parse("study.yaml", []byte(with(metrics)), catalog(), studyfile.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", metrics, err, want)
		}
	}
}

func TestMistakesInMetricsOfSingleNetworks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ metric, want, hint string }{
		{"latency.net_x", `the study has no network "net_x"`, `Did you mean "net_a"?`},
		{"area.net_a", "area is the chip's, the same for every network", "Write area."},
		{"latancy.net_a", `there is no metric "latancy"`, `Did you mean "latency"?`},
		{"latency.", `the study has no network ""`, ""},
	} {
		src := strings.Replace(small, "metric: latency, goal: minimize", "metric: "+c.metric+", goal: minimize", 1)
		_, err := studyfile.Parse("study.yaml", []byte(src), catalog(), studyfile.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.hint) {
			t.Errorf("%s: %v, want %q and %q", c.metric, err, c.want, c.hint)
		}
	}
}
