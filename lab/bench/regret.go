package bench

import (
	"fmt"
	"math"

	"apollo/lab/stats"
	"apollo/optimizer/pareto"
)

// Regret returns the regret of the best feasible design after each trial: how
// much worse than the known answer its value is, relative to it, by value and
// never by the design. With several objectives it is the share of the known
// hypervolume that the designs so far leave uncovered. It may be negative
// where the known answer is not proven.
func (t *Trace) Regret(known Known) (stats.Curve, error) {
	n := len(t.Goals)
	if n == 1 {
		return t.single(known), nil
	}
	if len(known.Reference) != n || !(known.Volume > 0) {
		return nil, fmt.Errorf("task %s: %d objectives, and a reference of %d with the hypervolume %v", t.Task, n, len(known.Reference), known.Volume)
	}
	return t.volume(known), nil
}

func (t *Trace) single(known Known) stats.Curve {
	scale := known.Scale
	if scale == 0 {
		scale = math.Abs(known.Best)
	}
	if scale == 0 {
		scale = 1
	}
	curve := make(stats.Curve, t.Trials())
	best := math.Inf(1)
	for i, v := range t.Answers {
		curve[i] = t.Goals[0] * (v - known.Best) / scale
		if math.IsNaN(v) {
			curve[i] = best
		}
	}
	if t.Answers != nil {
		return curve
	}
	for i, v := range t.Values {
		if r := t.Goals[0] * (v - known.Best) / scale; r < best {
			best = r
		}
		curve[i] = best
	}
	return curve
}

func (t *Trace) volume(known Known) stats.Curve {
	n := len(t.Goals)
	corner := make([]float64, n)
	for k := range corner {
		corner[k] = t.Goals[k] * known.Reference[k]
	}
	curve := make(stats.Curve, t.Trials())
	var front [][]float64
	left := 1.0
	for i := range curve {
		point := make([]float64, n)
		measured := true
		for k := range point {
			point[k] = t.Goals[k] * t.Values[i*n+k]
			measured = measured && !math.IsNaN(point[k])
		}
		if measured {
			if grown := pareto.Contribution(point, front, corner); grown > 0 {
				front = append(front, point)
				left -= grown / known.Volume
			}
		}
		curve[i] = left
	}
	return curve
}
