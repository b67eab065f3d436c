//go:build !race

package template

import (
	"math"
	"testing"

	"apollo/evaluator/model"
)

// A layer is mapped without an allocation, once the lists that searches keep from layer to layer have grown. A
// collection may take them, so that the least of several turns counts. Under the race
// detector a sync.Pool drops some of what it is given, so that nothing can be told there.
func TestFindAllocatesNothing(t *testing.T) {
	list := distinct(layers(t, "mobilenet_v2"))
	for _, s := range Specs() {
		m := declared(&s).machine(baselineOf(&s))
		var found model.Mapping
		i, least := 0, math.Inf(1)
		for range 4 {
			least = min(least, testing.AllocsPerRun(len(list), func() {
				m.Flow.Find(&list[i%len(list)], leastTime(), &found)
				i++
			}))
		}
		if least > 0 {
			t.Errorf("%s: %g allocations a layer", s.Name, least)
		}
	}
}
