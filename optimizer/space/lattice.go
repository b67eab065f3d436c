package space

import (
	"fmt"
	"iter"
	"math"
)

// At returns the point with the given index; the last parameter varies
// fastest. It panics when index is not below Size, or the space not Countable.
func (s Space) At(index uint64) Point {
	return s.AtInto(make(Point, 0, len(s.levels)), index)
}

// AtInto is At in the memory of dst, whose content it replaces. It allocates
// only when dst is too short.
func (s Space) AtInto(dst Point, index uint64) Point {
	s.mustCount()
	if index >= s.Size() {
		panic(fmt.Sprintf("space: index %d in a space of %d points", index, s.Size()))
	}
	n := len(s.levels)
	if cap(dst) < n {
		dst = make(Point, n)
	}
	dst = dst[:n]
	i := n - 1
	for ; i >= 0 && index > math.MaxUint32; i-- {
		m := uint64(s.levels[i])
		dst[i] = int(index % m)
		index /= m
	}
	// A 32-bit division is several times cheaper, and most spaces fit.
	rest := uint32(index)
	for ; i >= 0; i-- {
		m := uint32(s.levels[i])
		dst[i] = int(rest % m)
		rest /= m
	}
	return dst
}

// Index returns the index of p, the inverse of At. It panics when p does not
// belong to the space (IndexOf and Contains tell).
func (s Space) Index(p Point) uint64 {
	index, ok := s.IndexOf(p)
	if !ok {
		panic(fmt.Sprintf("space: point %v does not belong to the space", p))
	}
	return index
}

func (s Space) mustCount() {
	if s.wide {
		panic("space: the points of a space of 2^63 or more have no index")
	}
}

// IndexOf returns the index of p, or false when p does not belong to the space.
// It panics when the space is not Countable.
func (s Space) IndexOf(p Point) (uint64, bool) {
	s.mustCount()
	if len(p) != len(s.levels) {
		return 0, false
	}
	var index uint64
	for i, level := range p {
		n := s.levels[i]
		if uint(level) >= uint(n) {
			return 0, false
		}
		index = index*uint64(n) + uint64(level)
	}
	return index, true
}

// Contains reports whether p has one valid level per parameter.
func (s Space) Contains(p Point) bool {
	if len(p) != len(s.levels) {
		return false
	}
	for i, level := range p {
		if uint(level) >= uint(s.levels[i]) {
			return false
		}
	}
	return true
}

// All yields every point in index order. Each point is the caller's to keep. It
// panics when the space is not Countable.
func (s Space) All() iter.Seq2[uint64, Point] {
	return func(yield func(uint64, Point) bool) {
		s.mustCount()
		for i := range s.Size() {
			if !yield(i, s.At(i)) {
				return
			}
		}
	}
}

// Neighbors yields the points that differ from p in exactly one parameter, by
// parameter and then by level, each with its key. The yielded point is one
// buffer that is written again at the next step: clone what is kept. p itself
// is not written. It panics when p does not belong to the space.
func (s Space) Neighbors(p Point) iter.Seq2[Key, Point] {
	center := s.Key(p)
	return func(yield func(Key, Point) bool) {
		near := p.Clone()
		stride := s.Size()
		for i, home := range p {
			stride /= uint64(s.levels[i])
			first := center.index - uint64(home)*stride
			for level := range s.levels[i] {
				if level == home {
					continue
				}
				near[i] = level
				key := Key{index: first + uint64(level)*stride}
				if s.wide {
					key = s.Key(near)
				}
				if !yield(key, near) {
					return
				}
			}
			near[i] = home
		}
	}
}
