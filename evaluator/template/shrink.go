package template

import (
	"math"

	"apollo/evaluator/model"
)

// several stands for any number of tiles over input channels but one.
const several = 2

// arrange puts the loops of the inner level where they belong. It reports whether
// some did not fit there, and whether all levels hold their tiles now.
func (s *search) arrange(how inside) (moved, ok bool) {
	if how != weightsPass && how != sumsPass {
		return s.shrink(how == channelsLeave)
	}
	in, out := &s.m.Loops[s.l.inner].Temporal, &s.m.Loops[1].Temporal
	in[model.K], out[model.K] = 1, in[model.K]
	if moved, ok = s.shrink(false); !moved {
		ok = s.movedFits()
	}
	return moved, ok
}

// shrink moves loops of the inner level whose tiles do not fit it, or a level
// above it, to the buffer: those over pixels first, or those over output
// channels. It reports whether some moved, and whether all levels hold their
// tiles now.
func (s *search) shrink(channelsFirst bool) (moved, ok bool) {
	for i := s.l.arch.Levels - 1; i >= 2; i-- {
		for !s.levelFits(i) {
			if !s.move(i, channelsFirst) {
				return moved, false
			}
			moved = true
		}
	}
	return moved, !moved || s.movedFits()
}

// movedFits reports whether the buffer holds the tile after loops moved: halves
// of an odd number are more than the whole, and outputs may come to it before
// they are complete.
func (s *search) movedFits() bool {
	extent, n, tile := s.extentInBuffer(), s.m.Loops[0].Temporal[model.C], &s.m.Loops[1].Temporal
	if tile[model.C]*tile[model.R]*tile[model.S] > 1 {
		n = several
	}
	return s.need(1, &extent, n) <= s.room
}

// extentInBuffer returns the extent of a tile of the buffer under the mapping that is tried.
func (s *search) extentInBuffer() [model.Dims]int64 {
	extent := s.at.inside[1]
	tile, in := &s.m.Loops[1].Temporal, &s.m.Loops[s.l.inner].Temporal
	for d := range model.Dims {
		extent[d] = min(extent[d]*tile[d]*in[d], s.p.Bound[d])
	}
	return extent
}

func (s *search) levelFits(i int) bool {
	room := s.l.room(i)
	if room == math.MaxInt64 {
		return true
	}
	extent := s.extentOf(i)
	return s.need(i, &extent, several) <= room
}

// extentOf returns the extent of a tile of an inner level under the mapping that
// is tried.
func (s *search) extentOf(level int) (extent [model.Dims]int64) {
	extent = s.at.inside[level]
	if level <= s.l.inner {
		for d, n := range s.m.Loops[s.l.inner].Temporal {
			extent[d] = min(extent[d]*n, s.p.Bound[d])
		}
	}
	return extent
}

// move halves a loop of the inner level whose dimension a kept operand has, and
// reports whether there was one.
func (s *search) move(level int, channelsFirst bool) bool {
	if s.l.inner < level {
		return false
	}
	in := &s.m.Loops[s.l.inner]
	order := [model.Dims]model.Dim{model.P, model.Q, model.K, model.C, model.R, model.S, model.G, model.N}
	if channelsFirst {
		order = [model.Dims]model.Dim{model.K, model.P, model.Q, model.C, model.R, model.S, model.G, model.N}
	}
	for _, d := range order {
		n := in.Temporal[d]
		if n == 1 || !s.holds(level, d) {
			continue
		}
		s.halve(d)
		return true
	}
	return false
}

// halve moves half of a loop of the inner level to the buffer. Steps are as many that there are no
// fewer tiles: larger ones have their turn.
func (s *search) halve(d model.Dim) {
	in, whole, tiles := &s.m.Loops[s.l.inner].Temporal[d], s.whole[d], s.m.Loops[0].Temporal[d]
	*in = model.CeilDiv(*in, 2)
	for model.CeilDiv(s.at.rest[d], model.CeilDiv(whole, *in)**in) < tiles {
		*in--
	}
	s.m.Loops[1].Temporal[d] = model.CeilDiv(whole, *in)
}

// holds reports whether a level keeps an operand that a dimension indexes.
func (s *search) holds(level int, d model.Dim) bool {
	for o := range model.Operands {
		if s.l.arch.Level[level].Keeps[o] && model.Relevant(o, d) {
			return true
		}
	}
	return false
}

// misfit names the level that the smallest tile misses, of the way to spread the
// layer that comes nearest.
func (s *search) misfit() *Misfit {
	var nearest *Misfit
	for i := range s.l.spreads {
		w := way{spread: i}
		s.ready(&w)
		s.price()
		if f := s.miss(); nearest == nil || f.Need < nearest.Need {
			nearest = f
		}
	}
	return nearest
}

// miss returns the outermost level that the smallest tile does not fit.
func (s *search) miss() *Misfit {
	t := s.tile(s.at.rest[model.G], s.at.rest[model.C], s.at.rest[model.K])
	s.cutPixels(&t, &pixels{s.at.rest[model.N], s.at.rest[model.P], s.at.rest[model.Q]})
	level := 1
	need := s.need(1, &t.extent, t.n[model.C])
	for need <= s.l.room(level) && level+1 < s.l.arch.Levels {
		level++
		need = s.need(level, &s.at.inside[level], several)
	}
	if s.l.arch.Level[level].DoubleBuffered {
		need *= 2
	}
	return &Misfit{
		Code: "buffer", What: "the smallest tile of the " + s.l.arch.Level[level].Name + ", twice,", Param: s.l.param,
		Need: need, Have: s.l.arch.Level[level].Capacity, Unit: "B",
	}
}
