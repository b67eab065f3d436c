package surrogate

import (
	"math/rand/v2"
	"testing"
)

// A coordinate that decides the label counts more than one that adds a little, and one
// that says nothing counts for nothing.
func TestImportances(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	var x, y []float64
	for range 200 {
		a, b, c := rng.Float64(), float64(rng.IntN(3)), rng.Float64()
		x = append(x, a, b, c)
		label := 3 * a
		if b == 1 {
			label++
		}
		y = append(y, label)
	}
	find := func(seed uint64) Importances {
		found, ok := Forest{Trees: 10}.Importances([]bool{false, true, false}, x, y, 12, rand.New(rand.NewPCG(seed, 1)))
		if !ok {
			t.Fatal("nothing is found of 200 inputs")
		}
		return found
	}
	found := find(1)
	if of := found.Of; !(of[0].Low > of[1].High && of[1].Low > of[2].High && of[2].Mean < 0.05) {
		t.Errorf("importances %+v, want the first above the second above none", of)
	}
	for k, i := range found.Of {
		if !(i.Low <= i.Mean && i.Mean <= i.High) {
			t.Errorf("coordinate %d: %+v is no interval around the mean", k, i)
		}
	}
	// The tree splits 200 inputs of a sum of two terms: nearly all can be explained.
	if found.Explained < 0.9 || found.Explained > 1 {
		t.Errorf("the forests explain %v of the variance", found.Explained)
	}
	if again := find(1); again.Of[0] != found.Of[0] {
		t.Errorf("the same seed gives %+v and %+v", found.Of[0], again.Of[0])
	}
	same := make([]float64, len(y))
	if _, ok := (Forest{}).Importances([]bool{false, true, false}, x, same, 3, rng); ok {
		t.Error("importances of labels that are all one")
	}
	if _, ok := (Forest{}).Importances([]bool{false}, []float64{1, 2}, []float64{1, 2}, 3, rng); ok {
		t.Error("importances of two inputs")
	}
}
