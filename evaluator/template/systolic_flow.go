package template

import (
	"fmt"

	"apollo/evaluator/model"
	"apollo/evaluator/report"
	"apollo/evaluator/systolic"
)

// marching is the dataflow of evaluator/systolic. The layer is a matrix
// multiplication, one per group: its rows are in P, its columns in K, what is
// summed in C. The array's parameter decides which of them lie on its rows and
// columns: there is one mapping.
type marching struct {
	array systolic.Array
	arch  model.Arch
	m     *Machine
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

// Find implements Dataflow.
func (f *marching) Find(p *model.Problem, m *model.Mapping) (Cost, *Misfit) {
	*m = f.nest(p)
	c, _, _ := f.parts(p)
	return c, nil
}

// level of the array's loops.
const marchingArray = 3

// nest returns the one mapping.
func (f *marching) nest(p *model.Problem) model.Mapping {
	g, groups := systolic.Of(p)
	var m model.Mapping
	for i := range m.Loops {
		m.Loops[i] = model.Ones()
	}
	m.Loops[0].Temporal[model.G] = groups
	array := &m.Loops[marchingArray]
	extent := [model.Dims]int64{model.K: g.N, model.C: g.K, model.P: g.M}
	rows, cols, time := model.C, model.K, model.P
	switch f.array.Dataflow {
	case systolic.OutputStationary:
		rows, cols, time = model.P, model.K, model.C
	case systolic.InputStationary:
		rows, cols, time = model.C, model.P, model.K
	case systolic.WeightStationary:
	}
	for _, x := range []struct {
		d     model.Dim
		limit int64
	}{{rows, f.array.Rows}, {cols, f.array.Cols}} {
		array.Spatial[x.d] = min(extent[x.d], x.limit)
		array.Temporal[x.d] = model.CeilDiv(extent[x.d], array.Spatial[x.d])
	}
	array.Temporal[time] = extent[time]
	array.Order = [model.Dims]model.Dim{model.G, model.N, model.Q, model.R, model.S, cols, rows, time}
	return m
}

// parts returns the cost of a layer, its pass through the array and the time
// until the first fold's operands are there.
func (f *marching) parts(p *model.Problem) (c Cost, pass systolic.Pass, first int64) {
	g, groups := systolic.Of(p)
	pass = f.array.Pass(&g)
	half := func(level int) int64 { return f.arch.Level[level].Capacity / 2 }
	t := f.array.OffChip(p, &systolic.Buffers{Input: half(1), Weight: half(2), Output: half(3)})
	c.OffChip = t * groups
	first = f.m.ioCycles(min(f.array.Rows*f.array.Cols*p.Bytes[model.Weights], t))
	c.Cycles = max(pass.Cycles*groups, f.m.ioCycles(c.OffChip)) + first
	c.EnergyPJ = f.energy(p, &c, &pass).Total()
	return c, pass, first
}

func (f *marching) energy(p *model.Problem, c *Cost, pass *systolic.Pass) report.Breakdown {
	_, n := systolic.Of(p)
	groups := float64(n)
	in, weight, out := &f.arch.Level[1], &f.arch.Level[2], &f.arch.Level[3]
	return report.Breakdown{
		{Name: "arithmetic", Value: float64(p.MACs()) * f.arch.MACPJ},
		{Name: report.OffChip, Value: float64(c.OffChip) * f.m.DRAMPJPerByte},
		{Name: partName(&f.arch, 1), Value: groups * float64(pass.InputReads) * in.ReadPJ},
		{Name: partName(&f.arch, 2), Value: groups * float64(pass.WeightReads) * weight.ReadPJ},
		{Name: partName(&f.arch, 3), Value: groups * float64(pass.OutputWrites*p.PartialBytes) * (out.WritePJ + out.ReadPJ)},
	}
}

// Detail implements Dataflow. It refuses every mapping but its own.
func (f *marching) Detail(p *model.Problem, m *model.Mapping) (Detail, error) {
	want := f.nest(p)
	for i := range f.arch.Levels {
		have, fixed := &m.Loops[i], &want.Loops[i]
		if have.Temporal != fixed.Temporal || have.Spatial != fixed.Spatial || !sameOrder(have, fixed) {
			return Detail{}, fmt.Errorf("level %s: a systolic array of dataflow %s has one mapping of this layer, and it is another: change the parameters dataflow, rows or cols instead",
				f.arch.Level[i].Name, f.array.Dataflow)
		}
	}
	_, groups := systolic.Of(p)
	c, pass, first := f.parts(p)
	d := Detail{Cost: c, Energy: f.energy(p, &c, &pass)}
	d.Cycles -= first
	d.split(pass.Cycles*groups, 0, f.m.ioCycles(c.OffChip))
	d.Cycles, d.Serial = c.Cycles, d.Serial+first
	inputs, weights, outputs := groups*pass.InputReads, groups*pass.WeightReads, groups*pass.OutputWrites
	d.Bytes = report.Counts{
		{Name: report.OffChip, Value: c.OffChip},
		{Name: partName(&f.arch, 1), Value: inputs * p.Bytes[model.Inputs]},
		{Name: partName(&f.arch, 2), Value: weights * p.Bytes[model.Weights]},
		{Name: partName(&f.arch, 3), Value: 2 * outputs * p.PartialBytes},
	}
	d.Accesses = []report.Access{
		{Level: f.arch.Level[1].Name, Operand: model.Inputs.String(), Reads: inputs},
		{Level: f.arch.Level[2].Name, Operand: model.Weights.String(), Reads: weights},
		{Level: f.arch.Level[3].Name, Operand: model.Outputs.String(), Reads: outputs, Updates: outputs},
	}
	return d, nil
}
