package edge

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator/model"
)

// On real layers all of the map space can be tried: every unrolling with every
// weight tile that fits. That is a harder comparison than random mappings, of
// which it holds all.
func TestMapperAgainstAllMappingsOfRealLayers(t *testing.T) {
	t.Parallel()
	b := boundTo(t, "mobilenet_v2", "resnet50_v1", "bert_base")
	chips := []chip{baseline()}
	for _, p := range presets() {
		if p.name != "coral" { // its issue and resident weights are no loops
			chips = append(chips, p.chip)
		}
	}
	rng := rand.New(rand.NewPCG(21, 0))
	for range 6 {
		chips = append(chips, randomChip(rng))
	}
	layers, exact := 0, 0
	var worst float64
	for _, c := range chips {
		var m machine
		b.sizer.prepare(&m, &c)
		for i := range b.shapes {
			s := &b.shapes[i]
			if s.vector || c.CoreMemory < 2*c.Lanes*s.window {
				continue
			}
			var cost layerCost
			m.mapLayer(s, &cost)
			best := exhaustive(&m, s)
			got := max(cost.cycles+cost.steps*m.loopCycles, model.CeilDiv(m.crowds(s, cost.need, cost.activePEs)*milli, m.ioRate))
			layers++
			if got == best {
				exact++
			}
			gap := float64(got)/float64(best) - 1
			worst = max(worst, gap)
			if gap > 0.02 {
				t.Errorf("%+v on %+v: %d cycles, the best is %d", s.p.Bound, c, got, best)
			}
		}
	}
	t.Logf("%d layers, %d mapped as well as can be, the worst %.2f %% slower", layers, exact, 100*worst)
	if layers < 200 {
		t.Errorf("only %d layers were mapped", layers)
	}
}
