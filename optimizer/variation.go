package optimizer

import (
	"math/rand/v2"

	"apollo/optimizer/space"
)

// breedAttempts is how many children a strategy breeds to find one that is new
// and legal before it falls back to a uniform draw. Chosen: with one legal
// child in fifty, one proposal in 170 falls back.
const breedAttempts = 256

// escalation is the number of attempts after which one more parameter is
// mutated on average: it leads out of a neighbourhood that is used up. Chosen.
const escalation = 16

// crossUniform replaces each level of child by other's with probability 1/2
// (G. Syswerda, Uniform crossover in genetic algorithms, ICGA 1989).
func crossUniform(child, other space.Point, rng *rand.Rand) {
	for i := range child {
		if rng.Uint64()&1 == 0 {
			child[i] = other[i]
		}
	}
}

// mutation changes levels of a point in place.
type mutation struct {
	space space.Space
	free  []int // parameters with more than one level
	// local is the probability that a numeric parameter moves to a near level
	// instead of a uniform one.
	local float64
	// partners are the parameters that one which cannot change alone exchanges its
	// label with; nil where there are none.
	partners [][]int
}

func newMutation(problem *Problem, local float64) mutation {
	s := problem.Space
	m := mutation{space: s, local: local, partners: partners(problem)}
	for i := range s.Len() {
		if s.Param(i).Len() > 1 {
			m.free = append(m.free, i)
		}
	}
	return m
}

// apply changes mean parameters on average, each to a different level, and at
// least one where any parameter has two levels.
func (m *mutation) apply(p space.Point, mean float64, rng *rand.Rand) {
	if len(m.free) == 0 {
		return
	}
	// The parameter that always changes counts towards the mean.
	sure := rng.IntN(len(m.free))
	var rate float64
	if len(m.free) > 1 {
		rate = (mean - 1) / float64(len(m.free)-1)
	}
	for k, i := range m.free {
		if k == sure || rate > 0 && rng.Float64() < rate {
			m.move(p, i, rng)
		}
	}
}

// move changes a parameter, or exchanges it where it cannot change alone.
func (m *mutation) move(p space.Point, i int, rng *rand.Rand) {
	if m.partners == nil || len(m.partners[i]) == 0 {
		p[i] = m.change(i, p[i], rng)
		return
	}
	k := m.partners[i][rng.IntN(len(m.partners[i]))]
	p[i], p[k] = p[k], p[i]
}

func (m *mutation) change(param, level int, rng *rand.Rand) int {
	p := m.space.Param(param)
	n := p.Len()
	if p.Categorical() || rng.Float64() >= m.local {
		other := rng.IntN(n - 1)
		if other >= level {
			other++
		}
		return other
	}
	return step(level, n, rng)
}

// step moves up or down by one level with probability 1/2, two with 1/4 and so
// on. Where one way leads out of the range it takes the other, and where both
// do it goes to the far end.
func step(level, n int, rng *rand.Rand) int {
	distance := 1
	for distance < n-1 && rng.Uint64()&1 == 0 {
		distance++
	}
	up, down := level+distance < n, level-distance >= 0
	switch {
	case up && (!down || rng.Uint64()&1 == 0):
		return level + distance
	case down:
		return level - distance
	case level > n/2:
		return 0
	}
	return n - 1
}
