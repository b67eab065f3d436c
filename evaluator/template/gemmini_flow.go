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

// Find implements Dataflow: the tiling with the least time. For every number of
// tiles over channels and columns it tries the fewest over rows that fit, and
// some more: smaller tiles overlap better.
func (f *squareArray) Find(p *model.Problem, m *model.Mapping) (Cost, *Misfit) {
	s := squareSearch{f: f, p: p}
	b := &p.Bound
	parts := *b
	parts[model.R], parts[model.S] = 1, 1
	for images := range counts(b[model.N]) {
		for nk := range counts(model.CeilDiv(b[model.K], f.chip.Dim)) {
			for nc := range counts(model.CeilDiv(b[model.C], f.chip.Dim)) {
				for nq := range counts(b[model.Q]) {
					parts[model.N], parts[model.K], parts[model.C], parts[model.Q] = images, nk, nc, nq
					s.rows(parts)
				}
			}
		}
	}
	if !s.found {
		have := f.arch.Level[squarePad].Capacity
		return Cost{}, &Misfit{Code: "scratchpad", What: "the smallest tile, twice,", Param: "scratchpad and accumulator", Need: max(2*s.least, have+1), Have: have, Unit: "B"}
	}
	*m = f.nest(p, s.parts)
	return s.best, nil
}

// squareSearch is the state of mapping one layer.
type squareSearch struct {
	f *squareArray
	p *model.Problem
	// parts are the numbers of tiles of the best tiling so far.
	parts [model.Dims]int64
	best  Cost
	found bool
	least int64
}

// rows tries numbers of tiles over rows.
func (s *squareSearch) rows(parts [model.Dims]int64) {
	left := finer
	for np := range counts(s.p.Bound[model.P]) {
		parts[model.P] = np
		t := s.f.tiling(s.p, &parts)
		load, sums := s.f.needs(s.p, &t)
		if s.least == 0 || load < s.least {
			s.least = load
		}
		if 2*load > s.f.arch.Level[squarePad].Capacity || 2*sums > s.f.arch.Level[squareAcc].Capacity {
			continue
		}
		if c := s.f.cost(s.p, &t); !s.found || c.Cycles < s.best.Cycles {
			s.best, s.parts, s.found = c, parts, true
		}
		if left--; left < 0 {
			return
		}
	}
}

// tiling cuts a layer into numbers of tiles; channels of a tile fill whole
// columns or rows of the array, evenly.
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
		t.Outer[d], t.Tile[d] = model.CeilDiv(p.Bound[d], size), min(size, p.Bound[d])
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
		t.Tile[d] = min(inside, p.Bound[d])
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
	r := Cost{OffChip: time.LoadBytes + time.StoreBytes}
	r.Cycles = max(time.Total, f.m.ioCycles(r.OffChip))
	pad, acc := f.traffic(p, t, &time)
	r.EnergyPJ = f.energy(p, &r, time.LoadBytes, pad, acc).Total()
	return r
}

// traffic returns the bytes read from the scratchpad, and read from and written
// to the accumulator.
func (f *squareArray) traffic(p *model.Problem, t *gemmini.Tiling, time *gemmini.Time) (pad, acc int64) {
	blocks := time.Tiles * t.Blocks
	pixels := t.Tile[model.N] * t.Tile[model.P] * t.Tile[model.Q]
	return blocks * (pixels + f.chip.Dim) * f.chip.Dim, blocks * pixels * f.chip.Dim * p.PartialBytes
}

func (f *squareArray) energy(p *model.Problem, c *Cost, load, pad, acc int64) report.Breakdown {
	scratch, sums := &f.arch.Level[squarePad], &f.arch.Level[squareAcc]
	return report.Breakdown{
		{Name: "arithmetic", Value: float64(p.MACs()) * f.arch.MACPJ},
		{Name: report.OffChip, Value: float64(c.OffChip) * f.m.DRAMPJPerByte},
		{Name: scratch.Name, Value: float64(load)*scratch.WritePJ + float64(pad)*scratch.ReadPJ},
		{Name: sums.Name, Value: float64(acc) * (sums.ReadPJ + sums.WritePJ)},
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
	time := f.chip.Time(p, &t)
	d.split(time.Execute, 0, max(time.Load, time.Store, f.m.ioCycles(d.OffChip)))
	pad, acc := f.traffic(p, &t, &time)
	d.Energy = f.energy(p, &d.Cost, time.LoadBytes, pad, acc)
	scratch, sum := f.arch.Level[squarePad].Name, f.arch.Level[squareAcc].Name
	d.Bytes = report.Counts{{Name: report.OffChip, Value: d.OffChip}, {Name: scratch, Value: time.LoadBytes + pad}, {Name: sum, Value: 2 * acc}}
	weights := time.Tiles * p.Elements(model.Weights, &t.Tile)
	inputs := time.Tiles * p.Elements(model.Inputs, &t.Tile)
	outputs := time.StoreBytes / p.Bytes[model.Outputs]
	blocks := time.Tiles * t.Blocks * f.chip.Dim
	updates := acc / p.PartialBytes
	d.Accesses = []report.Access{
		{Level: f.arch.Level[0].Name, Operand: model.Weights.String(), Reads: weights},
		{Level: f.arch.Level[0].Name, Operand: model.Inputs.String(), Reads: inputs},
		{Level: f.arch.Level[0].Name, Operand: model.Outputs.String(), Updates: outputs},
		{Level: scratch, Operand: model.Weights.String(), Fills: weights, Reads: blocks * f.chip.Dim},
		{Level: scratch, Operand: model.Inputs.String(), Fills: inputs, Reads: pad - blocks*f.chip.Dim},
		{Level: sum, Operand: model.Outputs.String(), Updates: updates, Reads: updates, Drains: outputs},
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
