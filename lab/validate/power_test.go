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
		if r.Failed != failed || r.Judged != 2 || len(r.Bad) != 0 {
			t.Errorf("ours is %g of theirs: %d of %d failed, want %d of 2; %v", off, r.Failed, r.Judged, failed, r.Bad)
		}
		if wrong := r.Rows[worst].Verdict == Fail; wrong != (failed == 2) {
			t.Errorf("ours is %g of theirs: the worst factor is %s", off, r.Rows[worst].Verdict)
		}
	}
}

// Rows that set a constant, and what is not modelled, are named and judge nothing.
func TestPowerRowsLeftOut(t *testing.T) {
	t.Parallel()
	r := powerReport(nvdlaPower(80),
		"eyeriss,65,200,168 PEs; 108 KB buffer; 1.0 V,alexnet CONV1 batch 4,power,1,mW,-,yes\n",
		"coral_edge_tpu,,500,4096 MACs; 8 MB,peak 4 TOPS,power_peak,1,W,-,yes\n",
		"another,7,1,-,resnet50,power_average,1,W,-,yes\n")
	out := r.Rows[len(r.Rows)-1]
	if r.Judged != 2 || r.Failed != 0 || out.Theirs != 3 || len(out.Misses) != 3 {
		t.Fatalf("judged %d, failed %d, left out %+v: want 2, none and three rows", r.Judged, r.Failed, out)
	}
	for i, reason := range []string{setsClock, peakPower, otherChips} {
		if !strings.Contains(out.Misses[i], reason) {
			t.Errorf("%q: want the reason %q", out.Misses[i], reason)
		}
	}
	r = powerReport(strings.Replace(nvdlaPower(80), ",1000,", ",500,", 1), nvdlaPower(80))
	if len(r.Bad) != 1 || !strings.Contains(r.Bad[0], "the clock is 500 MHz") || r.Judged != 2 {
		t.Errorf("another clock: %q, %d judged: want it named and the other row judged", r.Bad, r.Judged)
	}
}
