package edge

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// The mapper's closed forms and the core's general counts are two derivations
// of the same loop nest: they must agree for every layer that fits.
func TestMapperAgreesWithCore(t *testing.T) {
	t.Parallel()
	b := boundTo(t, "mobilenet_v2", "mobilenet_edgetpu")
	rng := rand.New(rand.NewPCG(1, 0))
	mapped := 0
	for range 2000 {
		c := randomChip(rng)
		if b.firstBroken(&c) != nil {
			continue
		}
		var m machine
		b.sizer.prepare(&m, &c)
		for i := range b.shapes {
			if s := &b.shapes[i]; !s.vector {
				agree(t, &m, s)
				mapped++
			}
		}
	}
	if mapped < 1000 {
		t.Errorf("only %d layers were mapped", mapped)
	}
}

func agree(t *testing.T, m *machine, s *shape) {
	t.Helper()
	var cost layerCost
	m.mapLayer(s, &cost)
	var loops model.Mapping
	cost.choice.loops(s, &loops)
	// Capacity of the parameter memory is for a slice of a layer, not for a
	// whole one; the rules guard it.
	arch := m.arch
	arch.Level[levelParameter].Capacity = 0
	if err := loops.Validate(&s.p, &arch); err != nil {
		t.Fatalf("chip %+v, layer %+v: %v\n%s", m.Chip, s.p, err, loops.String(&arch))
	}
	e := model.Eval(&s.p, &arch, &loops)
	if cost.compute != e.ComputeCycles || cost.port != e.LevelCycles[levelPE] || cost.bus != e.LevelCycles[levelParameter] {
		t.Fatalf("chip %+v, layer %+v: compute, port, bus = %d, %d, %d, the core has %d, %d, %d\n%s", m.Chip, s.p,
			cost.compute, cost.port, cost.bus, e.ComputeCycles, e.LevelCycles[levelPE], e.LevelCycles[levelParameter], loops.String(&arch))
	}
	if e.MACs > e.ComputeCycles*m.MACs() {
		t.Fatalf("chip %+v, layer %+v: %d MACs in %d cycles beat the peak rate", m.Chip, s.p, e.MACs, e.ComputeCycles)
	}
	if got := e.Access[levelParameter][model.Weights].Fills; got < s.p.Elements(model.Weights, &s.p.Bound) {
		t.Fatalf("layer %+v: %d weights are fetched, fewer than there are", s.p, got)
	}
}

func boundTo(t testing.TB, names ...string) *bound {
	t.Helper()
	b, err := bind(taskFor(t, names...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func taskFor(t testing.TB, names ...string) evaluator.Task {
	t.Helper()
	task := evaluator.Task{Params: params()}
	for _, name := range names {
		w, err := workload.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		task.Networks = append(task.Networks, evaluator.Network{Workload: w, Weight: 1})
	}
	return task
}

func edgeSpace(t testing.TB) space.Space {
	t.Helper()
	s, err := space.New(params()...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// randomChip draws uniformly from the space.
func randomChip(rng *rand.Rand) Chip {
	var c Chip
	for i, p := range params() {
		*c.fields()[i] = int64(p.Values[rng.IntN(len(p.Values))])
	}
	return c
}
