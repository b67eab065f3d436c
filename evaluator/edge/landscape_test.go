package edge

import (
	"math/rand/v2"
	"slices"
	"testing"

	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/frame"
	"apollo/evaluator/workload"
)

// publishedSpace holds the statistics of the space that google-research/prime
// (Apache-2.0) publishes for its simulator: README, table of data sets.
var publishedSpace = []struct {
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
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const draws = 5000
	broken := map[string]int{}
	for _, want := range publishedSpace {
		l, err := Spec().Landscape(evaluatortest.Networks(t, want.network)[0].Workload, draws, 1)
		if err != nil {
			t.Fatal(err)
		}
		share, micros := float64(l.Infeasible)/draws, l.MinSeconds*1e6
		if share < want.infeasible-0.10 || share > want.infeasible+0.10 {
			t.Errorf("%s: %.3f of the designs are infeasible, published %.3f", want.network, share, want.infeasible)
		}
		if micros < want.minMicros/1.7 || micros > want.minMicros*1.7 {
			t.Errorf("%s: the minimum is %.1f us, published %.1f", want.network, micros, want.minMicros)
		}
		first := 0
		for _, r := range l.Rejections {
			broken[r.Code] = max(broken[r.Code], r.Alone)
			first += r.First
		}
		if first != l.Infeasible {
			t.Errorf("%s: %d designs have a first broken rule, %d are infeasible", want.network, first, l.Infeasible)
		}
	}
	for _, code := range Spec().Codes {
		if share := float64(broken[code]) / draws; share < 0.02 {
			t.Errorf("reason %s rejects %.3f of the designs, want at least 0.02 on some network", code, share)
		}
	}
}

// Networks without a design in the space, and the rule that they break
// (docs/workloads.md#sizes).
var beyond = map[string]string{
	"llama_1b": "instruction_memory", "llama_1b_prefill": "instruction_memory", "llama_8b": "instruction_memory",
	"llama_8b_prefill": "instruction_memory", "qwen_05b": "instruction_memory", "qwen_05b_prefill": "instruction_memory",
	"sd15_unet": "instruction_memory", "mixtral_8x7b": "activation_memory", "mixtral_8x7b_prefill": "activation_memory",
	"whisper_tiny_encoder": "activation_memory",
}

// Every other built-in network has feasible designs somewhere in the space.
func TestEveryNetworkHasFeasibleDesigns(t *testing.T) {
	t.Parallel()
	for _, name := range workload.Names() {
		if code, ok := beyond[name]; ok {
			const draws = 2000
			l, err := Spec().Landscape(evaluatortest.Networks(t, name)[0].Workload, draws, 1)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(l.Rejections, func(r frame.Rejection) bool { return r.Code == code })
			if l.Infeasible != draws || at < 0 || l.Rejections[at].Alone == 0 {
				t.Errorf("%s has %d designs of %d, and the rejections %+v, want none because of %s", name, draws-l.Infeasible, draws, l.Rejections, code)
			}
			continue
		}
		b := boundTo(t, name)
		feasibleChips(b, 2, 1, func(_ *rand.Rand, _ chip, s *scratch) {
			if s.totals[0].Cycles <= 0 {
				t.Errorf("%s takes %d cycles", name, s.totals[0].Cycles)
			}
		})
	}
}

// The tightest budget has feasible designs for every target network, so the
// wider ones have too.
func TestBudgetsHaveFeasibleDesigns(t *testing.T) {
	t.Parallel()
	b := boundTo(t, Spec().Targets...)
	c := baseline()
	s := b.get()
	if mm2 := b.machine(&c).AreaMM2; mm2 > 4.8 || b.measure(&c, s) != nil {
		t.Errorf("the baseline has %g mm2 and %v", mm2, b.measure(&c, s))
	}
}
