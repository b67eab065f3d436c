package template

import (
	"math"

	"apollo/evaluator/model"
)

// io returns the cycles of a transfer over the interface.
func (s *search) io(bytes int64) float64 { return float64(bytes) * s.perByte }

// width is the size of an output at a level when input channels are in nc tiles.
func (s *search) width(level int, nc int64) int64 {
	if level == 1 && s.at.complete && nc == 1 {
		return s.p.Bytes[model.Outputs]
	}
	return s.p.PartialBytes
}

// need returns the bytes of a tile of some extent at a level.
func (s *search) need(level int, extent *[model.Dims]int64, nc int64) int64 {
	others, sums := s.hold(level, extent)
	return others + sums*s.width(level, nc)
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

// hopeless reports whether so many tiles over groups and input channels, or more, cost too much
// whatever the rest.
func (s *search) hopeless(ng, nc int64) bool {
	return s.bounded(s.once, s.edge(float64(ng*nc), float64(nc-1)*s.outs)) >= s.limit
}

// edge returns a bound of the array's time for so many tiles of the way that is searched,
// or more, and of the first and last one's way over the interface; again is what outputs
// are more of the last tile, times the tiles.
func (s *search) edge(tiles, again float64) float64 {
	x := &s.at
	first := s.edges + again
	if x.early == 0 {
		return s.ends(x.fixed, tiles, first)
	}
	// Of the weights comes a part of each tile's first, or what the holder has at least.
	edge := s.ends(x.fixed, tiles, first+x.early)
	if x.least < math.MaxInt64 {
		edge = min(edge, s.ends(x.fixed, tiles, first)+s.io(x.least))
	}
	return edge
}

// ends returns a bound of so much time for each of so many tiles or more, and of another
// one that tiles divide.
func (s *search) ends(each int64, tiles, divided float64) float64 {
	fixed := float64(each)
	tiles = max(tiles, s.fillings)
	if divided > fixed*tiles*tiles {
		return 2 * math.Sqrt(divided*fixed)
	}
	return fixed*tiles + divided/tiles
}

// covered returns the least bytes of inputs that so many parts of the rows and
// columns cover. Between windows that leave gaps lies less the more parts there
// are.
func (s *search) covered(rows, columns int64) int64 {
	if !s.gaps {
		return s.bytes[model.Inputs]
	}
	p := s.p
	axis := func(i int, out, tap model.Dim, parts int64) int64 {
		window := (p.Bound[tap]-1)*p.Dilation[i] + 1
		if window >= p.Stride[i] {
			parts = 1
		}
		return (p.Bound[out]-parts)*p.Stride[i] + parts*window
	}
	b := &p.Bound
	positions := axis(0, model.P, model.R, min(rows, b[model.P])) * axis(1, model.Q, model.S, min(columns, b[model.Q]))
	return b[model.G] * b[model.N] * b[model.C] * positions * p.Bytes[model.Inputs]
}

// parts reports whether a holder has a part of some bytes of a tile at a time, of one in ng
// parts of the groups: loops over the operand then stand between the buffer and
// the holder.
func (s *search) parts(o model.Operand, ng int64, bytes float64) bool {
	return s.holder[o] > 1 && (s.at.apart[o] > ng || bytes > float64(s.at.fits[o]))
}

// branch is what is known of tiles over groups and input channels.
type branch struct {
	ng, nc int64
	// weights and outputs are the bytes of a tile with all of the rest; inBuffer,
	// outInBuffer and weightsInBuffer what its operands need of the buffer.
	weights, outputs, inBuffer, outInBuffer, weightsInBuffer float64
	// again is what inputs move for each more tile over output channels, sums what
	// partial sums do, unless another operand moves.
	again, sums float64
	// fixed is the array's time for each tile of the rest; inputs and outs are those of
	// inputs that come first and of outputs that leave last, early that of weights that come first.
	fixed, inputs, outs, early float64
	// input and output are what a tile has in the buffer for an input and, times the tiles of
	// output channels, for an output of a channel, in bytes; firstInput and lastOutput their times
	// over the interface.
	input, output, firstInput, lastOutput float64
	// apart says that the weights' holder has a part of them at a time, whatever their size.
	apart bool
}

// branch makes tiles over groups and input channels ready.
func (s *search) branch(ng, nc int64) (b branch) {
	x, keeps, tiles := &s.at, &s.l.arch.Level[1].Keeps, float64(ng*nc)
	x.with(nc)
	b.ng, b.nc = ng, nc
	b.weights, b.outputs = float64(s.bytes[model.Weights])/tiles, float64(s.bytes[model.Outputs])/float64(ng)
	b.again, b.sums, b.fixed = float64(s.bytes[model.Inputs]), float64(2*(nc-1)*s.sums), float64(x.fixed)*tiles
	inputs := b.again / tiles
	if keeps[model.Weights] {
		b.weightsInBuffer = b.weights
	}
	if keeps[model.Inputs] {
		b.inBuffer = inputs
	}
	if keeps[model.Outputs] {
		b.outInBuffer = b.outputs / float64(s.p.Bytes[model.Outputs]) * float64(s.width(1, nc))
	}
	if s.first[model.Inputs] {
		b.inputs = inputs * s.perByte
	}
	if s.first[model.Outputs] {
		b.outs = b.outputs * s.perByte
	}
	in := float64(s.p.Bound[model.G]*s.p.Bound[model.C]*s.p.Bytes[model.Inputs]) / tiles
	outs := float64(s.p.Bound[model.G]*s.p.Bound[model.K]) / float64(ng)
	if keeps[model.Inputs] {
		b.input = in
	}
	if keeps[model.Outputs] {
		b.output = outs * float64(s.width(1, nc))
	}
	if s.first[model.Inputs] {
		b.firstInput = in * s.perByte
	}
	if s.first[model.Outputs] {
		b.lastOutput = outs * float64(s.p.Bytes[model.Outputs]) * s.perByte
	}
	b.early = b.weights * s.perByte
	if s.holder[model.Weights] > 1 {
		// Those of one step of groups, and where weights pass, of output channels.
		if apart := x.apart[model.Weights]; apart > ng {
			b.apart = true
			b.early *= float64(ng) / float64(apart)
		}
		if s.passes {
			b.early /= float64(x.rest[model.K])
		}
	}
	return b
}

// twig is what is known of tiles before their pixels are cut.
type twig struct {
	// least numbers of parts of pixels fit.
	least float64
	// fixed, weights and others are times that nothing hides: the array's for
	// each part of the pixels, the weights', and those of inputs and outputs,
	// which parts divide.
	fixed, weights, others float64
	// once is what moves whatever the pixels; comes and may are what weights do for each
	// part of the pixels but the first, where the holder has a part of them at a time and
	// where not: then no more than most, which another operand would move instead.
	once, comes, may, most float64
}

// bytes returns the least bytes over the interface of so many parts of the pixels.
func (n *twig) bytes(parts float64) float64 {
	return n.once + n.comes*(parts-1) + min(n.may*(parts-1), n.most)
}

// ramp returns a bound of what nothing hides with so many parts of the pixels.
func (n *twig) ramp(parts float64) float64 { return n.weights + n.fixed*parts + n.others/parts }

// best returns the least ramp of so many parts or more.
func (n *twig) best(least float64) float64 {
	switch {
	case n.fixed == 0:
		return n.weights
	case n.others <= n.fixed*least*least:
		return n.ramp(least)
	}
	return n.weights + 2*math.Sqrt(n.others*n.fixed)
}

// bounded returns a bound of the value for bytes over the interface and a time
// that nothing hides.
func (s *search) bounded(bytes, ramp float64) float64 {
	return s.bound(s.at.cycles, bytes, ramp)
}

// bound is bounded with another time on chip.
func (s *search) bound(cycles, bytes, ramp float64) float64 {
	if io := bytes * s.perByte; io > cycles { // max would look for NaN
		cycles = io
	}
	return s.goal.value(cycles+s.at.ramp+ramp, s.at.pj+s.l.arch.Level[0].ReadPJ*bytes)
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
	return s.visits(model.Weights, o, s.toHolder[model.Weights])*s.bytes[model.Weights] + s.visits(model.Inputs, o, s.toHolder[model.Inputs])*in*s.p.Bytes[model.Inputs] +
		s.bytes[model.Outputs] + 2*(s.visits(model.Outputs, o, s.toHolder[model.Outputs])-1)*s.sums
}

// again is what the loops of the levels from the buffer to another do to an operand:
// whether one of several steps has it, and the steps of those without it that stand
// outside the innermost such one.
type again struct {
	has   bool
	steps int64
}

// inner returns that for an operand under the mapping that is tried.
func (s *search) inner(o model.Operand, until int) again {
	a, pending := again{steps: 1}, int64(1)
	for level := 1; level < until; level++ {
		loops := &s.m.Loops[level].Temporal
		for _, d := range s.l.order {
			switch {
			case loops[d] == 1:
			case model.Relevant(o, d):
				a.has, a.steps, pending = true, a.steps*pending, 1
			default:
				pending *= loops[d]
			}
		}
	}
	return a
}

// between sets what the inner loops of the mapping that is tried do to operands.
func (s *search) between() {
	for o := range model.Operands {
		s.toHolder[o], s.toNext[o] = s.inner(o, s.holder[o]), s.inner(o, s.next[o])
	}
}

// visits returns how often an operand comes to a level: again for every step of a
// loop without it that stands outside one with it.
func (s *search) visits(o model.Operand, order *tileOrder, inner again) int64 {
	n := &s.m.Loops[0].Temporal
	nk, nc, px := n[model.K], n[model.C], n[model.P]*n[model.Q]
	// The steps of loops without the operand that wait for one with it.
	visits, pending := int64(1), int64(1)
	switch o {
	case model.Weights:
		if inside := nk > 1 && order.k > order.pixels || nc > 1 && order.c > order.pixels; inside {
			visits = n[model.N] * px
		} else if nk > 1 || nc > 1 {
			visits, pending = n[model.N], px
		} else {
			pending = n[model.N] * px
		}
	case model.Inputs:
		if px > 1 && order.pixels > order.k || nc > 1 && order.c > order.k {
			visits = nk
		} else {
			pending = nk
		}
	case model.Outputs:
		if px > 1 && order.pixels > order.c || nk > 1 && order.k > order.c {
			visits = nc
		} else {
			pending = nc
		}
	}
	if inner.has {
		return visits * pending * inner.steps
	}
	return visits
}

// port returns the time of the buffer's port: operands that it keeps come to it,
// and from there to the next level, again.
func (s *search) port(o *tileOrder) float64 {
	read, written := s.at.read, s.at.written
	for operand, next := range s.next {
		operand := model.Operand(operand)
		if next == 0 {
			continue
		}
		here, there := s.visits(operand, o, s.toHolder[operand])-1, s.visits(operand, o, s.toNext[operand])-1
		if operand == model.Outputs {
			read, written = read+(here+there)*s.sums, written+(here+there)*s.sums
			continue
		}
		read, written = read+there*s.bytes[operand], written+here*s.bytes[operand]
	}
	const milli = 1000
	return float64(max(read, written)) * milli / float64(s.l.arch.Level[1].ReadRate)
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
