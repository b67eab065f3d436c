package validate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apollo/evaluator"
	"apollo/evaluator/template"
	"apollo/evaluator/workload"
	"apollo/internal/correlation"
	"apollo/optimizer/space"
)

// nasRow is a network of Accel-NASBench that was measured.
type nasRow struct {
	values []int64
	params int64
	ms     [2]float64 // by FPGA; 0 where it was not measured
}

// nasFPGAs are the columns of latencies.
var nasFPGAs = [2]string{"zcu102_ms", "vck190_ms"}

// nasArray is the processor for the first of the FPGAs: 16 output channels of 16
// input channels at 8 pixels in a cycle, at 8 bits (DPUCZDX8G B4096: AMD PG338,
// "Architecture of the DPUCZDX8G"). The second has another one. All else is the
// template's baseline; grouped is what grouped layers may do with lanes of input
// and of output channels.
func nasArray(grouped [2]string) map[string]space.Value {
	return map[string]space.Value{
		"axes": {Label: "C+K+Q"}, "x": {Num: 16}, "y": {Num: 16}, "z": {Num: 8},
		"grouped_sums": {Label: grouped[0]}, "grouped_outputs": {Label: grouped[1]},
	}
}

// accelNASBench ranks the networks of Accel-NASBench by latency, beside two FPGAs
// that they were measured on. Nothing is fitted.
func accelNASBench(t *table) ([]Row, error) {
	f, ok := workload.FamilyNamed("accel_nasbench")
	if !ok {
		return nil, fmt.Errorf("the network family accel_nasbench is not there")
	}
	rows, err := nasRows(t, f)
	if err != nil {
		return nil, err
	}
	sizes := agreement{metric: "parameters"}
	nets := make([]evaluator.Network, len(rows))
	macs := make([]float64, len(rows))
	for i := range rows {
		w, err := f.Build(rows[i].values)
		if err != nil {
			return nil, t.bad(i, err)
		}
		sizes.compare(w.Name, rows[i].params, normalisedParams(w))
		macs[i] = float64(w.Totals().MACs)
		w.Name = strconv.Itoa(i) // thirteen networks were measured twice
		nets[i] = evaluator.Network{Workload: w, Weight: 1}
	}
	ours, err := nasLatencies(nets, [2]string{"idle", "groups"})
	if err != nil {
		return nil, err
	}
	idle, err := nasLatencies(nets, [2]string{"idle", "idle"})
	if err != nil {
		return nil, err
	}
	out := []Row{sizes.row(1)}
	for at, fpga := range nasFPGAs {
		chip := strings.TrimSuffix(fpga, "_ms")
		byMACs := nasRank(rows, at, macs)
		out = append(out, ranked(chip+" latency, Spearman (theirs: MACs)", byMACs, nasRank(rows, at, ours), 0.85))
		plain := nasRank(rows, at, idle)
		out = append(out, noted(chip+" latency, grouped layers idle on K too, Spearman (theirs: MACs)", "rank", byMACs, plain, plain))
	}
	more, err := nasAccuracies(t, f, rows, macs)
	return append(out, more...), err
}

func nasRows(t *table, f *workload.Family) ([]nasRow, error) {
	rows := make([]nasRow, len(t.rows))
	for i := range t.rows {
		l, r := t.line(i), &rows[i]
		for _, p := range f.Params {
			v := l.int(p.Name)
			if !slices.Contains(p.Values, v) {
				l.fail(fmt.Errorf("column %q is %d, want one of %v", p.Name, v, p.Values))
			}
			r.values = append(r.values, v)
		}
		const million = 1e6
		r.params = int64(math.Round(l.above("mparams") * million))
		for at, fpga := range nasFPGAs {
			if l.text(fpga) != "" {
				r.ms[at] = l.above(fpga)
			}
		}
		if l.err != nil {
			return nil, l.err
		}
	}
	return rows, nil
}

// normalisedParams counts parameters as frameworks do: a batch normalisation has a
// scale and a shift of each channel, of which our layers keep the shift.
func normalisedParams(w *workload.Workload) (n int64) {
	for i := range w.Layers {
		l := &w.Layers[i]
		n += l.Params()
		_, part, _ := strings.Cut(l.ID, ".")
		if l.Op.HasWeights() && l.ID != "logits" && part != "reduce" && part != "excite" {
			n += l.K
		}
	}
	return n
}

// nasLatencies returns the latency of every network on the array.
func nasLatencies(nets []evaluator.Network, grouped [2]string) ([]float64, error) {
	spec, _ := template.Named("spatial")
	set := nasArray(grouped)
	task := evaluator.Task{Networks: nets}
	var design []space.Value
	for i := range spec.Params {
		p := &spec.Params[i]
		v, ok := set[p.Name]
		if !ok {
			v = p.Baseline
		}
		task.Params, design = append(task.Params, p.Param), append(design, v)
	}
	e, err := spec.Template().Backend.New(task)
	if err != nil {
		return nil, err
	}
	r, err := e.Evaluate(context.Background(), evaluator.Request{Design: design})
	if err != nil {
		return nil, err
	}
	if r.Outcome != evaluator.Measured {
		return nil, fmt.Errorf("the array cannot run a network: %s", r.Reason.Message)
	}
	if len(nets) == 1 {
		return []float64{math.NaN()}, nil // one network has no rank
	}
	out := make([]float64, len(nets))
	for _, x := range r.Extra {
		if name, ok := strings.CutPrefix(x.Name, "latency_s."); ok {
			i, err := strconv.Atoi(name)
			if err != nil {
				return nil, fmt.Errorf("metric %s: %w", x.Name, err)
			}
			out[i] = x.Value
		}
	}
	return out, nil
}

// nasRank correlates one FPGA's latencies with numbers of the same networks.
func nasRank(rows []nasRow, fpga int, numbers []float64) float64 {
	var x, y []float64
	for i := range rows {
		if ms := rows[i].ms[fpga]; ms > 0 {
			x, y = append(x, numbers[i]), append(y, ms)
		}
	}
	return correlation.Spearman(x, y)
}
