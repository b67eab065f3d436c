package validate

import (
	"slices"
	"testing"
	"testing/fstest"
)

// A row judges the power at its own bounds, and no two names are one layer.
func TestEyerissOnVGGIsJudged(t *testing.T) {
	t.Parallel()
	report := func(rows string) Report {
		return Run(fstest.MapFS{"eyeriss_vgg16.csv": {Data: []byte("layer,batch,clock_MHz,silicon_power_mW,silicon_latency_ms\n" + rows)}}, "eyeriss_vgg16")
	}
	for row, want := range map[string][2]int{ // judged, failed
		"CONV5-1,3,200,258,48.3\n": {3, 0},
		"CONV5-1,3,200,258,\n":     {2, 0},
		"CONV5-1,3,200,320,\n":     {2, 1},
		"CONV5-1,3,200,450,\n":     {2, 2},
	} {
		if r := report(row); r.Judged != want[0] || r.Failed != want[1] || len(r.Bad) != 0 {
			t.Errorf("%q: %d judged, %d failed, bad %v, want %v", row, r.Judged, r.Failed, r.Bad, want)
		}
	}
	// Accesses of passes with one input channel, and of some that the layer has not.
	wide := func(row string) Report {
		return Run(fstest.MapFS{"eyeriss_vgg16.csv": {Data: []byte("layer,batch,clock_MHz,silicon_power_mW,silicon_latency_ms,buffer_MB\n" + row)}}, "eyeriss_vgg16")
	}
	for row, failed := range map[string]int{"CONV2-1,3,200,242,405.3,1201.4\n": 0, "CONV2-1,3,200,242,405.3,600\n": 1} {
		if r := wide(row); r.Failed != failed || len(r.Bad) != 0 {
			t.Errorf("%q: %d failed, bad %v, want %d", row, r.Failed, r.Bad, failed)
		}
	}
	var seen []int
	for _, name := range []string{"CONV1-1", "CONV1-2", "CONV2-1", "CONV2-2", "CONV3-1", "CONV3-2", "CONV3-3", "CONV4-1", "CONV4-2", "CONV4-3", "CONV5-1", "CONV5-2", "CONV5-3"} {
		n, err := stageLayer(name)
		if err != nil || slices.Contains(seen, n) || n < 1 || n > 13 {
			t.Errorf("%s is convolution %d, %v", name, n, err)
		}
		seen = append(seen, n)
	}
	for _, name := range []string{"CONV1-3", "CONV6-1", "CONV3", ""} {
		if n, err := stageLayer(name); err == nil {
			t.Errorf("%q is convolution %d, want an error", name, n)
		}
	}
}
