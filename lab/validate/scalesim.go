package validate

import (
	"fmt"

	"apollo/evaluator/systolic"
)

// scalesimLayer reads the machine and the layer of a row. H and W are the
// padded input; the tool rounds the number of windows up.
func scalesimLayer(l *line) (systolic.Array, systolic.GEMM, string) {
	windows := func(in, window string) int64 {
		stride := l.size("stride")
		return max((l.size(in)-l.size(window)+2*stride-1)/stride, 1)
	}
	a := systolic.Array{Rows: l.size("arr_rows"), Cols: l.size("arr_cols")}
	switch flow := l.text("dataflow"); flow {
	case "ws":
		a.Dataflow = systolic.WeightStationary
	case "os":
		a.Dataflow = systolic.OutputStationary
	case "is":
		a.Dataflow = systolic.InputStationary
	default:
		l.fail(fmt.Errorf("dataflow %q: want ws, os or is", flow))
	}
	g := systolic.GEMM{
		M: windows("H", "R") * windows("W", "S"),
		N: l.size("K"),
		K: l.size("R") * l.size("S") * l.size("C"),
	}
	name := fmt.Sprintf("%s %dx%d %s", l.text("layer"), a.Rows, a.Cols, l.text("dataflow"))
	return a, g, name
}

// scalesimBandwidth compares a systolic array behind buffers: without stalls
// (CALC) and at a given bandwidth (USER). The tool prints one cycle less.
func scalesimBandwidth(t *table) ([]Row, error) {
	w := within{metric: "total cycles", tolerance: 0.10}
	for i := range t.rows {
		l := t.line(i)
		a, g, name := scalesimLayer(l)
		kilobytes, mode := l.size("sram_kB_each"), l.text("bw_mode")
		theirs := l.positive("total_cycles")
		if l.err != nil {
			return nil, l.err
		}
		ours := a.Pass(&g).Cycles
		if mode == "USER" {
			layer := systolic.Layer{
				Height: l.int("H"), Width: l.int("W"), R: l.int("R"), S: l.int("S"), C: l.int("C"), K: l.int("K"), Stride: l.int("stride"),
			}
			buffer := systolic.Prefetch{Words: kilobytes << 10, WordsPerCycle: l.positive("bw_words_per_cycle")}
			if l.err != nil {
				return nil, l.err
			}
			var err error
			if ours, err = a.Streamed(&layer, buffer); err != nil {
				return nil, t.bad(i, err)
			}
		}
		w.compare(name+" "+mode, float64(theirs), float64(ours-1))
	}
	return []Row{w.row()}, nil
}

// scalesimCompute compares a systolic array without a memory system.
func scalesimCompute(t *table) ([]Row, error) {
	cycles := agreement{metric: "cycles"}
	inputs := agreement{metric: "input reads"}
	weights := agreement{metric: "filter reads"}
	outputs := agreement{metric: "output writes"}
	for i := range t.rows {
		l := t.line(i)
		a, g, name := scalesimLayer(l)
		if l.err != nil {
			return nil, l.err
		}
		p := a.Pass(&g)
		cycles.compare(name, l.int("total_cycles"), p.Cycles)
		inputs.compare(name, l.int("sram_ifmap_reads"), p.InputReads)
		weights.compare(name, l.int("sram_filter_reads"), p.WeightReads)
		written := p.OutputWrites
		if a.Dataflow == systolic.OutputStationary {
			// The tool counts the edges of its skewed demand matrix too: one word more
			// for every row and column of the array in every fold.
			written += p.Folds * (a.Rows + a.Cols)
		}
		outputs.compare(name, l.int("sram_ofmap_writes"), written)
		if l.err != nil {
			return nil, l.err
		}
	}
	return []Row{cycles.row(1), inputs.row(1), weights.row(1), outputs.row(1)}, nil
}
