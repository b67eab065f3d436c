package edge

import (
	"math"
	"slices"
	"testing"

	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/report"
)

func TestPresetsRunTheBuiltinNetworks(t *testing.T) {
	t.Parallel()
	networks := evaluatortest.Networks(t, published()...)
	for _, p := range Spec().Presets() {
		r, err := Spec().Inspect(networks, report.Point{Preset: p.Name, Values: p.Values}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Feasible {
			t.Errorf("%s: %s", p.Name, r.Reason.Message)
		}
	}
}

// arXiv 2102.10423 gives the variants' peak rates.
func TestVariantsHaveTheirPublishedPeak(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]float64{"coral": 4.1, "v1": 26.2, "v2": 8.73, "v3": 8.73} {
		c, ok := presetNamed(name)
		if got := 2 * float64(c.MACs()) * float64(c.clock()) / 1e12; !ok || math.Abs(got-want) > 0.05 {
			t.Errorf("%s: peak = %.3f TOPS, want %g", name, got, want)
		}
	}
	if _, ok := presetNamed("v9"); ok {
		t.Error("there is a preset v9")
	}
}

// near is a choice of the parameters that are published for v2, and its
// distance from v2.
type near struct {
	chip     chip
	distance float64
}

// TestBaseline finds the baseline again: the nearest design to v2 within 4.8
// mm² that runs the networks; of equally near ones the fastest.
func TestBaseline(t *testing.T) {
	t.Parallel()
	const budget = 4.8
	b := boundTo(t, Spec().Targets...)
	best, bestDistance, bestLatency := chip{}, math.Inf(1), math.Inf(1)
	s := b.get()
	for _, n := range nearest() {
		if n.distance > bestDistance+1e-9 { // log2 ratios are sums of a few roundings
			break
		}
		for c := range chipMemories(n.chip) {
			if b.machine(&c).AreaMM2 > budget || b.measure(&c, s) != nil {
				continue
			}
			latency := 1.0 // the product orders as the geometric mean does
			for _, n := range s.totals {
				latency *= n.Seconds
			}
			if latency < bestLatency {
				best, bestDistance, bestLatency = c, n.distance, latency
			}
		}
	}
	if got := baseline(); got != best {
		t.Errorf("baseline() = %+v, the nearest is %+v, distance %.3f, product of latencies %g",
			got, best, bestDistance, bestLatency)
	}
	if _, err := edgeSpace(t).Point(baseline().values()); err != nil {
		t.Errorf("the baseline is not on the lattice: %v", err)
	}
}

// nearest lists the lattice's choices of the published parameters within 4
// doublings of v2, in order of distance.
func nearest() []near {
	v2, _ := presetNamed("v2")
	list := []near{{}}
	ps := lattice
	for i, p := range ps {
		if p.Unit == "entries" {
			continue
		}
		target := float64(*v2.fields()[i])
		var next []near
		for _, n := range list {
			for _, v := range p.Values {
				m := n
				*m.chip.fields()[i] = int64(v)
				if m.distance += math.Abs(math.Log2(v / target)); m.distance <= 4 {
					next = append(next, m)
				}
			}
		}
		list = next
	}
	slices.SortStableFunc(list, func(a, b near) int {
		switch {
		case a.distance < b.distance:
			return -1
		case a.distance > b.distance:
			return 1
		}
		return 0
	})
	return list
}

// chipMemories yields the chip with every choice of the chip-level memories,
// in the order of the lattice.
func chipMemories(c chip) func(yield func(chip) bool) {
	ps := lattice
	return func(yield func(chip) bool) {
		for _, act := range ps[6].Values {
			for _, instruction := range ps[7].Values {
				for _, parameter := range ps[8].Values {
					c.ActivationMemory, c.InstructionMemory, c.ParameterMemory = int64(act), int64(instruction), int64(parameter)
					if !yield(c) {
						return
					}
				}
			}
		}
	}
}

func TestTemplateIsThePublishedSpace(t *testing.T) {
	t.Parallel()
	s := edgeSpace(t)
	if got := s.Size(); got != 452_760_000 {
		t.Errorf("Size() = %d, want 452760000", got)
	}
}
