package transfer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"apollo/optimizer"
	"apollo/optimizer/space"
	"apollo/optimizer/surrogate"
)

// Algorithm is a strategy that also learns from Problem.Prior. Without a source
// that has a usable observation it is its base.
//
// A source's observations are points of the target's space; a task of another
// space counts with those that are. Values must be the target's objectives.
// Models are trained on the first 8 sources and on 100 designs of each; they
// take a second before the first ask and up to 50 ms a proposal, beside what the
// base takes. With several objectives there are seeds but no models.
type Algorithm struct {
	// Base is the strategy to help. It is told of every trial but those that the
	// sources proposed, and of these too once one of them was good. Required.
	Base optimizer.Algorithm
	// Method is "auto" for all that Methods lists, chosen by evidence, "seed"
	// for no model at all, or the name of one method. "" means "auto".
	Method string
	// Seeds is the largest number of seeds in all, 5 of one source at most.
	// 0 means 10, a negative number none.
	Seeds int
}

var (
	_ optimizer.Algorithm = Algorithm{}
	_ optimizer.Strategy  = (*strategy)(nil)
)

// Start implements optimizer.Algorithm. Its errors name the field, or are the
// base's.
func (a Algorithm) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	if a.Base == nil {
		return nil, errors.New("transfer: there is no base strategy")
	}
	chosen, err := choose(a.Method)
	if err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	if a.Seeds == 0 {
		a.Seeds = maxSeeds
	}
	alone := p
	alone.Prior = nil
	begin := func() (optimizer.Strategy, error) { return a.Base.Start(alone) }
	base, err := begin()
	if err != nil {
		return nil, err
	}
	if p.Objectives == 0 {
		p.Objectives = 1
	}
	if p.Legal == nil {
		p.Legal = func(space.Point) bool { return true }
	}
	s := &strategy{
		problem: p, listener: listener{start: begin, base: base}, seedOf: map[space.Key]int{}, poor: map[space.Key]bool{}, lent: math.Inf(1),
		encoder: surrogate.NewEncoder(p.Space, p.Features),
	}
	if err := s.learn(chosen, a.Seeds); err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	if len(s.seeds) == 0 && s.arm == nil {
		return base, nil
	}
	return s, nil
}

// strategy deals seeds, then shares proposals between the arm, which knows the
// sources, and the base, which does not.
type strategy struct {
	problem optimizer.Problem
	listener
	encoder *surrogate.Encoder
	told    space.Set
	records []row     // told trials that say something of their design, in order
	best    []int     // of records, feasible ones, best first
	turns   int       // records that no source proposed
	own     []float64 // first objective of the first of these that are feasible
	lends   bool      // whether a design that a source proposed is feasible
	lent    float64   // first objective of the best of these
	vain    int       // proposals of the arm since its last improvement

	seeds  []seed
	seedOf map[space.Key]int  // key of a seed's design → its source
	poor   map[space.Key]bool // seeds that were bad when they were told
	arm    *arm               // nil when there are no models
}

const (
	// badSeeds of a source end its seeding.
	badSeeds = 2
	// armProposals is how many designs of a batch come from models. Chosen: it
	// bounds the time of a large batch.
	armProposals = 8
)

// Tell implements optimizer.Strategy.
func (s *strategy) Tell(obs ...optimizer.Observation) {
	for _, o := range obs {
		if key, ok := s.problem.Space.KeyOf(o.Point); ok && s.told.Add(key) {
			s.tell(o)
			s.note(o)
		}
	}
}

func (s *strategy) note(o optimizer.Observation) {
	r, ok := s.row(o)
	if !ok {
		return
	}
	r.borrowed = borrowed(o.Origin)
	if r.borrowed && s.disappoints(&r) {
		s.poor[r.key] = true
	}
	s.judge(&r)
	if strings.HasPrefix(o.Origin, "transfer:") {
		if s.vain++; r.feasible && (len(s.best) == 0 || r.values[0] < s.records[s.best[0]].values[0]) {
			s.vain = 0
		}
	}
	s.insert(len(s.records), &r)
	s.records = append(s.records, r)
}

// judge keeps what says whether the sources have earned something.
func (s *strategy) judge(r *row) {
	switch {
	case !r.borrowed:
		s.turns++
		if r.feasible && len(s.own) < referees {
			s.own = append(s.own, r.values[0])
		}
	case r.feasible:
		s.lent, s.lends = min(s.lent, r.values[0]), true
	}
}

// disappoints reports whether a design is infeasible, or worse than the median
// of the feasible designs before it. With several objectives a design that is
// bad at the first one may be good at another.
func (s *strategy) disappoints(r *row) bool {
	if !r.feasible {
		return true
	}
	if n := len(s.best); n > 0 && s.problem.Objectives == 1 {
		return r.values[0] > s.records[s.best[n/2]].values[0]
	}
	return false
}

// standing counts what the seeds of every source came to: those that are told
// or wait for their answer, and those that were bad, when they were told or by
// what the base has found since.
func (s *strategy) standing(d *draft) (dealt, bad map[int]int) {
	dealt, bad = map[int]int{}, map[int]int{}
	reference, ok := s.reference()
	late := map[space.Key]bool{}
	for i := range s.records {
		if r := &s.records[i]; ok && r.borrowed && r.feasible && s.problem.Objectives == 1 && r.values[0] > reference {
			late[r.key] = true
		}
	}
	for _, c := range s.seeds {
		if !d.fresh(c.key) {
			dealt[c.source]++
		}
		if s.poor[c.key] || late[c.key] {
			bad[c.source]++
		}
	}
	return dealt, bad
}

func (s *strategy) insert(i int, r *row) {
	if !r.feasible {
		return
	}
	at := len(s.best)
	for at > 0 && s.records[s.best[at-1]].values[0] > r.values[0] {
		at--
	}
	s.best = append(s.best, 0)
	copy(s.best[at+1:], s.best[at:])
	s.best[at] = i
}

// Ask implements optimizer.Strategy.
func (s *strategy) Ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	if n < 1 {
		return nil, fmt.Errorf("ask for %d designs: at least 1 is needed", n)
	}
	if err := s.listen(s.earned()); err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	d := newDraft(s, at, pending)
	s.sow(d, n)
	if s.arm != nil {
		if err := s.arm.propose(d, n); err != nil {
			return nil, fmt.Errorf("transfer: %w", err)
		}
	}
	if len(d.out) == n {
		return d.out, nil
	}
	rest, err := s.ask(d, n-len(d.out))
	if err != nil && len(d.out) > 0 && (errors.Is(err, optimizer.ErrExhausted) || errors.Is(err, optimizer.ErrGaveUp)) {
		return d.out, nil
	}
	return append(d.out, rest...), err
}

// sow proposes seeds. A source has two; every further one waits until the base
// has found a feasible design to measure them against, or has had a turn.
func (s *strategy) sow(d *draft, n int) {
	dealt, bad := s.standing(d)
	allowed := badSeeds + s.turns
	if len(s.own) > 0 || s.problem.Objectives > 1 {
		allowed = len(s.seeds)
	}
	for _, c := range s.seeds {
		if len(d.out) < n && bad[c.source] < badSeeds && dealt[c.source] < allowed && d.fresh(c.key) && s.problem.Legal(c.point) {
			d.propose(c.key, c.point, c.origin)
			dealt[c.source]++
		}
	}
}

// draft is a batch that is being put together.
type draft struct {
	strategy *strategy
	at       uint64
	taken    map[space.Key]bool
	pending  []space.Point // proposed ones included
	out      []optimizer.Proposal
}

func newDraft(s *strategy, at uint64, pending []space.Point) *draft {
	d := &draft{strategy: s, at: at, taken: make(map[space.Key]bool, len(pending)), pending: slices.Clip(pending)}
	for _, p := range pending {
		if key, ok := s.problem.Space.KeyOf(p); ok {
			d.taken[key] = true
		}
	}
	return d
}

// fresh reports whether the design was neither told nor is pending.
func (d *draft) fresh(key space.Key) bool { return !d.taken[key] && !d.strategy.told.Has(key) }

func (d *draft) propose(key space.Key, p space.Point, origin string) {
	d.taken[key] = true
	d.out = append(d.out, optimizer.Proposal{Point: p.Clone(), Origin: origin})
	d.pending = append(d.pending, p)
}
