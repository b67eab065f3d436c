package surrogate

import "math"

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// asymptote is where logarithms of normal tails turn to their expansion. Above
// it the closed forms lose at most z² = 625 units in the last place, below it
// the expansions are off by less than 1e-9; at −38 Φ underflows.
const asymptote = -25

// LogNormalCDF is ln Φ(z), also far into the lower tail.
func LogNormalCDF(z float64) float64 {
	if z > asymptote {
		return math.Log(math.Erfc(-z/math.Sqrt2) / 2)
	}
	// Φ(z) = φ(z)/|z|·(1 − 1/z² + 3/z⁴ − 15/z⁶ + 105/z⁸ − …), Abramowitz and
	// Stegun 26.2.12.
	w := 1 / (z * z)
	return logDensity(z) - math.Log(-z) + math.Log1p(-w*(1-w*(3-w*(15-105*w))))
}

func logDensity(z float64) float64 { return -z*z/2 - math.Log(2*math.Pi)/2 }

// LogImprovement is ln E[max(0, best − f)] for f normal with the given mean and
// deviation > 0: the logarithm of expected improvement when minimising. It
// stays finite where the improvement underflows, so that candidates far from
// improving still have an order.
//
// References: D. R. Jones, M. Schonlau, W. J. Welch, Efficient Global
// Optimization of Expensive Black-Box Functions, J. Global Optim. 13, 1998;
// S. Ament et al., Unexpected Improvements to Expected Improvement for Bayesian
// Optimization, NeurIPS 2023 (the logarithm and its asymptote).
func LogImprovement(best, mean, deviation float64) float64 {
	z := (best - mean) / deviation
	if z > asymptote {
		h := math.Exp(logDensity(z)) + z*math.Erfc(-z/math.Sqrt2)/2
		return math.Log(deviation) + math.Log(h)
	}
	// φ(z) + zΦ(z) = φ(z)/z²·(1 − 3/z² + 15/z⁴ − 105/z⁶ + 945/z⁸ − …).
	w := 1 / (z * z)
	return math.Log(deviation) + logDensity(z) - 2*math.Log(-z) + math.Log1p(-w*(3-w*(15-w*(105-945*w))))
}

// Shortfall is E[max(0, level − f)] for f normal with the given mean and deviation
// > 0; 0 for a level of -Inf. It is LogImprovement without the logarithm.
func Shortfall(level, mean, deviation float64) float64 {
	z := (level - mean) / deviation
	switch {
	case z > -asymptote:
		return level - mean
	case z < asymptote:
		return 0
	}
	return deviation * (math.Exp(logDensity(z)) + z*math.Erfc(-z/math.Sqrt2)/2)
}

// LogShortfall is E[max(0, level − exp(f))] for f normal with the given mean and
// deviation > 0; 0 for a level that is not positive. It is the price of a put in
// F. Black, M. Scholes, The Pricing of Options and Corporate Liabilities, J.
// Political Economy 81, 1973.
func LogShortfall(level, mean, deviation float64) float64 {
	if !(level > 0) {
		return 0
	}
	z := (math.Log(level) - mean) / deviation
	if z < asymptote {
		return 0
	}
	half := deviation / 2
	return max(0, level*math.Erfc(-z/math.Sqrt2)/2-math.Exp(mean+deviation*half)*math.Erfc((deviation-z)/math.Sqrt2)/2)
}

// quantile is Φ⁻¹.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
