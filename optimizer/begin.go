package optimizer

import (
	"strings"

	"apollo/optimizer/space"
)

// baselineOrigin and centerOrigin are the origins of the design that a search
// begins with.
const baselineOrigin, centerOrigin = "baseline", "center"

// begin proposes the design that a search with a model begins with, unless
// cover is below 1, which is how many designs the model still waits for: the
// baseline, or the middle of the space where that is not legal, once.
func (b *batch) begin(cover int) {
	if cover < 1 {
		return
	}
	origin := b.origin
	defer func() { b.origin = origin }()
	if p := b.problem.Baseline; p != nil && b.problem.Legal(p) {
		b.origin = baselineOrigin
		b.offer(b.problem.Space.Key(p), p)
		return
	}
	middle := make(space.Point, b.problem.Space.Len())
	for i, p := range b.problem.Space.Params() {
		if !p.Categorical() {
			middle[i] = (p.Len() - 1) / 2
		}
	}
	b.problem.Settle(middle)
	b.origin = centerOrigin
	b.offer(b.problem.Space.Key(middle), middle)
}

// uncovered is how many of a search's first n designs are still to come. Those
// that other studies proposed are none of them.
func (h *history) uncovered(n int, b *batch) int {
	for i := range h.records {
		if !FromSource(h.records[i].origin) {
			n--
		}
	}
	return n - len(b.pending)
}

// FromSource reports whether a trial of this study has the origin of one that was
// proposed because of what another study measured; see optimizer/transfer.
func FromSource(origin string) bool {
	return strings.HasPrefix(origin, "seed:") || strings.HasPrefix(origin, "transfer:")
}
