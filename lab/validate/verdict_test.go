package validate

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"apollo/evaluator/model"
	"apollo/evaluator/tech"
)

// Each verdict at its threshold, on both sides of it, and of no number at all.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	agreeing := func(agree, rows int) *agreement {
		a := &agreement{metric: "cycles"}
		for i := range rows {
			a.compare("row", 7, 7+int64(max(i-agree+1, 0)))
		}
		return a
	}
	near := func(tolerance float64, ours ...float64) *within {
		w := &within{metric: "cycles", tolerance: tolerance}
		for _, v := range ours {
			w.compare("row", 100, v)
		}
		return w
	}
	for name, test := range map[string]struct {
		row     Row
		verdict Verdict
		err     float64
	}{
		"relative: above, inside":     {relative("m", "s", 100, 104, 0.05), Pass, 0.04},
		"relative: above, outside":    {relative("m", "s", 100, 106, 0.05), Fail, 0.06},
		"relative: below, inside":     {relative("m", "s", 100, 96, 0.05), Pass, -0.04},
		"relative: below, outside":    {relative("m", "s", 100, 94, 0.05), Fail, -0.06},
		"relative: no number":         {relative("m", "s", 0, 0, 0.05), Fail, math.NaN()},
		"at most: inside":             {atMost("m", 0.9, 0.26, 0.26), Pass, 0.26},
		"at most: outside":            {atMost("m", 0.1, 0.2601, 0.26), Fail, 0.2601},
		"at most: no number":          {atMost("m", 0.1, math.NaN(), 0.26), Fail, math.NaN()},
		"correlation: inside":         {ranked("m", 0.1, 0.97, 0.97), Pass, 0.97},
		"correlation: outside":        {ranked("m", 0.99, 0.9699, 0.97), Fail, 0.9699},
		"correlation: no number":      {ranked("m", 0.99, math.NaN(), 0.97), Fail, math.NaN()},
		"exact: all agree":            {agreeing(3, 3).row(1), Pass, 0},
		"exact: one does not":         {agreeing(99, 100).row(1), Fail, 0.01},
		"99 of 100: 99 agree":         {agreeing(99, 100).row(0.99), Pass, 0.01},
		"99 of 100: 98 agree":         {agreeing(98, 100).row(0.99), Fail, 0.02},
		"exact: no row":               {agreeing(0, 0).row(1), Note, 0},
		"within: the worst is inside": {near(0.1, 109, 91).row(), Pass, 0.09},
		"within: one is above":        {near(0.1, 100, 112, 100).row(), Fail, 0.12},
		"within: one is below":        {near(0.1, 100, 88, 100).row(), Fail, 0.12},
		"within: no row":              {near(0.1).row(), Note, 0},
		"noted":                       {noted("m", "s", 1, 9, 8), Note, 8},
	} {
		same := math.Abs(test.row.Error-test.err) < 1e-9 || math.IsNaN(test.row.Error) && math.IsNaN(test.err)
		if test.row.Verdict != test.verdict || !same {
			t.Errorf("%s: %s with error %g, want %s with %g", name, test.row.Verdict, test.row.Error, test.verdict, test.err)
		}
	}
	if got := near(0.1, 100, 112, 88).row(); len(got.Misses) != 2 || got.Ours != 1 || got.Theirs != 3 || !strings.Contains(got.Misses[0], "error +12.0 %") {
		t.Errorf("misses of two rows of three: %+v", got)
	}
	if got := agreeing(0, 2*maxMisses).row(1); len(got.Misses) != maxMisses || got.Misses[0] != "row: theirs 7, ours 8" {
		t.Errorf("misses: %q, want %d, the first with both numbers", got.Misses, maxMisses)
	}
}

// A number that is off by one fails its own comparison and no other.
func TestOneWrongNumberFailsItsComparison(t *testing.T) {
	t.Parallel()
	fields := strings.Split(strings.TrimSpace(scalesimRow), ",")
	for i, metric := range []string{"cycles", "input reads", "filter reads", "output writes"} {
		column := len(fields) - 4 + i
		var n int
		if _, err := fmt.Sscan(fields[column], &n); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []int{n - 1, n + 1} {
			row := strings.Join(fields[:column], ",") + fmt.Sprintf(",%d,", wrong) + strings.Join(fields[column+1:], ",")
			r := Run(fstest.MapFS{"scalesim_compute.csv": {Data: []byte(scalesimHeader + scalesimRow + strings.TrimSuffix(row, ",") + "\n")}})
			if r.Judged != 4 || r.Failed != 1 || len(r.Bad) != 0 {
				t.Errorf("%s %d for %d: %+v, want one failure", metric, wrong, n, r)
			}
			for j, got := range r.Rows {
				if failed := got.Verdict == Fail; failed != (i == j) || got.Metric != []string{"cycles", "input reads", "filter reads", "output writes"}[j] {
					t.Errorf("%s %d for %d: %q is %s", metric, wrong, n, got.Metric, got.Verdict)
				}
			}
			if want := fmt.Sprintf("tiny 2x2 ws: theirs %d, ours %d", wrong, n); len(r.Rows[i].Misses) != 1 || r.Rows[i].Misses[0] != want {
				t.Errorf("%s: misses %q, want %q", metric, r.Rows[i].Misses, want)
			}
		}
	}
}

// References that are as far from the model as a comparison allows, and a little farther.
func TestToleranceOfAReference(t *testing.T) {
	t.Parallel()
	const header = "layer,batch,silicon_latency_ms,clock_MHz\n"
	layer := func(ms float64) Report {
		return Run(fstest.MapFS{"eyeriss_alexnet.csv": {Data: fmt.Appendf(nil, header+"CONV3,4,%.17g,200\n", ms)}})
	}
	ours := layer(1).Rows[0].Ours
	// The layer is judged within 13 %, the total, here the same, within 5 %.
	for off, failed := range map[float64]int{1: 0, 1.045: 0, 0.955: 0, 1.055: 1, 0.945: 1, 1.125: 1, 0.875: 1, 1.135: 2, 0.865: 2} {
		if r := layer(ours / off); r.Failed != failed || r.Judged != 2 {
			t.Errorf("Eyeriss, ours is %g of theirs: %d of %d failed, want %d of 2", off, r.Failed, r.Judged, failed)
		}
	}
	m := tech.Node22().SRAM(16384)
	for i, metric := range []string{"read energy", "write energy", "area"} {
		for off, want := range map[float64]Verdict{1.095: Pass, 0.905: Pass, 1.105: Fail, 0.895: Fail} {
			theirs := []float64{8 * m.ReadPJPerByte, 8 * m.WritePJPerByte, m.AreaMM2} // 64 bits
			theirs[i] /= off
			r := Run(fstest.MapFS{"cacti_sram.csv": {Data: fmt.Appendf(nil,
				"tech_nm,size_bytes,width_bits,read_pJ,write_pJ,area_mm2\n22,16384,64,%.17g,%.17g,%.17g\n", theirs[0], theirs[1], theirs[2])}})
			for j, row := range r.Rows[:3] {
				if expected := map[bool]Verdict{true: want, false: Pass}[i == j]; row.Verdict != expected {
					t.Errorf("CACTI, our %s is %g of theirs: %q is %s, want %s", metric, off, row.Metric, row.Verdict, expected)
				}
			}
		}
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ got, want float64 }{
		"median of three": {median([]float64{9, 1, 4}), 4},
		"median of four":  {median([]float64{9, 1, 4, 5}), 4.5},
		"median of none":  {median(nil), 0},
	} {
		if math.Abs(test.got-test.want) > 1e-12 {
			t.Errorf("%s: %g, want %g", name, test.got, test.want)
		}
	}
	rows := []gemminiRow{{rtl: 100, ours: 110}, {rtl: 200, ours: 150}, {rtl: 300, ours: 300}}
	if rank, mean := compareCycles(rows, ours); rank != 1 || math.Abs(mean-0.35/3) > 1e-12 {
		t.Errorf("compareCycles() = %g, %g, want 1 and the mean of 10, 25 and 0 %%", rank, mean)
	}
	// One factor for all: the median of 2, 4 and 3 ms for each unit of work.
	chips := []coralRow{{theirs: 100, macs: 50}, {theirs: 200, macs: 50}, {theirs: 90, macs: 30}}
	all, worst := errorsOf(chips, byMACs(chips))
	if worst != 0.5 || median(all) != 0.25 {
		t.Errorf("errors by MACs: %v, worst %g, want 50, 25 and 0 %%", all, worst)
	}
}

// A block of the tool's rows is ranked, a known miss printed as one, what a template
// stands for ranked on it too, and a layer in the wrong place named.
func TestMaestroBlocks(t *testing.T) {
	t.Parallel()
	const header = "hw,num_pes,noc_bw,offchip_bw,mapping,Layer Number,Runtime (Cycles),Num MACs\n"
	run := func(hw, mapping string, cycles ...int) Report {
		text := []byte(header)
		for i, n := range cycles {
			text = fmt.Appendf(text, "%s,256,1000,50,%s,CONV%d,%d,1\n", hw, mapping, i+1, n)
		}
		return Run(fstest.MapFS{"maestro_layers.csv": {Data: text}})
	}
	// VGG's first four layers: MACs rise, fall and rise.
	if r := run("A", "vgg16_ckp_ws", 1, 4, 2, 3); r.Judged != 2 || r.Failed != 0 {
		t.Errorf("in the order of their work: %+v", r)
	}
	if r := run("A", "vgg16_ckp_ws", 4, 1, 2, 3); r.Judged != 2 || r.Failed != 2 {
		t.Errorf("the longest layer first: %+v", r)
	}
	if r := run("A", "vgg16_yxp_os", 4, 1, 2, 3); r.Judged != 1 || len(r.Rows) != 2 || r.Rows[1].Tolerance != "missed: >= 0.9" {
		t.Errorf("a known miss: %+v", r)
	}
	for cycles, failed := range map[[4]int]int{{1, 4, 2, 3}: 0, {4, 1, 2, 3}: 1} {
		if r := run("A", "vgg16_nlr", cycles[:]...); r.Judged != 1 || r.Failed != failed {
			t.Errorf("a dataflow that no template has, %v: %+v", cycles, r)
		}
	}
	for mapping, want := range map[string]string{"vgg16_zz": `mapping "vgg16_zz"`, "MobileNetV2_yxp_os": `layer "CONV2" is not layer 2`} {
		if r := run("A", mapping, 1, 2); len(r.Bad) == 0 || !strings.Contains(strings.Join(r.Bad, "\n"), want) {
			t.Errorf("%s: bad %q, want %q", mapping, r.Bad, want)
		}
	}
}

// The tool's arrays, counted by hand at one element a cycle: what comes and what goes
// have a bus each, and the first operands and last sums are hidden by nothing.
func TestMaestroArrays(t *testing.T) {
	t.Parallel()
	problem := func(k, c, p, q int64) model.Problem {
		return model.Problem{
			Bound: [model.Dims]int64{1, 1, k, c, p, q, 1, 1}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
			Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 1,
		}
	}
	for name, test := range map[string]struct {
		array *maestroArray
		units int64
		layer model.Problem
		want  int64
	}{
		// Sixteen steps of four columns and four weights; one weight, then four sums.
		"columns": {columnArray(), 4, problem(2, 2, 4, 4), 16*4 + 4 + 1 + 4},
		// Four pixels with eight products each: two channels of four sums of one.
		"channels": {channelArray(4), 8, problem(2, 4, 2, 2), 4*8 + 8 + 2},
		// Four pixels, an input and a weight for each of four units.
		// Two tiles of four pixels, the second half full and charged as a whole one, with
		// two steps of four inputs and a weight each; the first four inputs, the last four sums.
		"pixels":  {pixelArray(2), 4, problem(1, 2, 2, 3), 2*2*(4+1) + 4 + 4},
		"passing": {passingArray(), 4, problem(1, 4, 2, 2), 4*2*4 + 1},
	} {
		if got := test.array.cycles(&test.layer, test.units, 1); got != test.want {
			t.Errorf("%s: %d cycles, want %d", name, got, test.want)
		}
	}
}
