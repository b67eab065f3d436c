package optimizer

import (
	"math/rand/v2"
	"testing"

	"apollo/optimizer/space"
)

// Trials of a study with a wider budget are measured and barred here. They say
// where good designs lie, and nothing against those near them.
func TestBarredTrialsTeachValuesOnly(t *testing.T) {
	t.Parallel()
	levels := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	var params []space.Param
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		params = append(params, space.Param{Name: name, Values: levels})
	}
	sp, err := space.New(params...)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(p space.Point) (n int) {
		for _, x := range p {
			n += x
		}
		return n
	}
	value := func(p space.Point) float64 {
		v := 1.0
		for i, x := range p {
			v += float64((x - 4 - i) * (x - 4 - i))
		}
		return v
	}
	legal := func(p space.Point) bool { return sum(p) <= 30 }
	started, err := GP{}.Start(Problem{Space: sp, Seed: 1, Legal: legal})
	if err != nil {
		t.Fatal(err)
	}
	g := started.(*gp)
	rng := rand.New(rand.NewPCG(1, 2))
	for len(g.records) < 40 {
		p := sp.At(rng.Uint64N(sp.Size()))
		if legal(p) {
			continue
		}
		g.Tell(Observation{Point: p, Status: Infeasible, Values: []float64{value(p)}, Violation: float64(sum(p)-30) / 30, Trial: -1})
	}
	if c, err := g.classifier(0); c != nil || err != nil {
		t.Errorf("classifier %v, error %v: nothing is known against any design", c, err)
	}
	best := 1e9
	for at := range uint64(12) {
		proposals, err := g.Ask(at, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := proposals[0].Point
		best = min(best, value(p))
		g.Tell(Observation{Point: p, Status: Measured, Values: []float64{value(p)}, Trial: int(at)})
	}
	// The unlimited optimum has a sum of 39. The legal one gives up 9 levels,
	// three ones and three twos: 1 + 3·1 + 3·4 = 16.
	if best > 1.2*16 {
		t.Errorf("after 12 trials the best is %v, want at most a fifth above the optimum, 16", best)
	}
}
