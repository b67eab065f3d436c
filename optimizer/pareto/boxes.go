package pareto

import (
	"math"
	"slices"
)

// Boxes is the part of the space below a reference point that a front does not
// dominate, cut into boxes that do not overlap.
type Boxes struct {
	// Levels are the borders by objective, ascending, the first -Inf and the last
	// the reference.
	Levels [][]float64
	// Low and High are positions in Levels, box by box, objective by objective.
	Low, High []int32
}

// Uncovered cuts what no point dominates below the reference into boxes. Points
// need not be a front. n points of three objectives in general position make
// about 7·n boxes, of four about 30·n.
//
// The points sweep along the last objective, ascending: a box of the others lives
// until a point of it comes, which cuts it, as in R. Lacour, K. Klamroth, C. M.
// Fonseca, A Box Decomposition Algorithm to Compute the Hypervolume Indicator,
// Computers & Operations Research 79, 2017.
func Uncovered(points [][]float64, reference []float64) *Boxes {
	var front [][]float64
	for _, p := range points {
		if better(p, reference) {
			front = append(front, p)
		}
	}
	m := len(reference)
	b := &Boxes{Levels: make([][]float64, m)}
	for k := range m {
		levels := []float64{math.Inf(-1), reference[k]}
		for _, p := range front {
			levels = append(levels, p[k])
		}
		slices.Sort(levels)
		b.Levels[k] = slices.Compact(levels)
	}
	at := make([][]int32, len(front))
	for i, p := range front {
		for k, x := range p {
			place, _ := slices.BinarySearch(b.Levels[k], x)
			at[i] = append(at[i], int32(place))
		}
	}
	last := m - 1
	slices.SortStableFunc(at, func(p, q []int32) int { return int(p[last] - q[last]) })
	b.sweep(at)
	return b
}

// living is a box of a sweep: of the last objective only where it begins is known.
type living struct{ low, high []int32 }

func (b *Boxes) sweep(points [][]int32) {
	m := len(b.Levels)
	last := m - 1
	whole := living{low: make([]int32, m), high: make([]int32, m)}
	for k := range m {
		whole.high[k] = int32(len(b.Levels[k]) - 1)
	}
	end := whole.high[last]
	alive := []living{whole}
	for _, p := range points {
		kept := alive[:0:0]
		for _, box := range alive {
			if !reaches(box.high[:last], p) {
				kept = append(kept, box)
				continue
			}
			b.add(box, p[last])
			kept = append(kept, box.less(p)...)
		}
		alive = kept
	}
	for _, box := range alive {
		b.add(box, end)
	}
}

// reaches reports whether the upper corner is beyond p in every objective.
func reaches(high, p []int32) bool {
	for k, h := range high {
		if h <= p[k] {
			return false
		}
	}
	return true
}

// less is what p does not dominate of a box, from p on in the last objective.
func (l living) less(p []int32) []living {
	var parts []living
	last := len(p) - 1
	low := slices.Clone(l.low)
	low[last] = p[last]
	for k := range last {
		if p[k] > low[k] {
			part := living{low: slices.Clone(low), high: slices.Clone(l.high)}
			part.high[k] = p[k]
			parts = append(parts, part)
			low[k] = p[k]
		}
	}
	return parts
}

// add notes a box that ends at a level of the last objective.
func (b *Boxes) add(box living, end int32) {
	last := len(b.Levels) - 1
	if box.low[last] == end {
		return
	}
	b.Low = append(b.Low, box.low...)
	b.High = append(b.High, box.high[:last]...)
	b.High = append(b.High, end)
}

// Len is the number of boxes.
func (b *Boxes) Len() int { return len(b.Low) / len(b.Levels) }

// Gain is the expected growth of the hypervolume by a point whose objectives
// are independent, exact but for rounding: the sum over the boxes of the products
// over the objectives of what a point shares of a box's side. below holds for
// each objective and each of its levels the expected value of what the objective
// is less than the level by, 0 for the first level.
//
// References: M. Emmerich, K. Yang, A. Deutz, H. Wang, C. M. Fonseca, A
// Multicriteria Generalization of Bayesian Global Optimization, in Advances in
// Stochastic and Deterministic Global Optimization, 2016; K. Yang et al.,
// Efficient Computation of Expected Hypervolume Improvement Using Box
// Decomposition Algorithms, J. Global Optim. 75, 2019.
func (b *Boxes) Gain(below [][]float64) (sum float64) {
	m := len(b.Levels)
	for first := 0; first < len(b.Low); first += m {
		product := 1.0
		for k, levels := range below {
			product *= levels[b.High[first+k]] - levels[b.Low[first+k]]
		}
		sum += product
	}
	return sum
}
