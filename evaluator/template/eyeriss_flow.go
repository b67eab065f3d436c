package template

import (
	"errors"
	"fmt"

	"apollo/evaluator/eyeriss"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// rowStationary is the dataflow of evaluator/eyeriss as loop nests: outside, the
// loops over groups, images, output channels whose sums the buffer holds, strips
// of rows and input channels; in the buffer, those over images and output
// channels of a pass; on the grid, the rows of the window, output rows and the
// channels of sets side by side; in an element, columns, the row of the window
// and its share of channels.
type rowStationary struct {
	chip eyeriss.Chip
	arch model.Arch
	m    *Machine
	// worth has the energies in pJ; what they are worth comes with a search.
	worth eyeriss.Worth
	// word is the bytes of a word; sizes of chip are as if they had
	// eyeriss.WordBytes.
	word int64
}

var _ Dataflow = (*rowStationary)(nil)

// Levels of the hierarchy.
const (
	gridBuffer = 1
	gridPads   = 2
)

// Nest implements Dataflow.
func (f *rowStationary) Nest(p *model.Problem) model.Problem { return *p }

// Find implements Dataflow: the mapping of least value.
func (f *rowStationary) Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit) {
	x := &f.chip
	if s := p.Bound[model.S]; s > x.InputWords {
		return Cost{}, &Misfit{Code: "input_scratchpad", What: "a row of the window", Param: "input_words", Need: s, Have: x.InputWords, Unit: "words"}
	}
	if r := p.Bound[model.R]; r > x.Rows {
		return Cost{}, &Misfit{Code: "grid_rows", What: "a column of the window", Param: "rows", Need: r, Have: x.Rows, Unit: "rows"}
	}
	worth := f.worth
	worth.CyclesPerEnergy = g.on(p, &f.arch).cyclesPerPJ
	best, ok := x.Map(p, &worth)
	if !ok {
		row := f.word * (p.Elements(model.Inputs, &[model.Dims]int64{1, 1, 1, 1, 1, p.Bound[model.Q], p.Bound[model.R], p.Bound[model.S]}) + p.Bound[model.Q])
		have := x.BufferBytes / eyeriss.WordBytes * f.word
		return Cost{}, &Misfit{Code: "buffer", What: "one row of outputs with its inputs", Param: "buffer", Need: max(row, have+1), Have: have, Unit: "B"}
	}
	*m = nestOf(p, &best.Mapping)
	return f.cost(p, &best), nil
}

// nestOf writes a mapping in the source's letters as loops.
func nestOf(p *model.Problem, x *eyeriss.Mapping) model.Mapping {
	var m model.Mapping
	for i := range m.Loops {
		m.Loops[i] = model.Ones()
	}
	b := &p.Bound
	out, buffer, pads := &m.Loops[0], &m.Loops[gridBuffer], &m.Loops[gridPads]
	out.Order = [model.Dims]model.Dim{model.G, model.N, model.K, model.P, model.C, model.Q, model.R, model.S}
	out.Temporal[model.G], out.Temporal[model.N] = b[model.G], b[model.N]/x.N
	out.Temporal[model.K], out.Temporal[model.P] = model.CeilDiv(b[model.K], x.M), model.CeilDiv(b[model.P], x.E)
	out.Temporal[model.C] = model.CeilDiv(b[model.C], x.Q*x.R)
	buffer.Temporal[model.N], buffer.Temporal[model.K] = x.N, x.M/(x.P*x.T)
	buffer.Spatial[model.R], buffer.Spatial[model.P] = b[model.R], x.E
	buffer.Spatial[model.C], buffer.Spatial[model.K] = x.R, x.T
	pads.Order = [model.Dims]model.Dim{model.G, model.N, model.P, model.Q, model.R, model.S, model.C, model.K}
	pads.Temporal[model.Q], pads.Temporal[model.S] = b[model.Q], b[model.S]
	pads.Temporal[model.C], pads.Temporal[model.K] = x.Q, x.P
	return m
}

// lettersOf reads loops as a mapping in the source's letters.
func lettersOf(p *model.Problem, m *model.Mapping) (eyeriss.Mapping, error) {
	out, buffer, pads := &m.Loops[0], &m.Loops[gridBuffer], &m.Loops[gridPads]
	x := eyeriss.Mapping{
		E: buffer.Spatial[model.P], R: buffer.Spatial[model.C], T: buffer.Spatial[model.K],
		P: pads.Temporal[model.K], Q: pads.Temporal[model.C], N: buffer.Temporal[model.N],
	}
	x.M = buffer.Temporal[model.K] * x.P * x.T
	if x.N < 1 || p.Bound[model.N]%x.N != 0 {
		return x, fmt.Errorf("the buffer's loop over N has %d steps, which do not divide %d", x.N, p.Bound[model.N])
	}
	want := nestOf(p, &x)
	for i, name := range []string{"outside", "buffer", "scratchpads"} {
		for d := range model.Dims {
			have, fixed := &m.Loops[i], &want.Loops[i]
			if have.Temporal[d] != fixed.Temporal[d] || have.Spatial[d] != fixed.Spatial[d] {
				return x, fmt.Errorf("%s: %d steps and %d instances of %s: the row-stationary dataflow has %d and %d there, given the loops over "+
					"channels, images and output rows of buffer, grid and scratchpads", name, have.Temporal[d], have.Spatial[d], d, fixed.Temporal[d], fixed.Spatial[d])
			}
		}
	}
	if !sameOrder(out, &want.Loops[0]) || !sameOrder(pads, &want.Loops[gridPads]) {
		return x, errors.New("the row-stationary dataflow has its loops outside in the order G N K P C, those of the scratchpads in the order Q S C K")
	}
	return x, nil
}

// sameOrder reports whether the loops of more than one step stand in the same
// order.
func sameOrder(a, b *model.Loops) bool {
	list := func(l *model.Loops) (order [model.Dims]model.Dim) {
		n := 0
		for _, d := range l.Order {
			if l.Temporal[d] > 1 {
				order[n] = d
				n++
			}
		}
		return order
	}
	return list(a) == list(b)
}

// Detail implements Dataflow.
func (f *rowStationary) Detail(p *model.Problem, m *model.Mapping) (Detail, error) {
	free := f.arch
	free.Level[gridBuffer].Capacity = 0 // in words of its own: Chip.Cost knows
	if err := check(p, &free, m); err != nil {
		return Detail{}, err
	}
	letters, err := lettersOf(p, m)
	if err != nil {
		return Detail{}, err
	}
	x, err := f.chip.Cost(p, letters)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Cost: f.cost(p, &x)}
	d.split()
	words := f.word
	d.Bytes = report.Counts{
		{Name: report.OffChip, Value: d.OffChip},
		{Name: partName(&f.arch, gridBuffer), Value: x.Buffer * words},
		{Name: partName(&f.arch, gridPads), Value: x.Pad * words},
	}
	e := f.energy(p, &x)
	d.Energy = breakdown(e[:], "arithmetic", report.OffChip, partName(&f.arch, gridBuffer), "network", partName(&f.arch, gridPads))
	by, macs := &x.OffChipBy, p.MACs()
	sums := (x.Buffer - x.BufferInputs) / 2
	outside, buffer, pads := f.arch.Level[0].Name, f.arch.Level[gridBuffer].Name, f.arch.Level[gridPads].Name
	d.Accesses = []report.Access{
		{Level: outside, Operand: model.Weights.String(), Reads: by[model.Weights]},
		{Level: outside, Operand: model.Inputs.String(), Reads: by[model.Inputs]},
		{Level: outside, Operand: model.Outputs.String(), Updates: by[model.Outputs]},
		{Level: buffer, Operand: model.Inputs.String(), Reads: x.BufferInputs, Fills: by[model.Inputs]},
		{Level: buffer, Operand: model.Outputs.String(), Reads: sums, Updates: sums, Drains: by[model.Outputs]},
		{Level: pads, Operand: model.Weights.String(), Reads: macs, Fills: by[model.Weights]},
		{Level: pads, Operand: model.Inputs.String(), Reads: macs, Fills: x.BufferInputs},
		{Level: pads, Operand: model.Outputs.String(), Reads: macs, Updates: macs, Fills: sums, Drains: sums},
	}
	return d, nil
}

// wide returns the words beyond the first of outputs that are wider than a word:
// they leave the chip so.
func (f *rowStationary) wide(p *model.Problem) int64 {
	return (model.CeilDiv(p.Bytes[model.Outputs], f.word) - 1) * p.Elements(model.Outputs, &p.Bound)
}

// energy returns that of arithmetic, of transfers off chip, of the buffer, of the
// buses and of the scratchpads.
func (f *rowStationary) energy(p *model.Problem, x *eyeriss.Cost) [5]float64 {
	w := &f.worth
	return [5]float64{
		float64(p.MACs()) * w.Product, float64(x.OffChip+f.wide(p)) * w.OffChip, float64(x.Buffer) * w.Buffer,
		float64(x.Network) * w.Network, float64(x.Pad) * w.Pad,
	}
}

func (f *rowStationary) cost(p *model.Problem, x *eyeriss.Cost) Cost {
	r := Cost{OffChip: (x.OffChip + f.wide(p)) * f.word, inputs: x.OffChipBy[model.Inputs] * f.word}
	r.needs = needs{x.ComputeCycles, x.Cycles, f.m.ioCycles(r.OffChip)}
	r.Cycles = max(x.Cycles, r.needs.io)
	e := f.energy(p, x)
	r.EnergyPJ = sum(e[:])
	return r
}
