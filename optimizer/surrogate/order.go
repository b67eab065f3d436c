package surrogate

import (
	"math"
	"math/rand/v2"

	"apollo/internal/correlation"
)

const (
	// orderScale and orderNoise are the hyper-parameters of Chance. They are not
	// fitted: a process that was fitted to labels finds an order in noise. Chosen on
	// lattices of four parameters: lines and bowls in noise.
	orderScale = 1.6
	orderNoise = 0.1
	// permutations of the labels that Chance compares with. Chosen: its result is a
	// multiple of 1/200.
	permutations = 199
)

// Chance returns how probable it is that labels which have nothing to do with their
// inputs look as ordered as y at the inputs x (len(y) rows): the share of
// permutations of y, y itself among them, of which a process predicts each label from
// all others as well as of y. Labels without a relation to the inputs get a result of at most a
// with a probability of at most a. It takes 200·len(y)² multiplications.
//
// Reference: P. Good, Permutation, Parametric and Bootstrap Tests of Hypotheses,
// Springer 2005, chapter 3.
func Chance(categorical []bool, x, y []float64) (float64, error) {
	h := Hyper{LogScale: make([]float64, len(categorical)), LogNoise: math.Log(orderNoise)}
	for k := range h.LogScale {
		h.LogScale[k] = math.Log(orderScale)
	}
	g, err := NewGP(categorical, h, len(y))
	if err != nil {
		return 0, err
	}
	for i := range y {
		g.Append(x[i*len(categorical) : (i+1)*len(categorical)])
	}
	labels, _, _ := Standardize(y)
	predicted, deviation := make([]float64, len(y)), make([]float64, len(y))
	g.SetLabels(labels)
	g.LeaveOneOut(labels, predicted, deviation)
	observed := correlation.Pearson(predicted, labels)
	rng := rand.New(rand.NewPCG(0, 0))
	as := 1
	for range permutations {
		rng.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		g.SetLabels(labels)
		for i, alpha := range g.alpha { // what LeaveOneOut does, with the same deviations
			predicted[i] = labels[i] - alpha*deviation[i]*deviation[i]
		}
		// Equal labels in another order are the same labels but for rounding.
		if !(correlation.Pearson(predicted, labels) < observed-1e-9) {
			as++
		}
	}
	return float64(as) / (permutations + 1), nil
}
