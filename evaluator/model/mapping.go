package model

import (
	"fmt"
	"strings"
)

// Mapping is a loop nest: which dimension is split how often at which level.
type Mapping struct {
	// Loops holds one entry per level of the Arch.
	Loops [MaxLevels]Loops
}

// Loops are the loops of one level.
type Loops struct {
	// Temporal is the number of steps per dimension, at least 1.
	Temporal [Dims]int64
	// Order lists the dimensions from the outermost temporal loop to the
	// innermost. It is a permutation; loops of one step may stand anywhere.
	Order [Dims]Dim
	// Spatial is the number of instances of the next level that a dimension is
	// spread over, at least 1; their product is at most the level's Fanout.
	Spatial [Dims]int64
	// Bypass marks operands that the level does not store in this mapping
	// although it could.
	Bypass [Operands]bool
}

// Ones returns loops of one step in the order of the dimensions.
func Ones() Loops {
	var l Loops
	for d := range Dims {
		l.Temporal[d], l.Spatial[d], l.Order[d] = 1, 1, d
	}
	return l
}

// maxIterations bounds the product of all factors of a mapping: sixteen bytes for each
// iteration, times the thousand cycles of a rate, are then below 2^63. The largest layer
// (evaluator/lower) has 2^46.
const maxIterations = 1 << 49

// Validate returns an error when the mapping does not cover the problem, has more than
// maxIterations, uses more instances than there are, or needs more capacity than a level has.
func (m *Mapping) Validate(p *Problem, a *Arch) error {
	all := int64(1)
	for d := range Dims {
		covered := int64(1)
		for i := range a.Levels {
			l := &m.Loops[i]
			if l.Temporal[d] < 1 || l.Spatial[d] < 1 {
				return fmt.Errorf("level %s: a factor of %s is below 1", a.Level[i].Name, d)
			}
			for _, n := range [...]int64{l.Temporal[d], l.Spatial[d]} {
				if all > maxIterations/n {
					return fmt.Errorf("level %s: with a factor of %d over %s the loops of the mapping have more than %d iterations in all: take smaller factors, whose product over the levels covers the layer",
						a.Level[i].Name, n, d, int64(maxIterations))
				}
				all, covered = all*n, covered*n
			}
		}
		if covered < p.Bound[d] {
			return fmt.Errorf("the loops over %s cover %d of %d", d, covered, p.Bound[d])
		}
	}
	for i := range a.Levels {
		l := &m.Loops[i]
		if used := product(&l.Spatial); used > a.Level[i].Fanout {
			return fmt.Errorf("level %s: the mapping uses %d instances below it, there are %d", a.Level[i].Name, used, a.Level[i].Fanout)
		}
		var seen [Dims]bool
		for _, d := range l.Order {
			if d >= Dims || seen[d] {
				return fmt.Errorf("level %s: the loop order is no permutation", a.Level[i].Name)
			}
			seen[d] = true
		}
	}
	return m.fits(p, a)
}

func (m *Mapping) fits(p *Problem, a *Arch) error {
	var r Result
	r.Eval(p, a, m)
	for i := range a.Levels {
		l := &a.Level[i]
		need := r.TileBytes(p, i)
		if l.DoubleBuffered {
			need *= 2
		}
		if l.Capacity > 0 && need > l.Capacity {
			return fmt.Errorf("level %s: the tiles need %d bytes, it has %d", l.Name, need, l.Capacity)
		}
	}
	return nil
}

// String returns the mapping as a loop nest, one line per loop, outermost
// first; par marks spatial loops. Loops of one step are left out.
func (m *Mapping) String(a *Arch) string {
	var b strings.Builder
	depth := 0
	for i := range a.Levels {
		l := &m.Loops[i]
		fmt.Fprintf(&b, "%s%s:\n", strings.Repeat(" ", depth), a.Level[i].Name)
		depth++
		for _, d := range l.Order {
			if l.Temporal[d] > 1 {
				fmt.Fprintf(&b, "%sfor %s in 0..%d\n", strings.Repeat(" ", depth), d, l.Temporal[d]-1)
				depth++
			}
		}
		for d := range Dims {
			if l.Spatial[d] > 1 {
				fmt.Fprintf(&b, "%spar %s in 0..%d\n", strings.Repeat(" ", depth), d, l.Spatial[d]-1)
				depth++
			}
		}
	}
	return b.String()
}
