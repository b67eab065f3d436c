package template

import (
	"iter"

	"apollo/evaluator/model"
)

// Spread puts a dimension on at most Limit instances of the level below Level.
type Spread struct {
	Level int
	Dim   model.Dim
	Limit int64
}

// loops searches mappings of a hierarchy whose first level is off-chip memory
// and whose second is the buffer that holds tiles.
type loops struct {
	arch model.Arch
	// spreads lists the alternatives that the wires allow.
	spreads [][]Spread
	// order of the loops over a tile, outermost first: what stands innermost
	// decides which operand stays.
	order [model.Dims]model.Dim
	// inner is the level whose temporal loops the dimensions of innerDims are;
	// 0 means that all loops over a tile are the buffer's.
	inner     int
	innerDims []model.Dim
	// param is the parameter that sizes the buffer, for messages; fixed is the
	// array's fill and drain per tile, in cycles.
	param string
	fixed int64
}

// tileOrders are the orders of the loops over tiles, outermost first: sums are
// completed before the next tile.
func tileOrders() [2][model.Dims]model.Dim {
	return [2][model.Dims]model.Dim{
		{model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
		{model.G, model.N, model.P, model.Q, model.K, model.C, model.R, model.S},
	}
}

// find returns the mapping with the least time, of equal ones that with the
// least energy.
func (l *loops) find(p *model.Problem) (Cost, *Misfit) {
	var best Cost
	least, found := int64(0), false
	for _, alternative := range l.spreads {
		var m model.Mapping
		rest := l.spread(p, alternative, &m)
		floor := steps(&rest)
		if found && floor >= best.Cycles {
			continue
		}
		if need := l.tiles(p, &m, &rest, floor, &best, &found); least == 0 || need < least {
			least = need
		}
	}
	if found {
		return best, nil
	}
	const halves = 2
	return Cost{}, &Misfit{
		Code: "buffer", What: "the smallest tile, twice,", Param: l.param,
		Need: least * halves, Have: l.arch.Level[1].Capacity, Unit: "B",
	}
}

func steps(v *[model.Dims]int64) int64 {
	n := int64(1)
	for _, x := range v {
		n *= x
	}
	return n
}

// spread writes the spatial loops and returns the steps that remain of each
// dimension.
func (l *loops) spread(p *model.Problem, list []Spread, m *model.Mapping) [model.Dims]int64 {
	for i := range l.arch.Levels {
		m.Loops[i] = model.Ones()
	}
	rest := p.Bound
	for _, s := range list {
		part := model.CeilDiv(rest[s.Dim], s.Limit)
		m.Loops[s.Level].Spatial[s.Dim] *= model.CeilDiv(rest[s.Dim], part)
		rest[s.Dim] = part
	}
	return rest
}

// tiles tries the numbers of tiles over output channels and input channels,
// doubling, and for each the fewest tiles over rows, then columns, that fit. It
// returns the bytes of the smallest tile.
func (l *loops) tiles(p *model.Problem, m *model.Mapping, rest *[model.Dims]int64, floor int64, best *Cost, found *bool) int64 {
	smallest := int64(0)
	for nc := range doubling(rest[model.C]) {
		for nk := range doubling(rest[model.K]) {
			need := l.pixels(p, m, rest, nk, nc, best, found)
			if smallest == 0 || need < smallest {
				smallest = need
			}
			if *found && best.Cycles <= floor+floor/maxSlack {
				return smallest
			}
		}
	}
	return smallest
}

// pixels cuts rows, then columns, until the tiles fit, and tries the first that
// do: more pixels per tile dominate. It returns the bytes of the last tile.
func (l *loops) pixels(p *model.Problem, m *model.Mapping, rest *[model.Dims]int64, nk, nc int64, best *Cost, found *bool) int64 {
	var need int64
	for np := range doubling(rest[model.P]) {
		for nq := range doubling(rest[model.Q]) {
			if nq > 1 && np < rest[model.P] {
				break
			}
			l.cut(m, rest, nk, nc, np, nq)
			need = l.tileBytes(p, m, 1)
			if l.fits(p, m) {
				l.try(p, m, best, found)
				return need
			}
		}
	}
	return need
}

// doubling yields 1, 2, 4, … up to n, and n.
func doubling(n int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := int64(1); i < n; i *= 2 {
			if !yield(i) {
				return
			}
		}
		yield(n)
	}
}

// maxSlack ends the search of an alternative at a mapping within 1/maxSlack of
// its lower bound.
const maxSlack = 64

// cut writes the temporal loops for numbers of tiles.
func (l *loops) cut(m *model.Mapping, rest *[model.Dims]int64, nk, nc, np, nq int64) {
	outer, tile := &m.Loops[0], &m.Loops[1]
	tile.Order = l.order
	for d := range model.Dims {
		parts := int64(1)
		switch d {
		case model.G, model.N:
			parts = rest[d]
		case model.K:
			parts = nk
		case model.C:
			parts = nc
		case model.P:
			parts = np
		case model.Q:
			parts = nq
		}
		size := model.CeilDiv(rest[d], parts)
		outer.Temporal[d], tile.Temporal[d] = model.CeilDiv(rest[d], size), size
	}
	if l.inner == 0 {
		return
	}
	in := &m.Loops[l.inner]
	in.Order = l.order
	for _, d := range l.innerDims {
		in.Temporal[d], tile.Temporal[d] = tile.Temporal[d], 1
	}
}

// tileBytes returns what one instance of a level holds of a tile.
func (l *loops) tileBytes(p *model.Problem, m *model.Mapping, level int) int64 {
	extent := [model.Dims]int64{}
	for d := range model.Dims {
		extent[d] = 1
		for i := level; i < l.arch.Levels; i++ {
			extent[d] *= m.Loops[i].Temporal[d] * m.Loops[i].Spatial[d]
		}
		extent[d] = min(extent[d], p.Bound[d])
	}
	var n int64
	for o := range model.Operands {
		if !l.arch.Level[level].Keeps[o] {
			continue
		}
		width := p.Bytes[o]
		if o == model.Outputs {
			width = p.PartialBytes
		}
		n += p.Elements(o, &extent) * width
	}
	return n
}

// fits reports whether the tiles fit every level, twice where it is
// double-buffered.
func (l *loops) fits(p *model.Problem, m *model.Mapping) bool {
	for i := 1; i < l.arch.Levels; i++ {
		level := &l.arch.Level[i]
		need := l.tileBytes(p, m, i)
		if level.DoubleBuffered {
			need *= 2
		}
		if level.Capacity > 0 && need > level.Capacity {
			return false
		}
	}
	return true
}

// try evaluates both orders of tiles.
func (l *loops) try(p *model.Problem, m *model.Mapping, best *Cost, found *bool) {
	var r model.Result
	for _, order := range tileOrders() {
		m.Loops[0].Order = order
		r.Eval(p, &l.arch, m)
		c := Cost{Cycles: r.Cycles + l.fixed*steps(&m.Loops[0].Temporal)}
		read, write := r.Traffic(p, 0)
		c.OffChip = read + write
		c.EnergyPJ = r.ComputePJ
		for _, pj := range r.LevelPJ {
			c.EnergyPJ += pj
		}
		if !*found || c.Cycles < best.Cycles || c.Cycles == best.Cycles && c.EnergyPJ < best.EnergyPJ {
			*best, *found = c, true
		}
	}
}
