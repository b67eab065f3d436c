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
		o.Trials = 50
	}
	optimizertest.RunFronts(t, optimizer.GP{Limit: 60, Pool: 48}, o)
}

// One search among several objectives finds more than many designs at random:
// 50 trials against 200.
func TestGPIsWorthFourTimesTheTrials(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("studies of 200 trials")
	}
	for _, p := range optimizertest.Fronts()[:2] {
		got, err := optimizertest.MedianHypervolume(optimizer.GP{Pool: 60}, p, 3, 50)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := optimizertest.MedianHypervolume(optimizer.Random{}, p, 3, 200)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.6g after 50 trials, random %.6g after 200", p.Name, got, reference)
		if !(got > reference) {
			t.Errorf("%s: hypervolume %v after 50 trials, random search has %v after 200", p.Name, got, reference)
		}
	}
}
