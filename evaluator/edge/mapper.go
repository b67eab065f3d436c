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
	traffic        traffic
}

// search is the state of mapping one layer.
type search struct {
	m *machine
	s *shape
	// half is the number of weight words of all lanes that fit half of the core
	// memory, per filter window.
	half int64
	best *layerCost
	// cost orders candidates: cycles on chip with the issue of output tiles, or
	// off-chip if that takes longer. 0 until there is one.
	cost int64
	// of is the unrolling of the best.
	of    unrolling
	reach reach
}

// mapLayer finds the mapping of a layer with the least time, and what other
// chips have the same. It tries every unrolling in the order of its compute
// time and stops at the first that cannot beat the best.
func (m *machine) mapLayer(s *shape, out *layerCost) reach {
	if s.vector {
		m.vectorCost(s, out)
		return anywhere()
	}
	q := search{m: m, s: s, half: m.weightWords(s), best: out, reach: anywhere()}
	serial := m.way() + s.groupSteps()*(m.tileCycles+m.loopCycles)
	var list [maxUnrollings]unrolling
	n := q.unrollings(&list)
	for i := range n {
		least := i
		for j := i + 1; j < n; j++ {
			if list[j].steps < list[least].steps {
				least = j
			}
		}
		list[i], list[least] = list[least], list[i]
		if q.cost > 0 && m.issued(list[i].steps)+serial >= q.cost {
			break
		}
		q.tilings(&list[i])
	}
	out.traffic = q.traffic()
	return q.reach
}

// way is the time across the mesh and back.
func (m *machine) way() int64 { return 2 * (m.PEsX + m.PEsY) * m.hopCycles }

// weightWords returns how many words of one weight per multiplier, with the
// whole filter window, half of a core's memory holds for each lane. The rule
// core_memory guarantees one.
func (m *machine) weightWords(s *shape) int64 {
	return max(m.CoreMemory/(2*m.Lanes*s.window), 1)
}

// maxSplits bounds the numbers of input-channel tiles that are tried beyond the
// smallest that fits: more tiles only pay when fewer channel tiles follow.
const maxSplits = 4

// tilings tries the weight tiles of an unrolling. For each number of
// input-channel tiles the largest channel tile that fits dominates: it has the
// fewest tiles.
func (q *search) tilings(u *unrolling) {
	c := q.spread(u)
	e := q.estimate(u, &c)
	q.reach.words(q, q.s.cSteps*u.kLane)
	if q.half >= q.s.cSteps*u.kLane {
		c.tile(u.kLane, q.s.cSteps, q.s.cSteps, q.half)
		q.try(u, &e, &c)
		return
	}
	fewest := model.CeilDiv(q.s.cSteps, min(q.s.cSteps, q.half))
	var last int64
	for n := fewest; n <= min(q.s.cSteps, fewest+maxSplits); n++ {
		cTile := model.CeilDiv(q.s.cSteps, n)
		if cTile == last {
			continue
		}
		last = cTile
		c.tile(u.kLane, q.s.cSteps, cTile, q.half)
		q.try(u, &e, &c)
		if c.kTiles == 1 {
			return // more splits only add tiles
		}
	}
}

// tile sets the weight tile of cTile steps over input channels and as many
// steps over channels as half of the core memory holds.
func (c *choice) tile(kLane, cSteps, cTile, half int64) {
	c.cTile, c.cTiles = cTile, 1
	if cTile < cSteps {
		c.cTiles = model.CeilDiv(cSteps, cTile)
	}
	c.kTile, c.kTiles = kLane, 1
	if fit := half / cTile; fit < kLane {
		c.kTiles = model.CeilDiv(kLane, fit)
		c.kTile = model.CeilDiv(kLane, c.kTiles)
	}
}

// estimate is what all tilings of an unrolling share.
type estimate struct {
	// compute, bus and link are times; ramp has the first weights.
	compute, bus, link, ramp int64
	// reads are the bytes of inputs that the cores read from the PE memories.
	reads int64
	// held is the bytes of inputs and outputs of one PE, exchange those that it
	// receives from others.
	held, exchange int64
	pes            int64
}

func (q *search) estimate(u *unrolling, c *choice) estimate {
	m, s := q.m, q.s
	e := estimate{compute: m.issued(u.steps), ramp: m.way(), reads: q.inputReads(u, c), pes: c.nx * c.ny}
	if m.ResidentBytes == 0 {
		e.bus = model.CeilDiv(s.filters, m.busBytes)
		e.ramp += q.firstWeights(c)
	}
	in, out := q.slices(c)
	e.held = in + out
	e.exchange = max(in-model.CeilDiv(s.in, e.pes), 0)
	e.link = model.CeilDiv(e.exchange, m.linkBytes)
	return e
}

// try costs one mapping and keeps it when it is faster than the best.
func (q *search) try(u *unrolling, e *estimate, c *choice) {
	m, s := q.m, q.s
	c.pTile, c.pTiles = u.rows, 1
	partial := q.partialBytes(u, c)
	q.reach.sums(q, partial)
	bus := e.bus
	if room := m.PEMemory / 2; partial > room {
		c.pTile = max(u.rows*room/partial, 1)
		c.pTiles = model.CeilDiv(u.rows, c.pTile)
		partial = partial * c.pTile / u.rows
		if m.ResidentBytes == 0 {
			bus = model.CeilDiv(s.filters*c.pTiles, m.busBytes) // a tile is sent again for every pixel tile
		}
	}
	tiles := c.kTiles * c.cTiles * c.pTiles * s.groupSteps()
	port := q.portCycles(e, c)
	cycles := max(e.compute, port, bus, e.link) + e.ramp + tiles*m.tileCycles
	need := e.held + partial
	q.reach.need(q, need, e.pes)
	steps := u.kLane * c.cTiles * c.pTiles * s.groupSteps()
	// The network pass charges the issue of every output tile that is not
	// unrolled, and there is at least one per step.
	cost := cycles + steps*m.loopCycles
	if bytes := m.crowds(s, need, e.pes); bytes > 0 {
		cost = max(cost, model.CeilDiv(bytes*milli, m.ioRate))
	}
	if q.cost > 0 && cost >= q.cost {
		return
	}
	q.cost, q.of = cost, *u
	*q.best = layerCost{
		choice: *c, cycles: cycles, compute: e.compute, port: port, bus: bus, link: e.link, ramp: e.ramp,
		tiles: tiles, steps: steps, activePEs: e.pes, need: need, exchange: e.exchange,
	}
}

// crowds returns the bytes that a mapping sends over the chip's border because
// its activations and what waits beside them do not fit the PE memories.
func (m *machine) crowds(s *shape, need, pes int64) int64 {
	all := m.allPEs * m.PEMemory
	if need <= m.PEMemory && need*pes+s.idle <= all {
		return 0
	}
	leaving := s.idle - (all - min(need, m.PEMemory)*pes)
	return max(need-m.PEMemory, 0)*pes + 2*max(leaving, 0)
}

// splitsSums reports whether partial sums leave the lanes: several input-channel
// tiles, with more than one output per lane in between.
func (c *choice) splitsSums(s *shape, rows int64) bool {
	return c.cTiles > 1 && s.p.Bound[model.N]*rows*c.q*c.kTile > 1
}

// partialBytes returns the partial sums that one PE keeps while a channel tile
// is summed over more than one input-channel tile.
func (q *search) partialBytes(u *unrolling, c *choice) int64 {
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
	in = min(s.size(model.Inputs, b[model.N]*depth*height*width), s.in-s.aside)
	in += model.CeilDiv(s.aside, c.nx*c.ny)
	return in, s.size(model.Outputs, b[model.N]*outputs*rows*cols)
}

// vectorCost is the time of a layer without multiplications: one element per
// lane and cycle, spread evenly, with the PE memory's port beside it.
func (m *machine) vectorCost(s *shape, r *layerCost) {
	pes := m.PEs()
	*r = layerCost{activePEs: pes, tiles: 1, steps: 1}
	r.compute = m.issued(model.CeilDiv(s.ops, pes*m.Cores*m.Lanes))
	r.port = model.CeilDiv(model.CeilDiv(max(s.in, s.out), pes), m.portBytes)
	r.bus = model.CeilDiv(s.weights, m.busBytes)
	r.ramp = m.way()
	r.cycles = max(r.compute, r.port, r.bus) + r.ramp + m.tileCycles
	r.need = model.CeilDiv(s.in+s.out, pes)
	r.traffic = traffic{parameterRead: s.weights, parameterWrite: s.weights, peRead: s.in, peWrite: s.out}
}
