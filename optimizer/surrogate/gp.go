package surrogate

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// jitter is the share of the signal's variance that is added to the noise, so
// that repeated inputs leave the matrix positive definite.
const jitter = 1e-6

// GP is exact Gaussian-process regression with zero mean and a Matérn-5/2
// kernel with one length scale per coordinate, beside a trend where Hyper has one.
//
// Reference: C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine
// Learning, MIT Press 2006, algorithm 2.1. With n inputs Append takes O(n²)
// time, SetLabels O(n²), a prediction O(n²) with deviation and O(n) without;
// memory is 8·capacity² bytes.
type GP struct {
	kernel kernel
	noise  float64
	x      []float64 // scaled, row by row
	chol   factor
	alpha  []float64 // K⁻¹y, empty until SetLabels
	row    []float64 // scratch
	probe  []float64 // scratch: one scaled input
	block  []float64 // scratch
}

// NewGP returns a process without data. categorical says of each coordinate
// whether it is a category; capacity is the largest number of inputs. The error
// says that h does not have one length scale per coordinate.
func NewGP(categorical []bool, h Hyper, capacity int) (*GP, error) {
	if len(h.LogScale) != len(categorical) {
		return nil, fmt.Errorf("%d length scales for %d coordinates", len(h.LogScale), len(categorical))
	}
	k := newKernel(categorical, h)
	return &GP{
		kernel: k,
		noise:  math.Exp(h.LogNoise) + jitter*k.signal,
		x:      make([]float64, 0, capacity*k.width()),
		chol:   newFactor(capacity),
		row:    make([]float64, capacity+1),
	}, nil
}

// Len returns the number of inputs.
func (g *GP) Len() int { return g.chol.n }

// Cap returns the largest number of inputs.
func (g *GP) Cap() int { return g.chol.stride }

// Append adds one input. Its label comes with the next SetLabels; until then
// it only narrows deviations. It panics beyond the capacity.
func (g *GP) Append(x []float64) {
	n := g.chol.n
	if n == g.chol.stride {
		panic(fmt.Sprintf("surrogate: append to a process with all of its %d inputs", n))
	}
	g.probe = g.kernel.scale(g.probe[:0], x)
	g.kernel.row(g.row, g.probe, g.x, n)
	g.row[n] = g.kernel.variance(g.probe) + g.noise
	g.chol.append(g.row, g.noise/2)
	g.x = append(g.x, g.probe...)
}

// Truncate drops all inputs after the first n, for the price of nothing. The
// labels must be set again before means are predicted.
func (g *GP) Truncate(n int) {
	if n < g.chol.n {
		g.chol.n = n
		g.x = g.x[:n*g.kernel.width()]
		g.alpha = g.alpha[:0]
	}
}

// SetLabels sets the labels of the first len(y) inputs, which alone decide the
// mean; later inputs are pending and count for the deviation only.
func (g *GP) SetLabels(y []float64) {
	g.alpha = append(g.alpha[:0], y...)
	g.chol.solveLower(g.alpha)
	g.chol.solveUpper(g.alpha)
}

// Mean returns the posterior mean at x, O(n·d).
func (g *GP) Mean(x []float64) float64 {
	d := g.kernel.width()
	g.probe = g.kernel.scale(g.probe[:0], x)
	var sum float64
	for j, a := range g.alpha {
		sum += a * g.kernel.at(g.probe, g.x[j*d:(j+1)*d])
	}
	return sum
}

// blockSize is how many candidates are solved side by side, so that a row of
// the factor is read once for all of them. Chosen: 8 vectors of 500 fit the
// first-level cache.
const blockSize = 8

// Predict writes the posterior mean and deviation (without noise) of the
// len(mean) inputs in x, one after the other.
func (g *GP) Predict(x, mean, deviation []float64) {
	d, n := len(g.kernel.inverse), g.chol.n
	if len(g.block) < blockSize*n {
		g.block = make([]float64, blockSize*g.chol.stride)
	}
	block := g.block
	var prior [blockSize]float64
	for first := 0; first < len(mean); first += blockSize {
		count := min(blockSize, len(mean)-first)
		for c := range count {
			v := block[c*n : (c+1)*n]
			g.probe = g.kernel.scale(g.probe[:0], x[(first+c)*d:(first+c+1)*d])
			g.kernel.row(v, g.probe, g.x, n)
			prior[c] = g.kernel.variance(g.probe)
			mean[first+c] = floats.Dot(v[:len(g.alpha)], g.alpha)
		}
		g.solve(block, count)
		for c := range count {
			v := block[c*n : (c+1)*n]
			rest := prior[c] - floats.Dot(v, v)
			deviation[first+c] = math.Sqrt(max(rest, jitter*g.kernel.signal))
		}
	}
}

func (g *GP) solve(block []float64, count int) {
	n := g.chol.n
	for i := range n {
		row := g.chol.row(i)
		for c := range count {
			v := block[c*n : (c+1)*n]
			v[i] = (v[i] - floats.Dot(row[:i], v[:i])) / row[i]
		}
	}
}

// Evidence is the log marginal likelihood of the labels that were set last.
func (g *GP) Evidence(y []float64) float64 {
	f := g.chol
	f.n = len(y)
	return -floats.Dot(y, g.alpha)/2 - f.logDeterminant()/2 - float64(len(y))/2*math.Log(2*math.Pi)
}

// Fit sets how hyper-parameters are looked for.
type Fit struct {
	// Prior weighs hyper-parameters; the zero value means DefaultPrior.
	Prior Prior
	// Scales, when there is one for each coordinate, take the place of
	// Prior.Scale: what is known of each length scale, say from a related study.
	Scales []Normal
	// Starts are where the search begins; none means the prior's mode and half
	// its length scales.
	Starts []Hyper
	// Evaluations bounds the likelihoods computed from each start; 0 means 30.
	Evaluations int
}

// Hyper returns the hyper-parameters of highest posterior density that L-BFGS
// finds for labels y at the inputs x (len(y) rows). With no data it is the
// prior's mode. n inputs take O(Starts·Evaluations·n³) time and 32n² bytes.
func (f Fit) Hyper(categorical []bool, x, y []float64) Hyper {
	d := len(categorical)
	if f.Prior == (Prior{}) {
		f.Prior = DefaultPrior()
	}
	if f.Evaluations == 0 {
		f.Evaluations = 30
	}
	mode := f.Prior.Mode(d)
	for i := range min(d, len(f.Scales)) {
		mode.LogScale[i] = f.Scales[i].Mean
	}
	if len(y) == 0 {
		return mode
	}
	if len(f.Starts) == 0 {
		near := Hyper{LogScale: slices.Clone(mode.LogScale), LogSignal: mode.LogSignal, LogNoise: mode.LogNoise, LogTrend: mode.LogTrend, Trended: mode.Trended}
		for i := range near.LogScale {
			near.LogScale[i] -= math.Ln2
		}
		f.Starts = []Hyper{mode, near}
	}
	p := newPosterior(categorical, f.Prior, x, y)
	p.scales = f.Scales
	low, high := bounds(d)
	best, bestValue := []float64(nil), math.Inf(1)
	for _, start := range f.Starts {
		theta := start.flat()
		m := minimizer{low: low[:len(theta)], high: high[:len(theta)], evaluations: f.Evaluations}
		if value := m.minimize(p.at, theta); best == nil || value < bestValue {
			best, bestValue = theta, value
		}
	}
	return unflat(best, d)
}
