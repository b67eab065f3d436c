package surrogate

import (
	"math"
	"slices"
)

const (
	// outlyingGap is the smallest ratio between an outlier and what it lies
	// behind, and plateauGap that of values of which most are the same. Chosen: on
	// the development networks the worst designs are no more than ten times the
	// best.
	outlyingGap, plateauGap = 20, 3
	// plateauTies is how many equal values are a plateau without a gap. Chosen: two
	// designs may well be the same one to an evaluator.
	plateauTies = 3
	// widestRange is the ratio that a gap is wide from, however wide the range of all
	// that is better: that may begin at a zero but for rounding. Chosen.
	widestRange = 1e4
	// drawnIn is how many times the third quartile of the distances from the median
	// is left as it is. Chosen: about twelve deviations of a normal sample, so
	// that ties and a lucky design among few are left alone.
	drawnIn = 10
)

// OutlierLimit returns the label (to be minimised) from which on labels are no
// part of the landscape, such as penalties for designs that do not work; +Inf
// where all are part of it. Outliers lie behind a gap wider than the range of
// all that is better, or than a factor of 10,000. What is better holds at least half
// of the labels and the gap is a factor of 20, or the outliers are mostly the same few
// values and it is one of 3. Where labels have both signs, for which there is no factor, the gap
// must be 20 times the range of at least three values, or these are negative, and the others
// nearly 0 beside them or mostly the same few values. The worst value is also
// one, without a gap, where it comes three times and more than twice as often as
// any of the worse half of the others. It takes O(n log n) time.
func OutlierLimit(labels []float64) float64 { return limit(labels, true) }

// GapLimit is OutlierLimit where many designs may well have the worst value that a good one
// has, such as a price or a number of chips: that labels are the same says nothing without a
// gap of a factor of 20. And the end of a front may lie alone, far behind the next design: where the
// outliers are not mostly the same few values, the gap is a factor of 10,000.
func GapLimit(labels []float64) float64 { return limit(labels, false) }

func limit(labels []float64, ties bool) float64 {
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	limit, n := math.Inf(1), len(sorted)
	for n > 0 {
		at := outlyingFrom(sorted[:n], (len(sorted)+1)/2, ties)
		if at == n {
			break
		}
		limit, n = sorted[at], at
	}
	return limit
}

// outlyingFrom is the position of the first outlier behind the last gap, or the
// number of labels. Behind fewer than half labels there must be a plateau. ties
// says that equal labels need no gap, or a smaller one.
func outlyingFrom(sorted []float64, half int, ties bool) int {
	n := len(sorted)
	if worst, _ := slices.BinarySearch(sorted, sorted[n-1]); ties && n-worst >= plateauTies && worst >= 3 && n-worst > 2*longestTie(sorted[worst/2:worst]) {
		return worst
	}
	place, linear := scaleOf(sorted)
	distinct := 0
	for i := n - 1; i > 0; i-- {
		if i == n-1 || sorted[i] != sorted[i+1] {
			distinct++
		}
		gap, spread := place(sorted[i])-place(sorted[i-1]), place(sorted[i-1])-place(sorted[0])
		wide, plateau := float64(outlyingGap), 2*distinct <= n-i
		if !plateau && i < half {
			continue
		}
		if !plateau && !ties {
			wide = widestRange
		}
		factor := wide
		if plateau && ties {
			factor = plateauGap
		}
		// Rewards, and what is as good as none beside the least of them, or worse than none
		// and few values.
		none := linear && i > 2 && sorted[i-1] < 0 &&
			(-sorted[i-1] >= wide*max(math.Abs(sorted[i]), sorted[n-1]) || ties && plateau && sorted[i] >= 0 && n-i >= plateauTies)
		if none || linear && sorted[i-1] > sorted[0] && i > 2 && gap/wide > spread ||
			!linear && gap > math.Log(factor) && gap > min(spread, math.Log(widestRange)) {
			return i
		}
	}
	return n
}

// longestTie is how often the most frequent of sorted labels comes.
func longestTie(sorted []float64) (longest int) {
	run := 0
	for i, y := range sorted {
		if i == 0 || y != sorted[i-1] {
			run = 0
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// scaleOf returns where sorted labels lie when distances are compared: at their
// logarithm where all have one sign. 0 is infinitely worse than any reward.
func scaleOf(sorted []float64) (place func(float64) float64, linear bool) {
	switch {
	case sorted[0] > 0:
		return math.Log, false
	case sorted[0] < 0 && sorted[len(sorted)-1] <= 0:
		return func(y float64) float64 { return -math.Log(-y) }, false
	}
	return func(y float64) float64 { return y }, true
}

// DrawIn returns labels (to be minimised) in which those far better than the
// median are nearer: beyond ten times the third quartile of the distances from it
// by the logarithm. Order is kept. So one wild label does not flatten what a model sees of the others.
func DrawIn(labels []float64) []float64 {
	out := slices.Clone(labels)
	if len(out) == 0 {
		return out
	}
	middle := ranked(labels, 1, 2)
	distance := make([]float64, len(labels))
	for i, y := range labels {
		distance[i] = math.Abs(y - middle)
	}
	reach := drawnIn * ranked(distance, 3, 4)
	if !(reach > 0) {
		return out
	}
	for i, y := range out {
		if d := middle - y; d > reach {
			out[i] = middle - reach*(1+math.Log(d/reach))
		}
	}
	return out
}

// ranked returns the value at the share num/of of some values.
func ranked(values []float64, num, of int) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)*num/of]
}
