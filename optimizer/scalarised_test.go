package optimizer_test

import (
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

func TestGPFindsFronts(t *testing.T) {
	t.Parallel()
	o := small()
	if !testing.Short() {
		o.Trials = 32
	}
	optimizertest.RunFronts(t, optimizer.GP{Limit: 40, Pool: 24}, o)
}

// One search among several objectives finds more than many designs at random:
// 40 trials against 160.
func TestGPIsWorthFourTimesTheTrials(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("studies of 160 trials")
	}
	for _, p := range optimizertest.Fronts()[:2] {
		got, err := optimizertest.MedianHypervolume(optimizer.GP{Pool: 24}, p, 3, 40)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := optimizertest.MedianHypervolume(optimizer.Random{}, p, 3, 160)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.6g after 40 trials, random %.6g after 160", p.Name, got, reference)
		if !(got > reference) {
			t.Errorf("%s: hypervolume %v after 40 trials, random search has %v after 160", p.Name, got, reference)
		}
	}
}
