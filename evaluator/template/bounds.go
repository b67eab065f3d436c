package template

import (
	"math"

	"apollo/evaluator/model"
)

func (s *search) value(cycles, pj float64) float64 { return cycles + s.perPJ*pj }

// io returns the cycles of a transfer over the interface.
func (s *search) io(bytes int64) float64 { return float64(bytes) * s.perByte }

// width is the size of an output at a level when input channels are in nc tiles.
func (s *search) width(level int, nc int64) int64 {
	if level == 1 && s.at.complete && nc == 1 {
		return s.p.Bytes[model.Outputs]
	}
	return s.p.PartialBytes
}

// need returns the bytes that a level has to have for a tile of some extent.
func (s *search) need(level int, extent *[model.Dims]int64, nc int64) int64 {
	others, sums := s.hold(level, extent)
	return s.twice(level, others+sums*s.width(level, nc))
}

func (s *search) twice(level int, bytes int64) int64 {
	if s.l.arch.Level[level].DoubleBuffered {
		return 2 * bytes
	}
	return bytes
}

// hold returns the bytes of weights and inputs, and the number of outputs, that
// a tile of some extent has at a level.
func (s *search) hold(level int, extent *[model.Dims]int64) (others, sums int64) {
	keeps := &s.l.arch.Level[level].Keeps
	if keeps[model.Weights] {
		others = s.p.Elements(model.Weights, extent) * s.p.Bytes[model.Weights]
	}
	if keeps[model.Inputs] {
		others += s.p.Elements(model.Inputs, extent) * s.p.Bytes[model.Inputs]
	}
	if keeps[model.Outputs] {
		sums = s.p.Elements(model.Outputs, extent)
	}
	return others, sums
}

// hopeless reports whether so many tiles over channels, or more, cost too much
// whatever the rest.
func (s *search) hopeless(ng, nc, nk int64) bool {
	return s.bounded(s.traffic(nc, nk, 1, 1), float64(s.l.fixed*ng*nc*nk)) >= s.limit
}

// traffic returns the least bytes over the interface of any order of so many
// tiles: what comes once, and of weights, inputs and partial sums the two, or
// with two kinds of tiles the one, that are cheapest to move again.
func (s *search) traffic(nc, nk, images, px int64) int64 {
	w, in, sums := s.bytes[model.Weights], s.bytes[model.Inputs], 2*(nc-1)*s.sums
	once := w + in + s.bytes[model.Outputs]
	if nk == 1 && nc == 1 {
		return once
	}
	if images > 1 {
		once, w = once+(images-1)*w, w*images
	}
	w, in = w*(px-1), in*(nk-1)
	switch {
	case nc == 1:
		return once + min(w, in)
	case nk == 1:
		return once + min(w, sums)
	case px == 1:
		return once + min(in, sums)
	}
	return once + min(w+in, in+sums, w+sums)
}

// atBest returns the numbers of parts of pixels below which tiles do not fit, and
// a bound of the value from there on: it adds to hopeless what the first tile's
// way in and the last one's way out cost at best.
func (s *search) atBest(ng, nc, nk int64) (px int64, value float64) {
	tiles := ng * nc * nk
	var weights, others, room int64
	keeps := &s.l.arch.Level[1].Keeps
	if keeps[model.Weights] {
		weights = s.bytes[model.Weights] / tiles
	}
	if keeps[model.Inputs] {
		others = s.bytes[model.Inputs] / (ng * nc)
		room = others
	}
	if keeps[model.Outputs] {
		outputs := s.bytes[model.Outputs] / (ng * nk)
		others += outputs
		room += outputs / s.p.Bytes[model.Outputs] * s.width(1, nc)
	}
	px = 1
	if left := s.room - weights; s.room > 0 && left <= 0 {
		return 0, math.Inf(1)
	} else if s.room > 0 {
		px = max(room/left, 1)
	}
	fixed, moved, parts := float64(s.l.fixed*tiles), s.io(others), float64(px)
	if fixed > 0 {
		parts = max(math.Sqrt(moved/fixed), parts)
	} else {
		moved = 0
	}
	return px, s.bounded(s.traffic(nc, nk, 1, px), s.io(weights)+fixed*parts+moved/parts)
}

// bounded returns a bound of the value for bytes over the interface and a time
// that nothing hides.
func (s *search) bounded(bytes int64, ramp float64) float64 {
	return s.value(max(s.at.cycles, s.io(bytes))+ramp, s.at.pj+s.l.arch.Level[0].ReadPJ*float64(bytes))
}

// outside returns the bytes that cross the interface under the mapping that is
// tried, in an order of tiles.
func (s *search) outside(o *tileOrder, extent *[model.Dims]int64) int64 {
	n := &s.m.Loops[0].Temporal
	inner := model.Dims // the innermost loop of several steps
	for i := len(o.dims) - 1; i >= 0; i-- {
		if n[o.dims[i]] > 1 {
			inner = o.dims[i]
			break
		}
	}
	b := &s.p.Bound
	in := b[model.G] * b[model.N] * b[model.C] * s.rows(0, model.P, model.R, extent, inner) * s.rows(1, model.Q, model.S, extent, inner)
	return s.visits(model.Weights, o)*s.bytes[model.Weights] + s.visits(model.Inputs, o)*in*s.p.Bytes[model.Inputs] +
		s.bytes[model.Outputs] + 2*(s.visits(model.Outputs, o)-1)*s.sums
}

// visits returns how often an operand comes: again for every step of a loop
// without it that stands outside one with it.
func (s *search) visits(o model.Operand, order *tileOrder) int64 {
	visits, pending := int64(1), int64(1)
	dims := &order.dims
	for level := range s.holder[o] {
		loops := &s.m.Loops[level]
		if level > 0 {
			dims = &s.l.order
		}
		for _, d := range dims {
			n := loops.Temporal[d]
			if n == 1 {
				continue
			}
			if model.Relevant(o, d) {
				visits, pending = visits*pending, 1
			} else {
				pending *= n
			}
		}
	}
	return visits
}

// rows returns the input positions along an axis that tiles cover: windows of
// neighbouring tiles overlap, unless one tile slides into the next.
func (s *search) rows(axis int, out, tap model.Dim, extent *[model.Dims]int64, inner model.Dim) int64 {
	p := s.p
	window := (p.Bound[tap]-1)*p.Dilation[axis] + 1
	tiles := int64(1)
	if extent[out] < p.Bound[out] && (inner != out || extent[out]*p.Stride[axis] > (extent[out]-1)*p.Stride[axis]+window) {
		tiles = model.CeilDiv(p.Bound[out], extent[out])
	}
	return (p.Bound[out]-tiles)*p.Stride[axis] + tiles*window
}
