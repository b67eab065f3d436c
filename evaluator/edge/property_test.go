package edge

import (
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/model"
	"apollo/evaluator/workload"
)

// measured evaluates a chip on all networks of b; false when it is infeasible.
func measured(b *bound, c *Chip) (*scratch, bool) {
	s := &scratch{costs: make([]layerCost, len(b.shapes))}
	return s, b.measure(c, s) == nil
}

// feasibleChips calls f with n feasible random chips.
func feasibleChips(b *bound, seed uint64, n int, f func(rng *rand.Rand, c Chip, s *scratch)) {
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
	b := boundTo(t, Networks()...)
	feasibleChips(b, 3, 500, func(_ *rand.Rand, c Chip, s *scratch) {
		for i := range b.nets {
			net := &b.nets[i]
			var macs, bytes int64
			for _, y := range net.layers {
				macs += y.macs
				bytes += b.shapes[y.shape].weights
			}
			seconds := s.totals[i].latencySeconds
			if floor := float64(macs) / float64(c.MACs()) / float64(c.clock()); seconds < floor {
				t.Fatalf("%s on %+v: %g s beat the peak rate's %g s", net.name, c, seconds, floor)
			}
			if floor := float64(bytes+net.input+net.output) / float64(c.IOBandwidth); seconds < floor {
				t.Fatalf("%s on %+v: %g s beat the interface's %g s", net.name, c, seconds, floor)
			}
		}
	})
}

// More bandwidth, and more of a chip-level memory, is never slower; more PE
// memory is not at the same mapping, which the mapper may leave only for one
// that it expects to be faster by itself.
func TestMoreIsNeverSlower(t *testing.T) {
	t.Parallel()
	b := boundTo(t, "mobilenet_v2")
	more := map[string]func(*Chip){
		"bandwidth":          func(c *Chip) { c.IOBandwidth *= 2 },
		"activation memory":  func(c *Chip) { c.ActivationMemory *= 2 },
		"instruction memory": func(c *Chip) { c.InstructionMemory *= 2 },
		"parameter memory":   func(c *Chip) { c.ParameterMemory *= 2 },
	}
	slower := 0
	feasibleChips(b, 4, 300, func(_ *rand.Rand, c Chip, s *scratch) {
		d := c
		d.CoreMemory *= 2
		if after, ok := measured(b, &d); !ok || after.totals[0].cycles > s.totals[0].cycles {
			slower++
		}
		for what, grow := range more {
			d := c
			grow(&d)
			after, ok := measured(b, &d)
			if !ok || after.totals[0].cycles > s.totals[0].cycles {
				t.Fatalf("more %s: %d cycles (feasible %t), before %d: %+v", what, after.totals[0].cycles, ok, s.totals[0].cycles, c)
			}
		}
		d = c
		d.PEMemory *= 2
		m := s.machine
		m.Chip = d
		net := &b.nets[0]
		if cycles := net.time(&m, b.shapes, s.costs, s.steps); cycles > s.totals[0].cycles {
			t.Fatalf("more PE memory: %d cycles, before %d: %+v", cycles, s.totals[0].cycles, c)
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
	for range 500 {
		c := randomChip(rng)
		a := AreaOf(c)
		var sum float64
		for _, p := range a.Parts() {
			sum += p.Value
		}
		adds(t, "area", sum, a.Total, 1e-12) // order of additions
		for i := range paramCount {
			d := c
			*d.fields()[i] *= 2
			if after := AreaOf(d); after.Total <= a.Total {
				t.Fatalf("%s doubled: %g mm2, before %g: %+v", paramName(i), after.Total, a.Total, c)
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
	b, err := bind(evaluator.Task{Params: params(), Networks: []evaluator.Network{{Workload: one, Weight: 1}, {Workload: &many, Weight: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	feasibleChips(b, 6, 100, func(_ *rand.Rand, c Chip, s *scratch) {
		ratio := float64(s.totals[1].cycles) / float64(s.totals[0].cycles)
		if ratio < 1 || s.totals[1].energyJ <= s.totals[0].energyJ {
			t.Fatalf("%+v: a batch of %d takes %g times as long as one, %g J after %g J", c, batch, ratio, s.totals[1].energyJ, s.totals[0].energyJ)
		}
		for i := range b.nets[0].layers {
			x, y := b.nets[0].layers[i], b.nets[1].layers[i]
			if b.shapes[x.shape].vector || y.op == workload.GEMM {
				continue
			}
			var loops model.Mapping
			choice := s.costs[x.shape].choice
			choice.loops(&b.shapes[y.shape], &loops)
			arch := s.machine.hierarchy()
			e := model.Eval(&b.shapes[y.shape].p, &arch, &loops)
			if want := batch * s.costs[x.shape].compute; e.ComputeCycles != want {
				t.Fatalf("%+v layer %s: %d compute cycles for a batch at the mapping of one, want %d", c, y.id, e.ComputeCycles, want)
			}
		}
	})
}

// The cache must not change any result: a design evaluated among others equals
// the same design on an evaluator of its own.
func TestCacheChangesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mobilenet_v2", "deeplabv3_mobilenet_v2", "bert_base"} {
		b := boundTo(t, name)
		rng := rand.New(rand.NewPCG(7, 0))
		var c Chip
		feasibleChips(b, 7, 1, func(_ *rand.Rand, d Chip, _ *scratch) { c = d })
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
