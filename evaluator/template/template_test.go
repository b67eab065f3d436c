package template

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/evaluatortest"
	"apollo/evaluator/frame"
	"apollo/evaluator/lower"
	"apollo/evaluator/model"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// tiny has a layer of every kind that machines treat differently.
func tiny(t testing.TB, name string, channels int64) *workload.Workload {
	t.Helper()
	w, err := workload.Parse("tiny.yaml", fmt.Appendf(nil, `{schema: apollo.workload/v1, name: %s, inputs: [{name: image, shape: [1, 24, 24, 3]}], layers: [
{id: c, op: conv, K: %d, C: 3, P: 12, Q: 12, R: 3, S: 3, stride: [2, 2], in: [image]},
{id: d, op: dwconv, K: %[2]d, P: 12, Q: 12, R: 3, S: 3, in: [c]},
{id: a, op: eltwise, fn: add, in: [c, d]},
{id: p, op: conv, K: 40, P: 12, Q: 12, R: 1, S: 1, in: [a]},
{id: g, op: gemm, M: 1, K: 10, in: [p]}]}`, name, channels))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		tm := x.Template()
		t.Run(tm.Name, func(t *testing.T) {
			t.Parallel()
			one := evaluator.Task{Params: tm.Params, Networks: []evaluator.Network{{Workload: tiny(t, "tiny", 32), Weight: 1}}}
			both := evaluator.Task{Params: tm.Params, Networks: []evaluator.Network{{Workload: tiny(t, "a", 16), Weight: 1}, {Workload: tiny(t, "b", 24), Weight: 3}}}
			evaluatortest.Run(t, tm.Backend, one, both)
			// Over the bus a task has names and units, no levels.
			bare := evaluator.Task{Networks: one.Networks}
			for _, p := range tm.Params {
				bare.Params = append(bare.Params, space.Param{Name: p.Name, Unit: p.Unit})
			}
			e, err := tm.Backend.New(bare)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := e.Evaluate(t.Context(), evaluator.Request{Design: tm.Baseline}); err != nil || r.Outcome == evaluator.Failed {
				t.Errorf("the baseline is %s, %+v, %v", r.Outcome, r.Reason, err)
			}
		})
	}
}

// Every template is a space with documented parameters whose baseline lies on
// its lattice and runs the usual networks.
func TestSpecs(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		tm := x.Template()
		t.Run(tm.Name, func(t *testing.T) {
			t.Parallel()
			s, err := space.New(tm.Params...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Point(tm.Baseline); err != nil {
				t.Errorf("the baseline: %v", err)
			}
			for i, doc := range tm.ParamDocs {
				if doc == "" || doc[len(doc)-1] != '.' {
					t.Errorf("parameter %s has the sentence %q", tm.Params[i].Name, doc)
				}
			}
			names := x.Targets
			if len(names) == 0 {
				names = []string{"mobilenet_v2", "alexnet"}
			}
			e, err := tm.Backend.New(evaluator.Task{Params: tm.Params, Networks: evaluatortest.Networks(t, names...)})
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.Evaluate(t.Context(), evaluator.Request{Design: tm.Baseline})
			if err != nil || r.Outcome != evaluator.Measured {
				t.Errorf("the baseline is %s, %+v, %v", r.Outcome, r.Reason, err)
			}
			rng := rand.New(rand.NewPCG(3, 0))
			for range 5 {
				design := s.Values(s.At(rng.Uint64N(s.Size())))
				if r, err := e.Evaluate(t.Context(), evaluator.Request{Design: design}); err != nil || r.Outcome == evaluator.Failed {
					t.Errorf("%v: %s, %+v, %v", design, r.Outcome, r.Reason, err)
				}
			}
		})
	}
}

// Features are named once, and have a value for every design.
func TestFeatures(t *testing.T) {
	t.Parallel()
	for _, x := range All() {
		tm := x.Template()
		s, err := space.New(tm.Params...)
		if err != nil {
			t.Fatal(err)
		}
		of, err := evaluator.LogFeatures(tm.Features, tm.Params)
		if err != nil {
			t.Fatalf("%s: %v", tm.Name, err)
		}
		names := map[string]bool{}
		for _, f := range tm.Features {
			if names[f.Name] {
				t.Errorf("%s: feature %s exists twice", tm.Name, f.Name)
			}
			names[f.Name] = true
			for _, term := range f.Terms {
				for _, c := range term.Where {
					at := slices.IndexFunc(tm.Params, func(p space.Param) bool { return p.Name == c.Param })
					for _, l := range c.Labels {
						if at < 0 || !slices.Contains(tm.Params[at].Labels, l) {
							t.Errorf("%s: feature %s has a term for %s = %s, which no design has", tm.Name, f.Name, c.Param, l)
						}
					}
				}
			}
		}
		rng := rand.New(rand.NewPCG(4, 0))
		first := of(nil, tm.Baseline)
		varies := make([]bool, len(first))
		for range 100 {
			for i, v := range of(nil, s.Values(s.At(rng.Uint64N(s.Size())))) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%s: feature %s is %v", tm.Name, tm.Features[i].Name, v)
				}
				varies[i] = varies[i] || v != first[i]
			}
		}
		for i, ok := range varies {
			if !ok {
				t.Errorf("%s: feature %s is the same for all designs", tm.Name, tm.Features[i].Name)
			}
		}
	}
}

// designsOf returns the baseline of a template and n random designs.
func designsOf(t *testing.T, tm *evaluator.Template, seed uint64, n int) [][]space.Value {
	t.Helper()
	s, err := space.New(tm.Params...)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	designs := [][]space.Value{tm.Baseline}
	for range n {
		designs = append(designs, s.Values(s.At(rng.Uint64N(s.Size()))))
	}
	return designs
}

// draw returns a random design of a spec.
func draw(rng *rand.Rand, s *Spec) []int64 {
	var v []int64
	for _, p := range s.Params {
		level := rng.IntN(p.Len())
		if p.Categorical() {
			v = append(v, int64(level))
			continue
		}
		v = append(v, int64(p.Values[level]))
	}
	return v
}

// layers lists the layers with multiplications of some networks.
func layers(t testing.TB, names ...string) []model.Problem {
	t.Helper()
	var list []model.Problem
	for _, n := range evaluatortest.Networks(t, names...) {
		for i := range n.Workload.Layers {
			l := &n.Workload.Layers[i]
			if !l.Op.HasMACs() {
				continue
			}
			p, err := lower.Problem(l, n.Workload.Precision)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, p)
		}
	}
	return list
}

// No design beats its peak rate nor its interface, moves less than the layer's
// tensors, or is slower with more bandwidth; a batch takes no less than one.
func TestBounds(t *testing.T) {
	t.Parallel()
	list := layers(t, "mobilenet_v2", "alexnet")
	for _, s := range Specs() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, 0))
			mapped := 0
			for range 60 {
				v := draw(rng, &s)
				m := declared(&s).machine(v)
				p := list[rng.IntN(len(list))]
				var found model.Mapping
				c, misfit := m.Flow.Find(&p, leastTime(), &found)
				if misfit != nil {
					if misfit.Need <= misfit.Have {
						t.Fatalf("%v on %v: needs %d of %d %s", v, p.Bound, misfit.Need, misfit.Have, misfit.Unit)
					}
					continue
				}
				mapped++
				bounds(t, &m, &p, &c, v)
				faster := append([]int64(nil), v...)
				faster[len(v)-1] *= 2 // the last parameter is the bandwidth
				fast := declared(&s).machine(faster)
				if d, misfit := fast.Flow.Find(&p, leastTime(), &found); misfit != nil || d.Cycles > c.Cycles {
					t.Fatalf("%v on %v: %d cycles with twice the bandwidth, before %d", v, p.Bound, d.Cycles, c.Cycles)
				}
				batch := p
				batch.Bound[model.N] *= 2
				if d, misfit := m.Flow.Find(&batch, leastTime(), &found); misfit != nil || d.Cycles < c.Cycles {
					t.Fatalf("%v on %v: twice the batch takes %+v, once %+v", v, p.Bound, d, c)
				}
			}
			if mapped < 20 {
				t.Errorf("only %d of 60 layers were mapped", mapped)
			}
		})
	}
}

func bounds(t *testing.T, m *Machine, p *model.Problem, c *Cost, v []int64) {
	t.Helper()
	if c.Cycles*m.Units < p.MACs() || c.Cycles < m.ioCycles(c.OffChip) {
		t.Fatalf("%v on %v: %+v beats the peak rate of %d units or the interface", v, p.Bound, *c, m.Units)
	}
	least := p.Elements(model.Weights, &p.Bound)*p.Bytes[model.Weights] + p.Elements(model.Outputs, &p.Bound)*p.Bytes[model.Outputs]
	if c.OffChip < least || !(c.EnergyPJ > 0) || math.IsInf(c.EnergyPJ, 0) {
		t.Fatalf("%v on %v: %+v moves less than the %d bytes of weights and outputs", v, p.Bound, *c, least)
	}
}

// Area is the sum of its parts and grows with every resource.
func TestAreaGrows(t *testing.T) {
	t.Parallel()
	for _, s := range Specs() {
		rng := rand.New(rand.NewPCG(2, 0))
		for range 50 {
			v := draw(rng, &s)
			m := declared(&s).machine(v)
			before := m.Area.Total()
			for i, p := range s.Params {
				if p.Categorical() || s.Name == "spatial" && absent(v, i) {
					continue
				}
				more := append([]int64(nil), v...)
				more[i] *= 2
				n := declared(&s).machine(more)
				if after := n.Area.Total(); !(after > before) {
					t.Fatalf("%s %v: %s doubled gives %g mm2, before %g", s.Name, v, p.Name, after, before)
				}
			}
		}
	}
}

// The example of docs/model.md#templates works as it stands there.
func TestDocumentedExample(t *testing.T) {
	t.Parallel()
	s := tinySpec()
	m := declared(&s).machine([]int64{16, 64 * kib, 8e9})
	mapped := 0
	for _, p := range layers(t, "mobilenet_v2") {
		var found model.Mapping
		c, misfit := m.Flow.Find(&p, leastTime(), &found)
		if misfit != nil {
			continue
		}
		mapped++
		bounds(t, &m, &p, &c, []int64{16, 64 * kib, 8e9})
	}
	if mapped < 40 {
		t.Errorf("only %d layers were mapped", mapped)
	}
}

func tinySpec() Spec {
	return Spec{
		Name: "tiny", Doc: "A row of units.",
		Params: []frame.Param{
			frame.Count("units", "Multiply-accumulate units.", 16, 4, 8, 16, 32),
			frame.Bytes("buffer", "Buffer for tiles, used in two halves.", 64*kib, frame.Powers(16*kib, 256*kib)...),
			bandwidth(8e9),
		},
		ClockHz: 1e9,
		Build: func(c *chip, v []int64) Machine {
			tiles := c.memory("buffer", v[1], 1)
			c.units(v[0], 8+8+32)
			m := c.machine(v[2], v[0])
			l := loops{spreads: [][]Spread{{axis(1, v[0], model.K)}}, order: tileOrders[0].dims, param: "buffer"}
			l.arch = c.hierarchy(offChip(&m), buffer("buffer", v[1], v[0], &tiles, model.Weights, model.Inputs, model.Outputs))
			m.Arch, m.Flow = l.arch, &l
			return m
		},
	}
}

// A buffer of one byte holds no tile, and of the levels that miss theirs the
// message names the first.
func TestMisfitNamesTheLevel(t *testing.T) {
	t.Parallel()
	p := layers(t, "mobilenet_v2")[1]
	for _, x := range []struct {
		spec  Spec
		param int
		level string
	}{
		{nvdlaSpec(), 2, "convolution buffer"},
		{nvdlaSpec(), 3, "accumulator"},
		{shiDianNaoSpec(), 2, "neuron buffer"},
		{simbaSpec(), 4, "weight buffer"},
		{simbaSpec(), 6, "global buffer"},
	} {
		v := baselineOf(&x.spec)
		v[x.param] = 1
		m := declared(&x.spec).machine(v)
		var found model.Mapping
		_, misfit := m.Flow.Find(&p, leastTime(), &found)
		if misfit == nil || misfit.Have != 1 || misfit.Need <= 1 || !strings.Contains(misfit.What, x.level) {
			t.Errorf("%s with a %s of one byte: %+v", x.spec.Name, x.level, misfit)
		}
	}
}

// The free checks see what a whole machine has, of designs all over the space.
func TestOutlinesAreOfTheWholeMachine(t *testing.T) {
	t.Parallel()
	for _, s := range Specs() {
		k := declared(&s)
		rng := rand.New(rand.NewPCG(1, 1))
		for range 50 {
			v := draw(rng, &s)
			whole, outline := k.machine(v), k.outlined(v)
			if got, want := outline, whole.known(); got != want {
				t.Errorf("%s %v: %+v without a mapper, want %+v", s.Name, v, got, want)
			}
		}
	}
}
