package edge

import (
	"math"
	"sync"
)

// key is what the mapping of every layer depends on: the array, and how a real
// chip issues its steps. What a layer depends on beyond that says its reach.
type key struct {
	pesX, pesY, cores, lanes int64
	issuePercent             int64
	packed, resident         bool
}

func keyOf(m *machine) key {
	return key{m.PEsX, m.PEsY, m.Cores, m.Lanes, m.IssuePercent, m.PackedDepthwise, m.ResidentBytes > 0}
}

// reach is for which memories and bandwidths, on one array, a layer has the
// same mapping and cost: none that limits it limits it in all of them.
type reach struct {
	coreMemory, peMemory, ioRate span
	peMemories                   span // of all PEs together
}

// span is a range of numbers, both ends included.
type span struct{ least, most int64 }

func (s span) holds(n int64) bool { return n >= s.least && n <= s.most }

// anywhere is the reach of a layer that nothing limits.
func anywhere() reach {
	all := span{0, math.MaxInt64}
	return reach{all, all, all, all}
}

func (r *reach) holds(m *machine) bool {
	return r.coreMemory.holds(m.CoreMemory) && r.peMemory.holds(m.PEMemory) && r.ioRate.holds(m.ioRate) && r.peMemories.holds(m.allPEs*m.PEMemory)
}

// words notes that a mapping was tried whose weights are n words per lane.
// Where they fit at once, larger core memories change nothing.
func (r *reach) words(q *search, n int64) {
	if q.half < n {
		r.coreMemory = span{q.m.CoreMemory, q.m.CoreMemory}
		return
	}
	r.coreMemory.least = max(r.coreMemory.least, 2*q.m.Lanes*q.s.window*n)
}

// sums notes that a mapping was tried that would keep the given bytes of
// partial sums in half of a PE's memory.
func (r *reach) sums(q *search, bytes int64) {
	if bytes > q.m.PEMemory/2 {
		r.peMemory = span{q.m.PEMemory, q.m.PEMemory}
		return
	}
	r.peMemory.least = max(r.peMemory.least, 2*bytes)
}

// need notes that a mapping was tried that holds the given bytes in each of so
// many PEs. Where they or what waits beside them do not fit, the off-chip
// interface decides with.
func (r *reach) need(q *search, bytes, pes int64) {
	m := q.m
	all := m.allPEs * m.PEMemory
	if m.crowds(q.s, bytes, pes) > 0 {
		r.peMemory = span{m.PEMemory, m.PEMemory}
		r.peMemories = span{all, all}
		r.ioRate = span{m.ioRate, m.ioRate}
		return
	}
	r.peMemory.least = max(r.peMemory.least, bytes)
	r.peMemories.least = max(r.peMemories.least, bytes*pes+q.s.idle)
}

// cacheSlots bounds the cache: 256 arrays of 31 shapes are 2.6 MB; chosen: a walk
// that changes one parameter at a time revisits few arrays and their parts.
const cacheSlots = 256

// cache keeps the mapped layers of recent arrays. Each slot has its own lock; a
// slot that another evaluation holds is a miss, nobody waits.
type cache struct {
	slots [cacheSlots]slot
}

type slot struct {
	mu    sync.Mutex
	key   key
	costs []layerCost
	reach []reach // of costs; the zero value holds for no chip
	// quickest is what no mapping of a shape on the array or a part of it gets
	// below; nil until somebody asks.
	quickest []int64
}

// mapAll maps every shape, or takes what the cache has of it.
func (c *cache) mapAll(m *machine, shapes []shape, costs []layerCost) {
	k := keyOf(m)
	s := &c.slots[k.slot()]
	if !s.mu.TryLock() {
		for i := range shapes {
			m.mapLayer(&shapes[i], &costs[i])
		}
		return
	}
	defer s.mu.Unlock()
	if s.key != k {
		s.take(k, len(shapes))
	}
	for i := range shapes {
		if !s.reach[i].holds(m) {
			s.reach[i] = m.mapLayer(&shapes[i], &s.costs[i])
		}
	}
	copy(costs, s.costs)
}

// take empties a slot for another array.
func (s *slot) take(k key, shapes int) {
	if s.costs == nil {
		s.costs, s.reach, s.quickest = make([]layerCost, shapes), make([]reach, shapes), make([]int64, shapes)
	}
	s.key = k
	clear(s.reach)
	clear(s.quickest)
}

// bounds writes costs that no mapping on the array or a part of it gets below.
func (c *cache) bounds(m *machine, shapes []shape, costs []layerCost) {
	k := keyOf(m)
	s := &c.slots[k.slot()]
	known := s.mu.TryLock()
	if known {
		defer s.mu.Unlock()
		if s.key != k {
			s.take(k, len(shapes))
		}
	}
	units := m.PEs() * m.Cores * m.Lanes
	for i := range shapes {
		var cycles int64
		if known {
			cycles = s.quickest[i]
		}
		if cycles == 0 {
			cycles = m.quickest(&shapes[i])
		}
		if known {
			s.quickest[i] = cycles
		}
		costs[i] = layerCost{cycles: cycles, activePEs: 1, steps: shapes[i].fewestSteps(units)}
	}
}

// slot hashes the key with FNV-1a over its words.
func (k *key) slot() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a, 64 bits
	h := uint64(offset)
	for _, v := range [...]int64{k.pesX, k.pesY, k.cores, k.lanes} {
		h = (h ^ uint64(v)) * prime
	}
	return (h >> 32) % cacheSlots // the high bits are the better mixed
}
