package edge

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Without a change, or with one of factor 1, a Model is the evaluator; and each
// constant moves a metric of some design, else it would be no constant of the
// model.
func TestEveryConstantMatters(t *testing.T) {
	t.Parallel()
	task := taskFor(t, "mobilenet_v2")
	var chips []Chip
	feasibleChips(boundTo(t, "mobilenet_v2"), 31, 40, func(_ *rand.Rand, c Chip, _ *scratch) { chips = append(chips, c) })
	plain := metricsOf(t, chips, func() (*Model, float64, error) { return NewModel(task.Networks, "", 0) })
	for i, c := range chips {
		r, err := ExplainChip(task.Networks, c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Metrics, plain[i]); diff != "" {
			t.Fatalf("the model differs from the report (-report +model):\n%s", diff)
		}
	}
	for _, k := range Constants() {
		same := metricsOf(t, chips, func() (*Model, float64, error) { return NewModel(task.Networks, k.Name, 1) })
		if diff := cmp.Diff(plain, same); diff != "" {
			t.Errorf("%s times 1 changes a metric:\n%s", k.Name, diff)
		}
		matters := false
		for _, factor := range []float64{0.8, 1.2} {
			var value float64
			moved := metricsOf(t, chips, func() (*Model, float64, error) {
				m, v, err := NewModel(task.Networks, k.Name, factor)
				value = v
				return m, v, err
			})
			matters = matters || !cmp.Equal(plain, moved)
			if value == k.Value && k.Whole && value == 1 {
				continue // there is no smaller positive number
			}
			if (value > k.Value) != (factor > 1) || k.Whole && value != float64(int64(value)) || value <= 0 {
				t.Errorf("%s times %g is %g, declared %g", k.Name, factor, value, k.Value)
			}
		}
		if !matters {
			t.Errorf("moving %s by 20 %% changes no metric of %d designs", k.Name, len(chips))
		}
	}
}

func metricsOf(t *testing.T, chips []Chip, model func() (*Model, float64, error)) []MetricsReport {
	t.Helper()
	m, _, err := model()
	if err != nil {
		t.Fatal(err)
	}
	var out []MetricsReport
	for _, c := range chips {
		r, why, err := m.Measure(c)
		if err != nil {
			t.Fatal(err)
		}
		if why != nil { // a moved constant may make a design infeasible
			r = MetricsReport{AreaMM2: r.AreaMM2}
		}
		out = append(out, r)
	}
	return out
}

func TestNewModelRefuses(t *testing.T) {
	t.Parallel()
	task := taskFor(t, "mobilenet_v2")
	for name, factor := range map[string]float64{"beauty": 1.2, "clock": 0, "bus": -1} {
		if _, _, err := NewModel(task.Networks, name, factor); err == nil {
			t.Errorf("NewModel(%q, %g) is no error", name, factor)
		}
	}
	m, _, err := NewModel(task.Networks, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Measure(Chip{}); err == nil {
		t.Error("Measure() of no chip is no error")
	}
}
