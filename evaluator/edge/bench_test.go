package edge

import (
	"context"
	"math/rand/v2"
	"testing"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// legalDesigns draws designs that the cheap rules accept, so that a benchmark
// measures mapping and not messages.
func legalDesigns(b *bound, n int) [][]space.Value {
	rng := rand.New(rand.NewPCG(8, 0))
	var list [][]space.Value
	for len(list) < n {
		c := randomChip(rng)
		if _, ok := measured(b, &c); ok {
			list = append(list, c.Values())
		}
	}
	return list
}

// BenchmarkCold evaluates designs that no evaluation before could help with.
func BenchmarkCold(b *testing.B) {
	for _, name := range append(Networks(), "resnet50_v1") {
		b.Run(name, func(b *testing.B) {
			e := boundTo(b, name)
			designs := legalDesigns(e, 1000)
			s := e.get()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c, _ := e.chip(designs[i%len(designs)])
				e.sizer.prepare(&s.machine, &c)
				for j := range e.shapes {
					s.machine.mapLayer(&e.shapes[j], &s.costs[j])
				}
				e.mapped(s)
			}
		})
	}
}

// BenchmarkWalk changes one parameter at a time.
func BenchmarkWalk(b *testing.B) {
	e := boundTo(b, "mobilenet_v2")
	rng := rand.New(rand.NewPCG(9, 0))
	c := Baseline()
	var designs [][]space.Value
	for len(designs) < 4000 {
		d, r := c, randomChip(rng)
		i := rng.IntN(paramCount)
		*d.fields()[i] = *r.fields()[i]
		if _, ok := measured(e, &d); ok {
			c = d
			designs = append(designs, c.Values())
		}
	}
	e = boundTo(b, "mobilenet_v2")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = e.Evaluate(context.Background(), evaluator.Request{Design: designs[i%len(designs)]})
	}
}

// BenchmarkUniform evaluates uniform draws, infeasible ones included.
func BenchmarkUniform(b *testing.B) {
	e := boundTo(b, "mobilenet_v2")
	rng := rand.New(rand.NewPCG(10, 0))
	var designs [][]space.Value
	for range 4096 {
		c := randomChip(rng)
		designs = append(designs, c.Values())
	}
	for i := 0; b.Loop(); i++ {
		_, _ = e.Evaluate(context.Background(), evaluator.Request{Design: designs[i%len(designs)]})
	}
}

func BenchmarkCheck(b *testing.B) {
	e := boundTo(b, "mobilenet_v2")
	design, dst := Baseline().Values(), make([]float64, metricCount)
	b.ReportAllocs()
	for b.Loop() {
		e.Check(design, dst)
	}
}

// Not parallel: AllocsPerRun counts the whole process.
func TestNoAllocations(t *testing.T) {
	b := boundTo(t, "mobilenet_v2")
	design, dst := Baseline().Values(), make([]float64, metricCount)
	if n := testing.AllocsPerRun(100, func() { b.Check(design, dst) }); n != 0 {
		t.Errorf("Check allocates %g times", n)
	}
	c := Baseline()
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
