package validate

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

const powerHeader = "chip,node_nm,clock_mhz,config,workload,metric,value,unit,source,checked\n"

func powerReport(rows ...string) Report {
	return Run(fstest.MapFS{"power_published.csv": {Data: []byte(powerHeader + strings.Join(rows, ""))}})
}

func nvdlaPower(milliwatts float64) string {
	return fmt.Sprintf("nvdla,16,1000,512 MACs; 256 KB buffer; 10 GB/s,resnet50 int8,power_average,%.9g,mW,-,yes\n", milliwatts)
}

// One row is the median and the worst: each verdict turns at its own bound.
func TestPublishedPowerIsJudged(t *testing.T) {
	t.Parallel()
	const median, worst = 0, 1
	ours := 0.0
	if _, err := fmt.Sscanf(powerReport(nvdlaPower(100)).Rows[median].Misses[0][len("nvdla 16 nm, 512 MACs; 256 KB buffer; 10 GB/s, resnet50 int8 power_average: "):],
		"theirs 100, ours %g,", &ours); err != nil {
		t.Fatal(err)
	}
	for off, failed := range map[float64]int{1: 0, 1.29: 0, 0.72: 0, 1.32: 1, 0.69: 1, 1.98: 1, 2.02: 2, 0.51: 1, 0.49: 2} {
		r := powerReport(nvdlaPower(ours / off))
		if r.Failed != failed || r.Judged != 5 || len(r.Bad) != 0 {
			t.Errorf("ours is %g of theirs: %d of %d failed, want %d of 5; %v", off, r.Failed, r.Judged, failed, r.Bad)
		}
		if wrong := r.Rows[worst].Verdict == Fail; wrong != (failed == 2) {
			t.Errorf("ours is %g of theirs: the worst factor is %s", off, r.Rows[worst].Verdict)
		}
	}
}

// Rows that a constant was set from are judged with the others' constant; a chip that
// nothing is made like is named and judges nothing, as is one without a node.
func TestPowerRowsLeftOut(t *testing.T) {
	t.Parallel()
	r := powerReport(nvdlaPower(80),
		"eyeriss,65,200,168 PEs; 108 KB buffer; 1.0 V,alexnet CONV1 batch 4,power,1,mW,-,yes\n",
		"coral_edge_tpu,,500,4096 MACs; 8 MB,peak 4 TOPS,power_peak,1,W,-,yes\n",
		"another,7,1,-,resnet50,power_average,1,W,-,yes\n")
	out := r.Rows[len(r.Rows)-1]
	if r.Judged != 6 || r.Failed != 1 || out.Ours != 2 || len(out.Misses) != 2 {
		t.Fatalf("judged %d, failed %d, left out %+v: want 6, the layer of 1 mW and two rows", r.Judged, r.Failed, out)
	}
	for i, reason := range []string{noNode, otherChips} {
		if !strings.Contains(out.Misses[i], reason) {
			t.Errorf("%q: want the reason %q", out.Misses[i], reason)
		}
	}
	r = powerReport(strings.Replace(nvdlaPower(80), ",1000,", ",500,", 1), nvdlaPower(80))
	if len(r.Bad) != 1 || !strings.Contains(r.Bad[0], "the clock is 500 MHz") || r.Judged != 5 {
		t.Errorf("another clock: %q, %d judged: want it named and the other row judged", r.Bad, r.Judged)
	}
}

func nvdlaArea16(macs, kib int, mm2 float64) string {
	return fmt.Sprintf("nvdla,16,1000,%d MACs; %d KB buffer; 20 GB/s,-,cell_area,%.9g,mm2,-,yes\n", macs, kib, mm2)
}

// An area beyond a factor 2 fails; the row that a constant was set from
// is compared with the constant that the others ask for.
func TestPublishedAreaIsJudged(t *testing.T) {
	t.Parallel()
	for mm2, failed := range map[float64]int{1.4: 0, 0.6: 1, 4: 1} {
		r := powerReport(nvdlaArea16(512, 256, mm2))
		if r.Failed != failed || r.Judged != 3 || len(r.Bad) != 0 {
			t.Errorf("%g mm2: %d of %d failed, want %d of 3; %v", mm2, r.Failed, r.Judged, failed, r.Bad)
		}
	}
	r := powerReport(nvdlaArea16(512, 256, 1.4), nvdlaArea16(2048, 512, 33))
	row := func(metric string) Row {
		for _, row := range r.Rows {
			if strings.HasPrefix(row.Metric, metric) {
				return row
			}
		}
		t.Fatalf("there is no row %q", metric)
		return Row{}
	}
	if r.Failed != 1 {
		t.Errorf("%d failed: want the rows that set constants, one of which is ten times ours", r.Failed)
	}
	// Two rows set constants: a tenth of what is published for one of them.
	if left := row("area, rows that set constants"); len(left.Misses) != 3 || !strings.Contains(left.Misses[1], "theirs 33, ours 3.") {
		t.Errorf("%q: want the row with the other's constant", left.Misses)
	}
}
