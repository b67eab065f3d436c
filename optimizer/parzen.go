package optimizer

import (
	"math"
	"math/rand/v2"

	"apollo/optimizer/space"
)

// parzen is a mixture of kernels over a lattice, with the prior as its last.
type parzen struct {
	space  space.Space
	points []int // centres, row by row
	weight []float64
	total  float64 // of weight and the prior's 1
	params []parzenParam
}

// parzenParam holds the kernels of one parameter.
type parzenParam struct {
	levels int
	// share is the part of a category's kernel that every level gets; 0 marks a
	// numeric parameter, whose kernels have the deviation sigma.
	share, sigma float64
	// rows[center][level] is the probability of a level under the kernel at
	// center, and the last row that under the prior; nil until it is needed.
	rows [][]float64
}

// priorWeight is the weight of the uninformed kernel, Optuna's default.
const priorWeight = 1

// newParzen returns the mixture for n kernels; they are added one by one and
// may be more, at the bandwidth of n.
func newParzen(s space.Space, n int) *parzen {
	p := &parzen{space: s, total: priorWeight}
	for _, param := range s.Params() {
		q := parzenParam{levels: param.Len(), rows: make([][]float64, param.Len()+1)}
		if param.Categorical() {
			q.share = priorWeight / float64(n+1)
		} else {
			q.sigma = bandwidth(param.Len(), n, s.Len())
		}
		p.params = append(p.params, q)
	}
	return p
}

// bandwidth is 0.2·n^(−1/(d+4)) of the range, but at least 1/min(100, 2+n) of it.
func bandwidth(levels, n, d int) float64 {
	span := float64(levels)
	sigma := 0.2 * math.Pow(max(1, float64(n)), -1/float64(d+4)) * span
	return max(sigma, span/min(100, 2+float64(n)))
}

// row returns the kernel at center, or the prior's where center is levels.
func (q *parzenParam) row(center int) []float64 {
	if q.rows[center] == nil {
		mass := make([]float64, q.levels)
		if q.share > 0 {
			q.category(mass, center)
		} else {
			q.normal(mass, center)
		}
		normalize(mass)
		q.rows[center] = mass
	}
	return q.rows[center]
}

func (q *parzenParam) category(mass []float64, center int) {
	for level := range mass {
		mass[level] = q.share
		if level == center {
			mass[level]++
		}
	}
}

// normal is a normal about center, cut to the range and to levels; the prior
// lies at the middle with the range as its deviation.
func (q *parzenParam) normal(mass []float64, center int) {
	mu, scale := float64(center), q.sigma*math.Sqrt2
	if center == q.levels {
		mu, scale = float64(q.levels-1)/2, float64(q.levels)*math.Sqrt2
	}
	for level := range mass {
		// The lower tail on either side, where nothing cancels.
		far := math.Abs(float64(level) - mu)
		mass[level] = max(math.Erfc((far-0.5)/scale)-math.Erfc((far+0.5)/scale), 1e-300)
	}
}

func normalize(mass []float64) {
	var sum float64
	for _, m := range mass {
		sum += m
	}
	for i := range mass {
		mass[i] /= sum
	}
}

func (p *parzen) addKernel(center space.Point, weight float64) {
	p.points = append(p.points, center...)
	p.weight = append(p.weight, weight)
	p.total += weight
}

// log is the logarithm of the mixture's probability of a point. A point so far
// from every kernel that all products underflow still has the prior's.
func (p *parzen) log(at space.Point) float64 {
	d := len(at)
	sum := priorWeight * p.kernel(nil, at)
	for k, w := range p.weight {
		sum += w * p.kernel(p.points[k*d:(k+1)*d], at)
	}
	return math.Log(max(sum/p.total, math.SmallestNonzeroFloat64))
}

// kernel is the probability of a point under one kernel; nil is the prior.
func (p *parzen) kernel(center []int, at space.Point) float64 {
	product := 1.0
	for i, level := range at {
		product *= p.params[i].row(centerOf(center, i, p.params[i].levels))[level]
	}
	return product
}

func centerOf(center []int, i, prior int) int {
	if center == nil {
		return prior
	}
	return center[i]
}

// sample draws a point of the mixture into the memory of dst.
func (p *parzen) sample(dst space.Point, rng *rand.Rand) space.Point {
	d := p.space.Len()
	var center []int
	rest := rng.Float64()*p.total - priorWeight
	for k := 0; rest >= 0 && k < len(p.weight); k++ {
		center = p.points[k*d : (k+1)*d]
		rest -= p.weight[k]
	}
	dst = dst[:0]
	for i := range d {
		q := &p.params[i]
		dst = append(dst, pick(q.row(centerOf(center, i, q.levels)), rng))
	}
	return dst
}

// pick draws a position by probability.
func pick(mass []float64, rng *rand.Rand) int {
	rest := rng.Float64()
	for i, m := range mass {
		if rest -= m; rest < 0 {
			return i
		}
	}
	return len(mass) - 1
}
