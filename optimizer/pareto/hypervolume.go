package pareto

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Hypervolume returns the volume that the points dominate below the reference
// point, exact but for rounding: that of the union of the boxes between each
// point and the reference. Points that are not better than the reference in
// every objective add nothing. It is +Inf where a box overflows, and never NaN.
// It panics beyond MaxObjectives.
//
// n points take O(n·log n) time with up to three objectives, by a sweep over
// the last one (C. M. Fonseca, L. Paquete, M. López-Ibáñez, An Improved
// Dimension-Sweep Algorithm for the Hypervolume Indicator, CEC 2006, section
// III), and O(n²) with four, where every slice between two values of the fourth
// is such a sweep.
func Hypervolume(points [][]float64, reference []float64) float64 {
	inside := make([][]float64, 0, len(points))
	for _, p := range points {
		if better(p, reference) {
			inside = append(inside, p)
		}
	}
	return volume(inside, reference)
}

// better reports whether p is better than the reference in every objective; a
// NaN is not.
func better(p, reference []float64) bool {
	for i, x := range p {
		if !(x < reference[i]) {
			return false
		}
	}
	return len(p) > 0
}

// Contribution returns by how much a point enlarges the hypervolume of a front:
// the volume of its box less what the front dominates of it. It is never
// negative.
func Contribution(p []float64, front [][]float64, reference []float64) float64 {
	if !better(p, reference) {
		return 0
	}
	box := 1.0
	for i, x := range p {
		box = product(box, reference[i]-x)
	}
	if math.IsInf(box, 1) {
		return box
	}
	// Inside the box of p, another point dominates the box of the two's worst
	// values (L. While, L. Bradstreet, L. Barone, A Fast Way of Calculating
	// Exact Hypervolumes, IEEE Trans. Evolutionary Computation 16, 2012).
	var limited [][]float64
	for _, q := range front {
		worst := make([]float64, len(p))
		for i, x := range p {
			worst[i] = max(x, q[i])
		}
		if slices.Equal(worst, p) {
			return 0
		}
		if better(worst, reference) {
			limited = append(limited, worst)
		}
	}
	if len(p) == MaxObjectives { // few of them are left, which pays where time grows with the square
		var few [][]float64
		for _, i := range Front(limited) {
			few = append(few, limited[i])
		}
		limited = few
	}
	return max(0, box-volume(limited, reference))
}

// volume takes points that are better than the reference; it reorders them.
func volume(points [][]float64, reference []float64) float64 {
	if len(points) == 0 {
		return 0
	}
	switch len(reference) {
	case 1:
		return reference[0] - slices.MinFunc(points, slices.Compare)[0]
	case 2:
		s := stairs{x: reference[0], y: reference[1]}
		for _, p := range points {
			s.insert(p[0], p[1])
		}
		return s.area
	case 3:
		byLast(points, 2)
		return sweep(points, reference)
	case 4:
		return slices4(points, reference)
	}
	panic(fmt.Sprintf("pareto: hypervolume of %d objectives", len(reference)))
}

// product multiplies lengths, of which one may have overflowed and the other may
// be 0.
func product(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a * b
}

func byLast(points [][]float64, last int) {
	slices.SortStableFunc(points, func(a, b []float64) int { return cmp.Compare(a[last], b[last]) })
}

// sweep adds up slices of the third objective; points are sorted by it.
func sweep(points [][]float64, reference []float64) (sum float64) {
	s := stairs{x: reference[0], y: reference[1]}
	for i, p := range points {
		s.insert(p[0], p[1])
		next := reference[2]
		if i+1 < len(points) {
			next = points[i+1][2]
		}
		sum += product(s.area, next-p[2])
	}
	return sum
}

// slices4 adds up slices of the fourth objective. What it keeps of the earlier
// points is their front in the first three, sorted by the third.
func slices4(points [][]float64, reference []float64) (sum float64) {
	byLast(points, 3)
	var kept [][]float64
	var content float64
	for i, p := range points {
		if !slices.ContainsFunc(kept, func(q []float64) bool { return covers(q[:3], p[:3]) }) {
			kept = slices.DeleteFunc(kept, func(q []float64) bool { return covers(p[:3], q[:3]) })
			at := sort.Search(len(kept), func(k int) bool { return kept[k][2] > p[2] })
			kept = slices.Insert(kept, at, p)
			content = sweep(kept, reference)
		}
		next := reference[3]
		if i+1 < len(points) {
			next = points[i+1][3]
		}
		sum += product(content, next-p[3])
	}
	return sum
}

// stairs is the front of points in the plane, by ascending x and descending y,
// and the area that they dominate below (x, y).
type stairs struct {
	x, y  float64
	steps [][2]float64
	area  float64
}

// insert adds a point. The area only ever grows by positive terms, so that nothing
// cancels.
func (s *stairs) insert(x, y float64) {
	from := sort.Search(len(s.steps), func(k int) bool { return s.steps[k][0] >= x })
	top := s.y
	if from > 0 {
		top = s.steps[from-1][1]
	}
	if top <= y || from < len(s.steps) && s.steps[from][0] == x && s.steps[from][1] <= y {
		return
	}
	to, left := from, x
	for ; to < len(s.steps) && s.steps[to][1] >= y; to++ {
		s.area += product(s.steps[to][0]-left, top-y)
		left, top = s.steps[to][0], s.steps[to][1]
	}
	right := s.x
	if to < len(s.steps) {
		right = s.steps[to][0]
	}
	s.area += product(right-left, top-y)
	s.steps = slices.Replace(s.steps, from, to, [2]float64{x, y})
}
