package space

import (
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
)

// Key tells the points of one space apart. It is what sets of points are keyed
// by, because not every space can number its points: where it can, a key is the
// index, elsewhere the levels themselves, packed. Keys are exact, no two points
// share one. The zero Key is that of the first point of a space that numbers its
// points.
type Key struct {
	index uint64
	wide  string
}

// Compare orders keys as At orders points: by the first parameter that differs.
func (k Key) Compare(other Key) int {
	if c := cmp.Compare(k.index, other.index); c != 0 {
		return c
	}
	return strings.Compare(k.wide, other.wide)
}

// Countable reports whether points have an index: the space has less than 2^63.
func (s Space) Countable() bool { return !s.wide }

// Count returns the exact number of points, also where they have no index.
func (s Space) Count() *big.Int {
	n := big.NewInt(1)
	for _, levels := range s.levels {
		n.Mul(n, big.NewInt(int64(levels)))
	}
	return n
}

// Key returns the key of p. It panics when p does not belong to the space.
func (s Space) Key(p Point) Key {
	k, ok := s.KeyOf(p)
	if !ok {
		panic(fmt.Sprintf("space: point %v does not belong to the space", p))
	}
	return k
}

// KeyOf returns the key of p, or false when p does not belong to the space.
func (s Space) KeyOf(p Point) (Key, bool) {
	if !s.wide {
		index, ok := s.IndexOf(p)
		return Key{index: index}, ok
	}
	if !s.Contains(p) {
		return Key{}, false
	}
	packed := make([]byte, 0, 4*len(p))
	for i, level := range p {
		for shift := 8 * (width(s.levels[i]) - 1); shift >= 0; shift -= 8 {
			packed = append(packed, byte(level>>shift))
		}
	}
	return Key{wide: string(packed)}, true
}

// KeyAt returns the key of the point with an index.
func (s Space) KeyAt(index uint64) Key {
	s.mustCount()
	return Key{index: index}
}

// PointInto writes the point with a key into the memory of dst, as AtInto does.
// The key must be one of this space.
func (s Space) PointInto(dst Point, k Key) Point {
	if !s.wide {
		return s.AtInto(dst, k.index)
	}
	dst = dst[:0]
	rest := k.wide
	for _, levels := range s.levels {
		level := 0
		for range width(levels) {
			level, rest = level<<8|int(rest[0]), rest[1:]
		}
		dst = append(dst, level)
	}
	return dst
}

// width is the number of bytes that hold a level.
func width(levels int) int {
	n := 1
	for last := levels - 1; last > 0xff; last >>= 8 {
		n++
	}
	return n
}

// Draw writes a point into the memory of dst, each with equal probability.
func (s Space) Draw(dst Point, rng *rand.Rand) Point {
	if !s.wide {
		return s.AtInto(dst, rng.Uint64N(s.Size()))
	}
	dst = dst[:0]
	for _, levels := range s.levels {
		dst = append(dst, rng.IntN(levels))
	}
	return dst
}

// Map holds something by point. The zero Map is empty and ready to use.
type Map[V any] struct {
	// Indices have a map of their own: it takes a third of the memory.
	narrow map[uint64]V
	wide   map[string]V
}

// Put sets what is held for k.
func (m *Map[V]) Put(k Key, v V) {
	switch {
	case k.wide != "" && m.wide == nil:
		m.wide = map[string]V{k.wide: v}
	case k.wide != "":
		m.wide[k.wide] = v
	case m.narrow == nil:
		m.narrow = map[uint64]V{k.index: v}
	default:
		m.narrow[k.index] = v
	}
}

// Get returns what is held for k, or false when nothing is.
func (m *Map[V]) Get(k Key) (V, bool) {
	if k.wide != "" {
		v, ok := m.wide[k.wide]
		return v, ok
	}
	v, ok := m.narrow[k.index]
	return v, ok
}

// Has reports whether something is held for k.
func (m *Map[V]) Has(k Key) bool {
	_, ok := m.Get(k)
	return ok
}

// Len returns the number of points for which something is held.
func (m *Map[V]) Len() int { return len(m.narrow) + len(m.wide) }

// Delete forgets what is held for k.
func (m *Map[V]) Delete(k Key) {
	if k.wide != "" {
		delete(m.wide, k.wide)
		return
	}
	delete(m.narrow, k.index)
}

// Clear forgets all of it and keeps the memory.
func (m *Map[V]) Clear() {
	clear(m.narrow)
	clear(m.wide)
}

// Set is a set of points.
type Set struct{ members Map[struct{}] }

// Add adds k and reports whether it is new.
func (s *Set) Add(k Key) bool {
	before := s.members.Len()
	s.members.Put(k, struct{}{})
	return s.members.Len() > before
}

// Remove takes k out of the set.
func (s *Set) Remove(k Key) { s.members.Delete(k) }

// Clear makes the set empty and keeps its memory.
func (s *Set) Clear() { s.members.Clear() }

// Has reports whether k is in the set.
func (s *Set) Has(k Key) bool { return s.members.Has(k) }

// Len returns the number of points in the set.
func (s *Set) Len() int { return s.members.Len() }
