package evaluator

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// What a choice says of a network before it is built, from groups of parameters that stand
// apart, is what the built network adds up to.
func TestSizesBeforeLayers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range workload.Families() {
		c := OfFamily(Network{Weight: 1, Family: &Family{Family: &f}})
		for range 20 {
			var values []space.Value
			var own []int64
			for i := range f.Params {
				list := f.Params[i].Values
				v := list[rng.IntN(len(list))]
				own, values = append(own, v), append(values, space.Value{Num: float64(v)})
			}
			w, err := f.Build(own)
			if err != nil {
				t.Fatal(err)
			}
			total := w.Totals()
			got := c.Values(nil, values)
			if got[0] != float64(total.MACs) || got[1] != float64(total.Params) {
				t.Errorf("%s has %d multiplications and %d parameters, the choice says %.0f and %.0f", w.Name, total.MACs, total.Params, got[0], got[1])
			}
		}
	}
}
