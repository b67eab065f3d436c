package edge

import "sync"

// key is what the cost of a mapped layer depends on: seven of the ten
// parameters, the clock through ioRate, and how a real chip issues its steps. The chip-level memories enter in
// the network pass only, so changing one of them is a hit.
type key struct {
	pesX, pesY, peMemory, cores, coreMemory, lanes, ioRate int64
	issuePercent                                           int64
	packed, resident                                       bool
}

func keyOf(m *machine) key {
	return key{m.PEsX, m.PEsY, m.PEMemory, m.Cores, m.CoreMemory, m.Lanes, m.ioRate, m.IssuePercent, m.PackedDepthwise, m.ResidentBytes > 0}
}

// cacheSlots bounds the cache: about 64 designs of 31 shapes are 0.5 MB;
// chosen: a walk that changes one parameter at a time revisits few designs.
const cacheSlots = 64

// cache keeps the mapped layers of recent designs. Each slot has its own lock;
// a slot that another evaluation holds is a miss, nobody waits.
type cache struct {
	slots [cacheSlots]slot
}

type slot struct {
	mu    sync.Mutex
	full  bool
	key   key
	costs []layerCost
}

func newCache(shapes int) *cache {
	c := &cache{}
	for i := range c.slots {
		c.slots[i].costs = make([]layerCost, shapes)
	}
	return c
}

func (c *cache) load(k *key, costs []layerCost) bool {
	s := &c.slots[k.slot()]
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	if !s.full || s.key != *k {
		return false
	}
	copy(costs, s.costs)
	return true
}

func (c *cache) store(k *key, costs []layerCost) {
	s := &c.slots[k.slot()]
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	s.full, s.key = true, *k
	copy(s.costs, costs)
}

// slot hashes the key with FNV-1a over its words.
func (k *key) slot() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a, 64 bits
	h := uint64(offset)
	for _, v := range [...]int64{k.pesX, k.pesY, k.peMemory, k.cores, k.coreMemory, k.lanes, k.ioRate} {
		h = (h ^ uint64(v)) * prime
	}
	return (h >> 32) % cacheSlots // the high bits are the better mixed
}
