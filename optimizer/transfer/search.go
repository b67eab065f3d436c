package transfer

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"apollo/optimizer/space"
)

const (
	// pool is how many uniform designs, and children of good ones, a search
	// looks at first; climbs is how many of the best of them climb, and steps
	// how far. Chosen: about 900 designs a proposal.
	pool, climbs, steps = 150, 2, 5
	// drawsPerDesign bounds the draws for a uniform legal design. Chosen: where
	// fewer are legal, children of good designs are the better candidates.
	drawsPerDesign = 32
)

// candidate is a design under consideration.
type candidate struct {
	key   space.Key
	score float64
}

// search maximises a score over new legal designs.
type search struct {
	space  space.Space
	legal  func(space.Point) bool
	fresh  func(space.Key) bool
	score  func(keys []space.Key, points []space.Point, score []float64)
	rng    *rand.Rand
	elite  []space.Point // worth mutating, best first
	seen   map[space.Key]bool
	queue  []space.Point
	queued []space.Key
	found  []candidate
}

// best returns the point of the highest score; false when no new legal design
// turned up.
func (s *search) best() (space.Point, bool) {
	s.seen = map[space.Key]bool{}
	if size := s.space.Size(); size <= 2*pool {
		for i, p := range s.space.All() {
			s.offer(s.space.KeyAt(i), p)
		}
		s.evaluate()
	} else {
		s.scatter()
	}
	if len(s.found) == 0 {
		return nil, false
	}
	s.sort()
	for _, start := range slices.Clone(s.found[:min(climbs, len(s.found))]) {
		s.climb(start)
	}
	s.sort()
	return s.space.PointInto(nil, s.found[0].key), true
}

func (s *search) scatter() {
	var p space.Point
	for draw, found := 0, 0; found < pool && draw < pool*drawsPerDesign; draw++ {
		p = s.space.Draw(p, s.rng)
		if s.offer(s.space.Key(p), p) {
			found++
		}
	}
	for draw, found := 0, 0; len(s.elite) > 0 && found < pool && draw < 4*pool; draw++ {
		p = append(p[:0], s.elite[min(s.rng.IntN(len(s.elite)), s.rng.IntN(len(s.elite)))]...)
		if s.rng.Uint64()&1 == 0 {
			for i, level := range s.elite[s.rng.IntN(len(s.elite))] {
				if s.rng.Uint64()&1 == 0 {
					p[i] = level
				}
			}
		}
		s.mutate(p)
		if s.offer(s.space.Key(p), p) {
			found++
		}
	}
	s.evaluate()
}

// mutate changes one to three parameters, numeric ones mostly by a level.
func (s *search) mutate(p space.Point) {
	for range 1 + s.rng.IntN(3) {
		if len(p) == 0 {
			return
		}
		i := s.rng.IntN(len(p))
		param := s.space.Param(i)
		n := param.Len()
		switch {
		case n == 1:
		case param.Categorical() || s.rng.IntN(4) == 0:
			p[i] = s.rng.IntN(n)
		case p[i] == 0 || p[i] < n-1 && s.rng.Uint64()&1 == 0:
			p[i]++
		default:
			p[i]--
		}
	}
}

// offer queues a design for its score when it is new, legal and was not seen.
func (s *search) offer(key space.Key, p space.Point) bool {
	if s.seen[key] || !s.fresh(key) || !s.legal(p) {
		return false
	}
	s.seen[key] = true
	s.queued = append(s.queued, key)
	s.queue = append(s.queue, p.Clone())
	return true
}

// evaluate scores what was queued and returns it.
func (s *search) evaluate() []candidate {
	scores := make([]float64, len(s.queued))
	s.score(s.queued, s.queue, scores)
	first := len(s.found)
	for i, key := range s.queued {
		s.found = append(s.found, candidate{key, scores[i]})
	}
	s.queued, s.queue = s.queued[:0], s.queue[:0]
	return s.found[first:]
}

func (s *search) climb(at candidate) {
	for range steps {
		for key, p := range s.space.Neighbors(s.space.PointInto(nil, at.key)) {
			s.offer(key, p)
		}
		next := at
		for _, c := range s.evaluate() {
			if c.score > next.score {
				next = c
			}
		}
		if next == at {
			return
		}
		at = next
	}
}

func (s *search) sort() {
	slices.SortFunc(s.found, func(a, b candidate) int {
		if c := cmp.Compare(b.score, a.score); c != 0 {
			return c
		}
		return a.key.Compare(b.key)
	})
}
