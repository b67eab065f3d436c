package edge

import (
	"math"

	"apollo/evaluator"
	"apollo/evaluator/frame"
)

// scratch is the working memory of one evaluation.
type scratch struct {
	machine machine
	costs   []layerCost    // per shape
	steps   []step         // per layer of the network at hand
	totals  []frame.Totals // per network
}

func (b *bound) get() *scratch {
	if s, ok := b.free.Get().(*scratch); ok {
		return s
	}
	return &scratch{costs: make([]layerCost, len(b.shapes))}
}

func (b *bound) put(s *scratch) { b.free.Put(s) }

// measure fills in s.totals, or says why the chip cannot run a network.
func (b *bound) measure(c *chip, s *scratch) *evaluator.Reason {
	if net, r, broken := b.firstBroken(c); broken {
		return b.explainRule(net, &r, c)
	}
	m := &s.machine
	b.sizer.prepare(m, c)
	b.cache.mapAll(m, b.shapes, s.costs)
	return b.mapped(s, true)
}

// mapped is the network pass over mapped layers. Without energy there is none in
// the totals.
func (b *bound) mapped(s *scratch, energy bool) *evaluator.Reason {
	m := &s.machine
	s.totals = s.totals[:0]
	for i := range b.nets {
		net := &b.nets[i]
		s.reserve(len(net.layers))
		if why := b.program(net, m, s.costs, s.steps); why != nil {
			return why
		}
		t := frame.Totals{Cycles: net.time(m, b.shapes, s.costs, s.steps), Joules: math.NaN()}
		t.Seconds = float64(t.Cycles) / float64(m.clock())
		if energy {
			e := net.energy(m, b.shapes, s.costs, s.steps, t.Seconds)
			t.Joules = e.total()
		}
		s.totals = append(s.totals, t)
	}
	return nil
}

func (s *scratch) reserve(layers int) {
	if cap(s.steps) < layers {
		s.steps = make([]step, layers)
	}
	s.steps = s.steps[:layers]
}
