package edge

import "apollo/evaluator/model"

// choice is a mapping of the template in its own terms; loops writes it as a
// model.Mapping.
type choice struct {
	// meshX, meshY and core are the dimensions spread over the columns and rows
	// of the mesh and over the cores of a PE; nx, ny, nc on how many.
	meshX, meshY, core model.Dim
	nx, ny, nc         int64
	// lanes and simd are the lanes and multipliers in use.
	lanes, simd int64
	// kTile and cTile are the temporal extents of a weight tile: steps of the
	// lanes over channels and of the multipliers over input channels. kTiles
	// and cTiles are their numbers.
	kTile, cTile, kTiles, cTiles int64
	// pTile is the rows of a core per visit of a weight tile, pTiles their
	// number: more than 1 only where partial sums would not fit.
	pTile, pTiles, q int64
	// laneCols and simdCols are the columns of a depthwise layer that lanes and
	// multipliers without a channel take; 1 unless the chip packs them.
	laneCols, simdCols int64
}

// layerCost is what the network pass needs of a mapped layer.
type layerCost struct {
	choice choice
	// cycles is the time on chip: the largest of compute, port, bus and link,
	// plus ramp and tile switches. Off-chip transfers are the network's.
	cycles int64
	// compute, port, bus and link are the times that the multipliers, the PE
	// memory's port, the weight bus and the mesh links need; ramp is the first
	// weight tile's way in and the way across the mesh and back.
	compute, port, bus, link, ramp int64
	// tiles is the number of weight tiles, over all pixel tiles; steps the
	// number of steps of the lanes over output channels in all of them.
	tiles, steps int64
	// activePEs take part.
	activePEs int64
	// need is what one PE holds of inputs, outputs and partial sums, in bytes;
	// exchange is what one PE receives from others.
	need, exchange int64
	// pePJ, corePJ, lanePJ and computePJ are the dynamic energies of the levels
	// inside the mesh and of the multipliers, meshPJ that of the exchange. What
	// depends on the chip-level memories is the network pass's.
	pePJ, corePJ, lanePJ, computePJ, meshPJ float64
	// parameterRead and parameterWrite are the parameter memory's traffic in
	// bytes.
	parameterRead, parameterWrite int64
}

// search is the state of mapping one layer.
type search struct {
	m *machine
	s *shape
	// half is the number of weight words of all lanes that fit half of the core
	// memory, per filter window.
	half int64
	best layerCost
	// cost orders candidates: cycles on chip, or off-chip if that takes longer.
	cost int64
}

// maxUnrollings is 2 choices for each of columns, rows and cores.
const maxUnrollings = 8

// mapLayer finds the mapping of a layer with the least time. It tries every
// unrolling in the order of its lower bound and stops at the first that cannot
// beat the best.
func (m *machine) mapLayer(s *shape, out *layerCost) {
	if s.vector {
		m.vectorCost(s, out)
		return
	}
	q := search{m: m, s: s, half: m.weightWords(s)}
	var list [maxUnrollings]candidate
	n := q.unrollings(&list)
	for i := range n {
		least := i
		for j := i + 1; j < n; j++ {
			if list[j].bound < list[least].bound {
				least = j
			}
		}
		list[i], list[least] = list[least], list[i]
		if q.cost > 0 && list[i].bound >= q.cost {
			break
		}
		q.tilings(&list[i])
	}
	*out = q.best
	m.finish(s, out)
}

// weightWords returns how many words of one weight per multiplier, with the
// whole filter window, half of a core's memory holds for each lane. The rule
// core_memory guarantees one.
func (m *machine) weightWords(s *shape) int64 {
	return max(m.CoreMemory/(2*m.Lanes*windowBytes(s)), 1)
}

// windowBytes is one lane's weights for one step over channels and input
// channels: multipliers without an input channel hold padding.
func windowBytes(s *shape) int64 {
	return SIMDWidth * s.p.Bound[model.R] * s.p.Bound[model.S] * s.p.Bytes[model.Weights]
}

// candidate is an unrolling with the lower bound that its compute time gives.
type candidate struct {
	choice
	// k is the channels of one core, rows the output rows of one core, c the
	// steps over input channels; rest the product of all other steps.
	k, kLane, rows, c, rest int64
	bound                   int64
}

// unrollings lists the unrollings that differ: spreading rows or columns of
// which there is one is no choice, spreading channels always is.
func (q *search) unrollings(list *[maxUnrollings]candidate) int {
	b := &q.s.p.Bound
	n := 0
	for bits := range maxUnrollings {
		x, y, core := model.Q, model.P, q.s.channel
		if bits&1 != 0 {
			y = q.s.channel
		}
		if bits&2 != 0 {
			x = q.s.channel
		}
		if bits&4 != 0 {
			core = model.P
		}
		if y == model.P && b[model.P] == 1 || x == model.Q && b[model.Q] == 1 ||
			core == model.P && (b[model.P] == 1 || q.m.Cores == 1) {
			continue
		}
		list[n] = q.unroll(x, y, core)
		n++
	}
	return n
}

func (q *search) unroll(x, y, core model.Dim) candidate {
	m, s := q.m, q.s
	b := s.p.Bound
	u := candidate{choice: choice{meshX: x, meshY: y, core: core}}
	u.nx = split(&b[x], m.PEsX)
	u.ny = split(&b[y], m.PEsY)
	u.nc = split(&b[core], m.Cores)
	u.k, u.rows = b[s.channel], b[model.P]
	u.lanes = min(m.Lanes, u.k)
	u.kLane = model.CeilDiv(u.k, u.lanes)
	u.simd = min(SIMDWidth, b[model.C])
	u.c = model.CeilDiv(b[model.C], u.simd)
	u.q, u.laneCols, u.simdCols = b[model.Q], 1, 1
	if m.PackedDepthwise && b[model.C] == 1 {
		u.simdCols = min(SIMDWidth, u.q)
		u.laneCols = min(m.Lanes/u.lanes, model.CeilDiv(u.q, u.simdCols))
		u.q = model.CeilDiv(u.q, u.simdCols*u.laneCols)
	}
	u.rest = b[model.N] * u.q * b[model.R] * b[model.S] * b[model.G] * b[model.K] / u.k
	u.bound = u.rest * u.rows * u.kLane * u.c
	return u
}

// split spreads n iterations over at most units parts of equal size and
// returns how many parts have work; n becomes the size of a part.
func split(n *int64, units int64) int64 {
	part := model.CeilDiv(*n, units)
	parts := model.CeilDiv(*n, part)
	*n = part
	return parts
}

// maxSplits bounds the numbers of input-channel tiles that are tried beyond the
// smallest that fits: more tiles only pay when fewer channel tiles follow.
const maxSplits = 4

// tilings tries the weight tiles of an unrolling. For each number of
// input-channel tiles the largest channel tile that fits dominates: it has the
// fewest tiles.
func (q *search) tilings(u *candidate) {
	fewest := model.CeilDiv(u.c, min(u.c, q.half))
	var last int64
	for n := fewest; n <= min(u.c, fewest+maxSplits); n++ {
		cTile := model.CeilDiv(u.c, n)
		if cTile == last {
			continue
		}
		last = cTile
		c := u.choice
		c.cTile, c.cTiles = cTile, model.CeilDiv(u.c, cTile)
		c.kTiles = model.CeilDiv(u.kLane, min(u.kLane, q.half/cTile))
		c.kTile = model.CeilDiv(u.kLane, c.kTiles)
		q.try(u, &c)
		if c.kTiles == 1 {
			return // more splits only add tiles
		}
	}
}

// try costs one mapping and keeps it when it is faster than the best.
func (q *search) try(u *candidate, c *choice) {
	m, s := q.m, q.s
	c.pTile, c.pTiles = u.rows, 1
	partial := q.partialBytes(u, c)
	if room := m.PEMemory / 2; partial > room {
		c.pTile = max(u.rows*room/partial, 1)
		c.pTiles = model.CeilDiv(u.rows, c.pTile)
		partial = partial * c.pTile / u.rows
	}
	r := layerCost{activePEs: c.nx * c.ny, tiles: c.kTiles * c.cTiles * c.pTiles * s.groupSteps()}
	r.steps = u.kLane * c.cTiles * c.pTiles * s.groupSteps()
	r.compute = m.issued(u.bound)
	r.port = q.portCycles(u, c)
	if m.ResidentBytes == 0 {
		r.bus = q.busCycles(c)
		r.ramp = q.firstWeights(c)
	}
	in, out := q.slices(c)
	r.exchange = max(in-model.CeilDiv(s.in, r.activePEs), 0)
	r.link = model.CeilDiv(r.exchange, m.linkBytes)
	r.ramp += 2 * (m.PEsX + m.PEsY) * m.hopCycles
	r.need = in + out + partial
	r.cycles = max(r.compute, r.port, r.bus, r.link) + r.ramp + r.tiles*m.tileCycles
	spill := max(r.need-m.PEMemory, 0) * r.activePEs
	cost := max(r.cycles, model.CeilDiv(spill*milli, m.ioRate))
	if q.cost == 0 || cost < q.cost {
		r.choice = *c
		q.best, q.cost = r, cost
	}
}

// splitsSums reports whether partial sums leave the lanes: several input-channel
// tiles, with more than one output per lane in between.
func (c *choice) splitsSums(s *shape, rows int64) bool {
	return c.cTiles > 1 && s.p.Bound[model.N]*rows*c.q*c.kTile > 1
}

// partialBytes returns the partial sums that one PE keeps while a channel tile
// is summed over more than one input-channel tile.
func (q *search) partialBytes(u *candidate, c *choice) int64 {
	if !c.splitsSums(q.s, u.rows) {
		return 0
	}
	rows, channels := u.rows, min(c.kTile*c.lanes, u.k)
	if c.core == model.P {
		rows *= c.nc
	} else {
		channels *= c.nc
	}
	return rows * u.q * channels * q.s.p.PartialBytes
}

// portCycles returns the time that the busiest direction of the PE memory's
// port needs, as model.Eval counts it.
func (q *search) portCycles(u *candidate, c *choice) int64 {
	s, b := q.s, &q.s.p.Bound
	pes := c.nx * c.ny
	// One read serves all lanes of a core, and all cores, that use the element.
	reads := b[model.G] * b[model.N] * b[model.C] * b[model.P] * b[model.Q] * b[model.R] * b[model.S]
	if s.channel == model.K {
		reads *= u.kLane * c.copies(model.K)
	} else {
		reads *= b[model.K]
	}
	outputs := b[model.G] * b[model.N] * b[model.K] * b[model.P] * b[model.Q]
	var partial int64
	if c.splitsSums(s, c.pTile) {
		partial = outputs * (c.cTiles - 1) * s.p.PartialBytes
	}
	read := model.CeilDiv(reads*s.p.Bytes[model.Inputs]+partial, pes)
	write := model.CeilDiv(outputs*s.p.Bytes[model.Outputs]+partial, pes)
	return model.CeilDiv(max(read, write), q.m.portBytes)
}

// copies returns on how many PEs a dimension is spread.
func (c *choice) copies(d model.Dim) int64 {
	n := int64(1)
	if c.meshX == d {
		n *= c.nx
	}
	if c.meshY == d {
		n *= c.ny
	}
	return n
}

// busCycles returns the time to distribute the weights; a tile is sent again
// for every pixel tile.
func (q *search) busCycles(c *choice) int64 {
	b := &q.s.p.Bound
	weights := b[model.G] * b[model.K] * b[model.C] * b[model.R] * b[model.S] * q.s.p.Bytes[model.Weights]
	return model.CeilDiv(weights*c.pTiles, q.m.busBytes)
}

// firstWeights returns the time until every lane has the weights of its first
// step: lanes start on them while the rest of the tile arrives.
func (q *search) firstWeights(c *choice) int64 {
	s := q.s
	lanes := c.lanes * c.copies(s.channel)
	if c.core == s.channel {
		lanes *= c.nc
	}
	return model.CeilDiv(min(lanes, s.p.Bound[s.channel])*windowBytes(s), q.m.busBytes)
}

// slices returns the input bytes, with halo, and the output bytes of one PE.
func (q *search) slices(c *choice) (in, out int64) {
	s, b := q.s, &q.s.p.Bound
	rows, cols, channels := b[model.P], b[model.Q], b[s.channel]
	if c.meshY == model.P {
		rows = model.CeilDiv(rows, c.ny)
	}
	if c.meshX == model.Q {
		cols = model.CeilDiv(cols, c.nx)
	}
	channels = model.CeilDiv(channels, c.copies(s.channel))
	height := min((rows-1)*s.p.Stride[0]+(b[model.R]-1)*s.p.Dilation[0]+1, s.height)
	width := min((cols-1)*s.p.Stride[1]+(b[model.S]-1)*s.p.Dilation[1]+1, s.width)
	depth, outputs := s.depth, channels*b[model.G]
	if s.channel == model.G {
		depth, outputs = channels*b[model.C], channels*b[model.K]
	}
	in = min(b[model.N]*depth*height*width*s.p.Bytes[model.Inputs], s.in)
	return in, b[model.N] * outputs * rows * cols * s.p.Bytes[model.Outputs]
}

// vectorCost is the time of a layer without multiplications: one element per
// lane and cycle, spread evenly, with the PE memory's port beside it.
func (m *machine) vectorCost(s *shape, r *layerCost) {
	pes := m.PEs()
	*r = layerCost{activePEs: pes, tiles: 1, steps: 1}
	r.compute = m.issued(model.CeilDiv(s.ops, pes*m.Cores*m.Lanes))
	r.port = model.CeilDiv(model.CeilDiv(max(s.in, s.out), pes), m.portBytes)
	r.bus = model.CeilDiv(s.weights, m.busBytes)
	r.ramp = 2 * (m.PEsX + m.PEsY) * m.hopCycles
	r.cycles = max(r.compute, r.port, r.bus) + r.ramp + m.tileCycles
	r.need = model.CeilDiv(s.in+s.out, pes)
	r.computePJ = float64(s.ops) * m.addPJ
	pe := &m.arch.Level[levelPE]
	r.parameterRead, r.parameterWrite = s.weights, s.weights
	r.pePJ = float64(s.in)*pe.ReadPJ + float64(s.out)*pe.WritePJ
}
