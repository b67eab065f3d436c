package template

import "apollo/evaluator/model"

// gain is what a change after the search has to save at least: what is less is not looked for.
const gain = 2e-3

// polish tries mappings near the best one that the search leaves out, and goes on from what is better.
func (s *search) polish(time bool) {
	const turns = 3
	s.saving = time
	for range turns {
		was, w := s.best.value, s.bestWay
		s.limit = was * (1 - gain)
		if n := &s.best.m.Loops[0].Temporal; n[model.P]*n[model.Q] == 1 || s.goal.value(s.floor(&w)) >= s.limit || !s.begin(&w) {
			break
		}
		s.price()
		if s.cutNearby(); s.best.value >= was {
			break
		}
	}
	for range turns {
		was := s.best.value
		s.limit = was * (1 - gain)
		if s.neighbours(); s.best.value >= was {
			return
		}
	}
}

// wasteful reports whether a change of the best mapping takes more energy than it is worth where time is the
// goal: for a hundredth of its time that is five of its energy.
func (s *search) wasteful(c *Cost) bool {
	const worth = 5
	was := &s.best.cost
	saved := 1 - float64(c.Cycles)/float64(was.Cycles)
	return s.saving && c.EnergyPJ > was.EnergyPJ*(1+worth*saved)
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
