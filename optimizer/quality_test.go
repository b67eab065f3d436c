package optimizer_test

import (
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

// The doc of catalog says that the default is GA because it beats Evolution on
// the named problems; this is the evidence.
func TestDefaultIsTheBetterOfTwo(t *testing.T) {
	t.Parallel()
	standard, err := optimizer.New("default", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, trials := range []int{100, 300} {
		for _, p := range optimizertest.Problems() {
			got, err := optimizertest.MedianBest(standard, p, 11, trials)
			if err != nil {
				t.Fatal(err)
			}
			other, err := optimizertest.MedianBest(optimizer.Evolution{}, p, 11, trials)
			if err != nil {
				t.Fatal(err)
			}
			if got > other {
				t.Errorf("%s after %d trials: median best %v of default, %v of evolution", p.Name, trials, got, other)
			}
		}
	}
}

// Minimize is the loop that quality is measured with: its curve must never
// rise, and a study that ends early must say so by its length.
func TestMinimizeIsTheBestSoFar(t *testing.T) {
	t.Parallel()
	for _, p := range optimizertest.Problems() {
		curve, err := optimizertest.Minimize(optimizer.GA{}, p, 1, 80)
		if err != nil || len(curve) != 80 {
			t.Fatalf("%s: %d trials, %v, want 80", p.Name, len(curve), err)
		}
		for i := 1; i < len(curve); i++ {
			if curve[i] > curve[i-1] {
				t.Errorf("%s: the best rises from %v to %v at trial %d", p.Name, curve[i-1], curve[i], i)
			}
		}
	}
}
