package transfer

import (
	"math"
	"slices"

	"apollo/optimizer/surrogate"
)

// Notation
//
//	x   a design's basis, centred: coordinates, squares and products
//	X   all designs of all sources, a column each
//	Y   their labels
//	p   probability that an entry of x is corrupted to 0
//	S   XXᵀ

// RTM is the randomised transferable machine: a ridge regression on infinitely
// many copies of the sources with entries of the basis struck out at random, in
// closed form. What only holds in one source does not survive the corruption.
//
// W = (E[x̃x̃ᵀ] + nλI)⁻¹ (1−p) X Yᵀ, where E[x̃x̃ᵀ] is (1−p)²S off the diagonal
// and (1−p)S on it. Here every entry is scaled to Sᵢᵢ = n, so that W is a ridge
// with the penalty n(p(1−p) + λ)/(1−p)², divided by 1−p. With n designs and b
// entries of the basis training takes O(nb² + b³) time.
type RTM struct {
	// Corruption is p, below 1; 0 means 0.3.
	Corruption float64
	// Penalty is λ for each design, positive; 0 means 1e-3.
	Penalty float64
}

// Name implements Method.
func (RTM) Name() string { return "rtm" }

// productLimit is the number of coordinates up to which products enter the
// basis: 300 entries, which take 10 ms to train. Chosen.
const productLimit = 23

type corrupted struct {
	categorical   []bool
	center, scale []float64
	ridge         *surrogate.Ridge
	gain          float64 // 1/(1−p)
	plain, wide   []float64
}

// middle of a coordinate's range: about it a coordinate and its square are
// nearly uncorrelated, so that one does not stand in for the other.
const middle = 0.5

// basis appends the entries of a design. Categories have no order and are left
// out.
func (c *corrupted) basis(dst, x []float64) []float64 {
	c.plain = c.plain[:0]
	for i, v := range x {
		if !c.categorical[i] {
			c.plain = append(c.plain, v-middle)
		}
	}
	dst = append(dst, c.plain...)
	for i, v := range c.plain {
		dst = append(dst, v*v)
		if len(c.plain) > productLimit {
			continue
		}
		for _, w := range c.plain[:i] {
			dst = append(dst, v*w)
		}
	}
	return dst
}

// Predict implements surrogate.Regressor.
func (c *corrupted) Predict(x []float64) float64 {
	c.wide = c.basis(c.wide[:0], x)
	for i := range c.wide {
		c.wide[i] = (c.wide[i] - c.center[i]) * c.scale[i]
	}
	return c.gain * c.ridge.Predict(c.wide)
}

// Train implements Method.
func (r RTM) Train(s *Sources) ([]Expert, error) {
	if r.Corruption == 0 {
		r.Corruption = 0.3
	}
	if r.Penalty == 0 {
		r.Penalty = 1e-3
	}
	c := &corrupted{categorical: s.Categorical, gain: 1 / (1 - r.Corruption)}
	var x, y []float64
	d := len(s.Categorical)
	for i := range s.Tables {
		t := &s.Tables[i]
		for k := range t.Y {
			x = c.basis(x, t.X[k*d:(k+1)*d])
		}
		y = append(y, t.Y...)
	}
	if len(x) == 0 {
		return nil, nil
	}
	n, keep := float64(len(y)), 1-r.Corruption
	c.standardize(x, len(y))
	c.ridge = surrogate.NewRidge(len(c.center), x, y, n*(r.Corruption*keep+r.Penalty)/(keep*keep))
	return []Expert{{Model: c, Source: -1}}, nil
}

// standardize brings every entry of n designs to mean 0 and deviation 1, in
// place: a corrupted entry then is an average one.
func (c *corrupted) standardize(x []float64, n int) {
	b := len(x) / n
	c.center, c.scale = make([]float64, b), make([]float64, b)
	for k, v := range x {
		c.center[k%b] += v / float64(n)
	}
	for k, v := range x {
		c.scale[k%b] += (v - c.center[k%b]) * (v - c.center[k%b]) / float64(n)
	}
	for i, v := range c.scale {
		c.scale[i] = 0
		if v > 1e-12 { // a constant says nothing
			c.scale[i] = 1 / math.Sqrt(v)
		}
	}
	for k := range x {
		x[k] = (x[k] - c.center[k%b]) * c.scale[k%b]
	}
}

func finite(values []float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
