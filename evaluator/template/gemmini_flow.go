package template

import (
	"fmt"
	"strings"

	"apollo/evaluator/gemmini"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// squareArray is the dataflow of evaluator/gemmini as loop nests: tiles
// outside, blocks of weights over channels and taps in the scratchpad, pixels in
// the accumulator, input and output channels on the array.
type squareArray struct {
	chip gemmini.Chip
	arch model.Arch
	m    *Machine
}

var _ Dataflow = (*squareArray)(nil)

// Levels of the hierarchy.
const (
	squarePad = 1
	squareAcc = 2
)

// Nest implements Dataflow.
func (f *squareArray) Nest(p *model.Problem) model.Problem { return *p }

// tiling cuts a layer evenly into numbers of tiles, and channels of a tile into
// blocks.
func (f *squareArray) tiling(p *model.Problem, parts *[model.Dims]int64) gemmini.Tiling {
	t := gemmini.Tiling{Blocks: 1}
	for d := range model.Dims {
		size := model.CeilDiv(p.Bound[d], parts[d])
		switch d {
		case model.K, model.C:
			blocks := model.CeilDiv(size, f.chip.Dim)
			size = blocks * model.CeilDiv(size, blocks)
			t.Blocks *= blocks
		case model.R, model.S:
			t.Blocks *= size
		}
		t.Outer[d] = model.CeilDiv(p.Bound[d], size)
		t.Tile[d] = model.CeilDiv(p.Bound[d], t.Outer[d])
	}
	return t
}

// nest writes the same as loops.
func (f *squareArray) nest(p *model.Problem, parts [model.Dims]int64) model.Mapping {
	var m model.Mapping
	for i := range m.Loops {
		m.Loops[i] = model.Ones()
	}
	out, pad, acc := &m.Loops[0], &m.Loops[squarePad], &m.Loops[squareAcc]
	out.Order = outerOrder()
	for d := range model.Dims {
		size := model.CeilDiv(p.Bound[d], parts[d])
		switch d {
		case model.K, model.C:
			pad.Temporal[d] = model.CeilDiv(size, f.chip.Dim)
			acc.Spatial[d] = model.CeilDiv(size, pad.Temporal[d])
			size = pad.Temporal[d] * acc.Spatial[d]
		case model.R, model.S:
			pad.Temporal[d] = size
		default:
			acc.Temporal[d] = size
		}
		out.Temporal[d] = model.CeilDiv(p.Bound[d], size)
	}
	return m
}

// outerOrder is the library's order of the loops over tiles, outermost first.
func outerOrder() [model.Dims]model.Dim {
	return [model.Dims]model.Dim{model.G, model.N, model.P, model.Q, model.K, model.R, model.S, model.C}
}

// tilingOf reads loops as a tiling.
func tilingOf(p *model.Problem, m *model.Mapping) gemmini.Tiling {
	t := gemmini.Tiling{Outer: m.Loops[0].Temporal, Blocks: steps(&m.Loops[squarePad].Temporal)}
	for d := range model.Dims {
		inside := m.Loops[squarePad].Temporal[d] * m.Loops[squareAcc].Temporal[d] * m.Loops[squareAcc].Spatial[d]
		t.Tile[d] = min(inside, model.CeilDiv(p.Bound[d], t.Outer[d]))
	}
	return t
}

// needs returns the bytes of a tile in the scratchpad and in the accumulator.
func (f *squareArray) needs(p *model.Problem, t *gemmini.Tiling) (load, sums int64) {
	load = p.Elements(model.Weights, &t.Tile)*p.Bytes[model.Weights] + p.Elements(model.Inputs, &t.Tile)*p.Bytes[model.Inputs]
	return load, p.Elements(model.Outputs, &t.Tile) * p.PartialBytes
}

func (f *squareArray) cost(p *model.Problem, t *gemmini.Tiling) Cost {
	time := f.chip.Time(p, t)
	r := Cost{OffChip: time.LoadBytes + time.StoreBytes, inputs: time.Tiles * p.Elements(model.Inputs, &t.Tile) * p.Bytes[model.Inputs]}
	pad, acc := f.traffic(p, t, &time)
	interfaceCycles := f.m.ioCycles(r.OffChip)
	r.needs = needs{time.Execute, f.ports(time.LoadBytes+pad, 2*acc), max(time.Load, time.Store, interfaceCycles)}
	r.Cycles = max(time.Total, r.needs.memory, interfaceCycles)
	e := f.energy(p, float64(r.OffChip), float64(time.LoadBytes), float64(pad), float64(acc))
	r.EnergyPJ = sum(e[:])
	return r
}

// ports returns the time of the bytes in and out of scratchpad and accumulator.
func (f *squareArray) ports(pad, acc int64) int64 {
	const milli = 1000
	return max(model.CeilDiv(pad*milli, f.arch.Level[squarePad].ReadRate), model.CeilDiv(acc*milli, f.arch.Level[squareAcc].ReadRate))
}

// traffic returns the bytes read from the scratchpad, and read from and written
// to the accumulator.
func (f *squareArray) traffic(p *model.Problem, t *gemmini.Tiling, time *gemmini.Time) (pad, acc int64) {
	blocks := time.Tiles * t.Blocks
	pixels := t.Tile[model.N] * t.Tile[model.P] * t.Tile[model.Q]
	return blocks * (pixels*p.Bytes[model.Inputs] + f.weightRows(t)*p.Bytes[model.Weights]) * f.chip.Dim, blocks * pixels * f.chip.Dim * p.PartialBytes
}

// weightRows returns the rows of weights in a block: its input channels.
func (f *squareArray) weightRows(t *gemmini.Tiling) int64 {
	channels := t.Tile[model.C]
	return model.CeilDiv(channels, model.CeilDiv(channels, f.chip.Dim))
}

// energy returns that of arithmetic, of transfers off chip, of the scratchpad and
// of the accumulator.
func (f *squareArray) energy(p *model.Problem, offChip, load, pad, acc float64) [4]float64 {
	scratch, sums := &f.arch.Level[squarePad], &f.arch.Level[squareAcc]
	return [4]float64{
		float64(p.MACs()) * f.arch.MACPJ,
		offChip * f.m.DRAMPJPerByte,
		load*scratch.WritePJ + pad*scratch.ReadPJ,
		acc * (sums.ReadPJ + sums.WritePJ),
	}
}

// Detail implements Dataflow.
func (f *squareArray) Detail(p *model.Problem, m *model.Mapping) (Detail, error) {
	free := f.arch
	for i := range free.Level {
		free.Level[i].Capacity = 0 // stricter than the core's rule, below
	}
	if err := check(p, &free, m); err != nil {
		return Detail{}, err
	}
	if err := f.allowed(m); err != nil {
		return Detail{}, err
	}
	t := tilingOf(p, m)
	load, sums := f.needs(p, &t)
	for _, x := range []struct {
		level int
		need  int64
	}{{squarePad, 2 * load}, {squareAcc, 2 * sums}} {
		if have := f.arch.Level[x.level].Capacity; x.need > have {
			return Detail{}, fmt.Errorf("level %s: two tiles need %d bytes, it has %d", f.arch.Level[x.level].Name, x.need, have)
		}
	}
	d := Detail{Cost: f.cost(p, &t)}
	d.split()
	time := f.chip.Time(p, &t)
	pad, acc := f.traffic(p, &t, &time)
	scratch, accumulator := f.arch.Level[squarePad].Name, f.arch.Level[squareAcc].Name
	e := f.energy(p, float64(d.OffChip), float64(time.LoadBytes), float64(pad), float64(acc))
	d.Energy = breakdown(e[:], "arithmetic", report.OffChip, scratch, accumulator)
	d.Bytes = report.Counts{{Name: report.OffChip, Value: d.OffChip}, {Name: scratch, Value: time.LoadBytes + pad}, {Name: accumulator, Value: 2 * acc}}
	weights := time.Tiles * p.Elements(model.Weights, &t.Tile)
	inputs := time.Tiles * p.Elements(model.Inputs, &t.Tile)
	outputs := time.StoreBytes / p.Bytes[model.Outputs]
	weightReads := time.Tiles * t.Blocks * f.weightRows(&t) * f.chip.Dim
	updates := acc / p.PartialBytes
	d.Accesses = []report.Access{
		{Level: f.arch.Level[0].Name, Operand: model.Weights.String(), Reads: weights},
		{Level: f.arch.Level[0].Name, Operand: model.Inputs.String(), Reads: inputs},
		{Level: f.arch.Level[0].Name, Operand: model.Outputs.String(), Updates: outputs},
		{Level: scratch, Operand: model.Weights.String(), Fills: weights, Reads: weightReads},
		{Level: scratch, Operand: model.Inputs.String(), Fills: inputs, Reads: (pad - weightReads*p.Bytes[model.Weights]) / p.Bytes[model.Inputs]},
		{Level: accumulator, Operand: model.Outputs.String(), Updates: updates, Reads: updates, Drains: outputs},
	}
	return d, nil
}

// allowed refuses loops that the library does not have.
func (f *squareArray) allowed(m *model.Mapping) error {
	out, pad, acc := &m.Loops[0], &m.Loops[squarePad], &m.Loops[squareAcc]
	for d := range model.Dims {
		channel := d == model.K || d == model.C
		block := channel || d == model.R || d == model.S
		switch {
		case pad.Spatial[d] > 1 || out.Spatial[d] > 1:
			return fmt.Errorf("par %s: only the accumulator's level spreads loops, over the array", d)
		case pad.Temporal[d] > 1 && !block:
			return fmt.Errorf("level scratchpad: a loop over %s: it has loops over K, C, R and S", d)
		case acc.Temporal[d] > 1 && (block || d == model.G):
			return fmt.Errorf("level accumulator: a loop over %s: it has loops over N, P and Q", d)
		case acc.Spatial[d] > 1 && !channel:
			return fmt.Errorf("level accumulator: par %s: the array takes K and C", d)
		case acc.Spatial[d] > f.chip.Dim:
			return fmt.Errorf("level accumulator: par %s in 0..%d: the array has %d rows and columns", d, acc.Spatial[d]-1, f.chip.Dim)
		}
	}
	want := model.Loops{Order: outerOrder(), Temporal: out.Temporal}
	if !sameOrder(out, &want) {
		var names []string
		for _, d := range want.Order {
			names = append(names, d.String())
		}
		return fmt.Errorf("the library has the loops over tiles in the order %s", strings.Join(names, " "))
	}
	return nil
}
