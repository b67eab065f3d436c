package template

import "apollo/evaluator/model"

// polish tries mappings near the best one that the search leaves out, for what is better by more
// than a thousandth. It goes on from there. Where the goal is time, what takes less time
// by a share takes no more than that share more energy.
func (s *search) polish(time bool) {
	const turns, gain = 3, 1e-3
	s.saving = time
	for range turns {
		was, w := s.best.value, s.bestWay
		s.limit = was * (1 - gain)
		cuts, moves := s.best.m.Loops[0].Temporal[model.P]*s.best.m.Loops[0].Temporal[model.Q] > 1, s.waits()
		if !cuts && !moves || !s.begin(&w) {
			return
		}
		s.price()
		if cuts {
			s.cutNearby()
		}
		if moves {
			s.moveOut()
		}
		if s.best.value >= was {
			return
		}
	}
}

// cutNearby tries all numbers of rows and columns between half and twice those of the best mapping:
// the search halves them, and a tile between two halves may fit better.
func (s *search) cutNearby() {
	n := s.best.m.Loops[0].Temporal
	s.at.with(n[model.C])
	t := s.tile(n[model.G], n[model.C], n[model.K])
	of, f, c := node{ng: n[model.G], nc: n[model.C], nk: n[model.K]}, s.shares(&t), &s.cuts
	c.count = 0
	for rows := (n[model.P] + 1) / 2; rows > 0 && rows <= 2*n[model.P]; rows = model.NextParts(s.at.rest[model.P], rows) {
		first := c.count
		for columns := (n[model.Q] + 1) / 2; columns > 0 && columns <= 2*n[model.Q] && c.count < len(c.list); columns = model.NextParts(s.at.rest[model.Q], columns) {
			s.addCut(&pixels{n[model.N], rows, columns})
		}
		s.among(&t, &f, &of, first, c.count)
	}
	s.settle()
	c.count = 0
}

// waits reports whether the best mapping would be better if the first tile were there and the last one
// left as soon as with all loops of the inner level at the buffer.
func (s *search) waits() bool {
	s.m = s.best.m
	ramp, out, in := s.rampOf(), &s.m.Loops[1].Temporal, &s.m.Loops[s.l.inner].Temporal
	for _, d := range s.l.innerDims {
		out[d], in[d] = out[d]*in[d], 1
	}
	return s.sooner(ramp)
}

// rampOf returns what nothing hides of the mapping that is tried, without the array's fixed time.
func (s *search) rampOf() (cycles int64) {
	fill, drain := s.m.Ramp(s.p, &s.l.arch)
	for i := range s.l.arch.Levels {
		cycles += fill[i] + drain[i]
	}
	return cycles
}

// sooner reports whether the mapping that is tried would be better than the best one, of which
// nothing hides so many cycles, if they differed in these alone.
func (s *search) sooner(was int64) bool {
	return s.goal.value(float64(s.rampOf()-was), 0)+s.best.value < s.limit
}

// moveOut moves halves of a loop of the inner level to the buffer, though they fit: what the
// level holds first is there sooner, and what it holds last leaves sooner.
func (s *search) moveOut() {
	from := s.best.m
	s.m = from
	ramp := s.rampOf()
	s.at.with(from.Loops[0].Temporal[model.C])
	for _, d := range s.l.innerDims {
		s.m, s.whole[d] = from, model.CeilDiv(s.at.rest[d], from.Loops[0].Temporal[d])
		for s.m.Loops[s.l.inner].Temporal[d] > 1 {
			if s.halve(d); s.sooner(ramp) && s.movedFits() {
				extent := s.extentInBuffer()
				s.orders(pixelsLeave, true, &extent, 0)
			}
		}
	}
}
