package transfer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// resamples is how many bootstrap samples of the told designs rank the models.
	// Chosen: shares to about 6 %.
	resamples = 64
	// evidenceRows is how many told designs the weights follow from, the last
	// ones. Chosen: 2,000 pairs, and what was learned late counts.
	evidenceRows = 64
	// maxWeighted is how many experts have a weight at a time. Chosen.
	maxWeighted = 3
	// minRanked is the number of told designs below which ranks say nothing.
	minRanked = 4
)

// rankWeighting is what the told designs say about models: y are their labels, own
// what a model of the target alone predicts for each from all the others.
type rankWeighting struct {
	y, own  []float64
	experts [][]float64 // predictions by expert
	prior   []float64   // weights of experts before any evidence, sum 1
	// priorCount is how many told designs the weights before evidence are worth.
	priorCount float64
}

// weights returns the weight of every expert; what is missing from 1 belongs to
// the target's own model. An expert has one only if it ranks the target's
// designs better than chance, by a test, and no worse than the own model does
// in all but 5 % of the resamples (the guard against dilution); then it is the
// share of resamples in which it ranks best.
func (e *rankWeighting) weights(rng *rand.Rand) []float64 {
	n := len(e.y)
	if !e.informative() {
		return slices.Clone(e.prior)
	}
	out := make([]float64, len(e.experts))
	ranked := []int{} // experts that take part
	for i, predicted := range e.experts {
		if e.beatsChance(predicted) {
			ranked = append(ranked, i)
		}
	}
	if len(ranked) == 0 {
		return out
	}
	losses := make([][]float64, len(ranked))
	own := make([]float64, resamples)
	sample := make([]int, n)
	for v := range resamples {
		for k := range sample {
			sample[k] = rng.IntN(n)
		}
		own[v] = e.loss(e.own, sample)
		for k, i := range ranked {
			losses[k] = append(losses[k], e.loss(e.experts[i], sample))
		}
	}
	e.countWins(out, ranked, losses, own)
	share := float64(n) / (float64(n) + e.priorCount)
	for _, i := range ranked {
		out[i] = share*out[i] + (1-share)*e.prior[i]
	}
	return out
}

// keepLargest keeps the largest weights, at most n, and scales them to the sum of all:
// the time of a prediction is that of the experts that have a say.
func keepLargest(weights []float64, n int) []float64 {
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	var all, kept float64
	for rank, i := range order {
		all += weights[i]
		if rank < n {
			kept += weights[i]
		}
	}
	out := make([]float64, len(weights))
	if kept > 0 {
		for _, i := range order[:min(n, len(order))] {
			out[i] = weights[i] * all / kept
		}
	}
	return out
}

// informative reports whether there are enough designs of different labels.
func (e *rankWeighting) informative() bool { return len(e.y) >= minRanked && e.pairs() > 0 }

func (e *rankWeighting) countWins(out []float64, ranked []int, losses [][]float64, own []float64) {
	bar := slices.Sorted(slices.Values(own))[resamples*95/100]
	eligible := make([]bool, len(ranked))
	for k := range ranked {
		eligible[k] = slices.Sorted(slices.Values(losses[k]))[resamples/2] <= bar
	}
	for v := range resamples {
		best := own[v]
		for k := range ranked {
			if eligible[k] {
				best = min(best, losses[k][v])
			}
		}
		// Equals share the sample; the own model needs to be strictly better, since
		// an expert has not seen the labels.
		var winners []int
		for k, i := range ranked {
			if eligible[k] && losses[k][v] <= best {
				winners = append(winners, i)
			}
		}
		for _, i := range winners {
			out[i] += 1 / float64(resamples*len(winners))
		}
	}
}

// pairs counts the pairs of designs with different labels.
func (e *rankWeighting) pairs() (count float64) {
	for i := range e.y {
		for j := range i {
			if e.y[i] != e.y[j] {
				count++
			}
		}
	}
	return count
}

// loss is the share of pairs of the sample, of different labels, that are
// predicted in the wrong order; equal predictions are half wrong.
func (e *rankWeighting) loss(predicted []float64, sample []int) float64 {
	var wrong, pairs float64
	for a, i := range sample {
		for _, j := range sample[:a] {
			if e.y[i] == e.y[j] {
				continue
			}
			pairs++
			switch p, q := predicted[i], predicted[j]; {
			case p == q:
				wrong += 0.5
			case (p < q) != (e.y[i] < e.y[j]):
				wrong++
			}
		}
	}
	if pairs == 0 {
		return 0.5
	}
	return wrong / pairs
}

// beatsChance tests that predictions are in the order of the labels: Kendall's
// tau is so far above 0 that chance gets there once in 20 times (M. Kendall, A
// New Measure of Rank Correlation, Biometrika 30, 1938: the variance under
// independence).
func (e *rankWeighting) beatsChance(predicted []float64) bool {
	n := float64(len(e.y))
	// Ties leave fewer pairs; the variance grows in proportion.
	ties := n * (n - 1) / 2 / e.pairs()
	deviation := math.Sqrt(2 * (2*n + 5) / (9 * n * (n - 1)) * ties)
	return e.tau(predicted) >= 1.645*deviation // the normal quantile of 0.95
}

// tau is Kendall's tau of predictions and labels.
func (e *rankWeighting) tau(predicted []float64) float64 {
	sample := make([]int, len(e.y))
	for i := range sample {
		sample[i] = i
	}
	return 1 - 2*e.loss(predicted, sample)
}
