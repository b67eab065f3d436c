package template

import (
	"apollo/evaluator"
	"apollo/evaluator/eyeriss"
	"apollo/evaluator/frame"
	"apollo/evaluator/model"
)

// eyerissSpec is the row-stationary architecture.
func eyerissSpec() Spec {
	return Spec{
		Name: "eyeriss", Version: "11",
		Doc: "A grid of processing elements with three scratchpads each, row-stationary, after Eyeriss (Y.-H. Chen et al., IEEE JSSC 52(1), " +
			"2017); 16 bit words, 22 nm, 200 MHz. The baseline is the published chip.",
		Params: []frame.Param{
			frame.Count("rows", "Rows of the grid.", 12, 6, 8, 10, 12, 14, 16, 24, 32),
			frame.Count("cols", "Columns of the grid.", 14, 6, 8, 10, 12, 14, 16, 24, 32),
			frame.Count("filter_words", "Words of the filter scratchpad of one element.", 224, 64, 96, 128, 160, 192, 224, 256, 384, 512),
			frame.Count("input_words", "Words of the input scratchpad of one element.", 12, 8, 12, 16, 24, 32),
			frame.Count("sum_words", "Words of the scratchpad for partial sums of one element.", 24, 8, 16, 24, 32, 48, 64),
			frame.Bytes("buffer", "Global buffer for inputs and partial sums.", 100*kib, 25*kib, 50*kib, 100*kib, 200*kib, 400*kib, 800*kib),
			bandwidth(1e9),
		},
		Features: []evaluator.Feature{
			evaluator.Ratio("macs_per_cycle", "", 1, []string{"rows", "cols"}, nil),
			evaluator.Ratio("filters_on_chip", "words", 1, []string{"rows", "cols", "filter_words"}, nil),
			evaluator.Ratio("filters_per_input", "", 1, []string{"filter_words"}, []string{"input_words"}),
			evaluator.Ratio("buffer_per_mac", "B", 1, []string{"buffer"}, []string{"rows", "cols"}),
			evaluator.Ratio("bandwidth_per_mac", "B/s", 1, []string{"io_bandwidth"}, []string{"rows", "cols"}),
		},
		ClockHz:      200e6,
		NetworkBytes: eyeriss.BusBytes,
		WordBits:     8 * eyeriss.WordBytes,
		Build:        buildEyeriss,
	}
}

func buildEyeriss(c *chip, v []int64) Machine {
	const bitsPerByte, milli = 8, 1000
	words := model.CeilDiv(max(c.datapath.Weights, c.datapath.Activations), bitsPerByte) // bytes of a word
	x := eyeriss.Chip{Rows: v[0], Cols: v[1], FilterWords: v[2], InputWords: v[3], SumWords: v[4], BusRate: max(c.rate(1)/words, 1)}
	x.BufferBytes = v[5] / words * eyeriss.WordBytes
	units := x.Rows * x.Cols
	global := c.memory("buffer", v[5], 1)
	pad := c.memory("filter_scratchpads", x.FilterWords*words, units)
	// A 16-bit multiplier has four times the area and energy of an 8-bit one, and
	// narrower operands are words too.
	const word = 4
	wide := max(c.datapath.Area.Multiply, word)
	c.array(units, (x.InputWords+x.SumWords)*words*bitsPerByte, 1)
	c.logic("wide_arithmetic", (wide-1)*float64(units)*c.Node.MultiplyMM2, 0)
	c.arrayMM2 += pad.AreaMM2 * float64(units)
	m := c.machine(v[6], units)
	if c.outline {
		return m
	}
	f := rowStationary{chip: x, worth: eyeriss.Worth{
		OffChipCycles: float64(words*milli) / float64(m.IORate),
		Product:       max(word, c.energy.Multiply)*c.Node.MultiplyPJ + c.Node.AddPJ*c.energy.Add, OffChip: float64(words) * m.DRAMPJPerByte,
		Buffer: float64(words) * (global.ReadPJPerByte + global.WritePJPerByte) / 2, Network: float64(words) * c.acrossPJ(), Pad: float64(words) * pad.ReadPJPerByte,
	}, word: words}
	f.arch = c.hierarchy(offChip(&m),
		buffer("global buffer", v[5], units, &global, model.Inputs, model.Outputs),
		buffer("scratchpads", 0, 1, &pad, model.Weights, model.Inputs, model.Outputs))
	f.arch.MACPJ, f.arch.Level[1].DoubleBuffered, f.arch.Level[2].DoubleBuffered = f.worth.Product, false, false
	f.m = &m
	m.Arch, m.Flow = f.arch, &f
	return m
}
