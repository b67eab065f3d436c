package template

import (
	"apollo/evaluator/model"
)

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

// more returns the next number of parts of n after parts: all up to 16, then
// eight to a doubling, n at the end, leaving out those that give parts of the
// same size; more than n after the last.
func more(parts, n int64) int64 {
	const fine = 8
	size := model.CeilDiv(n, parts)
	for next := parts; next < n; {
		next += max(next/fine, 1)
		if next >= n {
			return n
		}
		if model.CeilDiv(n, next) != size {
			return next
		}
	}
	return n + 1
}

// tiles walks over numbers of tiles over groups, input channels and output
// channels, and for each over those of images, rows and columns.
func (s *search) tiles() {
	x := &s.at
	firstK, firstC := int64(1), int64(1)
	if x.single && x.k > 0 {
		firstK = x.rest[model.K]
	}
	if x.single && x.c > 0 {
		firstC = x.rest[model.C]
	}
	for ng := int64(1); ng <= x.rest[model.G]; ng = more(ng, x.rest[model.G]) {
		if s.hopeless(ng, 1, 1) {
			break
		}
		for nc := firstC; nc <= x.rest[model.C]; nc = more(nc, x.rest[model.C]) {
			if s.hopeless(ng, nc, 1) {
				break
			}
			for nk := firstK; nk <= x.rest[model.K]; nk = more(nk, x.rest[model.K]) {
				if s.hopeless(ng, nc, nk) {
					break
				}
				if b, ok := s.branch(ng, nc, nk); ok && s.bounded(s.traffic(nc, nk, 1, b.least, s.bytes[model.Inputs]), b.best()) < s.limit {
					s.pixels(ng, nc, nk, &b)
				}
			}
		}
	}
}

// pixels cuts images, then rows and columns in three ways, from the largest
// tiles that may fit on until smaller ones cannot win.
func (s *search) pixels(ng, nc, nk int64, b *branch) {
	rest := &s.at.rest
	t := s.tile(ng, nc, nk)
	if t.weights > s.room {
		return
	}
	most := pixels{rest[model.N], rest[model.P], rest[model.Q]}
	for cut := rowsFirst; cut <= inTurn; cut++ {
		if cut > rowsFirst && (most.columns == 1 || most.rows == 1) {
			return // there is one way
		}
		n := pixels{1, 1, 1}
		for turn := 0; ; turn++ {
			px := n.rows * n.columns
			if s.bounded(s.traffic(nc, nk, n.images, px, s.bytes[model.Inputs]), b.fixed) >= s.limit {
				break // smaller tiles do not move less
			}
			bytes := s.traffic(nc, nk, n.images, px, s.covered(n.rows, n.columns))
			if n.images*px >= b.least && !n.seen(cut, &most) && s.bounded(bytes, b.ramp(float64(n.images*px))) < s.limit {
				s.consider(&t, &n)
			}
			if !n.finer(cut, turn, &most) {
				break
			}
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
	t := tile{parts: [model.Dims]int64{ng, 1, nk, nc, 1, 1, 1, 1}}
	for d := range model.Dims {
		s.split(&t, d)
	}
	if s.l.arch.Level[1].Keeps[model.Weights] {
		t.weights = s.p.Elements(model.Weights, &t.extent) * s.p.Bytes[model.Weights]
	}
	return t
}

// split computes the steps outside and the extent of a dimension.
func (s *search) split(t *tile, d model.Dim) {
	size := s.at.rest[d]
	t.n[d] = 1
	if t.parts[d] > 1 {
		size = model.CeilDiv(size, t.parts[d])
		t.n[d] = model.CeilDiv(s.at.rest[d], size)
	}
	t.extent[d] = min(size*s.at.inside[1][d], s.p.Bound[d])
}

// cutPixels cuts the pixels of a tile.
func (s *search) cutPixels(t *tile, n *pixels) {
	for _, x := range [...]struct {
		d     model.Dim
		parts int64
	}{{model.N, n.images}, {model.P, n.rows}, {model.Q, n.columns}} {
		if t.parts[x.d] != x.parts {
			t.parts[x.d] = x.parts
			s.split(t, x.d)
		}
	}
}

// consider bounds a tile with its pixels cut, when it fits, in every order, and
// evaluates what may win.
func (s *search) consider(t *tile, px *pixels) {
	s.cutPixels(t, px)
	keeps := &s.l.arch.Level[1].Keeps
	others, sums := t.weights, int64(0)
	if keeps[model.Inputs] {
		others += s.p.Elements(model.Inputs, &t.extent) * s.p.Bytes[model.Inputs]
	}
	if keeps[model.Outputs] {
		sums = s.p.Elements(model.Outputs, &t.extent)
	}
	if others+sums*s.width(1, t.n[model.C]) > s.room {
		return
	}
	var first int64
	for o := range model.Operands {
		first += s.first(o, t.n[model.G]*t.n[model.N], t.n[model.K], s.p.Elements(o, &t.extent)*s.p.Bytes[o])
	}
	ramp := s.io(first) + float64(s.at.fixed*steps(&t.n))
	if s.bounded(s.traffic(t.n[model.C], t.n[model.K], t.n[model.N], t.n[model.P]*t.n[model.Q], s.covered(t.n[model.P], t.n[model.Q])), ramp) >= s.limit {
		return
	}
	s.m = s.at.spread
	for how := pixelsLeave; how <= weightsPass; {
		s.cut(&t.parts)
		moved, fits := s.arrange(how)
		if fits {
			s.orders(t, ramp)
		}
		switch {
		case moved && how == pixelsLeave:
			how = channelsLeave
		case s.passes && t.n[model.K] < s.at.rest[model.K]:
			how = max(how+1, weightsPass)
		default:
			return
		}
	}
}

// orders evaluates the mapping that is tried in the orders of tiles that may win;
// least is a bound of its ramp.
func (s *search) orders(t *tile, least float64) {
	n := &s.m.Loops[0].Temporal
	var ramp float64
	known := false
	for _, i := range distinctOrders(n[model.K] > 1, n[model.C] > 1, n[model.P]*n[model.Q] > 1) {
		cycles, bytes := s.at.cycles, s.outside(&tileOrders[i], &t.extent)
		if s.bound(cycles, bytes, least) >= s.limit {
			continue
		}
		if s.ported {
			cycles = max(cycles, s.port(&tileOrders[i]))
		}
		if !known {
			ramp, known = s.ramp(), true
		}
		if s.bound(cycles, bytes, ramp) >= s.limit {
			continue
		}
		s.m.Loops[0].Order = tileOrders[i].dims
		s.eval()
	}
}

// ramp returns what nothing hides of the mapping that is tried, beyond what bound
// adds for every mapping of the way.
func (s *search) ramp() float64 {
	fill, drain := s.m.Ramp(s.p, &s.l.arch)
	ramp := -s.at.ramp
	for i := range s.l.arch.Levels {
		ramp += float64(fill[i] + drain[i])
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
