package optimizer

import (
	"math/rand/v2"
	"slices"

	"apollo/optimizer/space"
)

const (
	// exchangeSamples is how many legal designs decide which parameters cannot change
	// alone, and exchangeDraws how many draws may look for them. Chosen: of the orders
	// of eight things, one in 416, all are found; once a study, and no longer than half
	// a second where a check takes 30 µs.
	exchangeSamples = 4
	exchangeDraws   = 1 << 14
)

// partners returns for each parameter those of the same labels that it may exchange
// its label with, for parameters that no legal design can change alone: those of
// an order of things, which rules make one. It is nil where there are none, and
// depends on the problem alone, not on its seed.
func partners(p *Problem) [][]int {
	groups := sameLabels(p.Space)
	if p.Legal == nil || groups == nil {
		return nil
	}
	settle := p.Settle
	if settle == nil {
		settle = func(space.Point) {}
	}
	rng := rand.New(rand.NewPCG(0, 0))
	var point space.Point
	found := 0
	for draw := 0; draw < exchangeDraws && found < exchangeSamples; draw++ {
		point = p.Space.Draw(point, rng)
		if settle(point); !p.Legal(point) {
			continue
		}
		found++
		for i := range groups {
			if len(groups[i]) > 0 && changesAlone(p, settle, point, i) {
				groups[i] = nil
			}
		}
	}
	if found < exchangeSamples {
		return nil
	}
	return lockedOnly(groups)
}

// sameLabels lists for each category the others of the same labels; nil where no
// two have the same.
func sameLabels(s space.Space) [][]int {
	groups := make([][]int, s.Len())
	none := true
	for i, p := range s.Params() {
		for k, other := range s.Params() {
			if k != i && p.Categorical() && slices.Equal(p.Labels, other.Labels) {
				groups[i], none = append(groups[i], k), false
			}
		}
	}
	if none {
		return nil
	}
	return groups
}

// changesAlone reports whether a legal design stays legal with another label of
// one parameter.
func changesAlone(p *Problem, settle func(space.Point), point space.Point, i int) bool {
	for label := range p.Space.Param(i).Len() {
		near := point.Clone()
		near[i] = label
		if settle(near); near[i] != point[i] && p.Legal(near) {
			return true
		}
	}
	return false
}

// lockedOnly keeps the partners that cannot change alone either; nil where none is
// left.
func lockedOnly(groups [][]int) [][]int {
	out := make([][]int, len(groups))
	none := true
	for i, group := range groups {
		for _, k := range group {
			if len(groups[k]) > 0 {
				out[i], none = append(out[i], k), false
			}
		}
	}
	if none {
		return nil
	}
	return out
}
