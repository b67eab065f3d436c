package surrogate

import (
	"math"
	"slices"
)

// Hyper holds the hyper-parameters of a Gaussian process as natural logarithms.
type Hyper struct {
	// LogScale is ln ℓ_k of every coordinate, in units of the coordinate.
	LogScale []float64
	// LogSignal is ln σ², in squared units of the label.
	LogSignal float64
	// LogNoise is ln σn², in squared units of the label.
	LogNoise float64
	// LogTrend is ln τ², in squared units of the label: the variance of a trend that
	// is a sum of parabolas, one of each ordinal coordinate. It means nothing unless
	// Trended.
	LogTrend float64
	Trended  bool
}

// flat is the vector that is optimised: scales, signal, noise.
func (h Hyper) flat() []float64 {
	theta := append(slices.Clone(h.LogScale), h.LogSignal, h.LogNoise)
	if h.Trended {
		theta = append(theta, h.LogTrend)
	}
	return theta
}

// unflat is the inverse of flat for d coordinates.
func unflat(theta []float64, d int) Hyper {
	h := Hyper{LogScale: slices.Clone(theta[:d]), LogSignal: theta[d], LogNoise: theta[d+1]}
	if len(theta) > d+2 {
		h.LogTrend, h.Trended = theta[d+2], true
	}
	return h
}

// Normal is a normal density, here of the logarithm of a hyper-parameter.
type Normal struct{ Mean, Deviation float64 }

// penalty is the negative logarithm of the density without its constant.
func (n Normal) penalty(x float64) (value, slope float64) {
	z := (x - n.Mean) / n.Deviation
	return z * z / 2, z / n.Deviation
}

// Prior is the belief about hyper-parameters: each is log-normal, so the
// logarithms are Normal. The mode is taken in logarithms, where no Jacobian
// enters.
type Prior struct {
	Scale, Signal, Noise Normal
	// Trend is the belief about a trend; the zero value means that there is none.
	Trend Normal
}

// DefaultPrior is ℓ ~ LN(ln 0.8, 1), σ² ~ LN(0, 1), σn² ~ LN(ln 1e-3, 1.5), for
// standardised labels and coordinates in [0, 1]. Chosen on small stand-in
// tasks: without a prior the hyper-parameters run away on few trials.
func DefaultPrior() Prior {
	return Prior{
		Scale:  Normal{Mean: math.Log(0.8), Deviation: 1},
		Signal: Normal{Mean: 0, Deviation: 1},
		Noise:  Normal{Mean: math.Log(1e-3), Deviation: 1.5},
	}
}

// VizierPrior is that of Vizier's Gaussian process bandit: the penalties
// 0.01·ln²(σ²/0.039), 0.01·ln²(ℓ²/0.5) and 0.01·ln²(σn²/0.0039), as normal
// densities of the logarithms (X. Song et al., The Vizier Gaussian Process
// Bandit Algorithm, arXiv 2408.11527, section 3).
func VizierPrior() Prior {
	wide := math.Sqrt(1 / (2 * 0.01))
	return Prior{
		Scale:  Normal{Mean: math.Log(0.5) / 2, Deviation: wide / 2},
		Signal: Normal{Mean: math.Log(0.039), Deviation: wide},
		Noise:  Normal{Mean: math.Log(0.0039), Deviation: wide},
	}
}

// Mode returns the hyper-parameters of highest prior density.
func (p Prior) Mode(d int) Hyper {
	return Hyper{
		LogScale: slices.Repeat([]float64{p.Scale.Mean}, d), LogSignal: p.Signal.Mean, LogNoise: p.Noise.Mean,
		LogTrend: p.Trend.Mean, Trended: p.Trend != (Normal{}),
	}
}

// penalty adds the prior's gradient and returns its value. scales take the
// place of p.Scale for the first coordinates.
func (p Prior) penalty(scales []Normal, d int, theta, gradient []float64) float64 {
	var sum float64
	for i, x := range theta {
		belief := p.Scale
		switch {
		case i == d:
			belief = p.Signal
		case i == d+1:
			belief = p.Noise
		case i == d+2:
			belief = p.Trend
		case i < len(scales):
			belief = scales[i]
		}
		value, slope := belief.penalty(x)
		sum += value
		gradient[i] += slope
	}
	return sum
}

// bounds keep the covariance matrix well conditioned in float64: a noise of
// 1e-6 beside a signal of up to 1e3 loses at most 9 of 16 digits.
func bounds(d int) (low, high []float64) {
	low = append(slices.Repeat([]float64{math.Log(0.01)}, d), math.Log(1e-3), math.Log(1e-6), math.Log(1e-6))
	high = append(slices.Repeat([]float64{math.Log(100)}, d), math.Log(1e3), math.Log(10), math.Log(1e3))
	return low, high
}
