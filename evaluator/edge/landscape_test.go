package edge

import (
	"math/rand/v2"
	"testing"
)

// published holds the statistics of the space that google-research/prime
// (Apache-2.0) publishes for its simulator: README, table of data sets.
var published = []struct {
	network               string
	infeasible, minMicros float64
}{
	{"mobilenet_v2", 0.745, 191.35},
	{"mobilenet_edgetpu", 0.769, 252.22},
}

// The landscape has the published one's shape, over uniform draws without an
// area limit: its infeasible share within 0.10, its minimum within a factor of
// 1.7. docs/model.md has the figures of 100,000 draws.
func TestLandscape(t *testing.T) {
	t.Parallel()
	const draws = 15000
	broken := map[string]int{}
	for _, want := range published {
		b := boundTo(t, want.network)
		s := b.get()
		rng := rand.New(rand.NewPCG(1, 0))
		infeasible, fastest := 0, 0.0
		mine := map[string]int{}
		for range draws {
			c := randomChip(rng)
			for i := range ruleCount {
				if r := b.nets[0].limits.check(i, &c, &b.sizer.constants); r.need > r.have {
					mine[r.code]++
				}
			}
			if why := b.measure(&c, s); why != nil {
				infeasible++
				if why.Code == CodeInstructionMemory {
					mine[why.Code]++
				}
				continue
			}
			if l := s.totals[0].latencySeconds; fastest == 0 || l < fastest {
				fastest = l
			}
		}
		share, micros := float64(infeasible)/draws, fastest*1e6
		if share < want.infeasible-0.10 || share > want.infeasible+0.10 {
			t.Errorf("%s: %.3f of the designs are infeasible, published %.3f", want.network, share, want.infeasible)
		}
		if micros < want.minMicros/1.7 || micros > want.minMicros*1.7 {
			t.Errorf("%s: the minimum is %.1f us, published %.1f", want.network, micros, want.minMicros)
		}
		for code, n := range mine {
			broken[code] = max(broken[code], n)
		}
	}
	for _, code := range []string{CodePEPort, CodeCoreMemory, CodeActivationMemory, CodeParameterMemory, CodeInstructionMemory} {
		if share := float64(broken[code]) / draws; share < 0.02 {
			t.Errorf("reason %s rejects %.3f of the designs, want at least 0.02 on some network", code, share)
		}
	}
}

// The tightest budget has feasible designs for every target network, so the
// wider ones have too.
func TestBudgetsHaveFeasibleDesigns(t *testing.T) {
	t.Parallel()
	b := boundTo(t, Targets()...)
	c := Baseline()
	s := b.get()
	if a := AreaOf(c); a.Total > 4.8 || b.measure(&c, s) != nil {
		t.Errorf("the baseline has %g mm2 and %v", a.Total, b.measure(&c, s))
	}
}
