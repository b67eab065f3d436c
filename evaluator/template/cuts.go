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
	// parts are those that were asked for, n the tiles that these make.
	parts, n pixels
	tiles    int64 // all of n
	// inputs and outputs are those of a channel in a tile, covered the least bytes
	// of inputs of all tiles.
	inputs, outputs, covered int64
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
}

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
}

// addCut appends a cut to the list.
func (s *search) addCut(parts *pixels) {
	c, b := &s.cuts, &s.p.Bound
	images, rows, columns := s.even(model.N, parts.images), s.even(model.P, parts.rows), s.even(model.Q, parts.columns)
	extent := [model.Dims]int64{1, images.extent, 1, 1, rows.extent, columns.extent, b[model.R], b[model.S]}
	n := pixels{images.n, rows.n, columns.n}
	c.list[c.count] = pixelCut{
		parts: *parts, n: n, tiles: n.images * n.rows * n.columns, inputs: s.p.Elements(model.Inputs, &extent),
		outputs: images.extent * rows.extent * columns.extent, covered: s.covered(n.rows, n.columns),
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

// hope is a cut that fits, with bounds of its value, of that where weights pass,
// and of what nothing hides.
type hope struct {
	cut               int
	value, pass, ramp float64
}

func (h *hope) least() float64 { return min(h.value, h.pass) }

// bounds lists the cuts of the pixels of a tile that may win, of each order from
// the largest tiles of which at least so many may fit, until smaller ones cannot
// win.
func (s *search) bounds(t *tile, least int64) (count int) {
	f := s.shares(t)
	slack, at := s.slack(s.traffic(f.nc, f.nk, 1, 1, s.bytes[model.Inputs], loose{weights: f.again})), 0
	for _, end := range s.cuts.end {
		for ; at < end && s.cuts.list[at].tiles < least; at++ {
		}
		for ; at < end; at++ {
			x := &s.cuts.list[at]
			if t.weights+x.inputs*f.inputs+x.outputs*f.outputs > s.room || f.ramp(x) > slack {
				continue
			}
			bytes, fixed := s.crossing(&f, x, false), f.fixed*float64(x.tiles)
			if h := s.hope(&f, x, bytes, fixed+f.first); h.least() >= s.limit && !s.gaps {
				break // smaller tiles do not move less
			}
			if f.nc > 1 && s.parts(model.Outputs, f.ng*x.n.images, x.outputs*f.perOutput) {
				bytes = s.crossing(&f, x, true)
			}
			if h := s.hope(&f, x, bytes, f.ramp(x)); h.least() < s.limit {
				h.cut = at
				s.hopes[count] = h
				count++
			}
		}
		at = end
	}
	return count
}

// shares are what tiles of some channels have whatever their pixels.
type shares struct {
	// inputs and outputs are what a tile has in the buffer for an input and for an
	// output of a channel, in bytes; 0 where the buffer does not keep them.
	inputs, outputs int64
	// nc and nk are the tiles over channels, ng those over groups.
	ng, nc, nk int64
	// weights are those that come first, in bytes: of weights that may pass, those of
	// one step.
	weights int64
	// again says that the weights' holder has a part of them at a time.
	again bool
	// fixed is the array's time for each tile over pixels, first a bound of the
	// time that the first weights take, stay of that of those that do not pass
	// beyond it.
	fixed, first, stay float64
	// perOutput are the bytes of all channels of a tile.
	perOutput int64
	// perIn and perOut are the times of the first inputs and last outputs for each of a
	// channel in a tile.
	perIn, perOut float64
}

// ramp returns a bound of what nothing hides of a cut.
func (f *shares) ramp(x *pixelCut) float64 {
	return f.fixed*float64(x.tiles) + f.first + f.perIn*float64(x.inputs) + f.perOut*float64(x.outputs)
}

func (s *search) shares(t *tile) (f shares) {
	keeps, e := &s.l.arch.Level[1].Keeps, &t.extent
	f.ng, f.nc, f.nk = t.n[model.G], t.n[model.C], t.n[model.K]
	perInput := e[model.G] * e[model.C] * s.p.Bytes[model.Inputs]
	f.perOutput = e[model.G] * e[model.K] * s.p.Bytes[model.Outputs]
	if keeps[model.Inputs] {
		f.inputs = perInput
	}
	if keeps[model.Outputs] {
		f.outputs = e[model.G] * e[model.K] * s.width(1, f.nc)
	}
	if s.first[model.Inputs] {
		f.perIn = s.io(perInput)
	}
	if s.first[model.Outputs] {
		f.perOut = s.io(f.perOutput)
	}
	f.weights = s.p.Elements(model.Weights, e) * s.p.Bytes[model.Weights]
	f.again = s.parts(model.Weights, f.ng, f.weights)
	if s.holder[model.Weights] > 1 {
		s.firstWeights(t, &f)
	}
	f.fixed = float64(s.at.fixed * f.ng * f.nc * f.nk)
	f.first = s.io(f.weights)
	return f
}

// firstWeights sets what comes first of weights whose holder is inside the buffer.
func (s *search) firstWeights(t *tile, f *shares) {
	in, e, least := &s.at.inside[1], t.extent, s.at.least
	if s.at.apart[model.Weights] > 1 {
		e[model.G] = min(in[model.G], s.p.Bound[model.G])
	}
	f.weights = s.p.Elements(model.Weights, &e) * s.p.Bytes[model.Weights]
	if s.passes {
		all := f.weights
		e[model.K] = min(in[model.K], s.p.Bound[model.K])
		f.weights = s.p.Elements(model.Weights, &e) * s.p.Bytes[model.Weights]
		if f.weights < all && s.stays(model.CeilDiv(s.at.rest[model.K], f.nk), model.CeilDiv(s.at.rest[model.C], f.nc)) {
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

// crossing returns the least bytes over the interface of any order of tiles; sums
// says that the holder has a part of a tile's outputs at a time.
func (s *search) crossing(f *shares, x *pixelCut, sums bool) int64 {
	return s.traffic(f.nc, f.nk, x.n.images, x.n.rows*x.n.columns, x.covered, loose{f.again, sums})
}

// hope returns the bounds of a cut that moves some bytes and hides nothing of some
// time.
func (s *search) hope(f *shares, x *pixelCut, bytes int64, ramp float64) hope {
	h := hope{ramp: ramp, value: s.bounded(bytes, ramp+f.stay)}
	h.pass = h.value
	if s.passes && x.tiles > 1 {
		// Weights that pass come again for each tile of the pixels; those that
		// stay come first as a whole.
		again := s.compulsory() - s.bytes[model.Inputs] + x.covered + (x.tiles-1)*s.bytes[model.Weights]
		h.pass = s.bounded(max(bytes, again), ramp)
	} else if s.passes {
		h.value = s.bounded(bytes, ramp)
		h.pass = h.value
	}
	return h
}
