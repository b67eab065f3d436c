package template

import (
	"math"
	"math/bits"

	"apollo/evaluator/model"
)

// more returns the next number of parts of n after parts: all up to 16, then
// eight to a doubling and those whose size is a power of two, which an inner level halves
// without a rest, n at the end, leaving out those that give parts of the
// same size; more than n after the last.
func more(parts, n int64) int64 {
	const fine = 8
	size := model.CeilDiv(n, parts)
	for next := parts; next < n; {
		next += max(next/fine, 1)
		if next >= n {
			next = n
		}
		if model.CeilDiv(n, next) == size {
			continue
		}
		half := int64(1) << (bits.Len64(uint64(size-1)) - 1)
		if even := model.CeilDiv(n, half); even < next && model.CeilDiv(n, even) == half {
			return even
		}
		return next
	}
	return n + 1
}

// tiles walks over numbers of tiles over groups, input channels and output
// channels, and for each over those of images, rows and columns.
func (s *search) tiles() {
	x := &s.at
	firstK, firstC := int64(1), int64(1)
	if x.single && x.most[model.K] > 0 {
		firstK = x.rest[model.K]
	}
	if x.single && x.most[model.C] > 0 {
		firstC = x.rest[model.C]
	}
	if !s.best.any {
		s.dive(firstC, firstK)
	}
	// Numbers are asked for; bounds are of those that there are.
	for g := int64(1); g <= x.rest[model.G]; g = more(g, x.rest[model.G]) {
		ng := tilesOf(x.rest[model.G], g)
		x.onChip = x.any
		if s.hopeless(ng, 1, 1) {
			break
		}
		for c := firstC; c <= x.rest[model.C]; c = more(c, x.rest[model.C]) {
			nc := tilesOf(x.rest[model.C], c)
			x.onChip = x.any
			if s.hopeless(ng, nc, 1) {
				break
			}
			x.with(nc)
			least := s.leastK(ng, nc)
			for k := firstK; k <= x.rest[model.K]; k = more(k, x.rest[model.K]) {
				nk := tilesOf(x.rest[model.K], k)
				if float64(nk) < least {
					continue
				}
				if s.hopeless(ng, nc, nk) {
					break
				}
				s.try(ng, nc, nk)
			}
		}
	}
}

// leastK returns the least tiles over output channels of which the weights fit the
// buffer and are there early enough.
func (s *search) leastK(ng, nc int64) (least float64) {
	weights := float64(s.bytes[model.Weights]) / float64(ng*nc)
	if s.l.arch.Level[1].Keeps[model.Weights] {
		least = weights / float64(s.room+1)
	}
	if slack := s.slack(s.traffic(nc, 1, 1, 1, s.bytes[model.Inputs], loose{})); s.first[model.Weights] && slack > 0 {
		least = max(least, weights*s.perByte/slack)
	}
	return least
}

// try tries numbers of tiles over channels unless they cannot win.
func (s *search) try(ng, nc, nk int64) {
	b, ok := s.branch(ng, nc, nk)
	if !ok || s.least(nc, nk, &b) >= s.limit {
		return
	}
	if !s.at.priced {
		s.price()
		s.at.with(nc)
		if b, ok = s.branch(ng, nc, nk); !ok || s.least(nc, nk, &b) >= s.limit {
			return
		}
	}
	if s.wholeOrCut(nc, nk, &b) < s.limit {
		s.pixels(ng, nc, nk, &b)
	}
}

// wholeOrCut returns a bound of the value of tiles that have all pixels, if these may
// fit, or some, which moves more.
func (s *search) wholeOrCut(nc, nk int64, b *branch) float64 {
	if s.p.Bound[model.N] > 1 || nc*nk == 1 {
		return 0
	}
	cut := math.Ceil(max(b.full, 2))
	v := s.bounded(s.traffic(nc, nk, 1, int64(cut), s.bytes[model.Inputs], b.loose), b.best(cut))
	if b.full <= 1 {
		v = min(v, s.bounded(s.traffic(nc, nk, 1, 1, s.bytes[model.Inputs], b.loose), b.ramp(1)))
	}
	return v
}

// tilesOf returns how many parts there are when n is cut into so many of one size.
func tilesOf(n, parts int64) int64 { return model.CeilDiv(n, model.CeilDiv(n, parts)) }

// least returns a bound of the value of numbers of tiles over channels.
func (s *search) least(nc, nk int64, b *branch) float64 {
	return s.bounded(s.traffic(nc, nk, 1, b.least, s.bytes[model.Inputs], b.loose), b.best(float64(b.least)))
}

// dive tries the channels' tiles with the least bound, so that the others have
// something to beat.
func (s *search) dive(firstC, firstK int64) {
	rest := &s.at.rest
	least, best := math.Inf(1), [3]int64{}
	for g := int64(1); g <= rest[model.G]; g *= 2 {
		ng := tilesOf(rest[model.G], g)
		for c := firstC; c <= rest[model.C]; c *= 2 {
			nc := tilesOf(rest[model.C], c)
			for k := firstK; k <= rest[model.K]; k *= 2 {
				nk := tilesOf(rest[model.K], k)
				if b, ok := s.branch(ng, nc, nk); ok {
					if v := s.least(nc, nk, &b); v < least {
						least, best = v, [3]int64{ng, nc, nk}
					}
				}
			}
		}
	}
	if best[0] > 0 {
		s.try(best[0], best[1], best[2])
	}
}

// pixels tries the cuts of the pixels, the one with the least bound first: what it
// finds rules out most others.
func (s *search) pixels(ng, nc, nk int64, b *branch) {
	t := s.tile(ng, nc, nk)
	if t.weights > s.room {
		return
	}
	first, count := 0, s.bounds(&t, b.least)
	for i := range s.hopes[:count] {
		if s.hopes[i].least() < s.hopes[first].least() {
			first = i
		}
	}
	for i := range s.hopes[:count] {
		// The first one in its place comes when its turn is.
		at := i
		switch i {
		case 0:
			at = first
		case first:
			at = 0
		}
		if h := &s.hopes[at]; h.least() < s.limit {
			s.consider(&t, h)
		}
	}
}

// tile is a tile of the buffer: numbers of tiles, its extent, and the bytes of
// its weights, 0 where the buffer does not keep them.
type tile struct {
	parts, n, extent [model.Dims]int64
	weights          int64
}

// tile returns a tile of all pixels.
func (s *search) tile(ng, nc, nk int64) tile {
	t := tile{parts: [model.Dims]int64{ng, 1, nk, nc, 1, 1, 1, 1}, n: [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}, extent: s.at.extent}
	for _, d := range [...]model.Dim{model.G, model.K, model.C} {
		s.split(&t, d)
	}
	if s.l.arch.Level[1].Keeps[model.Weights] {
		t.weights = s.p.Elements(model.Weights, &t.extent) * s.p.Bytes[model.Weights]
	}
	return t
}

// split computes the steps outside and the extent of a dimension.
func (s *search) split(t *tile, d model.Dim) {
	x := s.even(d, t.parts[d])
	t.n[d], t.extent[d] = x.n, x.extent
}

// cutPixels cuts the pixels of a tile.
func (s *search) cutPixels(t *tile, n *pixels) {
	t.parts[model.N], t.parts[model.P], t.parts[model.Q] = n.images, n.rows, n.columns
	for _, d := range [...]model.Dim{model.N, model.P, model.Q} {
		s.split(t, d)
	}
}

// consider tries a tile that fits with its pixels cut, in every order that may win.
func (s *search) consider(t *tile, h *hope) {
	s.cutPixels(t, &s.cuts.list[h.cut].parts)
	s.m = s.at.spread
	if s.drains && t.n[model.C] == 1 && !s.place(t, sumsPass, h.ramp) {
		return // nothing else has smaller sums
	}
	passes := s.passes && t.n[model.K] < s.at.rest[model.K]
	if h.value < s.limit {
		moved := s.place(t, pixelsLeave, h.ramp)
		if moved && !passes {
			s.place(t, channelsLeave, h.ramp)
		}
	}
	if passes && h.pass < s.limit {
		s.place(t, weightsPass, h.ramp)
	}
}

// place tries a tile with loops of the inner level at the buffer, and reports
// whether some did not fit; least is a bound of its ramp.
func (s *search) place(t *tile, how inside, least float64) (moved bool) {
	s.cut(&t.parts)
	moved, fits := s.arrange(how)
	if fits {
		s.orders(how, moved, &t.extent, least)
	}
	return moved
}

// orders evaluates the mapping that is tried in the orders of tiles that may win,
// the one with the least bound first; least is a bound of its ramp.
func (s *search) orders(how inside, moved bool, extent *[model.Dims]int64, least float64) {
	n := &s.m.Loops[0].Temporal
	var ramp float64
	var value [len(tileOrders)]float64
	known := false
	s.between()
	list := distinctOrders(n[model.K] > 1, n[model.C] > 1, n[model.P]*n[model.Q] > 1)
	best := -1
	dominated := s.passes && !moved && !s.slides
	if dominated && how != weightsPass && n[model.N]*n[model.P]*n[model.Q] == 1 && s.m.Loops[s.l.inner].Temporal[model.K] > 1 {
		return // weights come once all the same, and may pass
	}
	choose := dominated && n[model.K] > 1 && n[model.P]*n[model.Q] > 1
	for at, i := range list {
		o := &tileOrders[i]
		value[at] = math.Inf(1)
		if choose && (how == weightsPass) != (o.pixels < o.k) {
			continue // weights come again for each tile of pixels, or stay: one is better
		}
		bytes := s.outside(o, extent)
		cycles := s.at.cycles
		if s.bound(cycles, bytes, least) >= s.limit {
			continue
		}
		if s.ported {
			if cycles = max(cycles, s.port(o)); s.bound(cycles, bytes, least) >= s.limit {
				continue
			}
		}
		if !known {
			ramp, known = s.ramp(), true
		}
		if value[at] = s.bound(cycles, bytes, ramp); best < 0 || value[at] < value[best] {
			best = at
		}
	}
	for best >= 0 && value[best] < s.limit {
		s.m.Loops[0].Order = tileOrders[list[best]].dims
		s.eval()
		value[best] = math.Inf(1)
		for at := range list {
			if value[at] < value[best] {
				best = at
			}
		}
	}
}

// ramp returns what nothing hides of the mapping that is tried, beyond what bound
// adds for every mapping of the way.
func (s *search) ramp() float64 {
	s.fill, s.drain = s.m.Ramp(s.p, &s.l.arch)
	ramp := -s.at.ramp
	for i := range s.l.arch.Levels {
		ramp += float64(s.fill[i] + s.drain[i])
	}
	return ramp + float64(s.at.fixed*steps(&s.m.Loops[0].Temporal))
}

// distinctOrders returns the orders of tiles that differ when there are several
// tiles over output channels, input channels and pixels.
func distinctOrders(k, c, px bool) []int8 {
	switch {
	case k && c && px:
		return []int8{0, 1, 2, 3, 4, 5}
	case k && px:
		return []int8{0, 1}
	case c && px:
		return []int8{0, 2}
	case k && c:
		return []int8{0, 3}
	}
	return []int8{0}
}

// cut writes the temporal loops for numbers of tiles.
func (s *search) cut(parts *[model.Dims]int64) {
	l := s.l
	outer, tile := &s.m.Loops[0], &s.m.Loops[1]
	tile.Order = l.order
	for d := range model.Dims {
		size := model.CeilDiv(s.at.rest[d], parts[d])
		outer.Temporal[d], tile.Temporal[d] = model.CeilDiv(s.at.rest[d], size), size
	}
	s.whole = tile.Temporal
	if l.inner == 0 {
		return
	}
	for i := 2; i <= l.inner; i++ {
		in := &s.m.Loops[i]
		in.Order = l.order
		in.Temporal = [model.Dims]int64{1, 1, 1, 1, 1, 1, 1, 1}
	}
	in := &s.m.Loops[l.inner]
	for _, d := range l.innerDims {
		in.Temporal[d], tile.Temporal[d] = tile.Temporal[d], 1
	}
}
