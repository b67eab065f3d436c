package edge

import (
	"context"
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/evaluator/frame"
	"apollo/optimizer/space"
)

// legalDesigns draws designs that the cheap rules accept, so that a benchmark
// measures mapping and not messages.
func legalDesigns(b *taskModel, n int) []frame.Design {
	rng := rand.New(rand.NewPCG(8, 0))
	var list []frame.Design
	for len(list) < n {
		c := randomChip(rng)
		if _, ok := measured(b, &c); ok {
			list = append(list, designOf(c))
		}
	}
	return list
}

// BenchmarkCold evaluates designs that no evaluation before could help with.
func BenchmarkCold(b *testing.B) {
	for _, name := range append(published(), "resnet50_v1") {
		b.Run(name, func(b *testing.B) {
			e := boundTo(b, name)
			designs := legalDesigns(e, 1000)
			s := e.get()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c := e.chip(&designs[i%len(designs)])
				for j := range e.cache.slots {
					clear(e.cache.slots[j].reach)
				}
				e.measure(&c, s)
			}
		})
	}
}

// BenchmarkWalk changes one parameter at a time.
func BenchmarkWalk(b *testing.B) {
	e := boundTo(b, "mobilenet_v2")
	rng := rand.New(rand.NewPCG(9, 0))
	c := baseline()
	var designs [][]space.Value
	for len(designs) < 4000 {
		d, r := c, randomChip(rng)
		i := rng.IntN(paramCount)
		*d.fields()[i] = *r.fields()[i]
		if _, ok := measured(e, &d); ok {
			c = d
			designs = append(designs, c.values())
		}
	}
	fresh := evaluatorOf(b, "mobilenet_v2")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = fresh.Evaluate(context.Background(), evaluator.Request{Design: designs[i%len(designs)]})
	}
}

// BenchmarkUniform evaluates uniform draws, infeasible ones included.
func BenchmarkUniform(b *testing.B) {
	e := evaluatorOf(b, "mobilenet_v2")
	rng := rand.New(rand.NewPCG(10, 0))
	var designs [][]space.Value
	for range 4096 {
		c := randomChip(rng)
		designs = append(designs, c.values())
	}
	for i := 0; b.Loop(); i++ {
		_, _ = e.Evaluate(context.Background(), evaluator.Request{Design: designs[i%len(designs)]})
	}
}

func BenchmarkCheck(b *testing.B) {
	e := evaluatorOf(b, "mobilenet_v2").(evaluator.Checker)
	design, dst := baseline().values(), make([]float64, len(frame.Metrics()))
	b.ReportAllocs()
	for b.Loop() {
		e.Check(design, dst)
	}
}

// Not parallel: AllocsPerRun counts the whole process.
func TestNoAllocations(t *testing.T) {
	b := boundTo(t, "mobilenet_v2")
	e := evaluatorOf(t, "mobilenet_v2").(evaluator.Checker)
	design, dst := baseline().values(), make([]float64, len(frame.Metrics()))
	if n := testing.AllocsPerRun(100, func() { e.Check(design, dst) }); n != 0 {
		t.Errorf("Check allocates %g times", n)
	}
	c := baseline()
	s := b.get()
	if n := testing.AllocsPerRun(100, func() {
		b.sizer.prepare(&s.machine, &c)
		for i := range b.shapes {
			s.machine.mapLayer(&b.shapes[i], &s.costs[i])
		}
	}); n != 0 {
		t.Errorf("mapping all layers allocates %g times", n)
	}
	if n := testing.AllocsPerRun(100, func() { b.measure(&c, s) }); n != 0 {
		t.Errorf("measuring a feasible design allocates %g times", n)
	}
}
