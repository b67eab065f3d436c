package template

import (
	"math"
	"math/bits"

	"apollo/evaluator/model"
)

// fine is how many numbers of parts there are to a doubling where not all are tried.
const fine = 8

// more returns the next number of parts of n after parts: all up to twice fine, then
// fine to a doubling and those whose size is a power of two, which an inner level halves
// without a rest, n at the end, leaving out those that give parts of the
// same size; more than n after the last.
func more(parts, n int64) int64 {
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
	groups, inputs, outputs := &s.counts[0], &s.counts[1], &s.counts[2]
	groups.begin(x.rest[model.G], 1)
	inputs.begin(x.rest[model.C], firstC)
	outputs.begin(x.rest[model.K], firstK)
	if !s.best.any {
		s.dive()
	}
	for g := 0; groups.has(g); g++ {
		ng := groups.n[g]
		x.onChip = x.any
		if s.hopeless(ng, 1) {
			break
		}
		for c := 0; inputs.has(c); c++ {
			nc := inputs.n[c]
			x.onChip = x.any
			if s.hopeless(ng, nc) {
				break
			}
			b := s.branch(ng, nc)
			least, most := s.rangeK(&b)
			for k := outputs.from(least * margin); outputs.has(k) && float64(outputs.n[k])*margin <= most && s.list(&b, outputs.n[k]); k++ {
			}
		}
	}
	s.settle()
}

// dive searches those numbers of tiles first that come from powers of two, or of stride, so that
// the others have something to beat.
func (s *search) dive() {
	stride := max(s.l.stride, 2)
	groups, inputs, outputs := &s.counts[0], &s.counts[1], &s.counts[2]
	for g := groups.first; g <= groups.of; g *= 2 {
		ng := tilesOf(groups.of, g)
		for c := inputs.first; c <= inputs.of; c *= stride {
			b := s.branch(ng, tilesOf(inputs.of, c))
			for k := outputs.first; k <= outputs.of; k *= stride {
				s.list(&b, tilesOf(outputs.of, k))
			}
		}
	}
	s.settle()
}

// counts are numbers of tiles over so many steps of a dimension, from first on, the least
// first: those of more, and those that come from powers of two. They are listed as far as
// they are asked for; parts and power are the next of either to ask for.
type counts struct {
	of, first    int64
	parts, power int64
	n            [maxCounts]int64
	count        int
}

// maxCounts is room for the numbers of tiles over 2^30 steps.
const maxCounts = 256

func (x *counts) begin(of, first int64) {
	if x.of != of || x.first != first {
		x.of, x.first, x.parts, x.power, x.count = of, first, first, first, 0
	}
}

// has lists until there is an i-th number, and reports whether there is.
func (x *counts) has(i int) bool {
	for i >= x.count && x.parts <= x.of {
		n, even := tilesOf(x.of, x.parts), x.of
		if x.power <= x.of {
			even = tilesOf(x.of, x.power)
		}
		if even <= n {
			x.power *= 2
		}
		if n <= even {
			x.parts = more(x.parts, x.of)
		}
		if n = min(n, even); x.count == 0 || x.n[x.count-1] < n {
			x.n[x.count] = n
			x.count++
		}
	}
	return i < x.count
}

// from returns the place of the first number that is not less than another.
func (x *counts) from(least float64) int {
	for x.count == 0 || float64(x.n[x.count-1]) < least {
		if !x.has(x.count) {
			return x.count
		}
	}
	low, high := 0, x.count-1
	for low < high {
		if middle := (low + high) / 2; float64(x.n[middle]) < least {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// rangeK returns the least and the most tiles over output channels of which the weights fit
// the buffer, and that leave hope for what nothing hides.
func (s *search) rangeK(b *branch) (least, most float64) {
	if s.l.arch.Level[1].Keeps[model.Weights] {
		least = b.weights / float64(s.room+1)
	}
	slack := s.limit/margin - s.bounded(s.once, 0)
	switch {
	case slack <= 0:
		return least, 0
	case math.IsInf(slack, 1) || b.fixed == 0:
		return least, math.Inf(1)
	}
	// Time for each tile, and what tiles divide, are quadratic equations: of the weights for the
	// least, of the others, which parts of the pixels divide too, for the most.
	root := func(divided float64) float64 { return slack + math.Sqrt(max(slack*slack-4*b.fixed*divided, 0)) }
	if s.first[model.Weights] {
		least = max(least, 2*b.early/root(b.early))
	}
	return least, root(b.inputs+b.outs) / (2 * b.fixed)
}

// list lists numbers of tiles over channels unless they cannot win. It reports whether
// more tiles over output channels may.
func (s *search) list(b *branch, nk int64) bool {
	k := float64(nk)
	again := (k - 1) * b.again
	n := twig{once: s.once + min(again, b.sums), fixed: b.fixed * k}
	if s.bounded(n.once, n.fixed) >= s.limit {
		return false
	}
	tiles := 1 / k
	left := float64(s.room) - b.weightsInBuffer*tiles
	if left < 1 {
		return true // no tile of them fits
	}
	n.least, n.weights = 1, b.early
	if full := b.inBuffer + b.outInBuffer*tiles; full > left {
		n.least = math.Ceil(full / left * margin)
	}
	n.may, n.most, n.others = float64(s.bytes[model.Weights]), max(again, b.sums), b.inputs+b.outs*tiles
	if !s.passes {
		n.weights *= tiles
	}
	if s.holder[model.Weights] > 1 {
		n.weights = min(n.weights, s.io(s.at.least))
		if b.apart || b.weights*tiles > float64(s.at.fits[model.Weights]) {
			n.comes, n.may = n.may, 0
		}
	}
	least := s.bounded(n.bytes(n.least), n.best(n.least))
	if least < s.limit {
		least = max(least, s.sized(b, &n, k, left))
	}
	if least >= s.limit {
		return true
	}
	if !s.at.priced {
		s.price()
		*b = s.branch(b.ng, b.nc)
		return s.list(b, nk)
	}
	if s.p.Bound[model.N] == 1 && b.nc*nk > 1 {
		// Tiles have all pixels, if these may fit, or some, which moves more.
		cut := max(n.least, 2)
		some := s.bounded(n.bytes(cut), n.best(cut))
		if n.least == 1 {
			some = min(some, s.bounded(n.bytes(1), n.ramp(1)))
		}
		least = max(least, some)
	}
	if least < s.limit {
		if s.open.count == len(s.open.list) {
			s.settle()
			s.at.with(b.nc)
		}
		s.open.add(&node{ng: b.ng, nc: b.nc, nk: nk, parts: n.least, cut: uncut}, least)
	}
	return true
}

// sized returns a bound of a twig of k tiles over output channels that knows which numbers of
// tiles the cuts of the pixels make, and what they cover; left is what weights leave of
// the buffer.
func (s *search) sized(b *branch, n *twig, k, left float64) float64 {
	s.cutAll()
	least := math.Inf(1)
	list := s.cuts.sizes[:s.cuts.sized]
	if len(list) == 0 {
		return 0
	}
	for i := range list {
		x := &list[i]
		if x.tiles < n.least || x.inputs*b.input+x.outputs*b.output/k > left {
			continue
		}
		again := (k - 1) * x.covered
		bytes := s.once - float64(s.bytes[model.Inputs]) + x.covered + min(again, b.sums) + n.comes*(x.tiles-1) + min(n.may*(x.tiles-1), max(again, b.sums))
		least = min(least, s.bounded(bytes, n.weights+n.fixed*x.tiles+b.firstInput*x.inputs+b.lastOutput*x.outputs/k))
		if !s.gaps && s.bounded(bytes, n.weights+n.fixed*x.tiles) >= least {
			break
		}
	}
	return least
}

// tilesOf returns how many parts there are when n is cut into so many of one size.
func tilesOf(n, parts int64) int64 { return model.CeilDiv(n, model.CeilDiv(n, parts)) }

// node is what is not searched yet: numbers of tiles over channels, and of pixels
// at least parts, or one cut of the pixels.
type node struct {
	ng, nc, nk int64
	parts      float64
	// cut is an index into cutsOf.list.
	cut int
	// value is a bound of the value, pass one of that where weights pass, ramp one of
	// what nothing hides of a cut.
	value, pass, ramp float64
}

// uncut stands for all cuts of the pixels.
const uncut = -1

// nodes are what is not searched yet of a way, with bounds.
type nodes struct {
	list  [128]node
	least [128]float64
	count int
}

func (x *nodes) add(n *node, least float64) {
	x.list[x.count], x.least[x.count] = *n, least
	x.count++
}

// take takes out the node with the least bound.
func (x *nodes) take() (n node, least float64) {
	best, least := 0, x.least[0]
	for i, v := range x.least[1:x.count] {
		if v < least {
			best, least = i+1, v
		}
	}
	n = x.list[best]
	x.count--
	x.list[best], x.least[best] = x.list[x.count], x.least[x.count]
	return n, least
}

// settle searches what is listed, the least bound first: what it finds rules out most
// others.
func (s *search) settle() {
	x := &s.open
	for x.count > 0 {
		n, least := x.take()
		if least >= s.limit {
			break
		}
		s.at.with(n.nc)
		t := s.tile(n.ng, n.nc, n.nk)
		switch {
		case n.cut != uncut:
			s.consider(&t, &n)
		case t.weights <= s.room:
			s.bounds(&t, &n)
		}
	}
	x.count = 0
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
func (s *search) consider(t *tile, h *node) {
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
	var value [len(tileOrders)]float64
	list := distinctOrders(n[model.K] > 1, n[model.C] > 1, n[model.P]*n[model.Q] > 1)
	best := -1
	dominated := s.passes && !moved && !s.slides
	if dominated && how != weightsPass && n[model.N]*n[model.P]*n[model.Q] == 1 && s.m.Loops[s.l.inner].Temporal[model.K] > 1 {
		return // weights come once all the same, and may pass
	}
	choose := dominated && n[model.K] > 1 && n[model.P]*n[model.Q] > 1
	ramp := s.ramp()
	if s.bound(s.at.cycles, s.once, ramp) >= s.limit {
		return
	}
	s.between()
	for at, i := range list {
		o := &tileOrders[i]
		value[at] = math.Inf(1)
		if choose && (how == weightsPass) != (o.pixels < o.k) {
			continue // weights come again for each tile of pixels, or stay: one is better
		}
		bytes := float64(s.outside(o, extent))
		cycles := s.at.cycles
		if s.bound(cycles, bytes, least) >= s.limit {
			continue
		}
		if s.ported {
			if cycles = max(cycles, s.port(o)); s.bound(cycles, bytes, least) >= s.limit {
				continue
			}
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
