package template

import (
	"math"

	"apollo/evaluator/gemmini"
	"apollo/evaluator/model"
)

// Find implements Dataflow: the tiling of least value among all even cuts of
// images, channels, rows and columns. A choice is left as soon as no completion
// of it can beat the best tiling so far, so the result is that of trying all.
func (f *squareArray) Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit) {
	s := squareSearch{f: f, p: p, goal: g.on(p, &f.arch), least: math.Inf(1), parts: p.Bound}
	s.parts[model.R], s.parts[model.S] = 1, 1
	s.taps = p.Bound[model.R] * p.Bound[model.S]
	s.size()
	for n := int64(1); n > 0 && s.cuts < maxCuts; n = model.NextParts(p.Bound[model.C], n) {
		s.channels[s.cuts] = f.cut(p.Bound[model.C], n)
		s.cuts++
	}
	s.list()
	for s.count > 0 {
		at := 0
		for i := range s.blocks[:s.count] {
			if s.blocks[i].bound < s.blocks[at].bound {
				at = i
			}
		}
		if !(s.blocks[at].bound < s.least) {
			break
		}
		s.block(&s.blocks[at])
		s.count--
		s.blocks[at] = s.blocks[s.count]
	}
	if math.IsInf(s.least, 1) {
		return Cost{}, f.misfit(p)
	}
	*m = f.nest(p, s.found)
	return s.best, nil
}

// misfit says what the smallest tile needs.
func (f *squareArray) misfit(p *model.Problem) *Misfit {
	parts := p.Bound
	parts[model.R], parts[model.S] = 1, 1
	t := f.tiling(p, &parts)
	load, sums := f.needs(p, &t)
	x := Misfit{Code: "scratchpad", What: "the smallest tile, twice,", Param: "scratchpad", Need: 2 * load, Have: f.arch.Level[squarePad].Capacity, Unit: "B"}
	if have := f.arch.Level[squareAcc].Capacity; x.Need <= x.Have {
		x.Code, x.What, x.Param, x.Need, x.Have = "accumulator", "the smallest tile of sums, twice,", "accumulator", 2*sums, have
	}
	return &x
}

// maxCuts is how many cuts of a dimension are tried; a dimension of 65,536 has
// as many.
const maxCuts = 512

// cut is a dimension cut into parts: their number and size, and the blocks of
// the array in one, of channels.
type cut struct{ parts, outer, tile, blocks int64 }

// cut cuts channels evenly into at most so many parts.
func (f *squareArray) cut(n, parts int64) cut {
	size := model.CeilDiv(n, parts)
	blocks := model.CeilDiv(size, f.chip.Dim)
	outer := model.CeilDiv(n, blocks*model.CeilDiv(size, blocks))
	return cut{parts, outer, model.CeilDiv(n, outer), blocks}
}

// squareBlock is a cut of images and output channels with a bound of its
// tilings.
type squareBlock struct {
	images, kernels int64
	bound           float64
}

// squareSearch is the state of mapping one layer.
type squareSearch struct {
	f    *squareArray
	p    *model.Problem
	goal goal
	taps int64
	// pixels is the number of outputs of a channel and an image, inputs the inputs
	// under them in one tile, skipped how many of them another tile may leave out,
	// touched how many windows cover.
	pixels, inputs, skipped, touched int64
	channels                         [maxCuts]cut
	blocks                           [maxCuts]squareBlock
	cuts, count                      int
	// images and kernels are the block that is tried.
	images, kernels cut
	// parts are the numbers of tiles that are tried, found those of the best.
	parts, found [model.Dims]int64
	best         Cost
	least        float64
	// fixed is what a block costs at least, tile what each tile of its pixels
	// adds, input what each input of a channel and an image.
	fixed, tile, input squareShare
	// accRoom is how many outputs of a channel and an image the accumulator
	// holds beside the others of the block, padRoom likewise inputs and the
	// scratchpad.
	accRoom, padRoom int64
}

// squareShare is a share of the time of the three activities, of starting tiles,
// of the bytes over the chip's border, and of the energy.
type squareShare struct{ execute, load, store, start, bytes, pj float64 }

// list lists the blocks with their bounds.
func (s *squareSearch) list() {
	b := &s.p.Bound
	for images := int64(1); images > 0; images = model.NextParts(b[model.N], images) {
		for n := int64(1); n > 0 && s.count < maxCuts; n = model.NextParts(b[model.K], n) {
			if s.start(images, n); s.accRoom < 1 {
				continue
			}
			s.fix(&s.channels[0])
			s.blocks[s.count] = squareBlock{images, n, s.atLeast(model.CeilDiv(s.pixels, s.accRoom))}
			s.count++
		}
	}
}

// start begins a block.
func (s *squareSearch) start(images, kernels int64) {
	p := s.p
	s.parts[model.N], s.parts[model.K] = images, kernels
	s.images, s.kernels = cut{images, images, model.CeilDiv(p.Bound[model.N], images), 1}, s.f.cut(p.Bound[model.K], kernels)
	s.accRoom = s.f.arch.Level[squareAcc].Capacity / 2 / (s.images.tile * s.kernels.tile * p.PartialBytes)
}

// fix sets what the block costs with a cut of input channels.
func (s *squareSearch) fix(c *cut) {
	p, f := s.p, s.f
	k, images := &s.kernels, float64(s.images.tile)
	stores := float64(p.Bound[model.G] * s.images.outer * k.outer)
	outer, blocks := stores*float64(c.outer), float64(k.blocks*c.blocks*s.taps)
	pixels := images * float64(s.pixels)
	s.fixed = s.share(&gemmini.Counts{
		Steps: outer * blocks * pixels, StoreBytes: stores * pixels * float64(k.tile*p.Bytes[model.Outputs]),
		OutputRows: stores * pixels * float64(k.blocks),
	})
	s.tile = s.share(&gemmini.Counts{Tiles: outer, Blocks: outer * blocks, LoadBytes: outer * float64(k.tile*c.tile*s.taps*p.Bytes[model.Weights])})
	s.input = s.share(&gemmini.Counts{LoadBytes: outer * images * float64(c.tile*p.Bytes[model.Inputs]), InputRows: outer * images * float64(model.CeilDiv(c.tile, f.chip.Dim))})
	s.fixed.pj += float64(p.MACs()) * f.arch.MACPJ
	// Every input channel is a row of weights in some block.
	rows := stores * float64(k.blocks*s.taps*p.Bound[model.C])
	s.tile.pj += rows * float64(f.chip.Dim*p.Bytes[model.Weights]) * f.arch.Level[squarePad].ReadPJ
}

// share returns what counts cost, without arithmetic and reads of weights.
func (s *squareSearch) share(n *gemmini.Counts) squareShare {
	f, dim := s.f, float64(s.f.chip.Dim)
	x := squareShare{bytes: n.LoadBytes + n.StoreBytes}
	x.execute, x.load, x.store, x.start = f.chip.Cycles(n)
	pad, sums := n.Steps*dim*float64(s.p.Bytes[model.Inputs]), n.Steps*dim*float64(s.p.PartialBytes)
	scratch, acc := &f.arch.Level[squarePad], &f.arch.Level[squareAcc]
	x.pj = x.bytes*f.m.DRAMPJPerByte + n.LoadBytes*scratch.WritePJ + pad*scratch.ReadPJ + sums*(acc.ReadPJ+acc.WritePJ)
	return x
}

// window is the inputs under one output along an axis.
func (s *squareSearch) window(axis int) int64 {
	return (s.p.Bound[int(model.R)+axis]-1)*s.p.Dilation[axis] + 1
}

// along returns the inputs of a channel along an axis that so many tiles bring.
func (s *squareSearch) along(axis int, tiles int64) int64 {
	stride := s.p.Stride[axis]
	return s.p.Bound[int(model.P)+axis]*stride + tiles*(s.window(axis)-stride)
}

// size sets what tiles of pixels bring.
func (s *squareSearch) size() {
	b := &s.p.Bound
	s.pixels = b[model.P] * b[model.Q]
	rows, columns := s.along(0, 1), s.along(1, 1)
	s.inputs = rows * columns
	s.skipped = max((s.p.Stride[0]-s.window(0))*columns, (s.p.Stride[1]-s.window(1))*rows, 0)
	s.touched = min(rows, b[model.P]*s.window(0)) * min(columns, b[model.Q]*s.window(1))
}

// atLeast returns a bound for at least this many tiles of pixels. Where a stride
// is longer than its window, more tiles bring fewer inputs; the bound is convex
// in their number, so that where one more does not lower it, none does.
func (s *squareSearch) atLeast(tiles int64) float64 {
	v := s.bound(tiles, float64(max(s.inputs-(tiles-1)*s.skipped, s.touched)))
	if s.skipped > 0 && s.bound(tiles+1, float64(max(s.inputs-tiles*s.skipped, s.touched))) < v {
		return s.bound(tiles, float64(s.touched))
	}
	return v
}

// bound returns a value that no tiling with what is fixed is below whose pixels
// are cut into at least this many tiles, which bring this many inputs of a
// channel.
func (s *squareSearch) bound(pixelTiles int64, inputs float64) float64 {
	n, a, t, i := float64(pixelTiles), &s.fixed, &s.tile, &s.input
	bytes := a.bytes + n*t.bytes + inputs*i.bytes
	cycles := gemmini.Overlap(a.execute+n*t.execute, n*t.load+inputs*i.load, a.store, n*t.start)
	const milli = 1000
	cycles = margin * max(cycles, bytes*milli/float64(s.f.m.IORate))
	if s.skipped == 0 {
		cycles = math.Ceil(cycles) // with a stride that skips, atLeast needs it convex
	}
	return s.goal.value(cycles, margin*(a.pj+n*t.pj+inputs*i.pj))
}

// block tries the cuts of input channels, rows and columns of a block.
func (s *squareSearch) block(x *squareBlock) {
	p := s.p
	s.start(x.images, x.kernels)
	half := s.f.arch.Level[squarePad].Capacity / 2
	// Cutting channels adds tiles and takes nothing away.
	s.fix(&s.channels[0])
	whole, few := s.tile.start, model.CeilDiv(s.pixels, s.accRoom)
	fixed, tile, input := s.fixed, s.tile, s.input
	for i := range s.channels[:s.cuts] {
		c := &s.channels[i]
		s.fixed, s.tile, s.input = fixed, tile, input
		s.tile.start = whole * float64(c.outer)
		if !(s.atLeast(few) < s.least) {
			return
		}
		weights := s.kernels.tile * c.tile * s.taps * p.Bytes[model.Weights]
		if half <= weights {
			continue
		}
		s.padRoom = (half - weights) / (s.images.tile * c.tile * p.Bytes[model.Inputs])
		if s.padRoom < s.window(0)*s.window(1) {
			continue
		}
		s.fix(c)
		if tiles := max(few, model.CeilDiv(s.pixels, s.padRoom)); s.atLeast(tiles) < s.least {
			s.parts[model.C] = c.parts
			s.columns(tiles)
		}
	}
}

// columns tries numbers of tiles over columns, of at least so many over pixels.
func (s *squareSearch) columns(tiles int64) {
	columns := s.p.Bound[model.Q]
	for n := int64(1); n > 0; n = model.NextParts(columns, n) {
		if !(s.atLeast(max(n, tiles)) < s.least) {
			return
		}
		size := model.CeilDiv(columns, n)
		width := (size-1)*s.p.Stride[1] + s.window(1)
		height := s.padRoom / width
		if s.accRoom < size || height < s.window(0) {
			continue
		}
		s.parts[model.Q] = n
		s.rows(n, min(s.accRoom/size, (height-s.window(0))/s.p.Stride[0]+1), width)
	}
}

// rows tries numbers of tiles over rows, the fewest that fit first. The bound is
// convex in their number.
func (s *squareSearch) rows(columns, most, width int64) {
	rows := s.p.Bound[model.P]
	for n := model.CeilDiv(rows, most); n > 0; n = model.NextParts(rows, n) {
		at := func(n int64) float64 { return s.bound(columns*n, float64(s.along(0, n)*columns*width)) }
		v := at(n)
		if !(v < s.least) {
			if s.skipped == 0 || !(at(n+1) < v) {
				return
			}
			continue
		}
		s.parts[model.P] = n
		t := s.f.tiling(s.p, &s.parts)
		c := s.f.cost(s.p, &t)
		if v := s.goal.of(&c); v < s.least {
			s.least, s.best, s.found = v, c, s.parts
		}
	}
}
