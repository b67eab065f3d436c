package template

import (
	"apollo/evaluator"
	"apollo/evaluator/eyeriss"
	"apollo/evaluator/model"
)

// eyerissSpec is the row-stationary architecture.
func eyerissSpec() Spec {
	return Spec{
		Name: "eyeriss",
		Doc: "A grid of processing elements with three scratchpads each, row-stationary, after Eyeriss (Y.-H. Chen et al., IEEE JSSC 52(1), " +
			"2017); 16 bit words, 22 nm, 200 MHz. The baseline is the published chip.",
		Params: []Param{
			count("rows", "Rows of the grid.", 12, 6, 8, 10, 12, 14, 16, 24, 32),
			count("cols", "Columns of the grid.", 14, 6, 8, 10, 12, 14, 16, 24, 32),
			count("filter_words", "Words of the filter scratchpad of one element.", 224, 64, 96, 128, 160, 192, 224, 256, 384, 512),
			count("input_words", "Words of the input scratchpad of one element.", 12, 8, 12, 16, 24, 32),
			count("sum_words", "Words of the scratchpad for partial sums of one element.", 24, 8, 16, 24, 32, 48, 64),
			bytes("buffer", "Global buffer for inputs and partial sums.", 100*kib, 25*kib, 50*kib, 100*kib, 200*kib, 400*kib, 800*kib),
			bandwidth(1e9),
		},
		Features: []evaluator.Feature{
			derived("macs_per_cycle", "", []string{"rows", "cols"}, nil),
			derived("filters_on_chip", "words", []string{"rows", "cols", "filter_words"}, nil),
			derived("filters_per_input", "", []string{"filter_words"}, []string{"input_words"}),
			derived("buffer_per_mac", "B", []string{"buffer"}, []string{"rows", "cols"}),
			derived("bandwidth_per_mac", "B/s", []string{"io_bandwidth"}, []string{"rows", "cols"}),
		},
		Build: buildEyeriss,
	}
}

const eyerissClockHz = 200e6

func buildEyeriss(v []int64) Machine {
	x := eyeriss.Chip{Rows: v[0], Cols: v[1], FilterWords: v[2], InputWords: v[3], SumWords: v[4], BufferBytes: v[5]}
	units := x.Rows * x.Cols
	c := newChip()
	buffer := c.memory("buffer", x.BufferBytes, 1)
	pad := c.memory("filter_scratchpads", x.FilterWords*eyeriss.WordBytes, units)
	const bitsPerByte, words = 8, eyeriss.WordBytes
	c.units(units, (x.InputWords+x.SumWords)*words*bitsPerByte)
	// A 16-bit multiplier has four times the area of an 8-bit one.
	c.area = append(c.area, Part{"wide_arithmetic", 3 * float64(units) * c.node.MultiplyMM2})
	m := c.machine(eyerissClockHz, v[6], units)
	node := c.node
	m.Map = func(p *model.Problem) (Cost, *Misfit) {
		if s := p.Bound[model.S]; s > x.InputWords {
			return Cost{}, &Misfit{Code: "input_scratchpad", What: "a row of the window", Param: "input_words", Need: s, Have: x.InputWords, Unit: "words"}
		}
		if r := p.Bound[model.R]; r > x.Rows {
			return Cost{}, &Misfit{Code: "grid_rows", What: "a column of the window", Param: "rows", Need: r, Have: x.Rows, Unit: "rows"}
		}
		best, ok := x.Map(p)
		if !ok {
			row := 2 * (p.Elements(model.Inputs, &[model.Dims]int64{1, 1, 1, 1, 1, p.Bound[model.Q], p.Bound[model.R], p.Bound[model.S]}) + p.Bound[model.Q])
			return Cost{}, &Misfit{Code: "buffer", What: "one row of outputs with its inputs", Param: "buffer", Need: max(row, x.BufferBytes+1), Have: x.BufferBytes, Unit: "B"}
		}
		r := Cost{OffChip: best.OffChip * words}
		r.Cycles = max(best.Cycles, m.ioCycles(r.OffChip))
		const wide = 4 // energy of a 16-bit product in 8-bit ones
		r.EnergyPJ = float64(p.MACs())*(wide*node.MultiplyPJ+2*node.AddPJ) + float64(r.OffChip)*node.DRAMPJPerByte +
			float64(best.Buffer*words)*(buffer.ReadPJPerByte+buffer.WritePJPerByte)/2 + float64(best.Pad*words)*pad.ReadPJPerByte
		return r, nil
	}
	return m
}
