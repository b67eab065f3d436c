package transfer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"

	"apollo/optimizer"
	"apollo/optimizer/space"
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
	// Seeds is the largest number of seeds in all, 5 of one source at most, 2 of one that
	// can be asked.
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
	s := newStrategy(p)
	s.gate = gate{start: begin, base: base}
	if err := s.train(chosen, a.Seeds); err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	if s.inputs.err != nil {
		return nil, fmt.Errorf("transfer: %w", s.inputs.err)
	}
	if len(s.seeds) == 0 && s.models == nil {
		return base, nil
	}
	return s, nil
}

// Unordered returns which sources of Problem.Prior Start drops, by position: the values
// of each are in no order. It trains nothing.
func Unordered(p optimizer.Problem) ([]int, error) {
	s := newStrategy(p)
	l := s.read()
	for i, rows := range l.rows {
		t, _ := l.valueTable(&criterion{source: l.source[i], rows: rows})
		ordered, err := l.ordered(&t)
		if err = cmp.Or(err, s.inputs.err); err != nil {
			return nil, fmt.Errorf("transfer: %w", err)
		}
		if !ordered {
			s.unordered[t.Source] = true
		}
	}
	return slices.Sorted(maps.Keys(s.unordered)), nil
}

func newStrategy(p optimizer.Problem) *strategy {
	if p.Objectives == 0 {
		p.Objectives = 1
	}
	if p.Legal == nil {
		p.Legal = func(space.Point) bool { return true }
	}
	return &strategy{
		problem: p, seedOf: map[space.Key]int{}, badWhenTold: map[space.Key]bool{}, sourceBest: math.Inf(1), inputs: newInputs(&p),
		unordered: map[int]bool{},
	}
}

// strategy proposes seeds, then shares proposals between the models of the
// sources and the base, which knows nothing of them.
type strategy struct {
	problem          optimizer.Problem
	gate             gate
	inputs           *inputs
	told             space.Set
	records          []row     // told trials that say something of their design, in order
	best             []int     // of records, feasible ones, best first
	baseTrials       int       // records that no source proposed
	baseFeasible     []float64 // first objective of the first of these that are feasible
	sourceFeasible   bool      // whether a design that a source proposed is feasible
	sourceBest       float64   // first objective of the best of these
	infeasibleInRow  int       // the last ones of these that are not
	sourceTrials     int       // trials that a source proposed
	sinceImprovement int       // proposals of the models since its last improvement

	criteria    []*criterion
	seeds       []seed
	seedOf      map[space.Key]int  // key of a seed's design → its source
	badWhenTold map[space.Key]bool // seeds that were bad when they were told
	models      *modelProposer     // nil when there are no models
	// unordered are the sources, by position in Problem.Prior, whose values of the
	// first objective say nothing of each other.
	unordered map[int]bool
}

const (
	// badSeeds of a source end its seeding.
	badSeeds = 2
	// modelProposals is how many designs of a batch come from models. Chosen: it
	// bounds the time of a large batch.
	modelProposals = 8
)

// Tell implements optimizer.Strategy.
func (s *strategy) Tell(obs ...optimizer.Observation) {
	for _, o := range obs {
		if key, ok := s.problem.Space.KeyOf(o.Point); ok && s.told.Add(key) {
			s.gate.tell(o)
			s.note(o)
		}
	}
}

func (s *strategy) note(o optimizer.Observation) {
	r, ok := s.row(o)
	if !ok {
		if optimizer.FromSource(o.Origin) { // one that failed is no good either
			s.sourceTrials, s.infeasibleInRow = s.sourceTrials+1, s.infeasibleInRow+1
		}
		return
	}
	r.fromSource = optimizer.FromSource(o.Origin)
	if r.fromSource && s.isBad(&r) {
		s.badWhenTold[r.key] = true
	}
	s.noteForGate(&r)
	if strings.HasPrefix(o.Origin, "transfer:") {
		if s.sinceImprovement++; r.feasible && (len(s.best) == 0 || r.values[0] < s.records[s.best[0]].values[0]) {
			s.sinceImprovement = 0
		}
	}
	s.insert(len(s.records), &r)
	s.records = append(s.records, r)
}

// noteForGate keeps what decides whether the gate opens.
func (s *strategy) noteForGate(r *row) {
	switch {
	case !r.fromSource:
		s.baseTrials++
		if r.feasible && len(s.baseFeasible) < referenceDesigns {
			s.baseFeasible = append(s.baseFeasible, r.values[0])
		}
	case r.feasible:
		s.sourceBest, s.sourceFeasible = min(s.sourceBest, r.values[0]), true
		s.sourceTrials, s.infeasibleInRow = s.sourceTrials+1, 0
	default:
		s.sourceTrials, s.infeasibleInRow = s.sourceTrials+1, s.infeasibleInRow+1
	}
}

// isBad reports whether a design is infeasible, or worse than the median
// of the feasible designs before it. With several objectives a design that is
// bad at the first one may be good at another.
func (s *strategy) isBad(r *row) bool {
	if !r.feasible {
		return true
	}
	if n := len(s.best); n > 0 && s.problem.Objectives == 1 {
		return r.values[0] > s.records[s.best[n/2]].values[0]
	}
	return false
}

// seedCounts counts what the seeds of every source came to: those that are told
// or wait for their answer, and those that were bad, when they were told or by
// what the base has found since.
func (s *strategy) seedCounts(d *draft) (proposed, bad map[int]int) {
	proposed, bad = map[int]int{}, map[int]int{}
	reference, ok := s.medianOfBase()
	late := map[space.Key]bool{}
	for i := range s.records {
		if r := &s.records[i]; ok && r.fromSource && r.feasible && s.problem.Objectives == 1 && r.values[0] > reference {
			late[r.key] = true
		}
	}
	for _, c := range s.seeds {
		if !d.fresh(c.key) {
			proposed[c.source]++
		}
		if s.badWhenTold[c.key] || late[c.key] {
			bad[c.source]++
		}
	}
	return proposed, bad
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
	if err := s.gate.set(s.gateState()); err != nil {
		return nil, fmt.Errorf("transfer: %w", err)
	}
	out, err := s.ask(at, n, pending)
	if s.inputs.err != nil { // what was proposed without the model's word counts for nothing
		return nil, fmt.Errorf("transfer: %w", s.inputs.err)
	}
	return out, err
}

func (s *strategy) ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	d := newDraft(s, at, pending)
	seeds, all := s.allowance(d, n)
	s.proposeSeeds(d, seeds)
	if s.models != nil && all > len(d.out) {
		if err := s.models.propose(d, n, all); err != nil {
			return nil, fmt.Errorf("transfer: %w", err)
		}
	}
	if len(d.out) == n {
		return d.out, nil
	}
	rest, err := s.gate.ask(d, n-len(d.out))
	if err != nil && len(d.out) > 0 && (errors.Is(err, optimizer.ErrExhausted) || errors.Is(err, optimizer.ErrGaveUp)) {
		return d.out, nil
	}
	return append(d.out, rest...), err
}

// allowance is how many of n designs may be seeds, and come from the sources at all. The
// first design of a search is the base's: what it begins with is what a design of
// the sources has to be better than. While none of theirs was good all sources
// together have one (two an objective, where there are several), and one more each
// time that the base's own trials have come to four times as many: 4, 16, 64, … Two
// in a row that are infeasible or fail end it until the base has a feasible design.
func (s *strategy) allowance(d *draft, n int) (seeds, all int) {
	if s.gate.open {
		return n, n
	}
	if s.infeasibleInRow >= badSeeds && len(s.baseFeasible) == 0 {
		return 0, 0
	}
	if s.told.Len() == s.sourceTrials && len(d.pending) == 0 {
		n--
	}
	left := 1 + max(0, bits.Len(uint(s.baseTrials))-1)/2 - s.sourceTrials
	if s.problem.Objectives > 1 {
		left += badSeeds*s.problem.Objectives - 1
	}
	// Of what waits only seeds are known for what they are: the models take all of
	// it for theirs.
	waiting := 0
	for key := range d.taken {
		if _, ok := s.seedOf[key]; ok {
			waiting++
		}
	}
	return max(0, min(n, left-waiting)), max(0, min(n, left-len(d.pending)))
}

// proposeSeeds proposes seeds. A source has two; every further one waits until the base
// has found a feasible design to measure them against, or has had a turn.
func (s *strategy) proposeSeeds(d *draft, n int) {
	proposed, bad := s.seedCounts(d)
	allowed := badSeeds + s.baseTrials
	if len(s.baseFeasible) > 0 || s.problem.Objectives > 1 {
		allowed = len(s.seeds)
	}
	disagrees := s.disagreeing(n)
	for _, c := range s.seeds {
		if len(d.out) < n && !disagrees[c.source] && bad[c.source] < badSeeds && proposed[c.source] < allowed && d.fresh(c.key) && s.problem.Legal(c.point) {
			d.propose(c.key, c.point, c.origin)
			proposed[c.source]++
		}
	}
}

// minAgreed is the number of trials of the base from which on they are held against what
// the sources say of them. Chosen: the first seed comes before, the second does not.
const minAgreed = 4

// disagreeing returns the sources that order the base's own trials, the last
// evidenceRows of them and the infeasible ones last, rather in reverse than as they
// are. They propose no seeds while the gate is closed. A source that says the same of
// all does not order them. n is how many seeds are asked for.
func (s *strategy) disagreeing(n int) map[int]bool {
	out := map[int]bool{}
	if n == 0 || s.gate.open || s.baseTrials < minAgreed || s.problem.Objectives > 1 {
		return out
	}
	var told rankWeighting
	var of []int
	for i := len(s.records) - 1; i >= 0 && len(of) < evidenceRows; i-- {
		if r := &s.records[i]; !r.fromSource {
			told.y, of = append(told.y, rank(r)), append(of, i)
		}
	}
	if !told.informative() {
		return out
	}
	for _, c := range s.criteria {
		said := make([]float64, len(of))
		for k, i := range of {
			said[k] = c.said(i, &s.records[i])
		}
		out[c.source] = slices.Min(said) < slices.Max(said) && told.tau(said) <= 0
	}
	return out
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
