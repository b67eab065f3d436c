package study

import (
	"iter"
	"math/rand/v2"

	"apollo/events"
	"apollo/optimizer/space"
)

// Corners returns the designs that are legal most often: the smallest, the
// largest, and the template's baseline where the space holds it (nil for none).
// Lint tries them, and a run before it gives up.
func Corners(sp space.Space, judge *events.Judge, baseline []space.Value) []space.Point {
	low, high := make(space.Point, sp.Len()), make(space.Point, sp.Len())
	for i := range high {
		high[i] = sp.Param(i).Len() - 1
	}
	out := []space.Point{low, resetInactive(sp, judge, high)}
	if p, err := sp.Point(baseline); err == nil && len(baseline) > 0 {
		out = append(out, p)
	}
	return out
}

// Sample yields n designs of a space, the same ones each time: what lint looks
// at in a space too large to be searched, and a run before it gives up. The
// point is written again at the next step.
func Sample(sp space.Space, judge *events.Judge, n int) iter.Seq[space.Point] {
	return func(yield func(space.Point) bool) {
		rng := rand.New(rand.NewPCG(0, sp.Size()))
		p := make(space.Point, sp.Len())
		for range n {
			for i := range p {
				p[i] = rng.IntN(sp.Param(i).Len())
			}
			if !yield(resetInactive(sp, judge, p)) {
				return
			}
		}
	}
}

// resetInactive puts what means nothing in a design to its first level.
func resetInactive(sp space.Space, judge *events.Judge, p space.Point) space.Point {
	if judge.Conditional() {
		judge.Inactive(sp.Values(p), func(i int) { p[i] = 0 })
	}
	return p
}

// Sampled is how many designs of a large space are sampled. Chosen so that a
// search that finds nothing ends in about a second.
const Sampled = 50_000

// lastResort adds up to n designs that are legal and new, from those that lint
// knows, where a strategy gave up.
func (d *draft) lastResort(n int) {
	m := d.machine
	for _, p := range Corners(m.space, m.judge, m.cfg.Baseline) {
		if d.len() < n && m.legal != nil && m.legal(p) {
			d.appendIfNew(p, knownOrigin, nil)
		}
	}
	for p := range Sample(m.space, m.judge, Sampled) {
		if d.len() >= n || m.legal == nil {
			return
		}
		if m.legal(p) {
			d.appendIfNew(p.Clone(), knownOrigin, nil)
		}
	}
}

// knownOrigin is the origin of such designs.
const knownOrigin = "known"
