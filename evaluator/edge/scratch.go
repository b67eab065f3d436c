package edge

import (
	"math"

	"apollo/evaluator"
	"apollo/evaluator/frame"
)

// scratch is the working memory of one evaluation.
type scratch struct {
	whole  machine
	run                   // of the network at hand
	next   run            // on another part of the array
	totals []frame.Totals // per network
}

// run is a network on a part of the array; what is not in use is idle.
type run struct {
	machine machine
	costs   []layerCost // per shape
	steps   []step      // per layer
	cycles  int64
}

func (b *taskModel) newScratch() *scratch {
	n := len(b.shapes)
	return &scratch{run: run{costs: make([]layerCost, n)}, next: run{costs: make([]layerCost, n)}}
}

func (b *taskModel) get() *scratch {
	if s, ok := b.free.Get().(*scratch); ok {
		return s
	}
	return b.newScratch()
}

func (b *taskModel) put(s *scratch) { b.free.Put(s) }

// measure fills in s.totals, or says why the chip cannot run a network.
func (b *taskModel) measure(c *chip, s *scratch) *evaluator.Reason {
	if net, r, broken := b.firstBroken(c); broken {
		return b.explainRule(net, &r, c)
	}
	b.sizer.prepare(&s.whole, c)
	return b.networks(s, true)
}

// networks runs all of them on s.whole. Without energy there is none in the
// totals.
func (b *taskModel) networks(s *scratch, energy bool) *evaluator.Reason {
	s.totals = s.totals[:0]
	for i := range b.nets {
		net := &b.nets[i]
		if why := b.fit(s, net); why != nil {
			return why
		}
		t := frame.Totals{Cycles: s.cycles, Joules: math.NaN()}
		t.Seconds = float64(t.Cycles) / float64(s.machine.clock())
		if energy {
			e := net.energy(&s.machine, b.shapes, s.costs, s.steps, t.Seconds)
			t.Joules = e.total()
		}
		if energy && b.peak {
			t.PeakWatts = net.peakWatts(&s.machine, b.shapes, s.costs, s.steps)
		}
		s.totals = append(s.totals, t)
	}
	return nil
}

// fit runs a network on the whole array, which must hold its program, or on the
// part of it that takes the least time: half of the columns, rows or lanes, a
// quarter of them and so on. What is idle loads no program.
func (b *taskModel) fit(s *scratch, net *network) *evaluator.Reason {
	s.machine = s.whole
	if !b.try(net, &s.run) {
		return b.explainProgram(net, &s.machine, s.steps)
	}
	b.fitParts(s, net, s.whole, halfColumns)
	return nil
}

// fitParts tries the parts of m as far as they can be faster than s.run: those
// that halve in the given way and the ways after it, so that none is tried
// twice.
func (b *taskModel) fitParts(s *scratch, net *network, m machine, from half) {
	for h := from; h < halves; h++ {
		part := m
		if !part.halve(h) || net.floor(&part) >= s.cycles {
			continue
		}
		s.next.machine = part
		if b.quickest(net, &s.next) >= s.cycles {
			continue
		}
		if b.try(net, &s.next) && s.next.cycles < s.cycles {
			s.run, s.next = s.next, s.run
		}
		b.fitParts(s, net, part, h)
	}
}

// try runs a network on the machine of r; false when its program does not fit.
func (b *taskModel) try(net *network, r *run) bool {
	b.cache.mapAll(&r.machine, b.shapes, r.costs)
	r.reserve(len(net.layers))
	if !net.program(&r.machine, r.costs, r.steps) {
		return false
	}
	r.cycles = net.time(&r.machine, b.shapes, r.costs, r.steps)
	return true
}

// half is one of the ways to leave half of an array idle.
type half int

const (
	halfColumns half = iota
	halfRows
	halfLanes
	halves
)

// halve leaves half of the columns or rows of PEs, or of the lanes of each core,
// idle; false when there is one.
func (m *machine) halve(h half) bool {
	n := [halves]*int64{&m.PEsX, &m.PEsY, &m.Lanes}[h]
	*n /= 2
	m.addHops()
	return *n > 0
}

// floor is a time that the network does not get below.
func (net *network) floor(m *machine) int64 {
	return int64(len(net.layers))*m.layerCycles + m.issued(net.steps/(m.PEs()*m.Cores*m.Lanes))
}

// quickest is a time that the network does not get below on the machine of r or
// a part of it, closer than floor and dearer; it leaves its parts in r.
func (b *taskModel) quickest(net *network, r *run) int64 {
	b.cache.bounds(&r.machine, b.shapes, r.costs)
	r.reserve(len(net.layers))
	r.machine.anyLanes = true
	fits := net.program(&r.machine, r.costs, r.steps)
	r.machine.anyLanes = false
	if !fits {
		return math.MaxInt64
	}
	return net.time(&r.machine, b.shapes, r.costs, r.steps)
}

func (r *run) reserve(layers int) {
	if cap(r.steps) < layers {
		r.steps = make([]step, layers)
	}
	r.steps = r.steps[:layers]
}
