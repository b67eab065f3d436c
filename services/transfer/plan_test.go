package transfer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"apollo/events"
)

// The first study comes first, and then always the nearest to any before it; chains do
// not learn from each other.
func TestPlanGoesToTheNearest(t *testing.T) {
	t.Parallel()
	at := []float64{5, 9, 6, 4.5, 5}
	distance := func(a, b int) float64 { return math.Abs(at[a] - at[b]) }
	c := Plan([]string{"a", "a", "a", "a", "b"}, distance)
	if got, want := fmt.Sprint(c.Order), "[0 3 2 1 4]"; got != want {
		t.Errorf("the order is %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(c.From), "[[] [2 0 3] [0 3] [0] []]"; got != want {
		t.Errorf("they learn from %s, want %s", got, want)
	}
	many := make([]string, 12)
	c = Plan(many, func(a, b int) float64 { return math.Abs(float64(a - b)) })
	if from := c.From[11]; !slices.Equal(from, []int{10, 9, 8, 7, 6}) {
		t.Errorf("the last of many learns from %v, want the nearest five", from)
	}
}

// Limits add the logarithm of their ratio, and 1 where only one study has them.
func TestDistanceOfLimits(t *testing.T) {
	t.Parallel()
	limit := func(v float64) []events.Constraint { return []events.Constraint{{Metric: "area_mm2", Max: &v}} }
	base := targetSpec(func(*events.Spec) {})
	distance := func(a, b []events.Constraint) float64 {
		x, y := *base, *base
		x.Constraints, y.Constraints = a, b
		l, err := NewLearner(Target{Spec: &x})
		if err != nil {
			t.Fatal(err)
		}
		return l.Distance(&y)
	}
	same := distance(limit(6), limit(6))
	for _, c := range []struct {
		a, b []events.Constraint
		want float64
	}{{limit(6), limit(3), math.Ln2}, {limit(3), limit(6), math.Ln2}, {limit(6), nil, 1}, {nil, limit(6), 1}, {limit(6), limit(6), 0}} {
		if got := distance(c.a, c.b) - same; math.Abs(got-c.want) > 1e-12 {
			t.Errorf("the limits add %v, want %v", got, c.want)
		}
	}
}
