package template

import (
	"math"

	"apollo/evaluator/model"
)

// search is the state of mapping one layer: a walk over ways to spread it and
// over numbers of tiles. A closed form bounds the cost of each from below, and
// the core evaluates those whose bound is better than the best so far.
type search struct {
	l    *loops
	p    *model.Problem
	goal goal
	// perByte is the cycles of a byte over the interface.
	perByte float64
	// bytes are the operands' sizes, inputs as far as windows touch them; sums
	// is the size of all partial sums.
	bytes [model.Operands]int64
	sums  int64
	// gaps says that windows leave rows or columns of the inputs out.
	gaps bool
	// room is what a tile may have of the buffer.
	room int64
	// holder is, of each operand, the outermost level on chip that keeps it,
	// next the one inside it where the buffer is that level, else 0.
	holder, next [model.Operands]int
	// ported says that the buffer's port has a rate and passes an operand on that
	// comes again.
	ported bool
	// at is the way to spread that is being searched.
	at   ways
	best found
	// waiting are the candidates with the least bounds.
	waiting [waiting]candidate
	queued  int
	// limit is what a bound has to beat, tried the least bound of those that were
	// evaluated.
	limit, tried float64
	// m is the mapping that is tried, whole the steps of one of its tiles.
	m      model.Mapping
	whole  [model.Dims]int64
	result model.Result
}

// found is the best mapping so far; its value is what the search minimises.
type found struct {
	m    model.Mapping
	cost Cost
	// gap is how much its value is above its bound.
	value, gap float64
	any        bool
}

// candidate is numbers of tiles in an order, with the bound of their value.
type candidate struct {
	way   way
	parts [model.Dims]int64
	order int
	// channelsFirst says which loops leave an inner level that they do not fit.
	channelsFirst bool
	value         float64
}

const (
	// maxWays is the largest number of ways that wires can have.
	maxWays = 8
	// waiting is how many candidates wait to be evaluated.
	waiting = 24
	// soon is the share of the least bound that was evaluated at which another
	// candidate is evaluated at once: then what is worse can be left out.
	soon = 0.98
)

// Find implements Dataflow.
func (l *loops) Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit) {
	const milli = 1000
	s := search{l: l, p: p, goal: g, perByte: milli / float64(l.arch.Level[0].ReadRate), limit: math.Inf(1), tried: math.Inf(1)}
	for o := range model.Operands {
		s.bytes[o] = p.Elements(o, &p.Bound) * p.Bytes[o]
		for s.holder[o] = 1; !l.arch.Level[s.holder[o]].Keeps[o]; {
			s.holder[o]++
		}
	}
	s.gaps = (p.Bound[model.R]-1)*p.Dilation[0]+1 < p.Stride[0] || (p.Bound[model.S]-1)*p.Dilation[1]+1 < p.Stride[1]
	s.bytes[model.Inputs] = min(s.bytes[model.Inputs], touched(p)*p.Bytes[model.Inputs])
	for o := range model.Operands {
		if i := s.holder[o] + 1; s.holder[o] == 1 && o != model.Outputs {
			for ; i < l.arch.Levels && !l.arch.Level[i].Keeps[o]; i++ {
			}
			// Inner loops that bring a window's inputs again are in ways.read.
			if i < l.arch.Levels && (i != l.window || o != model.Inputs) && l.arch.Level[1].ReadRate > 0 {
				s.next[o], s.ported = i, true
			}
		}
	}
	s.room = l.room(1)
	s.sums = p.Elements(model.Outputs, &p.Bound) * p.PartialBytes
	s.full()
	s.fewer()
	s.finish()
	if !s.best.any {
		return Cost{}, s.misfit()
	}
	*m = s.best.m
	return s.best.cost, nil
}

// queue keeps a candidate for later when it is among the best.
func (s *search) queue(c *candidate) {
	s.limit = min(s.limit, c.value+s.best.gap)
	at := s.queued
	if at == len(s.waiting) {
		at--
		if s.waiting[at].value <= c.value {
			return
		}
	} else {
		s.queued++
	}
	for ; at > 0 && s.waiting[at-1].value > c.value; at-- {
		s.waiting[at] = s.waiting[at-1]
	}
	s.waiting[at] = *c
}

// finish evaluates the waiting candidates.
func (s *search) finish() {
	for i := range s.waiting[:s.queued] {
		c := &s.waiting[i]
		if s.best.any && c.value >= s.best.value {
			return
		}
		s.try(c)
	}
}

// try evaluates a candidate.
func (s *search) try(c *candidate) {
	s.ready(&c.way)
	s.m = s.at.spread
	s.cut(&c.parts)
	s.shrink(c.channelsFirst)
	s.eval(c)
}

// eval evaluates a candidate whose loops are those that are tried.
func (s *search) eval(c *candidate) {
	s.m.Loops[0].Order = tileOrders[c.order].dims
	s.result.Eval(s.p, &s.l.arch, &s.m)
	s.tried = min(s.tried, c.value)
	cost := s.l.cost(s.p, &s.m, &s.result)
	if v := s.goal.of(&cost); !s.best.any || v < s.best.value {
		s.best = found{s.m, cost, v, v - c.value, true}
		s.limit = v
	}
}
