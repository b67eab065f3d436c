package template

import "apollo/evaluator/model"

// cutting is the order in which rows and columns are cut into parts.
type cutting int

const (
	rowsFirst cutting = iota
	columnsFirst
	inTurn
)

// pixels are numbers of parts of images, rows and columns.
type pixels struct{ images, rows, columns int64 }

// finer doubles the parts of images, then of rows or columns, each at most to
// its end. It reports whether there was something left to cut.
func (n *pixels) finer(way cutting, turn int, most *pixels) bool {
	rows, columns := n.rows < most.rows, n.columns < most.columns
	switch {
	case n.images < most.images:
		n.images = min(2*n.images, most.images)
	case rows && (way == rowsFirst || !columns || way == inTurn && turn%2 == 0):
		n.rows = min(2*n.rows, most.rows)
	case columns:
		n.columns = min(2*n.columns, most.columns)
	default:
		return false
	}
	return true
}

// seen reports whether a way before has cut the same parts.
func (n *pixels) seen(way cutting, most *pixels) bool {
	switch way {
	case columnsFirst:
		return n.columns == 1 || n.rows == most.rows
	case inTurn:
		return n.columns == 1 || n.rows == 1 || n.rows == most.rows || n.columns == most.columns
	}
	return false
}

// pixelCut is a cut of images, rows and columns.
type pixelCut struct {
	// parts are those that were asked for, images and tiles the images and the parts in
	// all that these make.
	parts         pixels
	images, tiles float64
	// inputs and outputs are those of a channel in a tile, covered the least bytes
	// of inputs of all tiles.
	inputs, outputs, covered float64
}

// maxCutPixels is room for three ways to halve 2^20 images, rows and columns.
const maxCutPixels = 3 * 60

// cutsOf are the cuts of a way's pixels, those of one order of cutting after the
// other, each from large tiles to small.
type cutsOf struct {
	// rest and inside are the steps and the instances that the cuts are of.
	rest, inside [3]int64
	list         [maxCutPixels]pixelCut
	count        int
	// end is where each order ends.
	end [inTurn + 1]int
	// sizes are the cuts by their number of tiles, the least first.
	sizes [maxSizes]cutSize
	sized int
}

// cutSize is what the cuts into so many tiles have at least: as pixelCut.
type cutSize struct{ tiles, inputs, outputs, covered float64 }

// maxSizes is room for the numbers of tiles of all cuts of a way that are not huge.
const maxSizes = 64

// cutAll lists the cuts of the pixels of the way that is searched, unless they are
// those of the way before.
func (s *search) cutAll() {
	x, in, c := &s.at.rest, &s.at.inside[1], &s.cuts
	rest, inside := [3]int64{x[model.N], x[model.P], x[model.Q]}, [3]int64{in[model.N], in[model.P], in[model.Q]}
	if c.count > 0 && c.rest == rest && c.inside == inside {
		return
	}
	c.rest, c.inside, c.count = rest, inside, 0
	most := pixels{rest[0], rest[1], rest[2]}
	for way := range c.end {
		if cut := cutting(way); cut == rowsFirst || most.columns > 1 && most.rows > 1 {
			n := pixels{1, 1, 1}
			for turn := 0; c.count < len(c.list); turn++ {
				if !n.seen(cut, &most) {
					s.addCut(&n)
				}
				if !n.finer(cut, turn, &most) {
					break
				}
			}
		}
		c.end[way] = c.count
	}
	c.size()
}

// size lists the cuts by their number of tiles, none if there are too many.
func (x *cutsOf) size() {
	x.sized = 0
	for i := range x.list[:x.count] {
		c, at := &x.list[i], x.sized
		for at > 0 && x.sizes[at-1].tiles > c.tiles {
			at--
		}
		if at > 0 && x.sizes[at-1].tiles == c.tiles {
			known := &x.sizes[at-1]
			*known = cutSize{c.tiles, min(known.inputs, c.inputs), min(known.outputs, c.outputs), min(known.covered, c.covered)}
			continue
		}
		if x.sized == len(x.sizes) {
			x.sized = 0
			return
		}
		copy(x.sizes[at+1:x.sized+1], x.sizes[at:x.sized])
		x.sizes[at] = cutSize{c.tiles, c.inputs, c.outputs, c.covered}
		x.sized++
	}
}

// addCut appends a cut to the list.
func (s *search) addCut(parts *pixels) {
	c, b := &s.cuts, &s.p.Bound
	images, rows, columns := s.even(model.N, parts.images), s.even(model.P, parts.rows), s.even(model.Q, parts.columns)
	extent := [model.Dims]int64{1, images.extent, 1, 1, rows.extent, columns.extent, b[model.R], b[model.S]}
	c.list[c.count] = pixelCut{
		parts: *parts, images: float64(images.n), tiles: float64(images.n * rows.n * columns.n), inputs: float64(s.p.Elements(model.Inputs, &extent)),
		outputs: float64(images.extent * rows.extent * columns.extent), covered: float64(s.covered(rows.n, columns.n)),
	}
	c.count++
}

// even is a dimension cut evenly: the steps outside and the extent of a tile.
type even struct{ n, extent int64 }

func (s *search) even(d model.Dim, parts int64) even {
	size, n := s.at.rest[d], int64(1)
	if parts > 1 {
		size = model.CeilDiv(size, parts)
		n = model.CeilDiv(s.at.rest[d], size)
	}
	return even{n, min(size*s.at.inside[1][d], s.p.Bound[d])}
}

// bounds lists the cuts of the pixels of a tile that may win, of each order from
// the largest tiles of which at least so many may fit, until smaller ones cannot
// win.
func (s *search) bounds(t *tile, of *node) {
	f, at := s.shares(t), 0
	for _, end := range s.cuts.end {
		for ; at < end && s.cuts.list[at].tiles < of.parts; at++ {
		}
		s.among(t, &f, of, at, end)
		at = end
	}
}

// among is bounds for a part of the list, from large tiles to small.
func (s *search) among(t *tile, f *shares, of *node, at, end int) {
	slack, room := s.limit/margin-s.bounded(f.least, 0), float64(s.room-t.weights)
	for ; at < end; at++ {
		x := &s.cuts.list[at]
		ramp := f.fixed*x.tiles + f.first + f.perIn*x.inputs + f.perOut*x.outputs
		if ramp > slack || x.inputs*f.inputs+x.outputs*f.outputs > room {
			continue
		}
		value, pass := s.hope(f, x, false)
		if min(value, pass)+f.fixed*x.tiles+f.first >= s.limit && !s.gaps {
			return // smaller tiles do not move less
		}
		if f.sums > 0 && s.parts(model.Outputs, f.ng*int64(x.images), x.outputs*f.perOutput) {
			value, pass = s.hope(f, x, true)
		}
		if value, pass = value+ramp, pass+ramp; min(value, pass) >= s.limit {
			continue
		}
		h := node{ng: of.ng, nc: of.nc, nk: of.nk, cut: at, value: value, pass: pass, ramp: ramp}
		if s.open.count == len(s.open.list) {
			s.consider(t, &h)
			continue
		}
		s.open.add(&h, min(value, pass))
	}
}

// shares are what tiles of some channels have whatever their pixels.
type shares struct {
	// inputs and outputs are what a tile has in the buffer for an input and for an
	// output of a channel, in bytes; 0 where the buffer does not keep them.
	inputs, outputs float64
	// ng are the tiles over groups.
	ng int64
	// once is what crosses the interface whatever the pixels, beside inputs; each what
	// weights do for each part of the images; comes and may what they do for each
	// further part of the pixels, where the holder has a part of them at a time and where
	// not; more how often inputs come again, sums what sums move; least bounds it all.
	once, each, comes, may, more, sums, least float64
	// weights are those that come first, in bytes: of weights that may pass, those of
	// one step.
	weights int64
	// fixed is the array's time for each tile over pixels, first a bound of the
	// time that the first weights take, stay of that of those that do not pass
	// beyond it.
	fixed, first, stay float64
	// perOutput are the bytes of all channels of a tile.
	perOutput float64
	// perIn and perOut are the times of the first inputs and last outputs for each of a
	// channel in a tile.
	perIn, perOut float64
}

func (s *search) shares(t *tile) (f shares) {
	keeps, e := &s.l.arch.Level[1].Keeps, &t.extent
	nc, nk := t.n[model.C], t.n[model.K]
	f.ng = t.n[model.G]
	perInput := float64(e[model.G] * e[model.C] * s.p.Bytes[model.Inputs])
	f.perOutput = float64(e[model.G] * e[model.K] * s.p.Bytes[model.Outputs])
	if keeps[model.Inputs] {
		f.inputs = perInput
	}
	if keeps[model.Outputs] {
		f.outputs = float64(e[model.G] * e[model.K] * s.width(1, nc))
	}
	if s.first[model.Inputs] {
		f.perIn = perInput * s.perByte
	}
	if s.first[model.Outputs] {
		f.perOut = f.perOutput * s.perByte
	}
	f.weights = s.p.Elements(model.Weights, e) * s.p.Bytes[model.Weights]
	again, all, in := s.parts(model.Weights, f.ng, float64(f.weights)), float64(s.bytes[model.Weights]), float64(s.bytes[model.Inputs])
	f.once, f.more, f.sums = s.once-all-in, float64(nk-1), float64(2*(nc-1)*s.sums)
	switch {
	case again:
		f.each, f.comes = all, all
	case nk*nc > 1:
		f.each, f.may = all, all
	default:
		f.once += all // they stay
	}
	f.least = f.once + f.each + in + min(f.more*in, f.sums)
	if s.holder[model.Weights] > 1 {
		s.firstWeights(t, &f, nk, nc)
	}
	f.fixed = float64(s.at.fixed * f.ng * nc * nk)
	f.first = s.io(f.weights)
	return f
}

// firstWeights sets what comes first of weights whose holder is inside the buffer.
func (s *search) firstWeights(t *tile, f *shares, nk, nc int64) {
	in, e, least := &s.at.inside[1], t.extent, s.at.least
	if s.at.apart[model.Weights] > 1 {
		e[model.G] = min(in[model.G], s.p.Bound[model.G])
	}
	f.weights = s.p.Elements(model.Weights, &e) * s.p.Bytes[model.Weights]
	if s.passes {
		all := f.weights
		e[model.K] = min(in[model.K], s.p.Bound[model.K])
		f.weights = s.p.Elements(model.Weights, &e) * s.p.Bytes[model.Weights]
		if f.weights < all && s.stays(model.CeilDiv(s.at.rest[model.K], nk), model.CeilDiv(s.at.rest[model.C], nc)) {
			f.stay = s.io(all - f.weights)
			return
		}
	}
	f.weights = min(f.weights, least)
}

// stays reports whether tiles of so many steps of channels fit the inner levels with all of
// the window when loops over pixels have left these: then none of the others leaves.
func (s *search) stays(k, c int64) bool {
	rest, n := &s.at.rest, [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	for _, d := range s.l.innerDims {
		switch d {
		case model.P, model.Q:
		case model.K:
			n[d] = k
		case model.C:
			n[d] = c
		default:
			n[d] = rest[d]
		}
	}
	for i := 2; i <= s.l.inner; i++ {
		extent := s.at.inside[i]
		for d := range model.Dims {
			extent[d] = min(extent[d]*n[d], s.p.Bound[d])
		}
		if s.need(i, &extent, several) > s.l.room(i) {
			return false
		}
	}
	return true
}

// hope returns the bounds of a cut where weights stay and where they pass, beyond what
// nothing hides; loose says that the holder has a part of a tile's outputs at a time.
func (s *search) hope(f *shares, x *pixelCut, loose bool) (stay, pass float64) {
	// What comes once, and of weights, inputs and sums the two that are cheapest
	// to move again. What a holder has a part of moves again in every order.
	parts := x.tiles - x.images
	bytes, weights, inputs, sums := f.once+x.covered+f.each*x.images+f.comes*parts, f.may*parts, f.more*x.covered, f.sums
	if loose {
		bytes, sums = bytes+sums, 0
	}
	bytes += weights + inputs + sums - max(weights, inputs, sums)
	stay = s.bounded(bytes, 0)
	if !s.passes || x.tiles == 1 {
		return stay, stay
	}
	// Weights that pass come again for each tile of the pixels; those that
	// stay come first as a whole.
	pass = stay
	if again := s.once + x.covered - float64(s.bytes[model.Inputs]) + (x.tiles-1)*float64(s.bytes[model.Weights]); again > bytes {
		pass = s.bounded(again, 0)
	}
	return stay + f.stay, pass
}
