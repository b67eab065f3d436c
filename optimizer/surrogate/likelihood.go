package surrogate

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// posterior is the negative log posterior of hyper-parameters given data, with
// its gradient. It owns the buffers of one fit.
type posterior struct {
	prior       Prior
	scales      []Normal // of each coordinate, in place of prior.Scale; may be empty
	categorical []bool
	x, y        []float64
	n, d        int
	chol        factor
	// slopes holds σ²·(5/3)(1 + √5r)exp(−√5r), from which the derivatives by all
	// length scales follow; inverse and scratch are n×n.
	slopes, inverse, scratch []float64
	alpha                    []float64
	scaled                   []float64
}

func newPosterior(categorical []bool, prior Prior, x, y []float64) *posterior {
	n := len(y)
	return &posterior{
		prior: prior, categorical: categorical, x: x, y: y, n: n, d: len(categorical), chol: newFactor(n),
		slopes: make([]float64, n*n), inverse: make([]float64, n*n), scratch: make([]float64, n*n),
		alpha: make([]float64, n),
	}
}

// at returns the value at theta and writes the gradient. One call takes
// n³/2 + n²d multiplications.
//
// Reference: Rasmussen and Williams 2006, equations 5.8 and 5.9.
func (p *posterior) at(theta, gradient []float64) float64 {
	h := unflat(theta, p.d)
	k := newKernel(p.categorical, h)
	noise := math.Exp(h.LogNoise) + jitter*k.signal
	p.factorize(&k, noise)
	copy(p.alpha, p.y)
	p.chol.solveLower(p.alpha)
	fit := floats.Dot(p.alpha, p.alpha) / 2
	p.chol.solveUpper(p.alpha)
	p.chol.inverse(p.inverse, p.scratch)
	p.gradient(&k, math.Exp(h.LogNoise), gradient)
	value := fit + p.chol.logDeterminant()/2 + float64(p.n)/2*math.Log(2*math.Pi)
	return value + p.prior.penalty(p.scales, p.d, theta, gradient)
}

func (p *posterior) factorize(k *kernel, noise float64) {
	p.chol.n = p.n
	p.scaled = p.scaled[:0]
	w := k.width()
	for i := range p.n {
		p.scaled = k.scale(p.scaled, p.x[i*p.d:(i+1)*p.d])
	}
	for i := range p.n {
		row, slopes := p.chol.row(i), p.slopes[i*p.n:]
		xi := p.scaled[i*w : (i+1)*w]
		for j := range i {
			s := sqrt5 * math.Sqrt(k.distance(xi, p.scaled[j*w:(j+1)*w]))
			e := k.signal * math.Exp(-s)
			row[j] = e*(1+s+s*s/3) + k.trended(xi, p.scaled[j*w:(j+1)*w])
			slopes[j] = e * (1 + s) * 5 / 3
		}
		row[i] = k.variance(xi) + noise
		p.chol.eliminate(i, noise/2)
	}
}

// gradient of the likelihood: ½ tr((K⁻¹ − ααᵀ) ∂K/∂θ), where pairs i > j count
// twice. ∂K/∂ln ℓ_k is slopes·δ_k²/ℓ_k², and by ln σ² and ln σn² the trace
// follows from tr(K⁻¹K) = n.
func (p *posterior) gradient(k *kernel, noise float64, gradient []float64) {
	clear(gradient)
	sums := make([]float64, p.d) // by position in the kernel's order
	ordinals := sums[:k.ordinals]
	var trace, trend float64 // of K⁻¹ − ααᵀ, and of it times the trend's covariances
	w := k.width()
	for i := range p.n {
		xi := p.scaled[i*w : (i+1)*w]
		inverse, slopes := p.inverse[i*p.n:], p.slopes[i*p.n:]
		own := inverse[i] - p.alpha[i]*p.alpha[i]
		trace += own
		trend += own * k.trended(xi, xi)
		for j := range i {
			pair := inverse[j] - p.alpha[i]*p.alpha[j]
			xj := p.scaled[j*w : (j+1)*w]
			trend += 2 * pair * k.trended(xi, xj)
			pair *= slopes[j]
			for c := range ordinals {
				d := xi[c] - xj[c]
				ordinals[c] += pair * d * d
			}
			for c := k.ordinals; c < p.d; c++ {
				if xi[c] != xj[c] {
					sums[c] += pair * k.inverse[c] * k.inverse[c]
				}
			}
		}
	}
	for position, c := range k.order {
		gradient[c] = sums[position]
	}
	whole := float64(p.n) - floats.Dot(p.alpha, p.y) // tr((K⁻¹ − ααᵀ)K)
	gradient[p.d] = (whole - noise*trace - trend) / 2
	gradient[p.d+1] = noise * trace / 2
	if len(gradient) > p.d+2 {
		gradient[p.d+2] = trend / 2
	}
}
