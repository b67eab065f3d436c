package edge

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// measured evaluates a chip on all networks of b; false when it is infeasible.
func measured(b *taskModel, c *chip) (*scratch, bool) {
	s := b.newScratch()
	return s, b.measure(c, s) == nil
}

// feasibleChips calls f with n feasible random chips.
func feasibleChips(b *taskModel, seed uint64, n int, f func(rng *rand.Rand, c chip, s *scratch)) {
	rng := rand.New(rand.NewPCG(seed, 0))
	for n > 0 {
		c := randomChip(rng)
		if s, ok := measured(b, &c); ok {
			n--
			f(rng, c, s)
		}
	}
}

// No design beats its peak rate, nor moves its weights faster than its
// interface does.
func TestBoundsHold(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b := boundTo(t, published()...)
	feasibleChips(b, 3, 500, func(_ *rand.Rand, c chip, s *scratch) {
		for i := range b.nets {
			net := &b.nets[i]
			var macs, bytes, border int64
			for at, y := range net.layers {
				macs += net.Layers[at].MACs()
				bytes += b.shapes[y.shape].weights
				border += y.arrives + y.leaves
			}
			seconds := s.totals[i].Seconds
			if floor := float64(macs) / float64(c.MACs()) / float64(c.clock()); seconds < floor {
				t.Fatalf("%s on %+v: %g s beat the peak rate's %g s", net.Name, c, seconds, floor)
			}
			if floor := float64(bytes+border) / float64(c.IOBandwidth); seconds < floor {
				t.Fatalf("%s on %+v: %g s beat the interface's %g s", net.Name, c, seconds, floor)
			}
		}
	})
}

// More bandwidth, and more of a chip-level memory, is never slower; more PE
// memory is not at the same mapping, which the mapper may leave only for one
// that it expects to be faster by itself.
func TestMoreIsNeverSlower(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b := boundTo(t, "mobilenet_v2")
	more := map[string]func(*chip){
		"bandwidth":          func(c *chip) { c.IOBandwidth *= 2 },
		"activation memory":  func(c *chip) { c.ActivationMemory *= 2 },
		"instruction memory": func(c *chip) { c.InstructionMemory *= 2 },
		"parameter memory":   func(c *chip) { c.ParameterMemory *= 2 },
	}
	slower := 0
	feasibleChips(b, 4, 300, func(_ *rand.Rand, c chip, s *scratch) {
		d := c
		d.CoreMemory *= 2
		if after, ok := measured(b, &d); !ok || after.totals[0].Cycles > s.totals[0].Cycles {
			slower++
		}
		for what, grow := range more {
			d := c
			grow(&d)
			after, ok := measured(b, &d)
			if !ok || after.totals[0].Cycles > s.totals[0].Cycles {
				t.Fatalf("more %s: %d cycles (feasible %t), before %d: %+v", what, after.totals[0].Cycles, ok, s.totals[0].Cycles, c)
			}
		}
		d = c
		d.PEMemory *= 2
		m := s.machine
		m.PEMemory = d.PEMemory
		net := &b.nets[0]
		if cycles := net.time(&m, b.shapes, s.costs, s.steps); cycles > s.totals[0].Cycles {
			t.Fatalf("more PE memory: %d cycles, before %d: %+v", cycles, s.totals[0].Cycles, c)
		}
	})
	// A mapping with more core memory may have a longer program.
	if slower > 3 {
		t.Errorf("more core memory is slower for %d of 300 designs, want at most 3", slower)
	}
}

// Area grows with every parameter and is the sum of its parts.
func TestAreaGrows(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 0))
	s := newSizer(*declared(), Spec().Template().Params, datapathOf(nil))
	for range 500 {
		c := randomChip(rng)
		var parts, other [areaParts]float64
		before := s.area(&c, &parts)
		adds(t, "area", areaOf(&parts).Total(), before, 1e-12) // order of additions
		for i := range paramCount {
			d := c
			*d.fields()[i] *= 2
			if after := s.area(&d, &other); after <= before {
				t.Fatalf("%s doubled: %g mm2, before %g: %+v", lattice[i].Name, after, before, c)
			}
		}
	}
}

// A batch of n takes n times the compute cycles of one inference in every layer
// at the same mapping, and never less time than one.
func TestBatchScales(t *testing.T) {
	t.Parallel()
	one, err := workload.Builtin("mobilenet_v2")
	if err != nil {
		t.Fatal(err)
	}
	const batch = 4
	many := *one
	many.Name = "batch"
	many.Inputs = []workload.Input{{Name: one.Inputs[0].Name, Shape: append([]int64{batch}, one.Inputs[0].Shape[1:]...)}}
	many.Layers = append([]workload.Layer(nil), one.Layers...)
	for i := range many.Layers {
		l := &many.Layers[i]
		l.InElements *= batch
		if l.Op == workload.GEMM {
			l.M *= batch
			continue
		}
		l.N *= batch
	}
	m, err := Spec().Bind([]evaluator.Network{{Workload: one, Weight: 1}, {Workload: &many, Weight: 1}}, declared())
	if err != nil {
		t.Fatal(err)
	}
	b := m.(*taskModel)
	feasibleChips(b, 6, 100, func(_ *rand.Rand, c chip, s *scratch) {
		ratio := float64(s.totals[1].Cycles) / float64(s.totals[0].Cycles)
		if ratio < 1 || s.totals[1].Joules <= s.totals[0].Joules {
			t.Fatalf("%+v: a batch of %d takes %g times as long as one, %g J after %g J", c, batch, ratio, s.totals[1].Joules, s.totals[0].Joules)
		}
		for i := range b.nets[0].layers {
			x, y := b.nets[0].layers[i], b.nets[1].layers[i]
			l := b.nets[1].Layers[i]
			if b.shapes[x.shape].vector || l.Op == workload.GEMM {
				continue
			}
			var loops model.Mapping
			choice := s.costs[x.shape].choice
			choice.loops(&b.shapes[y.shape], &loops)
			arch := s.machine.hierarchy(&b.shapes[y.shape])
			e := model.Eval(&b.shapes[y.shape].p, &arch, &loops)
			if want := batch * s.costs[x.shape].compute; e.ComputeCycles != want {
				t.Fatalf("%+v layer %s: %d compute cycles for a batch at the mapping of one, want %d", c, l.ID, e.ComputeCycles, want)
			}
		}
	})
}

// The cache must not change any result: a design evaluated among others equals
// the same design on an evaluator of its own.
func TestCacheChangesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, name := range []string{"mobilenet_v2", "deeplabv3_mobilenet_v2", "bert_base"} {
		b := boundTo(t, name)
		rng := rand.New(rand.NewPCG(7, 0))
		var c chip
		feasibleChips(b, 7, 1, func(_ *rand.Rand, d chip, _ *scratch) { c = d })
		for range 300 {
			d := c
			i := rng.IntN(paramCount)
			fresh := randomChip(rng)
			*d.fields()[i] = *fresh.fields()[i]
			s, ok := measured(b, &d)
			alone, okAlone := measured(boundTo(t, name), &d)
			if ok != okAlone || ok && s.totals[0] != alone.totals[0] {
				t.Fatalf("%s on %+v: %+v with a cache, %+v without", name, d, s.totals, alone.totals)
			}
			if ok {
				c = d
			}
		}
	}
}
