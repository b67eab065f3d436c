package surrogate

import (
	"math"
	"slices"
)

// HalfRank returns labels (to be minimised) in which the better half, up to
// the median, is as it was, and every worse label is replaced by where its rank
// would lie if the labels were normal with the spread of the better half. So
// the bad tail, however wild, does not flatten what a model sees of the good
// one. Equal labels stay equal.
//
// Reference: X. Song et al., The Vizier Gaussian Process Bandit Algorithm,
// arXiv 2408.11527, appendix on output warping.
func HalfRank(labels []float64) []float64 {
	out := slices.Clone(labels)
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) < 2 {
		return out
	}
	middle := (len(distinct) - 1) / 2
	median := distinct[middle]
	spread := goodSpread(sorted, median)
	if spread == 0 {
		spread = distinct[middle+1] - median
	}
	for i, y := range labels {
		if y <= median {
			continue
		}
		rank, _ := slices.BinarySearch(distinct, y)
		// Ranks middle+1 … last map to quantiles in (0.5, 1).
		q := 0.5 + 0.5*float64(rank-middle)/float64(len(distinct)-middle)
		out[i] = median + spread*quantile(q)
	}
	return out
}

// goodSpread is the root mean square distance of the better half from the
// median: a normal deviation, since the normal is symmetric.
func goodSpread(sorted []float64, median float64) float64 {
	var sum float64
	n := 0
	for _, y := range sorted {
		if y > median {
			break
		}
		sum += (y - median) * (y - median)
		n++
	}
	return math.Sqrt(sum / float64(n))
}

// Standardize returns labels with mean 0 and deviation 1, and how to bring
// others to the same scale: (y − mean)/deviation. A constant keeps deviation 1.
func Standardize(labels []float64) (out []float64, mean, deviation float64) {
	out = slices.Clone(labels)
	if len(out) == 0 {
		return out, 0, 1
	}
	for i, y := range out {
		mean += (y - mean) / float64(i+1)
	}
	var squares float64
	for _, y := range out {
		squares += (y - mean) * (y - mean)
	}
	deviation = math.Sqrt(squares / float64(len(out)))
	// A deviation of rounding errors only is none.
	if !(deviation > 1e-12*math.Abs(mean)) || !finite(deviation) {
		deviation = 1
	}
	for i := range out {
		out[i] = (out[i] - mean) / deviation
	}
	return out, mean, deviation
}

// Compress makes positive labels logarithms, so that models see ratios, and
// scales others to a magnitude of at most 1, so that squares do not overflow.
// Order is kept.
func Compress(labels []float64) []float64 {
	out := slices.Clone(labels)
	if len(out) == 0 {
		return out
	}
	if slices.Min(out) > 0 {
		for i, y := range out {
			out[i] = math.Log(y)
		}
		return out
	}
	var largest float64
	for _, y := range out {
		largest = max(largest, math.Abs(y))
	}
	if largest > 0 {
		for i := range out {
			out[i] /= largest
		}
	}
	return out
}

// LogRewards returns the labels (to be minimised) of negative ones whose worst would be 0,
// such as a throughput to be maximised: models see ratios of these. Order is kept.
func LogRewards(labels []float64) []float64 {
	out := make([]float64, len(labels))
	for i, y := range labels {
		out[i] = -math.Log(-y)
	}
	return out
}

// LogBehind returns the logarithms of how far labels (to be minimised) are behind the
// best one, plus twice the median of that. Order is kept, and an offset of all changes
// nothing: it is for labels without a natural zero. The constant decides how far the
// best labels are spread: with a third of the median the latest of them were all that a
// model saw.
func LogBehind(labels []float64) []float64 {
	out := slices.Clone(labels)
	if len(out) == 0 {
		return out
	}
	best := slices.Min(out)
	for i := range out {
		out[i] -= best
	}
	gap := behindGap * ranked(out, 1, 2)
	if gap == 0 {
		gap = slices.Max(out)
	}
	if gap == 0 {
		return out
	}
	for i, d := range out {
		out[i] = math.Log(d + gap)
	}
	return out
}

// behindGap is the constant of LogBehind in medians. Chosen (docs/decisions/0047).
const behindGap = 2

// logWarp is the parameter s of LogWarp, Vizier's.
const logWarp = 1.5

// LogWarp stretches the good end of labels to be maximised:
// 0.5 − ln(1 + d(s−1))/ln s with d the distance from the best label over the
// range and s = 1.5. The result lies in [−0.5, 0.5].
//
// Reference: as HalfRank.
func LogWarp(labels []float64) []float64 {
	out := slices.Clone(labels)
	if len(out) == 0 {
		return out
	}
	best, worst := slices.Max(out), slices.Min(out)
	for i, y := range out {
		d := 0.0
		if best > worst {
			d = (best - y) / (best - worst)
		}
		out[i] = 0.5 - math.Log1p(d*(logWarp-1))/math.Log(logWarp)
	}
	return out
}

// FillInfeasible returns one label to be maximised per trial: those of the
// feasible ones, in order, and for the others minimum − (0.5·range + 1), all
// shifted so that the expected label, with p = (0.5+feasible)/(1+trials) of
// feasibility, is 0.
//
// Reference: as HalfRank.
func FillInfeasible(feasible []bool, labels []float64) []float64 {
	bad := -1.0
	var mean float64
	if len(labels) > 0 {
		low, high := slices.Min(labels), slices.Max(labels)
		bad = low - (0.5*(high-low) + 1)
		for _, y := range labels {
			mean += y / float64(len(labels))
		}
	}
	p := (0.5 + float64(len(labels))) / (1 + float64(len(feasible)))
	shift := mean*p + bad*(1-p)
	out := make([]float64, len(feasible))
	next := 0
	for i, ok := range feasible {
		out[i] = bad - shift
		if ok {
			out[i] = labels[next] - shift
			next++
		}
	}
	return out
}
