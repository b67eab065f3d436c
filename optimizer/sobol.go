package optimizer

import (
	"math/bits"

	"apollo/optimizer/space"
)

// Sobol proposes the legal new points of a scrambled Sobol sequence in order:
// like Random it does not learn, but it covers every parameter, and every pair
// of the first ones, more evenly.
//
// References: I. M. Sobol', USSR Comput. Math. Math. Phys. 7, 1967; S. Joe,
// F. Y. Kuo, Constructing Sobol sequences with better two-dimensional
// projections, SIAM J. Sci. Comput. 30, 2008 (the direction numbers, set
// new-joe-kuo-6); A. B. Owen, Randomly permuted (t,m,s)-nets, 1995, by the hash
// of B. Burley, Practical Hash-based Owen Scrambling, JCGT 9, 2020.
//
// Parameters after the 40th take the first dimensions again under another
// scrambling. The sequence passes through the legality predicate: a point that
// is not legal or not new is skipped. After 65,536 skips in a row, or 32
// for every point of a small space, and when
// the 2^32 points of the sequence are used up, the rest is Random. An ask takes
// O(1/share) checks a design, where share is the part of the space that is
// legal and new; memory is that of Random and 24 bytes for every legal point
// passed. It uses neither Features nor Prior, and any number of objectives.
type Sobol struct {
	// MaxChecks bounds the search for a legal point; see Random.
	MaxChecks int `json:"maxChecks"`
}

var _ Strategy = (*sobol)(nil)

// Start implements Algorithm.
func (a Sobol) Start(p Problem) (Strategy, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	return &sobol{sampler: newSampler(p, a.MaxChecks), sequence: newSobolSequence(p)}, nil
}

func (a Sobol) validate() error { return Random(a).validate() }

type sobol struct {
	sampler
	sequence *sobolSequence
}

func (s *sobol) Tell(obs ...Observation) {
	for i := range obs {
		s.markTold(obs[i].Point)
	}
}

func (s *sobol) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := s.open(at, n, pending, "sobol")
	if err != nil {
		return nil, err
	}
	b.cover(s.sequence, n)
	b.fill(n)
	return b.close()
}

// cover proposes new points of the sequence until there are n proposals.
func (b *batch) cover(s *sobolSequence, n int) {
	s.skip(b.sampler)
	for i := s.cursor; len(b.out) < n; i++ {
		key, ok := s.at(i, b.sampler)
		if !ok {
			return
		}
		if b.fresh(key) {
			b.point = b.problem.Space.PointInto(b.point, key)
			b.propose(key, b.point)
		}
	}
}

// sobolSkips is how many points in a row may be illegal or repeats. Chosen: at
// one legal point in 4,000 all of them miss once in ten million times.
const sobolSkips = 1 << 16

// sobolSequence is the legal points of a scrambled sequence without repeats. It
// depends on the problem alone; what it keeps is a cache.
type sobolSequence struct {
	seeds  []uint32 // of the scrambling, by parameter
	next   uint32
	ended  bool
	seen   space.Set
	legal  []space.Key
	cursor int // all of legal before it were told
	point  space.Point
	matrix [][]uint32
}

func newSobolSequence(p Problem) *sobolSequence {
	s := &sobolSequence{matrix: sobolMatrix(p.Space.Len())}
	for i := range p.Space.Len() {
		s.seeds = append(s.seeds, uint32(scramble(p.Seed^scramble(uint64(i)+1))))
	}
	return s
}

// skip moves the cursor past what was told: told points stay told.
func (s *sobolSequence) skip(told *sampler) {
	for s.cursor < len(s.legal) {
		if !told.told.Has(s.legal[s.cursor]) {
			return
		}
		s.cursor++
	}
}

// at returns legal point i of the sequence, or false when it ends before.
func (s *sobolSequence) at(i int, in *sampler) (space.Key, bool) {
	limit := 32 * min(sobolSkips/32, in.problem.Space.Size())
	for misses := uint64(0); len(s.legal) <= i && !s.ended; {
		key := s.draw(in.problem)
		if !s.seen.Has(key) && in.problem.Legal(s.point) {
			s.seen.Add(key)
			s.legal = append(s.legal, key)
			misses = 0
			continue
		}
		misses++
		s.ended = s.ended || misses == limit
	}
	if i >= len(s.legal) {
		return space.Key{}, false
	}
	return s.legal[i], true
}

// draw computes the next point of the sequence into s.point.
func (s *sobolSequence) draw(in Problem) space.Key {
	s.point = s.point[:0]
	for i, p := range in.Space.Params() {
		u := owen(sobolBits(s.matrix[i], s.next), s.seeds[i])
		s.point = append(s.point, int(uint64(u)*uint64(p.Len())>>32))
	}
	s.next++
	s.ended = s.next == 0
	in.Settle(s.point)
	return in.Space.Key(s.point)
}

// sobolBits is coordinate i of the sequence as a 32-bit fraction.
func sobolBits(directions []uint32, i uint32) uint32 {
	x := uint32(0)
	for bit := 0; i != 0; i, bit = i>>1, bit+1 {
		if i&1 != 0 {
			x ^= directions[bit]
		}
	}
	return x
}

// owen permutes each bit depending on the bits above it: Burley's hash on the
// reversed bits, with the constants of section 3 (after Laine and Karras 2011).
func owen(x, seed uint32) uint32 {
	x = bits.Reverse32(x)
	x ^= x * 0x3d20adea
	x += seed
	x *= (seed >> 16) | 1
	x ^= x * 0x05526c56
	x ^= x * 0x53a22864
	return bits.Reverse32(x)
}

// sobolMatrix returns, by parameter and bit of the index, the direction numbers
// as 32-bit fractions.
func sobolMatrix(parameters int) [][]uint32 {
	table := joeKuo()
	matrix := make([][]uint32, parameters)
	for i := range matrix {
		v := make([]uint32, 32)
		matrix[i] = v
		dimension := i % (len(table) + 1)
		if dimension == 0 {
			for k := range v {
				v[k] = 1 << (31 - k)
			}
			continue
		}
		row := table[dimension-1]
		s := row.degree
		for k := range v {
			if k < s {
				v[k] = row.initial[k] << (31 - k)
				continue
			}
			v[k] = v[k-s] ^ v[k-s]>>s
			for j := 1; j < s; j++ {
				if row.coefficients>>(s-1-j)&1 != 0 {
					v[k] ^= v[k-j]
				}
			}
		}
	}
	return matrix
}
