package edge

import (
	"math/rand/v2"

	"apollo/evaluator"
	"apollo/evaluator/workload"
)

// Landscape describes what uniform draws of the space look like for one
// network, without an area limit.
type Landscape struct {
	// Draws and Infeasible count designs.
	Draws, Infeasible int
	// MinSeconds, MeanSeconds and MaxSeconds are latencies over the feasible
	// draws; 0 when there is none.
	MinSeconds, MeanSeconds, MaxSeconds float64
}

// LandscapeOf draws designs at a fixed seed. The error is for a malformed
// workload.
func LandscapeOf(w *workload.Workload, draws int, seed uint64) (Landscape, error) {
	ps := params()
	b, err := bind(evaluator.Task{Params: ps, Networks: []evaluator.Network{{Workload: w, Weight: 1}}})
	if err != nil {
		return Landscape{}, err
	}
	l := Landscape{Draws: draws}
	s := b.get()
	defer b.put(s)
	rng := rand.New(rand.NewPCG(seed, 0))
	var sum float64
	for range draws {
		var c Chip
		for i, field := range c.fields() {
			*field = int64(ps[i].Values[rng.IntN(len(ps[i].Values))])
		}
		if b.measure(&c, s) != nil {
			l.Infeasible++
			continue
		}
		seconds := s.totals[0].latencySeconds
		sum += seconds
		if l.MinSeconds == 0 || seconds < l.MinSeconds {
			l.MinSeconds = seconds
		}
		l.MaxSeconds = max(l.MaxSeconds, seconds)
	}
	if n := l.Draws - l.Infeasible; n > 0 {
		l.MeanSeconds = sum / float64(n)
	}
	return l, nil
}
