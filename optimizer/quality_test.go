package optimizer_test

import (
	"slices"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/optimizertest"
)

// easy names the problems that the default wins by far.
func easy() []string { return []string{"sphere", "ackley", "plateau", "trap", "conditional"} }

// The default was GA; this is why it no longer is. The problems that it wins by
// far are left out, to save time.
func TestDefaultBeatsGeneticSearch(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	standard, err := optimizer.New("default", nil)
	if err != nil {
		t.Fatal(err)
	}
	const seeds, trials = 7, 40
	for _, p := range optimizertest.Problems() {
		if slices.Contains(easy(), p.Name) {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			got, err := optimizertest.MedianBest(standard, p, seeds, trials)
			if err != nil {
				t.Fatal(err)
			}
			other, err := optimizertest.MedianBest(optimizer.GA{}, p, seeds, trials)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("median best of %d seeds after %d trials: %.4g, ga %.4g", seeds, trials, got, other)
			if !(got < other) {
				t.Errorf("median best %v of default is not below %v of ga", got, other)
			}
		})
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
