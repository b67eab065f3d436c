package validate

import (
	"math"
	"testing"
)

// A bent valley of two variables, and the sum of distances of six, which has no
// gradient where it is least.
func TestSimplexFindsTheLeast(t *testing.T) {
	t.Parallel()
	rosenbrock := func(x []float64) float64 {
		off := x[1] - x[0]*x[0]
		return 100*off*off + (1-x[0])*(1-x[0])
	}
	if x := minimize(rosenbrock, []float64{-1.2, 1}, 300); rosenbrock(x) > 1e-9 {
		t.Errorf("Rosenbrock's function is %g at %v, want 0 at 1, 1", rosenbrock(x), x)
	}
	goal := []float64{0.3, -0.2, 0.1, 0.4, -0.5, 0.2}
	distance := func(x []float64) (sum float64) {
		for k := range x {
			sum += math.Abs(x[k] - goal[k])
		}
		return sum
	}
	x := make([]float64, len(goal))
	for range 5 {
		x = minimize(distance, x, 600)
	}
	if distance(x) > 1e-6 {
		t.Errorf("the distance is %g at %v, want 0 at %v", distance(x), x, goal)
	}
}
