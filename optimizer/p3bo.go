package optimizer

import (
	"fmt"
	"math"
	"strings"

	"apollo/optimizer/space"
)

// P3BO is the paper's population-based black-box optimisation: several
// strategies search together, each is told all trials, and who found good
// designs lately proposes more of the next ones.
//
// References: C. Angermueller et al., Population-Based Black-Box Optimization
// for Biological Sequence Design, ICML 2020 (credit, softmax, adaptation);
// A. Yazdanbakhsh et al., Apollo, arXiv 2102.01723 (its use on accelerators).
//
// A round is eight told trials, in the order of telling. At its end the credit
// of every member becomes r + Decay·credit, where r is the relative improvement
// of its best design over the best of earlier rounds plus a tenth of the share
// of known designs that its best one beats; without a design in the round r is
// 0. The tenth and the floor are additions: improvement alone is almost always
// 0 late in a study. A member is drawn for each proposal with a probability of
// softmax(credit/Temperature), but at least Floor. The first member leads: it
// begins with the credit Lead, which fades like any other, so that proposals
// are not spread evenly over good and bad members until the rounds have told
// them apart (docs/decisions/0008). A member is asked for all of its
// proposals at once, with those of the members before it as pending, so that no
// two members propose one design. The origin of a proposal is "p3bo/" and the
// member, which is how credit finds it after a restart.
//
// The first Initial designs are those of Sobol, as with GP, and so are the next
// ones until one is feasible or says by how much it is not; ga, gp, mbo and tpe
// begin with no designs of their own. Their origin is "p3bo", and no member is paid for them.
//
// A member that was not drawn yet costs nothing. Time and memory are the sum of
// those of its members, and about 150 bytes a trial for the log.
type P3BO struct {
	// Members are the names of the strategies, the one that leads first, at least
	// one, none of them twice and none a P3BO. None means gp, ga, tpe and mbo.
	Members []string `json:"members"`
	// Decay is the part of its credit that a member keeps from round to round,
	// in (0, 1]. 0 means 0.9.
	Decay float64 `json:"decay"`
	// Temperature divides the credit; a smaller one follows it more closely.
	// 0 means 0.2.
	Temperature float64 `json:"temperature"`
	// Floor is the smallest probability of a member, at most one over their
	// number. 0 means 0.05; a negative number means that there is none.
	Floor float64 `json:"floor"`
	// Lead is the credit that the first member begins with; that of the others
	// is 0. A large one gives the first member all early proposals that Floor
	// leaves. 0 means 1; a negative number means that no member leads.
	Lead float64 `json:"lead"`
	// Initial is the number of designs before the first member is drawn, at
	// least 1. 0 means 10.
	Initial int `json:"initial"`
}

var _ Strategy = (*p3bo)(nil)

// Start implements Algorithm. A problem with several objectives is an error.
func (a P3BO) Start(p Problem) (Strategy, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	return newP3BO(p, a.withDefaults(), 0)
}

func (a P3BO) withDefaults() P3BO {
	if len(a.Members) == 0 {
		a.Members = []string{"gp", "ga", "tpe", "mbo"}
	}
	if a.Decay == 0 {
		a.Decay = 0.9
	}
	if a.Temperature == 0 {
		a.Temperature = 0.2
	}
	if a.Lead == 0 {
		a.Lead = 1
	}
	a.Lead = max(0, a.Lead)
	if a.Initial == 0 {
		a.Initial = 10
	}
	a.Floor = min(probability(a.Floor, 0.05), 1/float64(len(a.Members)))
	return a
}

// The comparisons are written so that a NaN is out of range.
func (a P3BO) validate() error {
	seen := map[string]bool{}
	for _, name := range a.Members {
		if strings.HasPrefix(name, "p3bo") {
			return fmt.Errorf("members has %q, which has members itself", name)
		}
		if _, err := New(name, nil); err != nil {
			return fmt.Errorf("members: %w", err)
		}
		if seen[name] {
			return fmt.Errorf("members has %q twice", name)
		}
		seen[name] = true
	}
	switch {
	case !(a.Decay >= 0 && a.Decay <= 1):
		return fmt.Errorf("decay is %v, but must be above 0 and at most 1", a.Decay)
	case !(a.Temperature >= 0):
		return fmt.Errorf("temperature is %v, but must not be negative", a.Temperature)
	case !(a.Floor <= 1):
		return fmt.Errorf("floor is %v, but must be at most 1", a.Floor)
	case math.IsNaN(a.Lead) || math.IsInf(a.Lead, 0):
		return fmt.Errorf("lead is %v, but must be finite", a.Lead)
	case a.Initial < 0:
		return fmt.Errorf("initial is %d, but must be at least 1", a.Initial)
	}
	return nil
}

// P3BOAdaptive is P3BO whose population changes: every Generation rounds the
// better half of the members, by credit, stays, and each of the others gives
// way to a new instance with the knobs of a tournament's winner, perturbed. A
// new instance starts from all trials and with the credit of its parent.
//
// References and costs are those of P3BO; an instance is told the whole log
// when it is first drawn.
type P3BOAdaptive struct {
	// P3BO has the knobs of the population.
	P3BO
	// Generation is the number of rounds of eight trials between changes, at
	// least 1. 0 means 4.
	Generation int `json:"generation"`
}

// Start implements Algorithm. A problem with several objectives is an error.
func (a P3BOAdaptive) Start(p Problem) (Strategy, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	if a.Generation == 0 {
		a.Generation = 4
	}
	return newP3BO(p, a.withDefaults(), a.Generation)
}

func (a P3BOAdaptive) validate() error {
	if a.Generation < 0 {
		return fmt.Errorf("generation is %d, but must be at least 1", a.Generation)
	}
	return a.P3BO.validate()
}

type p3bo struct {
	history
	knobs      P3BO
	sequence   *sobolSequence
	generation int // rounds between changes of the population; 0 means never
	log        []Observation
	members    []*member
	born       int
	ledger     ledger
}

// member is one instance of a strategy.
type member struct {
	name     string // its origin, after "p3bo/"
	kind     string
	setup    Algorithm
	credit   float64
	strategy Strategy // nil until it is first drawn
	told     int      // how much of the log it was told
	seed     uint64
}

func newP3BO(p Problem, knobs P3BO, generation int) (*p3bo, error) {
	h, err := newHistory(p, "p3bo", 0)
	if err != nil {
		return nil, err
	}
	s := &p3bo{history: h, knobs: knobs, sequence: newSobolSequence(p), generation: generation}
	for _, kind := range knobs.Members {
		setup, err := New(kind, nil)
		if err != nil {
			return nil, err
		}
		s.members = append(s.members, s.newMember(kind, kind, started(setup, knobs.Initial)))
	}
	s.members[0].credit = knobs.Lead
	return s, nil
}

// started returns the algorithm with n designs before its first model or child:
// a member has those of the population.
func started(a Algorithm, n int) Algorithm {
	switch a := a.(type) {
	case GA:
		a.Initial = n
		return a
	case TPE:
		a.Initial = n
		return a
	case GP:
		a.Initial = n
		return a
	case MBO:
		a.Initial = n
		return a
	}
	return a
}

func (s *p3bo) newMember(name, kind string, setup Algorithm) *member {
	s.born++
	return &member{name: name, kind: kind, setup: setup, seed: scramble(s.problem.Seed + uint64(s.born))}
}

// Tell implements Strategy.
func (s *p3bo) Tell(obs ...Observation) {
	for _, o := range obs {
		o.Point = o.Point.Clone()
		o.Values = append([]float64(nil), o.Values...)
		s.log = append(s.log, o)
		if !s.note(o) {
			continue
		}
		if len(s.records)%roundSize == 0 {
			s.settle()
		}
	}
}

// Ask implements Strategy.
func (s *p3bo) Ask(at uint64, n int, pending []space.Point) ([]Proposal, error) {
	b, err := s.open(at, n, pending, "p3bo")
	if err != nil {
		return nil, err
	}
	cover := s.uncovered(s.knobs.Initial, b)
	if s.feasibilityUnknown() {
		cover = n
	}
	b.begin(min(cover, s.uncovered(1, b)))
	b.cover(s.sequence, min(n, cover))
	s.draw(b, at, n-len(b.out), pending)
	b.fill(n)
	return b.close()
}

// draw adds up to n proposals of drawn members.
func (s *p3bo) draw(b *batch, at uint64, n int, pending []space.Point) {
	counts := make([]int, len(s.members))
	mass := s.probabilities()
	for range n {
		counts[pick(mass, b.rng)]++
	}
	waiting := append([]space.Point(nil), pending...)
	for _, p := range b.out {
		waiting = append(waiting, p.Point)
	}
	for i, m := range s.members {
		if counts[i] == 0 {
			continue
		}
		got, err := s.consult(m, at, counts[i], waiting)
		if err != nil {
			continue // it found nothing new; others may
		}
		for _, p := range got {
			key := s.problem.Space.Key(p.Point)
			if !b.fresh(key) {
				continue
			}
			b.hold(key)
			p.Origin = originPrefix + m.name
			b.out = append(b.out, p)
			waiting = append(waiting, p.Point)
		}
	}
}

const originPrefix = "p3bo/"

// consult asks one member, which is told first what it has missed.
func (s *p3bo) consult(m *member, at uint64, n int, pending []space.Point) ([]Proposal, error) {
	if m.strategy == nil {
		p := s.problem
		p.Seed = m.seed
		strategy, err := m.setup.Start(p)
		if err != nil {
			return nil, err
		}
		m.strategy = strategy
	}
	m.strategy.Tell(s.log[m.told:]...)
	m.told = len(s.log)
	return m.strategy.Ask(at, n, pending)
}
