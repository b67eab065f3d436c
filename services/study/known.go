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

// Sample yields n designs of a space, the same ones each time, and what breaks the
// fewest rules near some others: what lint looks at in a space
// too large to be searched, and a run before it gives up. The point is written
// again at the next step.
func Sample(sp space.Space, judge *events.Judge, n int) iter.Seq[space.Point] {
	return func(yield func(space.Point) bool) {
		rng := rand.New(rand.NewPCG(0, sp.Size()))
		p := make(space.Point, sp.Len())
		draw := func() space.Point {
			for i := range p {
				p[i] = rng.IntN(sp.Param(i).Len())
			}
			return resetInactive(sp, judge, p)
		}
		for range n {
			if !yield(draw()) {
				return
			}
		}
		levels := 1
		for i := range p {
			levels += min(sp.Param(i).Len(), mostLevels)
		}
		for range min(n/1000, 1+n/levels) {
			if keepRules(sp, judge, draw()); !yield(p) {
				return
			}
		}
	}
}

// keepRules changes one parameter after the other to the level with which the
// design breaks the fewest rules, for as long as that helps.
func keepRules(sp space.Space, judge *events.Judge, p space.Point) {
	trial := p.Clone()
	broken := func() int { return judge.Broken(sp.Values(resetInactive(sp, judge, trial))) }
	fewest := broken()
	for better := true; better && fewest > 0; {
		better = false
		for i := range p {
			for level := range min(sp.Param(i).Len(), mostLevels) {
				copy(trial, p)
				trial[i] = level
				if n := broken(); n < fewest {
					fewest, better = n, true
					copy(p, trial)
				}
			}
		}
	}
}

// mostLevels is how many levels of a parameter are tried against the rules. Chosen.
const mostLevels = 128

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
		if m.full(p); d.len() < n && m.legal != nil && m.legal(p) {
			d.appendIfNew(p, knownOrigin, nil)
		}
	}
	for p := range Sample(m.space, m.judge, Sampled) {
		if d.len() >= n || m.legal == nil {
			return
		}
		if m.full(p); m.legal(p) {
			d.appendIfNew(p.Clone(), knownOrigin, nil)
		}
	}
}

// full puts a design to the fidelity that counts.
func (m *Machine) full(p space.Point) {
	if at := m.spec.FidelityColumn(); at >= 0 {
		p[at] = m.space.Param(at).Len() - 1
	}
}

// knownOrigin is the origin of such designs.
const knownOrigin = "known"
