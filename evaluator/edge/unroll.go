package edge

import "apollo/evaluator/model"

// unrolling is a choice of the dimensions that are spread, with what is left
// for a core.
type unrolling struct {
	meshX, meshY, core model.Dim
	// k is the channels of one core and kLane the steps of its lanes over them,
	// rows and q its output rows and steps over columns.
	k, kLane, rows, q int64
	// steps is the compute steps: the lower bound of its time.
	steps int64
}

// maxUnrollings is 2 choices for each of columns, rows and cores.
const maxUnrollings = 8

// unrollings lists the unrollings that differ: spreading rows or columns of
// which there is one is no choice, spreading channels always is.
func (q *search) unrollings(list *[maxUnrollings]unrolling) int {
	m, s, b := q.m, q.s, &q.s.p.Bound
	cols := model.CeilDiv(b[model.Q], m.PEsX)
	n := 0
	for bits := range maxUnrollings {
		u := unrolling{meshX: model.Q, meshY: model.P, core: s.channel, q: cols}
		channelUnits, rowUnits := m.Cores, m.PEsY
		if bits&1 != 0 {
			u.meshY = s.channel
			channelUnits, rowUnits = channelUnits*m.PEsY, 1
		}
		if bits&2 != 0 {
			u.meshX, u.q = s.channel, b[model.Q]
			channelUnits *= m.PEsX
		}
		if bits&4 != 0 {
			u.core = model.P
			channelUnits, rowUnits = channelUnits/m.Cores, rowUnits*m.Cores
		}
		if u.meshY == model.P && b[model.P] == 1 || u.meshX == model.Q && b[model.Q] == 1 ||
			u.core == model.P && (b[model.P] == 1 || m.Cores == 1) {
			continue
		}
		u.k = model.CeilDiv(b[s.channel], channelUnits)
		u.rows = model.CeilDiv(b[model.P], rowUnits)
		u.kLane = 1
		if u.k > m.Lanes {
			u.kLane = model.CeilDiv(u.k, m.Lanes)
		}
		if m.PackedDepthwise {
			laneCols, simdCols := q.packed(&u)
			u.q = model.CeilDiv(u.q, simdCols*laneCols)
		}
		u.steps = s.fixedSteps * u.q * u.rows * u.kLane
		list[n] = u
		n++
	}
	return n
}

// packed returns the columns that idle lanes and multipliers take on a chip
// that packs depthwise layers.
func (q *search) packed(u *unrolling) (laneCols, simdCols int64) {
	if q.s.p.Bound[model.C] != 1 {
		return 1, 1
	}
	simdCols = min(simdWidth, u.q)
	return min(q.m.Lanes/min(q.m.Lanes, u.k), model.CeilDiv(u.q, simdCols)), simdCols
}

// spread returns the unrolling as a choice, without tiles: every dimension in
// parts of equal size, on as many units as have work.
func (q *search) spread(u *unrolling) choice {
	m, b := q.m, q.s.p.Bound
	c := choice{meshX: u.meshX, meshY: u.meshY, core: u.core, simd: q.s.simd, laneCols: 1, simdCols: 1, q: u.q}
	c.nx = split(&b[u.meshX], m.PEsX)
	c.ny = split(&b[u.meshY], m.PEsY)
	c.nc = split(&b[u.core], m.Cores)
	c.lanes = min(m.Lanes, u.k)
	if m.PackedDepthwise {
		whole := *u
		whole.q = b[model.Q]
		c.laneCols, c.simdCols = q.packed(&whole)
	}
	return c
}

// split spreads n iterations over at most units parts of equal size and
// returns how many parts have work; n becomes the size of a part.
func split(n *int64, units int64) int64 {
	if units == 1 {
		return 1
	}
	part := model.CeilDiv(*n, units)
	parts := model.CeilDiv(*n, part)
	*n = part
	return parts
}
