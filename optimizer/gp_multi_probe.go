package optimizer

import (
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

// gaps returns the designs of the front with one parameter, which runs along the front,
// at a level that is far from all that is known about it there.
func (s *multiObjectiveGP) gaps(order []int) []space.Point {
	var front []space.Point
	for _, i := range order[:s.feasible] {
		if !slices.ContainsFunc(order[:s.feasible], func(j int) bool { return pareto.Dominates(s.records[j].values, s.records[i].values) }) {
			front = append(front, s.records[i].point)
		}
	}
	if len(front) < s.problem.Space.Len() {
		return nil
	}
	var out []space.Point
	for k, param := range s.problem.Space.Params() {
		if param.Categorical() {
			continue
		}
		known := make([]bool, param.Len())
		levels := 0
		for _, p := range front {
			if !known[p[k]] {
				known[p[k]] = true
				levels++
			}
		}
		if levels < varied {
			continue
		}
		for i := range s.records {
			p := s.records[i].point
			known[p[k]] = known[p[k]] || slices.ContainsFunc(front, func(q space.Point) bool { return differsIn(p, q, k) })
		}
		for level := range known {
			near := false
			for other, is := range known {
				near = near || is && gapShare*max(level-other, other-level) < param.Len()
			}
			if near {
				continue
			}
			for _, p := range front {
				p = p.Clone()
				p[k] = level
				out = append(out, p)
			}
		}
	}
	return out
}

// differsIn reports whether two designs differ in no other parameter.
func differsIn(p, q space.Point, param int) bool {
	for i := range p {
		if p[i] != q[i] && i != param {
			return false
		}
	}
	return true
}
