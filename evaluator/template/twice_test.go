package template

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/frame"
	"apollo/evaluator/report"
	"apollo/optimizer/space"
)

// slower counts the designs that a parameter's doubling makes slower.
type slower struct {
	// rounding is the share of a value up to which two are equal to the mapper.
	rounding      float64
	cases, slower int
	worst         float64
	at            []space.Value
}

func (s *slower) add(was, is float64, v []space.Value) {
	s.cases++
	if over := is/was - 1; over > max(s.rounding, 1e-12) {
		s.slower++
		if over > s.worst {
			s.worst, s.at = over, v
		}
	}
}

func (s *slower) share() float64 { return float64(s.slower) / float64(max(s.cases, 1)) }

func (s *slower) String() string {
	return fmt.Sprintf("%d of %d slower (%.1f %%), worst %+.1f %%: %v", s.slower, s.cases, 100*s.share(), 100*s.worst, s.at)
}

// TestTwiceIsNotSlower doubles each parameter of random designs that can run a
// network: a mapper may leave idle what does not help. Of edge at most 1 % of the
// cases are slower, by at most 5 %: docs/model.md says which. The other templates
// are probed with APOLLO_MORE_DESIGNS=25, that many designs for each network;
// APOLLO_SEED draws others, and APOLLO_CONSTANT makes a constant a million times as
// large: with wire_reach the wires of spatial take no time.
func TestTwiceIsNotSlower(t *testing.T) {
	t.Parallel()
	designs := int(fromEnv(t, "APOLLO_MORE_DESIGNS", 0))
	for _, x := range All() {
		if x.Name != "edge" && designs == 0 {
			continue
		}
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			all := make([]slower, len(x.Params))
			for i := range all {
				all[i].rounding = roundingOf(x.Name)
			}
			for _, n := range evaluatortest.Networks(t, "mobilenet_v2", "resnet50_v1", "bert_base", "ssd_mobilenet_v2", "unet") {
				doubled(t, x, []evaluator.Network{n}, max(designs, 25), all)
			}
			var sum slower
			for i := range all {
				t.Logf("%-20s %v", x.Params[i].Name, &all[i])
				sum.cases += all[i].cases
				sum.slower += all[i].slower
				sum.worst = max(sum.worst, all[i].worst)
			}
			t.Logf("%-20s %v", "all", &sum)
			if sum.share() > 0.01 || sum.worst > 0.05 || sum.cases < 500 {
				t.Errorf("more is slower: %v", &sum)
			}
		})
	}
}

// roundingOf returns up to which share the times of two mappings are equal to a
// template's mapper: it takes the one with less energy.
func roundingOf(name string) float64 {
	if name == "edge" {
		return 0
	}
	return equalTime
}

func doubled(t *testing.T, x *frame.Spec, nets []evaluator.Network, designs int, all []slower) {
	t.Helper()
	const far = 1e6
	measure, _, err := x.Model(nets, os.Getenv("APOLLO_CONSTANT"), far)
	if err != nil {
		t.Fatal(err)
	}
	latency := func(v []space.Value) (float64, bool) {
		m, why, err := measure(report.Point{Values: v})
		if err != nil {
			t.Fatal(err)
		}
		if why != nil {
			return 0, false
		}
		return *m.Of("latency_s"), true
	}
	s, err := space.New(x.Template().Params...)
	if err != nil {
		t.Fatal(err)
	}
	seed := fromEnv(t, "APOLLO_SEED", 9)
	rng := rand.New(rand.NewPCG(seed, 0))
	for tries := 0; designs > 0 && tries < 1000*designs; tries++ {
		v := s.Values(s.At(rng.Uint64N(s.Size())))
		was, ok := latency(v)
		if !ok {
			continue
		}
		designs--
		for i := range x.Params {
			if x.Params[i].Categorical() {
				continue
			}
			more := append([]space.Value(nil), v...)
			more[i].Num *= 2
			if is, ok := latency(more); ok {
				all[i].add(was, is, v)
			}
		}
	}
}
