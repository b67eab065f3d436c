package surrogate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// One coordinate has the closed form w = Sxy/(Sxx + penalty); two are solved by
// hand: x = (±1, ±1) in all four combinations, so that XᵀX = 4I.
func TestRidge(t *testing.T) {
	t.Parallel()
	r := NewRidge(1, []float64{1, 2, 3}, []float64{2, 3, 7}, 0.5)
	near(t, "slope", r.Predict([]float64{3})-r.Predict([]float64{2}), 5/2.5, 1e-14)
	near(t, "at the mean", r.Predict([]float64{2}), 4, 1e-14)
	r = NewRidge(2, []float64{1, 1, 1, -1, -1, 1, -1, -1}, []float64{4, 2, 1, -3}, 4)
	// Sxy = (4+2−1+3, 4−2+1+3) = (8, 6), over 4 + 4.
	near(t, "ridge", r.Predict([]float64{1, 1}), 1+8.0/8+6.0/8, 1e-14)
	near(t, "nothing", NewRidge(1, nil, nil, 1).Predict([]float64{3}), 0, 0)
	if got, want := OneHot(nil, []float64{0.5, 2, 0}, []bool{false, true, true}, []int{0, 3, 2}), []float64{0.5, 0, 0, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("OneHot = %v, want %v", got, want)
	}
}

// The best single cut of 0 0 1 | 10 11 is between the third and the fourth; a
// category splits off its worst value.
func TestTreeSplits(t *testing.T) {
	t.Parallel()
	rows := []int{0, 1, 2, 3, 4}
	y := []float64{0, 0, 1, 10, 11}
	stump := Tree{Depth: 1}.grow(newBinned([]bool{false}, []float64{0, 0.1, 0.2, 0.3, 0.4}), y, slices.Clone(rows), nil)
	near(t, "left", stump.Predict([]float64{0.24}), 1.0/3, 1e-15)
	near(t, "right", stump.Predict([]float64{0.26}), 10.5, 1e-15)
	stump = Tree{Depth: 1}.grow(newBinned([]bool{true}, []float64{2, 0, 2, 1, 1}), y, slices.Clone(rows), nil)
	near(t, "category", stump.Predict([]float64{1}), 10.5, 1e-15)
	near(t, "other categories", stump.Predict([]float64{7}), 1.0/3, 1e-15)
	leafy := Tree{Leaf: 2}.grow(newBinned([]bool{false}, []float64{0, 1, 2, 3, 4}), []float64{9, 0, 0, 0, 0}, slices.Clone(rows), nil)
	near(t, "a leaf of two", leafy.Predict([]float64{0}), 4.5, 1e-15)
	constant := Tree{}.grow(newBinned([]bool{false}, []float64{0, 1, 2, 3, 4}), []float64{3, 3, 3, 3, 3}, slices.Clone(rows), nil)
	if len(constant.nodes) != 1 {
		t.Errorf("a constant has %d nodes, want 1", len(constant.nodes))
	}
}

// A deep tree on distinct inputs gives every label back, exactly.
func TestTreeInterpolates(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	x, y, rows := make([]float64, 128), make([]float64, 64), make([]int, 64)
	for i := range y {
		x[2*i], x[2*i+1], y[i], rows[i] = rng.Float64(), float64(rng.IntN(4)), rng.NormFloat64(), i
	}
	deep := Tree{Depth: 64}.grow(newBinned([]bool{false, true}, x), y, rows, nil)
	for i := range y {
		near(t, "label", deep.Predict(x[2*i:2*i+2]), y[i], 1e-12)
	}
}

// One round of boosting at rate 1 is a tree on the centred labels, and one
// round more fits what is left.
func TestBoost(t *testing.T) {
	t.Parallel()
	x, y := []float64{0, 1, 2, 3}, []float64{0, 2, 10, 16}
	one := Boost{Rounds: 1, Rate: 1, Tree: Tree{Depth: 1}}.Train([]bool{false}, x, y, nil)
	near(t, "one round", one.Predict([]float64{0}), 1, 1e-14) // mean of 0 and 2
	near(t, "one round", one.Predict([]float64{3}), 13, 1e-14)
	two := Boost{Rounds: 2, Rate: 1, Tree: Tree{Depth: 1}}.Train([]bool{false}, x, y, nil)
	// Left over: −1 1 −3 3. The best stump splits off the last: (−1, −1, −1 | 3).
	near(t, "two rounds", two.Predict([]float64{0}), 0, 1e-14)
	near(t, "two rounds", two.Predict([]float64{3}), 16, 1e-14)
}

// Learned models beat the mean by far on unseen inputs of a smooth function
// with categories, and the forest's spread is larger where there are no data.
func TestEnsemblesGeneralise(t *testing.T) {
	t.Parallel()
	categorical, x, y := cloud(9, 300, 4)
	const train = 250
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(4, 4)) }
	forest := Forest{}.Train(categorical, x[:4*train], y[:train], rng())
	for name, m := range map[string]Regressor{
		"forest": forest,
		"boost":  Boost{Subsample: 0.7}.Train(categorical, x[:4*train], y[:train], rng()),
	} {
		var wrong, spread float64
		for i := train; i < 300; i++ {
			e := m.Predict(x[4*i:4*i+4]) - y[i]
			wrong += e * e
			spread += y[i] * y[i]
		}
		if wrong > 0.2*spread {
			t.Errorf("%s explains %.2f of unseen labels, want at least 0.8", name, 1-wrong/spread)
		}
	}
	again := Forest{}.Train(categorical, x[:4*train], y[:train], rng())
	mean, deviation := forest.PredictSpread(x[4*train:])
	if m, d := again.PredictSpread(x[4*train:]); m != mean || d != deviation || !(d > 0) || math.IsNaN(m) {
		t.Errorf("a second forest gives %v ± %v, was %v ± %v", m, d, mean, deviation)
	}
}
