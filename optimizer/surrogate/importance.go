package surrogate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Importance is how much of the variance of the labels is lost when one coordinate
// says nothing any more: the mean over resamples, and the interval that holds nine of
// ten of them.
type Importance struct{ Mean, Low, High float64 }

// Importances is what a forest finds of every coordinate.
type Importances struct {
	Of []Importance
	// Explained is the share of the variance that forests explain of inputs that they
	// were not trained on, below 0 where they are worse than the mean.
	Explained float64
}

// importanceTail of the resamples are left out at either end of an interval.
const importanceTail = 0.05

// Importances measures permutation importance: forests are trained on bootstrap
// resamples of the len(y) inputs in x, and predict those that the resample left out,
// once as they are and once with one coordinate permuted among them. The increase of
// the squared error, as a share of the variance of y, is the importance. All
// randomness comes from rng. ok is false where there are too few inputs, or all labels
// are one.
//
// Reference: L. Breiman, Random Forests, Machine Learning 45, 2001, section 10;
// B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, section 13
// (intervals by percentiles).
func (f Forest) Importances(categorical []bool, x, y []float64, resamples int, rng *rand.Rand) (found Importances, ok bool) {
	const fewest = 10 // below it hardly any is left out
	d := len(categorical)
	variance := squares(y, mean(y)) / float64(len(y))
	if len(y) < fewest || !(variance > 0) || math.IsInf(variance, 0) {
		return found, false
	}
	all := make([][]float64, d)
	explained := 0.0
	for range resamples {
		taken := make([]bool, len(y))
		var sampleX, sampleY []float64
		for range y {
			i := rng.IntN(len(y))
			taken[i] = true
			sampleX, sampleY = append(sampleX, x[i*d:(i+1)*d]...), append(sampleY, y[i])
		}
		var out []int
		for i, t := range taken {
			if !t {
				out = append(out, i)
			}
		}
		if len(out) < 2 {
			continue
		}
		m := f.Train(categorical, sampleX, sampleY, rng)
		own := leftError(m, x, y, d, out, -1, nil)
		explained += (1 - own/variance) / float64(resamples)
		for k := range d {
			all[k] = append(all[k], (leftError(m, x, y, d, out, k, rng.Perm(len(out)))-own)/variance)
		}
	}
	for _, shares := range all {
		slices.Sort(shares)
		last := float64(len(shares) - 1)
		found.Of = append(found.Of, Importance{
			max(0, mean(shares)), max(0, shares[int(importanceTail*last)]), max(0, shares[int(math.Ceil((1-importanceTail)*last))]),
		})
	}
	found.Explained = explained
	return found, true
}

// leftError is the mean squared error of the inputs out; each has the coordinate k of
// another one, where k is not negative.
func leftError(m *ForestModel, x, y []float64, d int, out []int, k int, order []int) (sum float64) {
	probe := make([]float64, d)
	for n, i := range out {
		copy(probe, x[i*d:(i+1)*d])
		if k >= 0 {
			probe[k] = x[out[order[n]]*d+k]
		}
		e := m.Predict(probe) - y[i]
		sum += e * e / float64(len(out))
	}
	return sum
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

func squares(values []float64, about float64) (sum float64) {
	for _, v := range values {
		sum += (v - about) * (v - about)
	}
	return sum
}
