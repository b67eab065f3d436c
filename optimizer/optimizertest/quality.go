package optimizertest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// Minimize runs a study of the problem, one design at a time, and returns the
// best feasible value after each trial: +Inf while there is none. It ends early
// when the space is exhausted.
func Minimize(a optimizer.Algorithm, p Problem, seed uint64, trials int) ([]float64, error) {
	strategy, err := a.Start(p.Start(seed))
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	best := math.Inf(1)
	var curve []float64
	for i := range trials {
		proposals, err := strategy.Ask(uint64(i), 1, []space.Point{})
		if errors.Is(err, optimizer.ErrExhausted) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("trial %d: %w", i, err)
		}
		o := p.Measure(proposals[0].Point)
		o.Point, o.Trial, o.Origin = proposals[0].Point, i, proposals[0].Origin
		strategy.Tell(o)
		if o.Status == optimizer.Measured {
			best = min(best, o.Values[0])
		}
		curve = append(curve, best)
	}
	return curve, nil
}

// MedianBest returns the median over seeds 1 to seeds of the best value after
// the given number of trials. The runs of two algorithms are paired by seed.
func MedianBest(a optimizer.Algorithm, p Problem, seeds, trials int) (float64, error) {
	var last []float64
	for seed := range seeds {
		curve, err := Minimize(a, p, uint64(seed+1), trials)
		if err != nil {
			return 0, fmt.Errorf("problem %s, seed %d: %w", p.Name, seed+1, err)
		}
		last = append(last, curve[len(curve)-1])
	}
	slices.Sort(last)
	return (last[(len(last)-1)/2] + last[len(last)/2]) / 2, nil
}

// beatsRandom demands a median strictly below that of random search on every
// named problem, except where NotBetter gives a reason.
func beatsRandom(t *testing.T, a optimizer.Algorithm, o Options) {
	for _, p := range Problems() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			o.skip(t, p)
			got, err := MedianBest(a, p, o.Seeds, o.Trials)
			if err != nil {
				t.Fatal(err)
			}
			reference, err := MedianBest(optimizer.Random{}, p, o.Seeds, o.Trials)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("median best of %d seeds after %d trials: %.4g, random %.4g", o.Seeds, o.Trials, got, reference)
			if !(got < reference) {
				t.Errorf("median best %v is not below random search's %v", got, reference)
			}
		})
	}
}
