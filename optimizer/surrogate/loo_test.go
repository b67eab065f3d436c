package surrogate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/optimizer/surrogate"
)

// What the closed form says is what a process without the input predicts.
func TestLeaveOneOutIsAPredictionWithoutTheInput(t *testing.T) {
	t.Parallel()
	const n, d = 12, 3
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float64, n*d), make([]float64, n)
	for i := range x {
		x[i] = rng.Float64()
	}
	for i := range y {
		y[i] = rng.NormFloat64()
	}
	h := surrogate.Hyper{LogScale: []float64{0, -0.5, 0.3}, LogSignal: 0.2, LogNoise: math.Log(0.01)}
	process := func(without int) *surrogate.GP {
		g, err := surrogate.NewGP(make([]bool, d), h, n)
		if err != nil {
			t.Fatal(err)
		}
		labels := slices.Clone(y)
		for i := range n {
			if i != without {
				g.Append(x[i*d : (i+1)*d])
			}
		}
		if without >= 0 {
			labels = slices.Delete(labels, without, without+1)
		}
		g.SetLabels(labels)
		return g
	}
	mean, deviation := make([]float64, n), make([]float64, n)
	process(-1).LeaveOneOut(y, mean, deviation)
	noise := math.Exp(h.LogNoise) + 1e-6*math.Exp(h.LogSignal)
	for i := range n {
		var m, s [1]float64
		process(i).Predict(x[i*d:(i+1)*d], m[:], s[:])
		// 1e-9: two factorisations of a well-conditioned matrix of 12 rows.
		if want := math.Sqrt(s[0]*s[0] + noise); math.Abs(mean[i]-m[0]) > 1e-9 || math.Abs(deviation[i]-want) > 1e-9 {
			t.Errorf("without input %d: %v ± %v, want %v ± %v", i, mean[i], deviation[i], m[0], want)
		}
	}
}

// A narrow belief about a coordinate's length decides it, whatever the data
// say; without data it is the mode.
func TestScalesAreBeliefsByCoordinate(t *testing.T) {
	t.Parallel()
	x, y := []float64{0, 0, 0.3, 0.9, 0.6, 0.1, 1, 0.5}, []float64{-1, 1, 0.5, -0.5}
	narrow := []surrogate.Normal{{Mean: math.Log(0.2), Deviation: 1e-3}, {Mean: math.Log(5), Deviation: 1e-3}}
	for _, labels := range [][]float64{nil, y} {
		h := surrogate.Fit{Scales: narrow}.Hyper(make([]bool, 2), x, labels)
		for i, belief := range narrow {
			// 0.01: ten deviations of the belief, which four labels cannot outweigh.
			if math.Abs(h.LogScale[i]-belief.Mean) > 0.01 {
				t.Errorf("log scale %d of %d labels = %v, want %v", i, len(labels), h.LogScale[i], belief.Mean)
			}
		}
	}
}
