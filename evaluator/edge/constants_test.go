package edge

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/report"
)

// Without a change, or with one of factor 1, a model is the evaluator; and each
// constant moves a metric of some design, else it would be no constant of the
// model.
func TestEveryConstantMatters(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	networks := evaluatortest.Networks(t, "mobilenet_v2")
	var chips []chip
	feasibleChips(boundTo(t, "mobilenet_v2"), 31, 20, func(_ *rand.Rand, c chip, _ *scratch) { chips = append(chips, c) })
	plain, _ := metricsOf(t, chips, networks, "", 0)
	for i, c := range chips {
		if diff := cmp.Diff(inspect(t, networks, c).Metrics, plain[i]); diff != "" {
			t.Fatalf("the model differs from the report (-report +model):\n%s", diff)
		}
	}
	for _, k := range declared().Rows() {
		at := slices.IndexFunc(Spec().Constants(), func(c report.Constant) bool { return c.Name == k.Name })
		was := Spec().Constants()[at].Value
		_, whole := k.At.(*int64)
		same, _ := metricsOf(t, chips, networks, k.Name, 1)
		if diff := cmp.Diff(plain, same); diff != "" {
			t.Errorf("%s times 1 changes a metric:\n%s", k.Name, diff)
		}
		matters := false
		for _, factor := range []float64{0.8, 1.2} {
			moved, value := metricsOf(t, chips, networks, k.Name, factor)
			matters = matters || !cmp.Equal(plain, moved)
			if value == was && whole && value == 1 {
				continue // there is no smaller positive number
			}
			if (value > was) != (factor > 1) || whole && value != float64(int64(value)) || value <= 0 {
				t.Errorf("%s times %g is %g, declared %g", k.Name, factor, value, was)
			}
		}
		if !matters {
			t.Errorf("moving %s by 20 %% changes no metric of %d designs", k.Name, len(chips))
		}
	}
}

func metricsOf(t *testing.T, chips []chip, networks []evaluator.Network, constant string, factor float64) ([]report.Metrics, float64) {
	t.Helper()
	measure, value, err := Spec().Model(networks, constant, factor)
	if err != nil {
		t.Fatal(err)
	}
	var out []report.Metrics
	for _, c := range chips {
		r, _, err := measure(report.Point{Values: c.values()})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out, value
}

func TestModelRefuses(t *testing.T) {
	t.Parallel()
	networks := evaluatortest.Networks(t, "mobilenet_v2")
	for name, factor := range map[string]float64{"beauty": 1.2, "clock": 0, "bus": -1} {
		if _, _, err := Spec().Model(networks, name, factor); err == nil {
			t.Errorf("Model(%q, %g) is no error", name, factor)
		}
	}
	measure, _, err := Spec().Model(networks, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := measure(report.Point{Values: chip{}.values()}); err == nil {
		t.Error("measuring no chip is no error")
	}
}
