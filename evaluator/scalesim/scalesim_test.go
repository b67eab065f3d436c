package scalesim

import (
	"strings"
	"testing"

	"apollo/evaluator/systolic"
)

func TestFiles(t *testing.T) {
	m := Machine{
		Name: "small", Array: systolic.Array{Rows: 8, Cols: 16, Dataflow: systolic.InputStationary},
		InputBytes: 64 << 10, WeightBytes: 32 << 10, OutputBytes: 1 << 20, WordsPerCycle: 4,
	}
	config, err := m.Config()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"run_name = small", "ArrayHeight = 8", "ArrayWidth = 16", "IfmapSramSzkB = 64", "FilterSramSzkB = 32", "OfmapSramSzkB = 1024",
		"Dataflow = is", "Bandwidth = 4", "InterfaceBandwidth = USER",
	} {
		if !strings.Contains(config, "\n"+line+"\n") {
			t.Errorf("the configuration lacks %q", line)
		}
	}
	layers := []Layer{
		{Name: "conv,1", GEMM: systolic.GEMM{M: 49, N: 3, K: 9}, Groups: 1},
		{Name: "depthwise", GEMM: systolic.GEMM{M: 4, N: 1, K: 9}, Groups: 32},
	}
	if got, want := Topology(layers), "Layer,M,N,K,\nconv_1,49,3,9,\ndepthwise:x32,4,1,9,\n"; got != want {
		t.Errorf("topology %q, want %q", got, want)
	}
	if got, want := Layout(layers), "Layer,\nconv_1,"+strings.Repeat("1,", 20)+"\ndepthwise:x32,"+strings.Repeat("1,", 20)+"\n"; got != want {
		t.Errorf("layout %q, want %q", got, want)
	}
}

func TestWhatScaleSimCannotExpress(t *testing.T) {
	good := Machine{Array: systolic.Array{Rows: 1, Cols: 1}, InputBytes: kib, WeightBytes: kib, OutputBytes: kib, WordsPerCycle: 1}
	for want, change := range map[string]func(*Machine){
		"weight_buffer has 1500 bytes": func(m *Machine) { m.WeightBytes = 1500 },
		"input_buffer has 512 bytes":   func(m *Machine) { m.InputBytes = 512 },
		"whole words a cycle":          func(m *Machine) { m.WordsPerCycle = 0 },
		"0 x 1 units":                  func(m *Machine) { m.Rows = 0 },
	} {
		m := good
		change(&m)
		if _, err := m.Config(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
