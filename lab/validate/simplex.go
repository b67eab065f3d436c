package validate

import (
	"cmp"
	"slices"
)

// firstEdge is how far the other vertices of the first simplex are from its start.
const firstEdge = 0.05

type vertex struct {
	x     []float64
	value float64
}

// minimize moves a simplex from start to smaller values of f, and ends with the step in
// which f was called that often.
//
// References: J. A. Nelder and R. Mead, A simplex method for function minimization,
// The Computer Journal 7, 1965. F. Gao and L. Han, Implementing the Nelder-Mead simplex
// algorithm with adaptive parameters, Computational Optimization and Applications 51, 2012.
func minimize(f func(x []float64) float64, start []float64, calls int) []float64 {
	n := len(start)
	expand, contract, shrink := 1+2/float64(n), 0.75-1/(2*float64(n)), 1-1/float64(n)
	at := func(x []float64) vertex {
		calls--
		return vertex{x, f(x)}
	}
	// between is the point at from + t·(to - from).
	between := func(from, to []float64, t float64) vertex {
		x := make([]float64, n)
		for k := range x {
			x[k] = from[k] + t*(to[k]-from[k])
		}
		return at(x)
	}
	byValue := func(a, b vertex) int { return cmp.Compare(a.value, b.value) }

	simplex := []vertex{at(start)}
	for k := range n {
		x := slices.Clone(start)
		x[k] += firstEdge
		simplex = append(simplex, at(x))
	}
	slices.SortFunc(simplex, byValue)
	for calls > 0 {
		worst := &simplex[n]
		center := make([]float64, n) // of all but the worst
		for _, v := range simplex[:n] {
			for k := range center {
				center[k] += v.x[k] / float64(n)
			}
		}
		next := between(center, worst.x, -1)
		switch {
		case next.value < simplex[0].value:
			if further := between(center, worst.x, -expand); further.value < next.value {
				next = further
			}
		case next.value < simplex[n-1].value:
		default:
			t := contract
			if next.value < worst.value {
				t = -contract
			}
			reflected := next
			if next = between(center, worst.x, t); !(next.value < min(reflected.value, worst.value)) {
				for i := range simplex[:n] {
					simplex[i+1] = between(simplex[0].x, simplex[i+1].x, shrink)
				}
				next = simplex[n]
			}
		}
		*worst = next
		slices.SortFunc(simplex, byValue)
	}
	return simplex[0].x
}
