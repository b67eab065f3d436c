package stats

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Curve is the regret after 1, 2, … trials: it never rises, and is +Inf until
// the first feasible design.
type Curve []float64

// At returns the regret after n trials, n >= 1. A search that ended before has
// the regret that it ended with.
func (c Curve) At(n int) float64 {
	if len(c) == 0 {
		return math.Inf(1)
	}
	return c[min(n, len(c))-1]
}

// Reach returns the number of trials after which the regret is at most level,
// or false when it never is.
func (c Curve) Reach(level float64) (trials int, ok bool) {
	i := sort.Search(len(c), func(i int) bool { return c[i] <= level })
	return i + 1, i < len(c)
}

// Median returns the middle value, or the mean of the middle two; NaN of
// nothing.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile returns the q-quantile by linear interpolation between order
// statistics (type 7 of Hyndman and Fan 1996); NaN of nothing. Between a number
// and +Inf it is +Inf.
func Quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return quantileSorted(sorted, q)
}

func quantileSorted(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	part := at - float64(low)
	if part == 0 || sorted[low] == sorted[low+1] {
		return sorted[low]
	}
	return sorted[low] + part*(sorted[low+1]-sorted[low])
}

// Band is a quantile of several curves after each trial.
func Band(curves []Curve, trials int, q float64) Curve {
	out := make(Curve, trials)
	column := make([]float64, len(curves))
	for i := range out {
		for s, c := range curves {
			column[s] = c.At(i + 1)
		}
		slices.Sort(column)
		out[i] = quantileSorted(column, q)
	}
	return out
}

// step is a value that a curve has from a trial on.
type step struct {
	trial int
	value float64
}

// steps are a curve's changes, in order. The first is at trial 1.
type steps []step

// reach is Curve.Reach.
func (s steps) reach(level float64) (trials int, ok bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i].value <= level })
	if i == len(s) {
		return 0, false
	}
	return s[i].trial, true
}

// logEfficiency compares two median curves over the same number of trials: for
// the level that the reference has at each trial, the logarithm of the trials
// that it took the reference over those that it took the other, and of these
// the median. A level that the other never reached counts as reached one trial
// after its end, which is the best that can have been: censored says that the
// median rests on such levels, so that the true value is at most this. Trials
// before the reference's first feasible design have no level, and the level of
// trial 1 does not count, since nothing can be there sooner. NaN when none is
// left.
func logEfficiency(reference, other steps, trials int) (value float64, censored bool) {
	var ratios []ratio
	total := 0
	for i, level := range reference {
		if math.IsInf(level.value, 1) || level.trial == 1 {
			continue
		}
		end := trials + 1
		if i+1 < len(reference) {
			end = reference[i+1].trial
		}
		n, ok := other.reach(level.value)
		if !ok {
			n = trials + 1
		}
		ratios = append(ratios, ratio{math.Log(float64(level.trial) / float64(n)), end - level.trial, !ok})
		total += end - level.trial
	}
	if total == 0 {
		return math.NaN(), false
	}
	slices.SortStableFunc(ratios, func(a, b ratio) int { return cmp.Compare(a.log, b.log) })
	low, high := weighted(ratios, (total+1)/2), weighted(ratios, total/2+1)
	for _, r := range ratios {
		// A bound below the middle lies below it whatever it stands for; one at
		// or above the middle may belong below.
		censored = censored || r.censored && r.log >= low
	}
	return (low + high) / 2, censored
}

// ratio is the logarithm of a ratio of trials that counts weight times.
type ratio struct {
	log      float64
	weight   int
	censored bool
}

// weighted returns the k-th of sorted ratios, counted from 1.
func weighted(sorted []ratio, k int) float64 {
	for _, r := range sorted {
		if k -= r.weight; k <= 0 {
			return r.log
		}
	}
	return math.NaN()
}
