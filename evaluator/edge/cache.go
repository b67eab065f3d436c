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
}

// span is a range of numbers, both ends included.
type span struct{ least, most int64 }

func (s span) holds(n int64) bool { return n >= s.least && n <= s.most }

// anywhere is the reach of a layer that nothing limits.
func anywhere() reach {
	all := span{0, math.MaxInt64}
	return reach{all, all, all}
}

func (r *reach) holds(m *machine) bool {
	return r.coreMemory.holds(m.CoreMemory) && r.peMemory.holds(m.PEMemory) && r.ioRate.holds(m.ioRate)
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

// need notes that a mapping was tried that holds the given bytes in a PE. Where
// they do not fit, the off-chip interface decides with.
func (r *reach) need(q *search, bytes int64) {
	if bytes > q.m.PEMemory {
		r.peMemory = span{q.m.PEMemory, q.m.PEMemory}
		r.ioRate = span{q.m.ioRate, q.m.ioRate}
		return
	}
	r.peMemory.least = max(r.peMemory.least, bytes)
}

// cacheSlots bounds the cache: 64 arrays of 31 shapes are 0.6 MB; chosen: a
// walk that changes one parameter at a time revisits few arrays.
const cacheSlots = 64

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
}

func newCache(shapes int) *cache {
	c := &cache{}
	for i := range c.slots {
		c.slots[i].costs, c.slots[i].reach = make([]layerCost, shapes), make([]reach, shapes)
	}
	return c
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
		s.key = k
		clear(s.reach)
	}
	for i := range shapes {
		if !s.reach[i].holds(m) {
			s.reach[i] = m.mapLayer(&shapes[i], &s.costs[i])
		}
	}
	copy(costs, s.costs)
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
