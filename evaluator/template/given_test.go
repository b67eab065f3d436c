package template

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator/model"
)

// What the mapper finds is a mapping that a user could give: it costs the same,
// and its parts sum to it.
func TestFoundMappingsMayBeGiven(t *testing.T) {
	t.Parallel()
	list := distinct(layers(t, "mobilenet_v2", "alexnet", "resnet18_v1", "unet"))
	for _, s := range Specs() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(5, 0))
			mapped := 0
			for range 70 {
				v, p := draw(rng, &s), list[rng.IntN(len(list))]
				m := declared(&s).machine(v)
				var found model.Mapping
				c, misfit := m.Flow.Find(&p, leastTime(), &found)
				if misfit != nil {
					continue
				}
				mapped++
				d, err := m.Flow.Detail(&p, &found)
				if err != nil {
					t.Fatalf("%v on %v: %v\n%s", p.Bound, v, err, found.String(&m.Arch))
				}
				if d.Cost != c {
					t.Fatalf("%v on %v: given, the mapping costs %+v, found %+v\n%s", p.Bound, v, d.Cost, c, found.String(&m.Arch))
				}
				if sum := d.Compute + d.Memory + d.IO + d.Serial; sum != d.Cycles || min(d.Compute, d.Memory, d.IO, d.Serial) < 0 {
					t.Fatalf("%v on %v: the parts of %+v sum to %d", p.Bound, v, d, sum)
				}
				if math.Abs(d.Energy.Total()-d.EnergyPJ) > 1e-9*d.EnergyPJ {
					t.Fatalf("%v on %v: the parts of the energy sum to %g, it is %g", p.Bound, v, d.Energy.Total(), d.EnergyPJ)
				}
				if d.Bytes.Of("off_chip") != d.OffChip {
					t.Fatalf("%v on %v: %d bytes off chip by level, %d in all", p.Bound, v, d.Bytes.Of("off_chip"), d.OffChip)
				}
			}
			if mapped < 20 {
				t.Errorf("only %d layers were mapped", mapped)
			}
		})
	}
}

// A mapping that the machine cannot run is refused with a reason.
func TestGivenMappingsAreChecked(t *testing.T) {
	t.Parallel()
	p := model.Problem{
		Bound: [model.Dims]int64{1, 1, 256, 256, 14, 14, 3, 3}, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1},
		Bytes: [model.Operands]int64{1, 1, 1}, PartialBytes: 4,
	}
	for name, cases := range map[string][]struct {
		change func(*model.Mapping)
		want   string
	}{
		"nvdla": {
			{func(m *model.Mapping) { m.Loops[0].Temporal[model.K] = 1 }, "the loops over K cover"},
			{func(m *model.Mapping) { m.Loops[0].Temporal[model.K] *= 2 }, "steps are enough"},
			{func(m *model.Mapping) { m.Loops[0].Spatial[model.P] = 2 }, "level off-chip memory"},
			{func(m *model.Mapping) { m.Loops[3].Temporal[model.P] = 2 }, "no loops in time"},
			{func(m *model.Mapping) {
				for d := range model.Dims {
					m.Loops[2].Temporal[d] *= m.Loops[1].Temporal[d] * m.Loops[0].Temporal[d]
					m.Loops[0].Temporal[d], m.Loops[1].Temporal[d] = 1, 1
				}
			}, "bytes, it has"},
			{func(m *model.Mapping) {
				m.Loops[2].Order = [model.Dims]model.Dim{model.Q, model.P, model.S, model.R, model.C, model.K, model.N, model.G}
			}, "the dataflow has the order"},
		},
		"systolic": {
			{func(m *model.Mapping) { m.Loops[3].Temporal[model.K]++ }, "steps are enough"},
			{func(m *model.Mapping) { m.Loops[1].Temporal[model.K], m.Loops[3].Temporal[model.K] = 4, 1 }, "stand outside"},
			{func(m *model.Mapping) { slices.Reverse(m.Loops[3].Order[:]) }, "in the order"},
			{func(m *model.Mapping) {
				in := &m.Loops[3]
				in.Spatial[model.C], in.Temporal[model.C], in.Spatial[model.K], in.Temporal[model.K] = 128, 18, 32, 8
			}, "there are 64 rows"},
		},
		"eyeriss": {
			{func(m *model.Mapping) { m.Loops[1].Spatial[model.R] = 1; m.Loops[2].Temporal[model.R] = 3 }, "row-stationary"},
			{func(m *model.Mapping) { m.Loops[2].Temporal[model.K] = 256 }, "steps are enough"},
		},
		"gemmini": {
			{func(m *model.Mapping) {
				m.Loops[1].Temporal[model.P] = m.Loops[2].Temporal[model.P]
				m.Loops[2].Temporal[model.P] = 1
			}, "level scratchpad: a loop over P"},
			{func(m *model.Mapping) { m.Loops[0].Temporal[model.K] = 0 }, "below 1"},
		},
	} {
		for _, s := range Specs() {
			if s.Name != name {
				continue
			}
			m := declared(&s).machine(baselineOf(&s))
			var found model.Mapping
			if _, misfit := m.Flow.Find(&p, leastTime(), &found); misfit != nil {
				t.Fatal(misfit)
			}
			for _, c := range cases {
				given := found
				c.change(&given)
				if _, err := m.Flow.Detail(&p, &given); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: the error is %v, want one with %q\n%s", name, err, c.want, given.String(&m.Arch))
				}
			}
		}
	}
}
