// Package fidelity searches a space of which one parameter is a setting of the
// evaluator, such as the length of a trace: its last level alone counts, and the
// levels before it are cheaper and say something of it, or nothing.
//
// Every level has a search of its own, by the same strategy. Every second design of a
// level is promoted to it: the best of those that were measured below. The others
// are its search's, for which the levels below are sources of knowledge (package
// transfer), as if they were earlier studies: their models have to earn their weight by
// how well they order what it measures. A level that orders designs in another way
// than the last one is dropped.
package fidelity

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/transfer"
)

// Algorithm is a search with cheaper levels.
type Algorithm struct {
	// Search is what proposes at every level: its Base where there are no sources. Without
	// Problem.Prior it has no Seeds.
	Search transfer.Algorithm
	// Parameter is the index in Problem.Space of the one whose last level counts.
	Parameter int
	// Trials is how many trials there are in all, as far as it is known now; nil for no end.
	// The last ones are of the last level: what is promoted after the end was measured for
	// nothing.
	Trials func() int
}

var (
	_ optimizer.Algorithm = Algorithm{}
	_ optimizer.Strategy  = (*strategy)(nil)
)

const (
	// firstCheap designs of the first level and firstFull of the last one are the first
	// round, levels between have numbers between them, in equal ratios. Every round is
	// twice as long as the one before. Chosen.
	firstCheap, firstFull = 16, 4
	// After the first round a level is used as long as designs that were measured at it
	// and at the last one, minPairs at least, are in the same order: by a rank
	// correlation of minTau, and by one deviation of that of unrelated values. Chosen
	// on the searches of TestExperiments (docs/decisions/0073).
	minPairs = 3
	minTau   = 0.25
	// maxPairs is how many of them are looked at, the last ones.
	maxPairs = 64
)

// Start implements optimizer.Algorithm.
func (a Algorithm) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	k := a.Parameter
	if p.Objectives > 1 || k < 0 || k >= p.Space.Len() || p.Space.Len() < 2 {
		return nil, fmt.Errorf("fidelity: parameter %d of %d with %d objectives: want one of two parameters or more, and one objective", k, p.Space.Len(), p.Objectives)
	}
	s := &strategy{problem: p, search: a.Search, at: k, trials: a.Trials, levels: make([]level, p.Space.Param(k).Len())}
	var err error
	if s.space, err = space.New(slices.Delete(slices.Clone(p.Space.Params()), k, k+1)...); err != nil {
		return nil, fmt.Errorf("fidelity: %w", err)
	}
	_, err = s.searchOf(len(s.levels)-1, 0) // so that a configuration is refused here
	return s, err
}

type strategy struct {
	problem optimizer.Problem
	search  transfer.Algorithm
	space   space.Space // without the setting
	at      int
	trials  func() int // nil for no end
	levels  []level
}

// level is the search of one level. What it is at an ask is a function of what was
// told: knows is a key of that, and the search is made again where it changes.
type level struct {
	told   []optimizer.Observation // points of strategy.space
	own    int                     // how many of told the search proposed
	values space.Map[float64]      // of told, +Inf where infeasible
	search optimizer.Strategy
	knows  []int // how many of told of each level below are its sources
	heard  int   // how many of told the search was told
}

// without takes the setting out of a point, with puts it back.
func (s *strategy) without(p space.Point) space.Point {
	return slices.Delete(p.Clone(), s.at, s.at+1)
}

func (s *strategy) with(p space.Point, level int) space.Point {
	return slices.Insert(p.Clone(), s.at, level)
}

// Tell implements optimizer.Strategy.
func (s *strategy) Tell(obs ...optimizer.Observation) {
	for _, o := range obs {
		if !s.problem.Space.Contains(o.Point) {
			continue
		}
		l := &s.levels[o.Point[s.at]]
		o.Point, o.Values = s.without(o.Point), slices.Clone(o.Values)
		l.told = append(l.told, o)
		if !o.Foreign() {
			l.own++
		}
		switch {
		case o.Status == optimizer.Infeasible:
			l.values.Put(s.space.Key(o.Point), math.Inf(1))
		case o.Status == optimizer.Measured && len(o.Values) > 0:
			l.values.Put(s.space.Key(o.Point), o.Values[0])
		}
	}
}

// Ask implements optimizer.Strategy.
func (s *strategy) Ask(at uint64, n int, pending []space.Point) (out []optimizer.Proposal, err error) {
	waiting := make([][]space.Point, len(s.levels))
	for _, p := range pending {
		if s.problem.Space.Contains(p) {
			waiting[p[s.at]] = append(waiting[p[s.at]], s.without(p))
		}
	}
	spent := make([]bool, len(s.levels)) // of levels that have no design left
	for len(out) < n {
		left := math.MaxInt
		if s.trials != nil {
			left = s.trials() - int(at) - len(out)
		}
		k, round := s.next(waiting, spent, left)
		search, err := s.searchOf(k, round)
		if err != nil {
			return nil, err
		}
		if g, ok := s.promoted(k, round, s.levels[k].own+len(waiting[k]), waiting[k]); ok {
			waiting[k] = append(waiting[k], g.Point)
			out = append(out, optimizer.Proposal{Point: s.with(g.Point, k), Origin: g.Origin})
			continue
		}
		got, err := search.Ask(uint64(len(s.levels[k].told)+len(waiting[k])), 1, waiting[k])
		switch {
		case errors.Is(err, optimizer.ErrExhausted), errors.Is(err, optimizer.ErrGaveUp):
			if k == len(s.levels)-1 {
				if len(out) > 0 {
					return out, nil
				}
				return nil, err
			}
			spent[k] = true
		case err != nil:
			return nil, err
		}
		for _, g := range got {
			waiting[k] = append(waiting[k], g.Point)
			out = append(out, optimizer.Proposal{Point: s.with(g.Point, k), Origin: g.Origin, Parents: g.Parents})
		}
	}
	return out, nil
}

// promoted is the design that a level measures because it was measured below: every
// second one is the best of those, as long as there is a level whose order is that of the
// last. One of the first is the middle one of them, so that it shows whether it is worse.
func (s *strategy) promoted(k, round, at int, waiting []space.Point) (p optimizer.Proposal, ok bool) {
	check := at == 2
	if k == 0 || at%2 == 0 && !check {
		return p, false
	}
	taken := space.Set{}
	for _, w := range waiting {
		taken.Add(s.space.Key(w))
	}
	for _, o := range s.levels[k].told {
		taken.Add(s.space.Key(o.Point))
	}
	for j := k - 1; j >= 0; j-- {
		if round > 0 && !s.ordered(j) {
			continue
		}
		var fresh []*optimizer.Observation
		for i := range s.levels[j].told {
			o := &s.levels[j].told[i]
			if o.Status == optimizer.Measured && len(o.Values) > 0 && !taken.Has(s.space.Key(o.Point)) && (s.problem.Legal == nil || s.problem.Legal(s.with(o.Point, k))) {
				fresh = append(fresh, o)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		slices.SortStableFunc(fresh, func(a, b *optimizer.Observation) int { return cmp.Compare(a.Values[0], b.Values[0]) })
		if check {
			return optimizer.Proposal{Point: fresh[len(fresh)/2].Point, Origin: "check:" + s.name(j)}, true
		}
		return optimizer.Proposal{Point: fresh[0].Point, Origin: "promoted:" + s.name(j)}, true
	}
	return p, false
}

// FirstRound is how many designs the first round of so many levels has.
func FirstRound(levels int) (n int) {
	for k := range levels {
		n += first(k, levels)
	}
	return n
}

func first(k, levels int) int {
	return int(math.Round(firstCheap * math.Pow(float64(firstFull)/firstCheap, float64(k)/float64(levels-1))))
}

// due is how many designs of a level there are at the end of a round.
func (s *strategy) due(k, round int) int { return first(k, len(s.levels)) * (2<<round - 1) }

// next is the level that the next design is of, and its round: the first round, and in
// it the lowest level, that has not all of its designs. After the first round a level
// below the last goes on as long as it orders designs as the last one does. A level waits
// for the first answer of the one below, however many designs are in flight: nothing could
// be promoted before. One that has answers of its own does not, as those of the one below
// may be measured anew, nor where the one below goes on no more. Designs that the search
// did not propose are no part of a round. The round that the end of the trials cuts has
// fewer designs of its lowest levels: what is left is first of all for the levels above,
// and firstFull are of the last one.
func (s *strategy) next(waiting [][]space.Point, spent []bool, left int) (k, round int) {
	last := len(s.levels) - 1
	missing := make([]int, len(s.levels))
	for ; ; round++ {
		above, cut := 0, false
		for k := range s.levels {
			missing[k] = 0
			if !spent[k] && (k == last || round == 0 || s.ordered(k)) {
				missing[k] = max(0, s.due(k, round)-s.levels[k].own-len(waiting[k]))
			}
			above += missing[k]
		}
		for k := range s.levels {
			if above -= missing[k]; k < last && left <= max(above, firstFull) {
				cut = true
				continue
			}
			if !cut && k > 0 && s.levels[k].own == 0 && len(s.levels[k-1].told) == 0 && !spent[k-1] && (round == 0 || s.ordered(k-1)) {
				break
			}
			if missing[k] > 0 {
				return k, round
			}
		}
	}
}

// ordered reports whether a level orders the designs that the last one measured too
// as that does. It does until the first round of that has its answers.
func (s *strategy) ordered(k int) bool {
	last := &s.levels[len(s.levels)-1]
	if last.own < firstFull {
		return true
	}
	var x, y []float64
	for i := len(last.told) - 1; i >= 0 && len(x) < maxPairs; i-- {
		key := s.space.Key(last.told[i].Point)
		full, ok := last.values.Get(key)
		cheap, both := s.levels[k].values.Get(key)
		if ok && both {
			x, y = append(x, cheap), append(y, full)
		}
	}
	n := float64(len(x))
	return len(x) >= minPairs && tau(x, y) >= max(minTau, math.Sqrt(2*(2*n+5)/(9*n*(n-1))))
}

// tau is Kendall's rank correlation: ties count for nothing.
func tau(x, y []float64) float64 {
	sum, pairs := 0, 0
	for i := range x {
		for j := range i {
			pairs++
			switch {
			case x[i] == x[j] || y[i] == y[j]:
			case (x[i] < x[j]) == (y[i] < y[j]):
				sum++
			default:
				sum--
			}
		}
	}
	return float64(sum) / float64(pairs)
}

// searchOf is the search of a level, which knows of the levels below it what they had
// measured at the end of a round.
func (s *strategy) searchOf(k, round int) (optimizer.Strategy, error) {
	l := &s.levels[k]
	knows := make([]int, k)
	for j := range knows {
		if round == 0 || k < len(s.levels)-1 || s.ordered(j) {
			knows[j] = min(len(s.levels[j].told), s.due(j, round))
		}
	}
	if l.search == nil || !slices.Equal(knows, l.knows) {
		p := s.problemOf(k)
		for j, n := range knows {
			if n > 0 {
				p.Prior = append(p.Prior, optimizer.Task{Name: s.name(j), Space: s.space, Observations: s.levels[j].told[:n:n]})
			}
		}
		search := s.search
		if len(s.problem.Prior) == 0 {
			search.Seeds = -1 // the best designs of the levels are promoted
		}
		var err error
		if len(p.Prior) == 0 {
			l.search, err = search.Base.Start(p)
		} else {
			l.search, err = search.Start(p)
		}
		if err != nil {
			return nil, err
		}
		l.knows, l.heard = knows, 0
	}
	l.search.Tell(l.told[l.heard:]...)
	l.heard = len(l.told)
	return l.search, nil
}

// name is that of a level as a source: "trace=1000".
func (s *strategy) name(k int) string {
	p := s.problem.Space.Param(s.at)
	return p.Name + "=" + p.Value(k).String()
}

// problemOf is the problem of one level.
func (s *strategy) problemOf(k int) optimizer.Problem {
	p := s.problem
	p.Space, p.Prior = s.space, nil
	if legal := s.problem.Legal; legal != nil {
		p.Legal = func(at space.Point) bool { return legal(s.with(at, k)) }
	}
	if settle := s.problem.Settle; settle != nil {
		p.Settle = func(at space.Point) {
			whole := s.with(at, k)
			settle(whole)
			copy(at, s.without(whole))
		}
	}
	if features := s.problem.Features; features != nil {
		p.Features = func(at space.Point) []float64 { return features(s.with(at, k)) }
	}
	if p.Baseline != nil {
		p.Baseline = s.without(p.Baseline)
	}
	for _, t := range s.problem.Prior {
		t.Space = s.space
		obs := t.Observations
		t.Observations = nil
		for _, o := range obs {
			// A source that does not know the setting has no level of it.
			known := t.Mapped == nil || t.Mapped[s.at]
			if s.problem.Space.Contains(o.Point) && (!known || o.Point[s.at] == len(s.levels)-1) {
				o.Point = s.without(o.Point)
				t.Observations = append(t.Observations, o)
			}
		}
		if t.Mapped != nil {
			t.Mapped = slices.Delete(slices.Clone(t.Mapped), s.at, s.at+1)
		}
		if ask := t.Ask; ask != nil {
			t.Ask = func(at space.Point) (optimizer.Observation, error) { return ask(s.with(at, len(s.levels)-1)) }
		}
		p.Prior = append(p.Prior, t)
	}
	return p
}
