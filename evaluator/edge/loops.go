package edge

import "apollo/evaluator/model"

// loops writes a choice as the loop nest that the core evaluates.
func (c *choice) loops(s *shape, m *model.Mapping) {
	for i := range levelCount {
		m.Loops[i] = model.Ones()
	}
	b := &s.p.Bound
	k := s.channel
	// Weight tiles: channels outermost, so that each weight is fetched once;
	// input channels innermost, so that partial sums live shortest.
	outer := &m.Loops[levelParameter]
	outer.Temporal[k], outer.Temporal[model.P], outer.Temporal[model.C] = c.kTiles, c.pTiles, c.cTiles
	other := s.other()
	outer.Order = [model.Dims]model.Dim{other, k, model.N, model.P, model.C, model.Q, model.R, model.S}
	outer.Temporal[other] = b[other]
	outer.Spatial[c.meshX] *= c.nx
	outer.Spatial[c.meshY] *= c.ny
	m.Loops[levelPE].Spatial[c.core] = c.nc
	// A core sweeps its pixels with one weight tile.
	sweep := &m.Loops[levelCore]
	sweep.Order = [model.Dims]model.Dim{model.G, model.N, model.P, model.Q, model.K, model.C, model.R, model.S}
	sweep.Temporal[model.N], sweep.Temporal[model.P], sweep.Temporal[model.Q] = b[model.N], c.pTile, c.q
	sweep.Temporal[k] = c.kTile
	sweep.Spatial[k] = c.lanes
	sweep.Spatial[model.Q] = c.laneCols
	// A lane sums a window in its accumulator.
	lane := &m.Loops[levelLane]
	lane.Temporal[model.C], lane.Temporal[model.R], lane.Temporal[model.S] = c.cTile, b[model.R], b[model.S]
	lane.Spatial[model.C], lane.Spatial[model.Q] = c.simd, c.simdCols
}
