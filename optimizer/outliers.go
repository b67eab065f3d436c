package optimizer

import (
	"math"

	"apollo/optimizer/surrogate"
)

// outliersFrom is the value from which on the first n records are outliers,
// such as penalties for designs that do not work; +Inf when none is. A model
// of the values must not see them: they say where not to look, which is the
// business of a model of feasibility. The best design is never one.
func (h *history) outliersFrom(n int) float64 {
	values := make([]float64, 0, n)
	best := math.Inf(1)
	for i := range h.records[:n] {
		r := &h.records[i]
		if !r.measured {
			continue
		}
		values = append(values, r.value)
		if r.class == feasible {
			best = min(best, r.value)
		}
	}
	limit := surrogate.OutlierLimit(values)
	if !math.IsInf(best, 1) && best >= limit {
		return math.Inf(1)
	}
	return limit
}

// level reports whether all measured designs have one value, and there are at
// least two: a plateau, of which nobody knows yet whether it is all there is.
func (h *history) level() bool {
	n := 0
	var value float64
	for i := range h.records {
		r := &h.records[i]
		switch {
		case !r.measured:
		case n > 0 && r.value != value:
			return false
		default:
			n, value = n+1, r.value
		}
	}
	return n > 1
}
