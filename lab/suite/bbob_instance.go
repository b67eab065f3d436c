package suite

import (
	"cmp"
	"math"
	"slices"
)

// Notation, after N. Hansen, S. Finck, R. Ros, A. Auger, Real-Parameter
// Black-Box Optimization Benchmarking 2009: Noiseless Functions Definitions,
// INRIA RR-6829.
//
//	D      number of parameters
//	xopt   location of the optimum, D
//	R, Q   orthogonal matrices, D x D
//	Λ^α    diagonal, λ_i = α^(i/(2(D-1))), i from 0
//	T_asy, T_osz  transformations that break symmetry and add ruggedness

// instance is what distinguishes instances of one function. The published
// generator draws it from a seed, so that all implementations agree.
type instance struct {
	xopt []float64
	fopt float64
	r, q [][]float64
	// peaks are those of Gallagher's functions; nil for others.
	peaks []peak
	// signs are those of Schwefel's function, +1 or -1; nil for others.
	signs []float64
}

// newInstance draws instance id of a function.
func newInstance(f *bbobFunction, id, dims int) *instance {
	seed := f.seed + 10_000*id
	const rotationSeed = 1_000_000
	in := &instance{r: rotation(seed+rotationSeed, dims), q: rotation(seed, dims), fopt: offset(seed)}
	if f.swapped {
		in.r, in.q = in.q, in.r
	}
	at := seed
	if f.shiftSeed {
		at += rotationSeed
	}
	in.xopt = location(at, dims)
	if f.place != nil {
		f.place(in, seed)
	}
	return in
}

// uniform returns n numbers in (0, 1): the minimal standard generator (S. Park,
// K. Miller, CACM 31, 1988; by Schrage's method) behind a shuffle of 32 places
// (C. Bays, S. Durham, ACM TOMS 2, 1976).
func uniform(n, seed int) []float64 {
	const (
		modulus    = 2147483647
		multiplier = 16807
		quotient   = 127773 // modulus / multiplier
		remainder  = 2836   // modulus % multiplier
		places     = 32
		warmUp     = 8
	)
	state := max(seed, -seed, 1)
	next := func() int {
		state = multiplier*(state%quotient) - remainder*(state/quotient)
		if state < 0 {
			state += modulus
		}
		return state
	}
	var shuffle [places]int
	for range warmUp {
		next()
	}
	for i := range places {
		shuffle[places-1-i] = next()
	}
	out := make([]float64, n)
	last := shuffle[0]
	for i := range out {
		next()
		at := last / (1 + modulus/places)
		last = shuffle[at]
		shuffle[at] = state
		out[i] = float64(last) / modulus
		if out[i] == 0 {
			out[i] = 1e-99
		}
	}
	return out
}

// gaussian returns n standard normal numbers (Box and Muller).
func gaussian(n, seed int) []float64 {
	u := uniform(2*n, seed)
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Sqrt(-2*math.Log(u[i])) * math.Cos(2*math.Pi*u[n+i])
		if out[i] == 0 {
			out[i] = 1e-99
		}
	}
	return out
}

// rotation orthonormalises the columns of a Gaussian matrix (Gram and Schmidt).
func rotation(seed, dims int) [][]float64 {
	g := gaussian(dims*dims, seed)
	columns := make([][]float64, dims)
	for j := range columns {
		c := g[j*dims : (j+1)*dims]
		for _, before := range columns[:j] {
			p := dot(c, before)
			for i := range c {
				c[i] -= p * before[i]
			}
		}
		length := math.Sqrt(dot(c, c))
		for i := range c {
			c[i] /= length
		}
		columns[j] = c
	}
	m := make([][]float64, dims)
	for i := range m {
		m[i] = make([]float64, dims)
		for j := range m[i] {
			m[i][j] = columns[j][i]
		}
	}
	return m
}

// location draws an optimum in [-4, 4].
func location(seed, dims int) []float64 {
	x := uniform(dims, seed)
	for i, u := range x {
		if x[i] = 8*math.Floor(1e4*u)/1e4 - 4; x[i] == 0 {
			x[i] = -1e-5
		}
	}
	return x
}

// offset draws the optimal value, a Cauchy number cut at 1000.
func offset(seed int) float64 {
	v := math.Round(1e4*gaussian(1, seed)[0]/gaussian(1, seed+1)[0]) / 100
	return min(1000, max(-1000, v))
}

// peak is a hill of Gallagher's functions.
type peak struct {
	weight float64
	at     []float64 // in rotated coordinates
	scale  []float64 // the diagonal of its matrix
}

// gallagher describes a function with peaks: how many there are, the square
// root of the condition of the highest, and the cube that they lie in.
type gallagher struct {
	peaks         int
	condition     float64
	width, center float64
}

// place draws the peaks. The first is the optimum.
func (g gallagher) place(in *instance, seed int) {
	dims := len(in.xopt)
	const lowest, highest, top, largest = 1.1, 9.1, 10.0, 1000.0
	order := ranks(uniform(g.peaks-1, seed))
	u := uniform(dims*g.peaks, seed)
	in.peaks = make([]peak, g.peaks)
	for i := range in.peaks {
		p := peak{weight: top, at: make([]float64, dims), scale: make([]float64, dims)}
		condition, shrink := g.condition, 0.8
		if i > 0 {
			p.weight = lowest + (highest-lowest)*float64(i-1)/float64(g.peaks-2)
			condition, shrink = math.Pow(largest, float64(order[i-1])/float64(g.peaks-2)), 1
		}
		x := make([]float64, dims)
		for j := range x {
			x[j] = shrink * (g.width*u[i*dims+j] - g.center)
		}
		if i == 0 {
			in.xopt = x
		}
		multiply(p.at, in.r, x)
		for j, rank := range ranks(uniform(dims, seed+1000*i)) {
			p.scale[j] = math.Pow(condition, float64(rank)/float64(dims-1)-0.5)
		}
		in.peaks[i] = p
	}
}

// ranks returns the positions of the values in ascending order.
func ranks(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	return order
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// multiply writes m·x into dst, which must not be x.
func multiply(dst []float64, m [][]float64, x []float64) {
	for i := range m {
		dst[i] = dot(m[i], x)
	}
}
