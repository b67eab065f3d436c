package optimizer

import (
	"math"
	"slices"

	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
)

// A proposal of a search among three and more objectives differs from a design of the
// front in one parameter. That of a probe does so by a level that is far from all that is
// known about the front: models are surer there than they may be, and parts of a front
// that lie apart are behind such gaps. Its origin says so, which is how a restarted search
// finds it again.
const probeOrigin = "gp/probe"

const (
	// rareFirst is between how many proposals there is a probe at first. The
	// number is halved, down to oftenest, by one that gains no less than the last
	// compared other proposals did, and doubled, up to rarest, by any other.
	// Chosen: docs/decisions/0077.
	rareFirst, oftenest, rarest = 4, 2, 64
	compared                    = 5
	// remembered is how many of the last records count, which bounds the time. Chosen.
	remembered = 64
	// hope is the share of a deviation that the gain of a probe is expected from, of which
	// trusted is that of the others. Chosen: 4 finds fewer parts of DTLZ7, seeds 1 to 6.
	hope = 10
)

// interval returns between how many proposals there is a probe.
func (s *multiObjectiveGP) interval(g *hypervolumeGain) int {
	every := rareFirst
	first := max(s.knobs.Initial, len(s.records)-remembered)
	var front [][]float64
	var usual []float64 // gains of other proposals
	for i := range s.records {
		r := &s.records[i]
		var gain float64
		if r.class == feasible {
			y := make([]float64, s.objectives)
			for k := range y {
				y[k] = g.scales[k].of(r.values[k])
			}
			if i >= first-compared {
				gain = pareto.Contribution(y, front, g.reference)
			}
			front = append(front, y)
		}
		if !r.probe {
			usual = append(usual, gain)
			continue
		}
		if i < first {
			continue
		}
		var sum float64
		last := usual[max(0, len(usual)-compared):]
		for _, v := range last {
			sum += v
		}
		if gain > 0 && gain*float64(len(last)) >= sum {
			every = max(oftenest, every/2)
		} else {
			every = min(rarest, every*2)
		}
	}
	return every
}

// probe makes a search one of a probe, where there is a gap.
func (s *multiObjectiveGP) probe(search *latticeSearch, g *hypervolumeGain, order []int) {
	b := search.batch
	search.given = slices.DeleteFunc(s.gaps(order), func(p space.Point) bool {
		b.problem.Settle(p)
		return !b.fresh(b.problem.Space.Key(p)) || !b.problem.Legal(p)
	})
	if len(search.given) > 0 {
		g.trust, b.origin = hope, probeOrigin
	}
}

// varied is how many levels of a parameter must be on the front for it to run along
// this, and gapShare of all levels how far from these a gap is. Chosen.
const varied, gapShare = 3, 6

// probed is how many designs are looked at for a probe. Where there are more, those are
// that have one of probedLevels of each parameter, spread over its gaps, and the others as
// one of the least crowded designs of the front. Chosen: docs/decisions/0077.
const probed, probedLevels = 4096, 16

// gaps returns the designs of the front with one parameter, which runs along the front,
// at a level that is far from all that is known about it there. They are no more than
// probed, or probedLevels for each parameter where that is more.
func (s *multiObjectiveGP) gaps(order []int) []space.Point {
	var front []space.Point
	for k, i := range s.feasibles(order) { // front by front
		if slices.ContainsFunc(order[:k], func(j int) bool { return pareto.Dominates(s.records[j].values, s.records[i].values) }) {
			break
		}
		front = append(front, s.records[i].point)
	}
	if len(front) < s.problem.Space.Len() {
		return nil
	}
	all := make([]levels, s.problem.Space.Len())
	count := 0
	for k, param := range s.problem.Space.Params() {
		if !param.Categorical() {
			all[k] = farFrom(s.knownAlong(front, k), param.Len())
			count += all[k].count()
		}
	}
	limit := math.MaxInt
	if count*len(front) > probed {
		limit, count = probedLevels, 0
		for _, l := range all {
			count += min(l.count(), limit)
		}
		front = front[:max(1, min(len(front), probed/count))]
	}
	var out []space.Point
	for k := range all {
		for _, level := range all[k].spread(limit) {
			for _, p := range front {
				p = p.Clone()
				p[k] = level
				out = append(out, p)
			}
		}
	}
	return out
}

// knownAlong returns the levels of a parameter, ascending, of designs that differ from one
// of the front in no other; none where the front does not run along it.
func (s *multiObjectiveGP) knownAlong(front []space.Point, param int) []int {
	var known []int
	for _, p := range front {
		known = append(known, p[param])
	}
	slices.Sort(known)
	if known = slices.Compact(known); len(known) < varied {
		return nil
	}
	var p space.Point
	others := func(q space.Point) space.Key {
		p = append(p[:0], q...)
		p[param] = 0
		return s.problem.Space.Key(p)
	}
	var ofFront space.Set
	for _, q := range front {
		ofFront.Add(others(q))
	}
	for i := range s.records {
		if q := s.records[i].point; ofFront.Has(others(q)) {
			known = append(known, q[param])
		}
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// levels are those of a parameter in some ranges, each from its first to before its end.
type levels [][2]int

// farFrom returns the levels of n that are a share of them or more from all known ones, which
// ascend; none where nothing is known.
func farFrom(known []int, n int) levels {
	if len(known) == 0 {
		return nil
	}
	var out levels
	reach := (n + gapShare - 1) / gapShare
	first := 0
	for _, level := range append(known, n-1+reach) {
		if end := level - reach + 1; first < end {
			out = append(out, [2]int{first, end})
		}
		first = level + reach
	}
	return out
}

func (l levels) count() (n int) {
	for _, r := range l {
		n += r[1] - r[0]
	}
	return n
}

// spread returns n of the levels at equal distances, the first and the last among them;
// all where they are no more.
func (l levels) spread(n int) []int {
	count := l.count()
	n = min(n, count)
	out := make([]int, 0, n)
	passed := 0
	for _, r := range l {
		for len(out) < n {
			at := r[0] + len(out)*(count-1)/max(1, n-1) - passed
			if at >= r[1] {
				break
			}
			out = append(out, at)
		}
		passed += r[1] - r[0]
	}
	return out
}
