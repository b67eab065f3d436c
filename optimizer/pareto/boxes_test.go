package pareto_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"apollo/optimizer/pareto"
)

// below is a point as a distribution without spread.
func below(b *pareto.Boxes, p []float64) [][]float64 {
	out := make([][]float64, len(p))
	for k, levels := range b.Levels {
		for _, level := range levels {
			out[k] = append(out[k], max(0, level-p[k]))
		}
	}
	return out
}

// Of a point that is known for certain the gain is its contribution.
func TestGainOfAKnownPointIsItsContribution(t *testing.T) {
	t.Parallel()
	for objectives := 2; objectives <= 4; objectives++ {
		reference := []float64{9, 8, 9, 7}[:objectives]
		for seed := range uint64(40) {
			rng := rand.New(rand.NewPCG(seed, uint64(objectives)))
			points := grid(rng, int(seed), objectives, 10)
			var front [][]float64
			for _, i := range pareto.Front(points) {
				front = append(front, points[i])
			}
			boxes := pareto.Uncovered(points, reference)
			for _, p := range grid(rng, 20, objectives, 10) {
				got, want := boxes.Gain(below(boxes, p)), pareto.Contribution(p, front, reference)
				if math.Abs(got-want) > 1e-9*math.Max(1, want) {
					t.Errorf("%d objectives, seed %d: the gain of %v is %v, want %v", objectives, seed, p, got, want)
				}
			}
		}
	}
}

// The time of a search is that of its boxes.
func TestBoxesAreFew(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ objectives, points, most int }{{2, 100, 101}, {3, 100, 800}, {4, 60, 3000}} {
		points := sphere(rng, c.points, c.objectives)
		if n := pareto.Uncovered(points, []float64{1.1, 1.1, 1.1, 1.1}[:c.objectives]).Len(); n > c.most {
			t.Errorf("%d points of %d objectives make %d boxes, want at most %d", c.points, c.objectives, n, c.most)
		}
	}
}
