package edge

import (
	"math/rand/v2"
	"strings"
	"testing"

	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/model"
	"apollo/evaluator/report"
)

// Broken names the reason of an evaluation first, and nothing for a feasible
// chip.
func TestBrokenAgreesWithTheEvaluation(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	networks := evaluatortest.Networks(t, published()...)
	rng := rand.New(rand.NewPCG(21, 0))
	several := 0
	for range 300 {
		c := randomChip(rng)
		r := inspect(t, networks, c)
		broken, err := Spec().Broken(networks, report.Point{Values: c.values()})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Feasible != (len(broken) == 0):
			t.Fatalf("%+v is feasible: %t, but breaks %d rules", c, r.Feasible, len(broken))
		case !r.Feasible && (broken[0].Code != r.Reason.Code || broken[0].Message != r.Reason.Message):
			t.Fatalf("the first broken rule is %+v, the evaluation says %+v", broken[0], r.Reason)
		case len(broken) > 1:
			several++
		}
	}
	if several == 0 {
		t.Error("no design breaks several rules: the test proves little")
	}
}

// The exported mappings are those of the report, and valid: weights fit.
func TestMappingsAreTheReports(t *testing.T) {
	t.Parallel()
	networks, point := evaluatortest.Networks(t, "mobilenet_v2"), report.Point{Values: baseline().values()}
	r := inspect(t, networks, baseline())
	mapped, err := Spec().Mapped(networks, point, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, l := range r.Layers {
		if len(l.Accesses) == 0 {
			continue
		}
		m := &mapped[at]
		at++
		if got := nest(m.Mapping.String(&m.Arch)); m.Layer != l.ID || got != nest(l.Mapping) {
			t.Errorf("layer %s: the mapping of %s is\n%s\nthe report's is\n%s", l.ID, m.Layer, got, l.Mapping)
		}
		if err := m.Mapping.Validate(&m.Problem, &m.Arch); err != nil {
			t.Errorf("layer %s: %v", l.ID, err)
		}
		e := model.Eval(&m.Problem, &m.Arch, &m.Mapping)
		if e.MACs != l.MACs {
			t.Errorf("layer %s: the mapping has %d MACs, the report %d", l.ID, e.MACs, l.MACs)
		}
	}
	if at != len(mapped) || at == 0 {
		t.Errorf("%d mappings, %d layers of the report have one", len(mapped), at)
	}
	bad := baseline()
	bad.Cores, bad.Lanes = 32, 256
	if _, err := Spec().Mapped(networks, report.Point{Values: bad.values()}, nil); err == nil {
		t.Error("Mapped() of an infeasible chip is no error")
	}
}

// nest is the loops of a mapping without the levels that they stand at.
func nest(mapping string) string {
	var loops []string
	for line := range strings.Lines(mapping) {
		if line = strings.TrimSpace(line); !strings.HasSuffix(line, ":") {
			loops = append(loops, line)
		}
	}
	return strings.Join(loops, "\n")
}

// No layer is above its roof, and roofs are the lower of the two limits.
func TestRoofline(t *testing.T) {
	t.Parallel()
	networks := evaluatortest.Networks(t, published()...)
	feasibleChips(boundTo(t, published()...), 22, 50, func(_ *rand.Rand, c chip, _ *scratch) {
		r := inspect(t, networks, c)
		peak := float64(c.MACs()) * float64(c.clock())
		for _, l := range r.Layers {
			roof := l.Roofline
			if roof.Attainable > peak || roof.Attainable > roof.Intensity*float64(c.IOBandwidth) && l.Bytes.Of(report.OffChip) > 0 {
				t.Fatalf("layer %s: %+v is above the peak of %g or the bandwidth's slope", l.ID, roof, peak)
			}
			if (roof.Bound == "compute") != (roof.Attainable == peak) {
				t.Fatalf("layer %s: %+v names the wrong bound", l.ID, roof)
			}
			if roof.Achieved > peak {
				t.Fatalf("layer %s: %+v beats the peak of %g MAC/s", l.ID, roof, peak)
			}
		}
		for _, n := range r.Networks {
			if n.Roofline.Achieved > n.Roofline.Attainable*1.000001 { // one ceil of a cycle
				t.Fatalf("%s: %+v is above its roof", n.Name, n.Roofline)
			}
		}
	})
}
