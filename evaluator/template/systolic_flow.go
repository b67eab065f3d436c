package template

import (
	"fmt"
	"strings"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/evaluator/systolic"
)

// marching is the dataflow of evaluator/systolic. The layer is a matrix
// multiplication, one per group: its rows are in P, its columns in K, what is
// summed in C. The array's parameter decides which of them lie on its rows and
// columns; outside are the loops over groups and tiles.
type marching struct {
	array systolic.Array
	half  systolic.Buffers // of each memory
	arch  model.Arch
	m     *Machine
	// word is the units of a word of the ports.
	word int64
}

var _ Dataflow = (*marching)(nil)

// Nest implements Dataflow: the layer as a matrix multiplication.
func (f *marching) Nest(p *model.Problem) model.Problem {
	g, groups := systolic.Of(p)
	n := *p
	n.Bound = [model.Dims]int64{groups, 1, g.N, g.K, g.M, 1, 1, 1}
	n.Stride, n.Dilation = [2]int64{1, 1}, [2]int64{1, 1}
	return n
}

// marchingArray is the level of the loops inside a tile.
const marchingArray = 3

// marchingDims are the loops over M, N and K.
func marchingDims() [3]model.Dim { return [3]model.Dim{model.P, model.K, model.C} }

// nest writes a tiling as loops.
func (f *marching) nest(groups int64, t *systolic.Tiling) model.Mapping {
	var m model.Mapping
	for i := range m.Loops {
		m.Loops[i] = model.Ones()
	}
	out, array, of := &m.Loops[0], &m.Loops[marchingArray], marchingDims()
	rows, cols, time := f.array.Dataflow.Roles()
	out.Temporal[model.G] = groups
	for i, d := range of {
		out.Temporal[d], array.Temporal[d] = t.Tiles[i], t.Steps[i]
	}
	array.Spatial[of[rows]], array.Spatial[of[cols]] = t.Rows, t.Cols
	out.Order = [model.Dims]model.Dim{model.G, model.N, of[t.Order[0]], of[t.Order[1]], of[t.Order[2]], model.Q, model.R, model.S}
	array.Order = [model.Dims]model.Dim{model.G, model.N, model.Q, model.R, model.S, of[cols], of[rows], of[time]}
	return m
}

// tilingOf reads loops as a tiling.
func (f *marching) tilingOf(m *model.Mapping) systolic.Tiling {
	out, array, of := &m.Loops[0], &m.Loops[marchingArray], marchingDims()
	rows, cols, _ := f.array.Dataflow.Roles()
	t := systolic.Tiling{Rows: array.Spatial[of[rows]], Cols: array.Spatial[of[cols]]}
	for i, d := range of {
		t.Tiles[i], t.Steps[i] = out.Temporal[d], array.Temporal[d]
	}
	at := 0
	for _, d := range out.Order {
		for i, x := range of {
			if d == x {
				t.Order[at] = i
				at++
			}
		}
	}
	return t
}

// cost returns the cost of a tiling.
func (f *marching) cost(p *model.Problem, groups int64, t *systolic.Tiling, r *systolic.Moved) Cost {
	c := Cost{OffChip: r.OffChip() * groups, inputs: r.Input * groups}
	c.needs = needs{r.Cycles * groups, f.ports(p, r) * groups, f.m.ioCycles(c.OffChip)}
	c.Cycles = max(c.needs.compute, c.needs.memory, c.needs.io) + f.first(p, t, c.OffChip)
	e := f.energy(p, groups, r)
	c.EnergyPJ = sum(e[:])
	return c
}

// first returns the time until the first fold's operands are there.
func (f *marching) first(p *model.Problem, t *systolic.Tiling, offChip int64) int64 {
	return f.m.ioCycles(min(t.Rows*t.Cols*p.Bytes[model.Weights], offChip))
}

// ports returns the time of the memories' ports: one that the array reads, one
// that fills or drains the other half.
func (f *marching) ports(p *model.Problem, r *systolic.Moved) int64 {
	const milli = 1000
	at := func(level int, array, outside int64) int64 {
		return model.CeilDiv(max(array, outside)*milli, f.arch.Level[level].ReadRate)
	}
	// A port is a word wide, whatever its bits.
	in, weight, word := p.Bytes[model.Inputs], p.Bytes[model.Weights], f.word
	return max(at(1, r.InputReads*word, r.Input/in*word), at(2, r.WeightReads*word, r.Weight/weight*word), at(3, r.OutputWrites*p.PartialBytes, r.Output))
}

// energy returns that of arithmetic, of transfers off chip, and of the memories
// of inputs, weights and outputs.
func (f *marching) energy(p *model.Problem, groups int64, r *systolic.Moved) [5]float64 {
	n := float64(groups)
	in, weight, out := &f.arch.Level[1], &f.arch.Level[2], &f.arch.Level[3]
	return [5]float64{
		float64(p.MACs()) * f.arch.MACPJ,
		n * float64(r.OffChip()) * f.m.DRAMPJPerByte,
		n * (float64(r.InputReads*p.Bytes[model.Inputs])*in.ReadPJ + float64(r.Input)*in.WritePJ),
		n * (float64(r.WeightReads*p.Bytes[model.Weights])*weight.ReadPJ + float64(r.Weight)*weight.WritePJ),
		n * (float64(r.OutputWrites*p.PartialBytes)*(out.WritePJ+out.ReadPJ) + float64(r.Output)*out.ReadPJ),
	}
}

// allowed refuses loops that the array cannot have.
func (f *marching) allowed(m *model.Mapping) error {
	t := f.tilingOf(m)
	want := f.nest(m.Loops[0].Temporal[model.G], &t)
	for i := range f.arch.Levels {
		have, fixed := &m.Loops[i], &want.Loops[i]
		name := f.arch.Level[i].Name
		for d := range model.Dims {
			if have.Temporal[d] != fixed.Temporal[d] || have.Spatial[d] != fixed.Spatial[d] {
				return fmt.Errorf("level %s: a systolic array of dataflow %s has no %d steps and %d instances of %s there: loops over tiles of P, K and C and over G "+
					"stand outside, all others at the %s", name, f.array.Dataflow, have.Temporal[d], have.Spatial[d], d, f.arch.Level[marchingArray].Name)
			}
		}
		if !sameOrder(have, fixed) {
			return fmt.Errorf("level %s: a systolic array of dataflow %s has its loops in the order %s", name, f.array.Dataflow, orderOf(fixed))
		}
	}
	if t.Rows > f.array.Rows || t.Cols > f.array.Cols {
		return fmt.Errorf("level %s: %d x %d units, there are %d rows and %d columns", f.arch.Level[marchingArray].Name, t.Rows, t.Cols, f.array.Rows, f.array.Cols)
	}
	return nil
}

// orderOf names the loops of more than one step.
func orderOf(l *model.Loops) string {
	var names []string
	for _, d := range l.Order {
		if l.Temporal[d] > 1 {
			names = append(names, d.String())
		}
	}
	return strings.Join(names, " ")
}

// Detail implements Dataflow.
func (f *marching) Detail(p *model.Problem, m *model.Mapping) (Detail, error) {
	free := f.arch
	for i := range free.Level {
		free.Level[i].Capacity = 0 // what does not fit passes
	}
	n := f.Nest(p)
	if err := check(&n, &free, m); err != nil {
		return Detail{}, err
	}
	if err := f.allowed(m); err != nil {
		return Detail{}, err
	}
	o, groups := systolic.OperandsOf(p)
	t := f.tilingOf(m)
	r := f.array.Dataflow.Tiled(&o, &t, &f.half)
	d := Detail{Cost: f.cost(p, groups, &t, &r)}
	d.split()
	e := f.energy(p, groups, &r)
	d.Energy = breakdown(e[:], "arithmetic", report.OffChip, partName(&f.arch, 1), partName(&f.arch, 2), partName(&f.arch, 3))
	inputs, weights, outputs := groups*r.InputReads, groups*r.WeightReads, groups*r.OutputWrites
	d.Bytes = report.Counts{
		{Name: report.OffChip, Value: d.OffChip},
		{Name: partName(&f.arch, 1), Value: inputs*p.Bytes[model.Inputs] + groups*r.Input},
		{Name: partName(&f.arch, 2), Value: weights*p.Bytes[model.Weights] + groups*r.Weight},
		{Name: partName(&f.arch, 3), Value: 2*outputs*p.PartialBytes + groups*r.Output},
	}
	d.Accesses = []report.Access{
		{Level: f.arch.Level[1].Name, Operand: model.Inputs.String(), Reads: inputs, Fills: groups * r.Input / p.Bytes[model.Inputs]},
		{Level: f.arch.Level[2].Name, Operand: model.Weights.String(), Reads: weights, Fills: groups * r.Weight / p.Bytes[model.Weights]},
		{Level: f.arch.Level[3].Name, Operand: model.Outputs.String(), Reads: outputs, Updates: outputs},
	}
	return d, nil
}
