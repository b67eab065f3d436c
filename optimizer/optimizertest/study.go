package optimizertest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// enumerable is the largest space whose legal points the suite counts itself,
// so that it knows what has to be left.
const enumerable = 1 << 16

// study drives one strategy as a study does, keeps its own account of what was
// proposed and told, and fails the test at the first broken promise.
type study struct {
	t         testing.TB
	algorithm optimizer.Algorithm
	problem   optimizer.Problem
	strategy  optimizer.Strategy

	proposed uint64
	pending  []trial
	log      []optimizer.Observation
	told     map[space.Key]bool
	trials   map[int]bool       // numbers of told trials: what parents may name
	legal    map[space.Key]bool // nil when the space is too large to list
}

// trial is a proposal that has a number and no result yet.
type trial struct {
	number int
	optimizer.Proposal
}

func newStudy(t testing.TB, a optimizer.Algorithm, p optimizer.Problem) *study {
	t.Helper()
	s := &study{t: t, algorithm: a, told: map[space.Key]bool{}, trials: map[int]bool{}}
	s.problem = p
	if p.Legal != nil {
		s.problem.Legal = func(q space.Point) bool {
			if !p.Space.Contains(q) {
				t.Errorf("Legal was called with %v, which does not belong to the space", q)
				return false
			}
			return p.Legal(q)
		}
	}
	if p.Space.Size() <= enumerable {
		s.legal = map[space.Key]bool{}
		for i, q := range p.Space.All() {
			if p.Legal == nil || p.Legal(q) {
				s.legal[p.Space.KeyAt(i)] = true
			}
		}
	}
	s.strategy = s.start()
	return s
}

func (s *study) start() optimizer.Strategy {
	s.t.Helper()
	strategy, err := s.algorithm.Start(s.problem)
	if err != nil {
		s.t.Fatalf("Start: %v", err)
	}
	return strategy
}

// ask asks for n designs, and again, checks the answers and adds one to pending.
// It returns the new trials: none when the space is exhausted.
func (s *study) ask(n int) []trial {
	s.t.Helper()
	proposals, err := s.askOnce(s.strategy, n)
	again, errAgain := s.askOnce(s.strategy, n)
	s.same("a second Ask with nothing told between", proposals, err, again, errAgain)
	return s.accept(n, proposals, err)
}

// accept checks an answer and adds it to pending.
func (s *study) accept(n int, proposals []optimizer.Proposal, err error) []trial {
	s.t.Helper()
	s.check(n, proposals, err)
	first := len(s.pending)
	for _, p := range proposals {
		s.pending = append(s.pending, trial{int(s.proposed), p})
		s.proposed++
	}
	return slices.Clone(s.pending[first:])
}

// askOnce asks without a trace: what the strategy was given and what it
// returned is overwritten afterwards, as a caller may do.
func (s *study) askOnce(strategy optimizer.Strategy, n int) ([]optimizer.Proposal, error) {
	s.t.Helper()
	var pending []space.Point
	for _, p := range s.pending {
		pending = append(pending, p.Point.Clone())
	}
	given := clonePoints(pending)
	got, err := strategy.Ask(s.proposed, n, pending)
	if !slices.EqualFunc(pending, given, slices.Equal) {
		s.t.Fatalf("Ask wrote its pending points: %v, were %v", pending, given)
	}
	kept := slices.Clone(got)
	for i := range kept {
		kept[i].Point = got[i].Point.Clone()
		kept[i].Parents = slices.Clone(got[i].Parents)
		ruin(got[i].Point)
	}
	for _, p := range pending {
		ruin(p)
	}
	return kept, err
}

func ruin(p space.Point) {
	for i := range p {
		p[i] = math.MinInt
	}
}

func clonePoints(points []space.Point) []space.Point {
	var c []space.Point
	for _, p := range points {
		c = append(c, p.Clone())
	}
	return c
}

// check holds an answer against the contract of Ask.
func (s *study) check(n int, proposals []optimizer.Proposal, err error) {
	s.t.Helper()
	taken := map[space.Key]string{}
	for i := range s.told {
		taken[i] = "was told"
	}
	for _, p := range s.pending {
		taken[s.problem.Space.Key(p.Point)] = "is pending"
	}
	s.complete(n, len(proposals), len(taken), taken, err)
	for k, p := range proposals {
		key, ok := s.problem.Space.KeyOf(p.Point)
		switch {
		case !ok:
			s.t.Fatalf("proposal %d, %v, does not belong to the space", k, p.Point)
		case s.problem.Legal != nil && !s.problem.Legal(p.Point):
			s.t.Fatalf("proposal %d, %v, is not legal", k, p.Point)
		case taken[key] != "":
			s.t.Fatalf("proposal %d, %v, %s", k, p.Point, taken[key])
		case p.Origin == "":
			s.t.Fatalf("proposal %d, %v, has no origin", k, p.Point)
		}
		taken[key] = "is in the batch"
		for _, parent := range p.Parents {
			if !s.trials[parent] {
				s.t.Fatalf("proposal %d, %v, has trial %d as parent, which was not told", k, p.Point, parent)
			}
		}
	}
}

// complete checks that a batch is as large as the points that are left allow,
// and that the error says so.
func (s *study) complete(n, got, takenCount int, taken map[space.Key]string, err error) {
	s.t.Helper()
	left := math.MaxInt
	if s.legal != nil {
		left = 0
		for i := range s.legal {
			if taken[i] == "" {
				left++
			}
		}
	}
	switch {
	case left == 0 && !errors.Is(err, optimizer.ErrExhausted):
		s.t.Fatalf("Ask(%d) = %d designs, %v after all %d legal points, want ErrExhausted", n, got, err, takenCount)
	case left == 0 && got > 0:
		s.t.Fatalf("Ask(%d) = %d designs beside ErrExhausted", n, got)
	case left > 0 && err != nil:
		s.t.Fatalf("Ask(%d) with %d points left: %v", n, left, err)
	case left > 0 && got != min(n, left):
		s.t.Fatalf("Ask(%d) = %d designs with %d points left, want %d", n, got, left, min(n, left))
	}
}

// tell ends pending trial i with the given outcome.
func (s *study) tell(i int, outcome optimizer.Observation) {
	s.t.Helper()
	done := s.pending[i]
	s.pending = slices.Delete(s.pending, i, i+1)
	outcome.Point, outcome.Trial, outcome.Origin = done.Point, done.number, done.Origin
	s.observe(outcome)
}

// observe tells finished trials of any source.
func (s *study) observe(obs ...optimizer.Observation) {
	s.t.Helper()
	s.tellTo(s.strategy, obs)
	for _, o := range obs {
		s.log = append(s.log, cloneObservation(o))
		if key, ok := s.problem.Space.KeyOf(o.Point); ok {
			s.told[key] = true
		}
		if o.Trial >= 0 {
			s.trials[o.Trial] = true
		}
	}
}

// tellTo tells copies and overwrites them afterwards, as a caller may do.
func (s *study) tellTo(strategy optimizer.Strategy, obs []optimizer.Observation) {
	s.t.Helper()
	given := make([]optimizer.Observation, len(obs))
	for i, o := range obs {
		given[i] = cloneObservation(o)
	}
	strategy.Tell(given...)
	if !reflect.DeepEqual(given, obs) {
		s.t.Fatalf("Tell wrote its observations: %v, were %v", given, obs)
	}
	for i := range given {
		ruin(given[i].Point)
		for j := range given[i].Values {
			given[i].Values[j] = math.NaN()
		}
		given[i] = optimizer.Observation{Trial: math.MinInt}
	}
}

func cloneObservation(o optimizer.Observation) optimizer.Observation {
	o.Point, o.Values = o.Point.Clone(), slices.Clone(o.Values)
	return o
}

// rebuild starts a strategy from the log, told in pieces of the given lengths
// (0: all the rest), and checks that its next ask is the running one's. The
// study goes on with the new one.
func (s *study) rebuild(n int, piece func() int) {
	s.t.Helper()
	fresh := s.start()
	for rest := s.log; len(rest) > 0; {
		k := piece()
		if k < 1 || k > len(rest) {
			k = len(rest)
		}
		s.tellTo(fresh, rest[:k])
		rest = rest[k:]
	}
	want, wantErr := s.askOnce(s.strategy, n)
	got, err := s.askOnce(fresh, n)
	s.same(fmt.Sprintf("rebuilt from a log of %d trials, the next Ask", len(s.log)), want, wantErr, got, err)
	s.strategy = fresh
}

func (s *study) same(what string, want []optimizer.Proposal, wantErr error, got []optimizer.Proposal, err error) {
	s.t.Helper()
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		s.t.Fatalf("%s: error %v, was %v", what, err, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		s.t.Fatalf("%s gives\n%v, was\n%v", what, got, want)
	}
}

// run asks for batches and tells each in a shuffled order, one batch late,
// until there are trials results or nothing is left. Every third ask is
// repeated: what an ask leaves behind would show there as well.
func (s *study) run(trials, batch int, measure func(space.Point) optimizer.Observation) {
	s.t.Helper()
	rng := rand.New(rand.NewPCG(s.problem.Seed, 1))
	for k := 0; len(s.log) < trials; k++ {
		var asked []trial
		if k%3 == 0 {
			asked = s.ask(batch)
		} else {
			proposals, err := s.askOnce(s.strategy, batch)
			asked = s.accept(batch, proposals, err)
		}
		if len(asked) == 0 && len(s.pending) == 0 {
			return
		}
		for len(s.pending) > batch || len(asked) == 0 && len(s.pending) > 0 {
			i := rng.IntN(min(batch, len(s.pending)))
			s.tell(i, measure(s.pending[i].Point))
		}
	}
}
