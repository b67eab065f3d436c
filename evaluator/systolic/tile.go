package systolic

import "apollo/evaluator/model"

// Dimensions of a matrix multiplication.
const (
	M = iota
	N
	K
	dims
)

// Operands are the bytes of one group's tensors behind the array's buffers.
type Operands struct {
	GEMM
	// Input, Weight and Output are the tensors, Sums the outputs as partial sums.
	Input, Weight, Output, Sums int64
	// Halo is what a border between two tiles of pixels brings again of the input.
	Halo int64
}

// OperandsOf returns a layer's operands and the number of groups.
func OperandsOf(p *model.Problem) (o Operands, groups int64) {
	g, groups := Of(p)
	one := p.Bound
	one[model.G] = 1
	outputs := p.Elements(model.Outputs, &one)
	o = Operands{
		GEMM: g, Input: p.Elements(model.Inputs, &one) * p.Bytes[model.Inputs], Weight: p.Elements(model.Weights, &one) * p.Bytes[model.Weights],
		Output: outputs * p.Bytes[model.Outputs], Sums: outputs * p.PartialBytes,
	}
	// Pixels are in the order of rows: what the next tile shares is the rows that
	// its windows overlap with.
	row := one
	row[model.N], row[model.P], row[model.R] = 1, 1, 1
	shared := (p.Bound[model.R]-1)*p.Dilation[0] + 1 - p.Stride[0]
	o.Halo = max(shared, 0) * p.Elements(model.Inputs, &row) * p.Bytes[model.Inputs]
	return o, groups
}

// size returns the extent of a dimension.
func (g *GEMM) size(d int) int64 { return [dims]int64{g.M, g.N, g.K}[d] }

// Roles returns the dimensions along rows, columns and time.
func (d Dataflow) Roles() (rows, cols, time int) {
	switch d {
	case OutputStationary:
		return M, N, K
	case InputStationary:
		return K, M, N
	}
	return K, N, M
}

// Tiling is how a matrix multiplication is cut: tiles outside, whose operands
// the buffers hold, and folds of the array inside.
type Tiling struct {
	// Rows and Cols are the units that work: sums and operands leave behind
	// them, so that a fold fills and drains no others.
	Rows, Cols int64
	// Tiles is the number of tiles per dimension, Steps what one of them has:
	// folds of a dimension that lies in the array, steps of the one in time.
	Tiles, Steps [dims]int64
	// Order lists the loops over tiles, outermost first.
	Order [dims]int
}

// Moved is what a tiling takes.
type Moved struct {
	// Cycles is the time of the array, Folds how often it fills and drains.
	Cycles, Folds int64
	// Reads and writes of the buffers beside the array, in elements, as in Pass.
	InputReads, WeightReads, OutputWrites int64
	// Input, Weight and Output are the bytes over the chip's border; Output has
	// partial sums that leave and come back.
	Input, Weight, Output int64
}

// OffChip returns the bytes over the chip's border.
func (m *Moved) OffChip() int64 { return m.Input + m.Weight + m.Output }

// ramp returns the fill and drain of a fold.
func (d Dataflow) ramp(rows, cols int64) int64 {
	if d == OutputStationary {
		return rows + cols - 2
	}
	return 2*rows + cols - 2
}

// extent returns how much of a dimension a tile has.
func (t *Tiling) extent(o *Operands, d, rows, cols int) int64 {
	n := t.Steps[d]
	switch d {
	case rows:
		n *= t.Rows
	case cols:
		n *= t.Cols
	}
	return min(n, o.size(d))
}

// Tiled returns what a tiling takes with half of each buffer for a tile. An
// operand whose tile fits comes once for every turn of a loop without it that
// stands outside one with it; one that does not passes the buffer and comes
// whenever the array asks. Sums that do not fit leave and come back.
func (d Dataflow) Tiled(o *Operands, t *Tiling, half *Buffers) Moved {
	rows, cols, time := d.Roles()
	// How often the array asks for the operand without a dimension.
	var asks [dims]int64
	asks[rows], asks[cols], asks[time] = model.CeilDiv(o.size(rows), t.Rows), model.CeilDiv(o.size(cols), t.Cols), t.Tiles[time]
	r := Moved{Folds: asks[rows] * asks[cols] * t.Tiles[time]}
	r.Cycles = asks[rows]*asks[cols]*o.size(time) + r.Folds*d.ramp(t.Rows, t.Cols)
	r.InputReads, r.WeightReads, r.OutputWrites = o.M*o.K*asks[N], o.K*o.N*asks[M], o.M*o.N*asks[K]

	m, n, k := t.extent(o, M, rows, cols), t.extent(o, N, rows, cols), t.extent(o, K, rows, cols)
	times := func(d int, fits bool) int64 {
		if !fits {
			return asks[d]
		}
		return t.visits(d)
	}
	r.Input = min(o.Input+(t.Tiles[M]-1)*o.Halo, t.Tiles[M]*o.Input) * times(N, o.inputTile(m, k) <= half.Input)
	r.Weight = o.Weight * times(M, o.weightTile(n, k) <= half.Weight)
	sums := o.sumTile(m, n)
	if t.Tiles[K] == 1 && d != OutputStationary {
		// The folds over K of one fold of columns follow each other.
		sums = o.sumTile(min(m, t.held(M, cols, m)), min(n, t.held(N, cols, n)))
	}
	r.Output = o.Output + 2*o.Sums*(times(K, sums <= half.Output)-1)
	return r
}

// Untiled returns what one tile takes on the units of a tiling, in buffers
// without end: no tiling on them takes less of anything.
func (d Dataflow) Untiled(o *Operands, t *Tiling) Moved {
	rows, cols, time := d.Roles()
	var asks [dims]int64
	asks[rows], asks[cols], asks[time] = model.CeilDiv(o.size(rows), t.Rows), model.CeilDiv(o.size(cols), t.Cols), 1
	folds := asks[rows] * asks[cols]
	return Moved{
		Cycles: folds * (o.size(time) + d.ramp(t.Rows, t.Cols)), Folds: folds,
		InputReads: o.M * o.K * asks[N], WeightReads: o.K * o.N * asks[M], OutputWrites: o.M * o.N * asks[K],
		Input: o.Input, Weight: o.Weight, Output: o.Output,
	}
}

// held is how much of a dimension's tile is summed at a time.
func (t *Tiling) held(d, cols int, tile int64) int64 {
	if d == cols {
		return t.Cols
	}
	return tile
}

// inputTile, weightTile and sumTile return the bytes of tiles.
func (o *Operands) inputTile(m, k int64) int64 {
	pixels := o.Input
	if m < o.M {
		pixels = min(model.CeilDiv(o.Input*m, o.M)+o.Halo, o.Input)
	}
	return model.CeilDiv(pixels*k, o.K)
}

func (o *Operands) weightTile(n, k int64) int64 { return model.CeilDiv(o.Weight*n, o.N) * k / o.K }

func (o *Operands) sumTile(m, n int64) int64 { return o.Sums / (o.M * o.N) * m * n }

// visits returns how often the loops over tiles come back to an operand that
// dimension d does not index.
func (t *Tiling) visits(d int) int64 {
	for i := dims - 1; i >= 0; i-- {
		if x := t.Order[i]; x == d {
			return 1
		} else if t.Tiles[x] > 1 {
			return t.Tiles[d]
		}
	}
	return 1
}
