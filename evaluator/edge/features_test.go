package edge

import (
	"math"
	"testing"

	"apollo/evaluator"
)

// What the features say of a chip is what the chip says of itself.
func TestFeaturesOfTheBaseline(t *testing.T) {
	t.Parallel()
	tm, c := Spec().Template(), baseline()
	of, err := evaluator.LogFeatures(tm.Features, tm.Params)
	if err != nil {
		t.Fatal(err)
	}
	got := of(nil, tm.Baseline)
	onChip := c.PEs()*(c.PEMemory+c.Cores*c.CoreMemory) + c.ActivationMemory*activationEntryBytes +
		c.InstructionMemory*instructionEntryBytes + c.ParameterMemory*parameterEntryBytes
	want := map[string]float64{
		"pes":                float64(c.PEs()),
		"macs_per_cycle":     float64(c.MACs()),
		"pe_lanes":           float64(c.Cores * c.Lanes),
		"on_chip_memory":     float64(onChip),
		"bandwidth_per_lane": float64(c.IOBandwidth) / float64(c.PEs()*c.Cores*c.Lanes),
	}
	for i, f := range tm.Features {
		if w, ok := want[f.Name]; ok && math.Abs(got[i]-math.Log(w)) > 1e-12 {
			t.Errorf("%s is %v, want %v", f.Name, math.Exp(got[i]), w)
		}
		delete(want, f.Name)
	}
	for name := range want {
		t.Errorf("there is no feature %s", name)
	}
}
