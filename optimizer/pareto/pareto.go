// Package pareto compares points by several objectives at once: dominance,
// non-dominated sorting, crowding and the exact hypervolume.
//
// All objectives are minimised, all points of a call have the same number of
// values, and values are finite. The functions are pure and deterministic:
// equal points and ties are taken by position.
package pareto

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// MaxObjectives is the largest number of objectives that Hypervolume takes.
const MaxObjectives = 4

// Dominates reports whether a is at least as good as b in every objective and
// better in one.
func Dominates(a, b []float64) bool {
	better := false
	for i, x := range a {
		if x > b[i] {
			return false
		}
		better = better || x < b[i]
	}
	return better
}

// covers reports whether a is at least as good as b in every objective.
func covers(a, b []float64) bool {
	for i, x := range a {
		if x > b[i] {
			return false
		}
	}
	return true
}

// Front returns the positions of the points that no other dominates, in order.
// Of equal points only the first counts. n points with k in the front take
// O(n·k) comparisons.
func Front(points [][]float64) []int {
	var front []int
	for i, p := range points {
		if slices.ContainsFunc(front, func(j int) bool { return covers(points[j], p) }) {
			continue
		}
		front = slices.DeleteFunc(front, func(j int) bool { return covers(p, points[j]) })
		front = append(front, i)
	}
	return front
}

// Sort returns the positions of the points by fronts: the first holds those
// that nothing dominates, the next those that only the first dominates, and so
// on, each in order. Equal points are in the same front.
//
// Reference: X. Zhang, Y. Tian, R. Cheng, Y. Jin, An Efficient Approach to
// Nondominated Sorting for Evolutionary Multiobjective Optimization, IEEE
// Trans. Evolutionary Computation 19, 2015 (ENS-BS): every point is put into
// the first front without a dominator, found by bisection. n points take
// O(n·log n) comparisons when fronts are small, O(n²) at worst.
func Sort(points [][]float64) [][]int {
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	// After this no point is dominated by a later one.
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(points[a], points[b]) })
	var fronts [][]int
	for _, i := range order {
		k := sort.Search(len(fronts), func(k int) bool { return !dominated(points, fronts[k], i) })
		if k == len(fronts) {
			fronts = append(fronts, nil)
		}
		fronts[k] = append(fronts[k], i)
	}
	for _, front := range fronts {
		slices.Sort(front)
	}
	return fronts
}

// dominated looks at the latest members first: they are the nearest in the
// sorted order.
func dominated(points [][]float64, front []int, i int) bool {
	for _, member := range slices.Backward(front) {
		if Dominates(points[member], points[i]) {
			return true
		}
	}
	return false
}

// Crowding returns, for each member of a front, how far its neighbours are: the
// sum over the objectives of the distance between the next smaller and the
// next larger value, relative to the range. Members at an end of any objective
// have +Inf.
//
// Reference: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, A Fast and Elitist
// Multiobjective Genetic Algorithm: NSGA-II, IEEE Trans. Evolutionary
// Computation 6, 2002, section III.B. k members of m objectives take
// O(m·k·log k) time.
func Crowding(points [][]float64, front []int) []float64 {
	crowding := make([]float64, len(front))
	if len(front) == 0 {
		return crowding
	}
	order := make([]int, len(front))
	for objective := range points[front[0]] {
		at := func(k int) float64 { return points[front[order[k]]][objective] / 2 } // halves: a range does not overflow
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int {
			return cmp.Compare(points[front[a]][objective], points[front[b]][objective])
		})
		last := len(order) - 1
		crowding[order[0]], crowding[order[last]] = math.Inf(1), math.Inf(1)
		span := at(last) - at(0)
		if span == 0 {
			continue
		}
		for k := 1; k < last; k++ {
			crowding[order[k]] += (at(k+1) - at(k-1)) / span
		}
	}
	return crowding
}

// Nadir returns the worst value of every objective among the points: with the
// front of a study, its nadir. It is nil when there is no point.
func Nadir(points [][]float64) []float64 {
	var worst []float64
	for _, p := range points {
		if worst == nil {
			worst = slices.Clone(p)
		}
		for i, x := range p {
			worst[i] = max(worst[i], x)
		}
	}
	return worst
}

// Rank returns the positions of all points, best first: by front, within a
// front the least crowded first, then in order. It is the order in which
// NSGA-II keeps its population.
func Rank(points [][]float64) []int {
	order := make([]int, 0, len(points))
	for _, front := range Sort(points) {
		order = append(order, Spread(points, front)...)
	}
	return order
}

// Spread returns the members of a front, the least crowded first.
func Spread(points [][]float64, front []int) []int {
	crowding := Crowding(points, front)
	by := make([]int, len(front))
	for k := range by {
		by[k] = k
	}
	slices.SortStableFunc(by, func(a, b int) int { return cmp.Compare(crowding[b], crowding[a]) })
	for k, i := range by {
		by[k] = front[i]
	}
	return by
}
