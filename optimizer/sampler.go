package optimizer

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"apollo/optimizer/space"
)

// ErrGaveUp is returned by Ask when a bounded search met no new legal design
// in a space that is too large to be searched as a whole. Unlike ErrExhausted
// it proves nothing: a larger bound (the knob MaxChecks) may find one.
var ErrGaveUp = errors.New("no new legal design was found")

const (
	// defaultMaxChecks bounds a search without luck to about half a second at
	// 100 ns a check. Chosen.
	defaultMaxChecks = 1 << 22
	// missLimit is how many uniform draws in a row may miss before the sampler
	// turns to a systematic scan. Chosen: where one point in a thousand is
	// legal, all of them miss once in 3,600 times.
	missLimit = 1 << 13
	// walkShare is the part of MaxChecks that the walk from known legal points
	// may use on top of it. Chosen: small beside the scan that went before.
	walkShare = 16
)

// sampler holds the legal lattice and which of its points were told, the part
// that every strategy shares.
type sampler struct {
	problem   Problem
	maxChecks uint64
	told      space.Set
	order     []space.Key // told, first told first
	stock     []space.Key // see reservoir: a cache
	// taken and pending are the memory of a batch: one is open at a time. held are
	// the members of taken, each once.
	taken   space.Set
	held    []space.Key
	pending []space.Key
}

func newSampler(p Problem, maxChecks int) sampler {
	if p.Legal == nil {
		p.Legal = func(space.Point) bool { return true }
	}
	if p.Settle == nil {
		p.Settle = func(space.Point) {}
	}
	if maxChecks == 0 {
		maxChecks = defaultMaxChecks
	}
	return sampler{problem: p, maxChecks: uint64(maxChecks)}
}

// markTold notes a told point. It returns false for a repeat and for a point that
// does not belong to the space.
func (s *sampler) markTold(p space.Point) bool {
	key, ok := s.problem.Space.KeyOf(p)
	if !ok || !s.told.Add(key) {
		return false
	}
	s.order = append(s.order, key)
	return true
}

// batch is one ask under way: its random stream and what it proposes.
type batch struct {
	*sampler // taken holds the pending and the proposed points
	rng      *rand.Rand
	origin   string
	out      []Proposal
	point    space.Point // scratch
	checks   uint64      // points that scan and walk looked at
	dry      bool        // scan and walk found too little: fill would find nothing more
}

func (s *sampler) open(at uint64, n int, pending []space.Point, origin string) (*batch, error) {
	if n < 1 {
		return nil, fmt.Errorf("ask for %d designs: at least 1 is needed", n)
	}
	s.pending = s.pending[:0]
	for _, p := range pending {
		if key, ok := s.problem.Space.KeyOf(p); ok {
			s.pending = append(s.pending, key)
		}
	}
	s.takePending()
	return &batch{
		sampler: s,
		rng:     rand.New(rand.NewPCG(s.problem.Seed, at)),
		origin:  origin,
	}, nil
}

// takePending makes taken the set of pending. Most of it was pending, or proposed,
// at the last ask already, in the same order: that is not hashed again.
func (s *sampler) takePending() {
	kept, before := 0, 0
	for _, key := range s.pending {
		for before < len(s.held) && s.held[before] != key {
			s.taken.Remove(s.held[before])
			before++
		}
		if before == len(s.held) {
			break
		}
		before++
		s.held[kept] = key
		kept++
	}
	for ; before < len(s.held); before++ {
		s.taken.Remove(s.held[before])
	}
	s.held = s.held[:kept]
	for _, key := range s.pending[kept:] {
		s.hold(key)
	}
}

// hold adds a point to taken.
func (s *sampler) hold(key space.Key) {
	if s.taken.Add(key) {
		s.held = append(s.held, key)
	}
}

// fresh reports whether the point was neither told nor taken.
func (b *batch) fresh(key space.Key) bool { return !b.told.Has(key) && !b.taken.Has(key) }

// offer proposes p when it is new and legal, and reports whether it did.
func (b *batch) offer(key space.Key, p space.Point) bool {
	if !b.fresh(key) || !b.problem.Legal(p) {
		return false
	}
	b.propose(key, p)
	return true
}

func (b *batch) propose(key space.Key, p space.Point) {
	b.hold(key)
	b.out = append(b.out, Proposal{Point: p.Clone(), Origin: b.origin})
}

// close returns the proposals, or the reason why there is none.
func (b *batch) close() ([]Proposal, error) {
	switch {
	case len(b.out) > 0:
		return b.out, nil
	case b.problem.Space.Size() <= b.maxChecks:
		return nil, ErrExhausted
	}
	return nil, fmt.Errorf("%w in %d checks of a space of %d points (knob maxChecks)", ErrGaveUp, b.checks, b.problem.Space.Count())
}

// fill adds uniform new legal points until there are n proposals, or no more
// can be found.
func (b *batch) fill(n int) {
	for len(b.out) < n && !b.dry {
		if b.draw() {
			continue
		}
		b.scan(n)
		if len(b.out) < n && b.problem.Space.Size() > b.maxChecks {
			b.walk(n)
		}
		b.dry = len(b.out) < n
	}
}

// draw proposes one uniform new legal point by rejection.
func (b *batch) draw() bool {
	key, ok := b.uniform()
	if ok {
		b.propose(key, b.point)
	}
	return ok
}

// uniform sets point to a uniform new legal one by rejection.
func (b *batch) uniform() (key space.Key, ok bool) {
	s := b.problem.Space
	for range min(missLimit, s.Size()) { // beyond size a scan is cheaper
		b.point = s.Draw(b.point, b.rng)
		b.problem.Settle(b.point)
		// Legality first: in a large space nearly all draws fail here, and a
		// check costs about as much as a miss in a large table.
		if !b.problem.Legal(b.point) {
			continue
		}
		if key := s.Key(b.point); b.fresh(key) {
			return key, true
		}
	}
	return key, false
}

// scan visits the space in random order, without repeats, so that what it
// finds is uniform too and a space of up to maxChecks points is searched to
// its last point. Where points have no index a repeat is as good as impossible,
// and they are drawn.
func (b *batch) scan(n int) {
	s := b.problem.Space
	var order permutation
	if s.Countable() {
		order = newPermutation(s.Size(), b.rng)
	}
	for i := range min(s.Size(), b.maxChecks) {
		if len(b.out) >= n {
			return
		}
		b.checks++
		if !s.Countable() {
			b.point = s.Draw(b.point, b.rng)
			b.problem.Settle(b.point)
			b.offer(s.Key(b.point), b.point)
			continue
		}
		if key := s.KeyAt(order.at(i)); b.fresh(key) {
			b.point = s.PointInto(b.point, key)
			b.offer(key, b.point)
		}
	}
}

// walk looks one parameter away from every legal point that is known, and from
// the points it finds: where legal points are too rare to be hit by chance
// they still tend to be neighbours. What it finds is not uniform.
func (b *batch) walk(n int) {
	budget := b.checks + b.maxChecks/walkShare
	told := uint64(len(b.order))
	start := uint64(0)
	if told > 0 {
		start = b.rng.Uint64N(told)
	}
	var home space.Point
	for i := uint64(0); len(b.out) < n && b.checks < budget; i++ {
		switch found := i - told - uint64(len(b.pending)); {
		case i < told:
			home = b.problem.Space.PointInto(home, b.order[(start+i)%told])
		case i < told+uint64(len(b.pending)):
			home = b.problem.Space.PointInto(home, b.pending[i-told])
		case found < uint64(len(b.out)):
			home = append(home[:0], b.out[found].Point...)
		default:
			return
		}
		b.checks++
		if b.problem.Legal(home) {
			b.look(home, n, budget)
		}
	}
}

func (b *batch) look(home space.Point, n int, budget uint64) {
	for key, p := range b.problem.Space.Neighbors(home) {
		if len(b.out) >= n || b.checks >= budget {
			return
		}
		b.checks++
		b.offer(key, p)
	}
}
