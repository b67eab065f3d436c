package surrogate

import "math"

// Notation
//	d     coordinates of an input
//	ℓ_k   length scale of coordinate k
//	σ²    variance of the signal
//	σn²   variance of the noise
//	τ²    variance of the trend
//	δ_k   x_k − y_k, or for a category 1 where they differ and 0 where not
//	r²    Σ_k δ_k²/ℓ_k²

// kernel is the Matérn covariance with ν = 5/2 and one length scale per
// coordinate (automatic relevance determination): σ²(1 + √5r + 5r²/3)exp(−√5r).
// It compares scaled inputs: those that scale returns.
//
// A trend is added where there is one: Σ_k τ²/2n (l_k(x)·l_k(y) + q_k(x)·q_k(y)) over n
// ordinal coordinates, of a line l and a parabola q.
//
// Reference: C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine
// Learning, MIT Press 2006, equation 4.17, sections 5.1 and 2.7 (trends).
type kernel struct {
	order    []int     // coordinates with the categories last
	ordinals int       // how many are none
	inverse  []float64 // 1/ℓ_k by position in order
	signal   float64   // σ²
	trend    float64   // τ over the root of the number of terms; 0 where there is none
}

const sqrt5 = 2.2360679774997896964

func newKernel(categorical []bool, h Hyper) kernel {
	k := kernel{signal: math.Exp(h.LogSignal)}
	for _, pass := range []bool{false, true} {
		for i, c := range categorical {
			if c == pass {
				k.order = append(k.order, i)
				k.inverse = append(k.inverse, math.Exp(-h.LogScale[i]))
			}
		}
		if !pass {
			k.ordinals = len(k.order)
		}
	}
	if h.Trended && k.ordinals > 0 {
		k.trend = math.Exp(h.LogTrend/2) / math.Sqrt(float64(2*k.ordinals))
	}
	return k
}

// width is how many numbers a scaled input has.
func (k *kernel) width() int {
	if k.trend > 0 {
		return len(k.order) + 2*k.ordinals
	}
	return len(k.order)
}

// scale appends x in the kernel's order, with ordinal coordinates divided by
// their length scale, so that distances need no multiplication by it.
func (k *kernel) scale(dst, x []float64) []float64 {
	for position, i := range k.order {
		v := x[i]
		if position < k.ordinals {
			v *= k.inverse[position]
		}
		dst = append(dst, v)
	}
	if k.trend > 0 {
		for _, i := range k.order[:k.ordinals] {
			v := x[i] - 0.5
			dst = append(dst, k.trend*slope*v, k.trend*bend*(v*v-1.0/12))
		}
	}
	return dst
}

// slope and bend bring a line and a parabola over [0, 1] to variance 1: √12 and √180.
const slope, bend = 3.4641016151377546, 13.416407864998739

// trended is the covariance of the trends of scaled inputs.
func (k *kernel) trended(a, b []float64) (sum float64) {
	if k.trend == 0 {
		return 0
	}
	d := len(k.order)
	a, b = a[d:], b[d:len(a)]
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// variance is the covariance of a scaled input with itself.
func (k *kernel) variance(a []float64) float64 { return k.signal + k.trended(a, a) }

// distance is r² of scaled inputs.
func (k *kernel) distance(a, b []float64) float64 {
	var r2 float64
	for i, v := range a[:k.ordinals] {
		d := v - b[i]
		r2 += d * d
	}
	for i := k.ordinals; i < len(k.order); i++ {
		if a[i] != b[i] {
			r2 += k.inverse[i] * k.inverse[i]
		}
	}
	return r2
}

func (k *kernel) at(a, b []float64) float64 {
	s := sqrt5 * math.Sqrt(k.distance(a, b))
	return k.signal*(1+s+s*s/3)*math.Exp(-s) + k.trended(a, b)
}

// row writes the covariances of scaled x with the first n rows of scaled data.
func (k *kernel) row(dst, x, data []float64, n int) {
	d := len(x)
	for j := range n {
		dst[j] = k.at(x, data[j*d:(j+1)*d])
	}
}
