package optimizer

import (
	"math"
	"slices"
	"testing"

	"apollo/optimizer/space"
)

// told fills a P3BO with one round of trials of the given values and origins.
func told(s *p3bo, first int, origins []string, values []float64) {
	for i, v := range values {
		p := s.problem.Space.At(uint64(first + i))
		s.Tell(Observation{Point: p, Values: []float64{v}, Trial: first + i, Origin: origins[i]})
	}
}

func population(t *testing.T, a Algorithm) *p3bo {
	t.Helper()
	return start(t, a, Problem{Space: grid(t, 4, 5), Seed: 1}).(*p3bo)
}

// Two rounds by hand. In the first nothing is earlier, so rewards are the share
// of designs beaten. In the second ga halves the best, tpe does not improve and
// random proposes nothing.
func TestCredit(t *testing.T) {
	t.Parallel()
	s := population(t, P3BO{Members: []string{"ga", "tpe", "random"}, Lead: -1})
	told(s, 0, slices.Repeat([]string{"p3bo/ga", "p3bo/tpe"}, 4), []float64{10, 11, 12, 13, 14, 15, 16, 17})
	want := []float64{0.1, 0.1 * 7 / 8, 0}
	for i, m := range s.members {
		if math.Abs(m.credit-want[i]) > 1e-15 {
			t.Errorf("after round 1 %s has %v, want %v", m.name, m.credit, want[i])
		}
	}
	told(s, 8, slices.Repeat([]string{"p3bo/tpe", "p3bo/ga"}, 4), []float64{20, 5, 21, 30, 22, 31, 23, 32})
	want = []float64{0.5 + 0.1 + 0.9*want[0], 0.1*7/16 + 0.9*want[1], 0}
	for i, m := range s.members {
		if math.Abs(m.credit-want[i]) > 1e-15 {
			t.Errorf("after round 2 %s has %v, want %v", m.name, m.credit, want[i])
		}
	}
	mass := s.probabilities()
	if sum := mass[0] + mass[1] + mass[2]; math.Abs(sum-1) > 1e-12 || !(mass[0] > mass[1] && mass[1] > mass[2] && mass[2] >= 0.05) {
		t.Errorf("probabilities %v", mass)
	}
}

// The first member gets nearly all proposals until the rounds say otherwise,
// and what it leads by fades.
func TestTheFirstMemberLeads(t *testing.T) {
	t.Parallel()
	s := population(t, P3BO{Members: []string{"tpe", "ga", "random"}})
	if mass := s.probabilities(); mass[0] < 0.85 || mass[1] != mass[2] {
		t.Errorf("at the start %v, want most for the first and the same for the others", mass)
	}
	// Eight rounds in which ga alone improves, by a fifth each.
	best := 1000.0
	for round := range 8 {
		values := []float64{best * 0.8, best * 2, best * 2, best * 2, best * 2, best * 2, best * 2, best * 2}
		told(s, 8*round, slices.Concat([]string{"p3bo/ga"}, slices.Repeat([]string{"p3bo/tpe"}, 7)), values)
		best *= 0.8
	}
	if mass := s.probabilities(); !(mass[1] > mass[0]) {
		t.Errorf("after eight rounds that ga won %v, want most for ga", mass)
	}
	level := population(t, P3BO{Members: []string{"tpe", "ga", "random"}, Lead: -1})
	if mass := level.probabilities(); mass[0] != mass[1] || mass[1] != mass[2] {
		t.Errorf("without a lead %v, want the same for all", mass)
	}
}

// The population begins with one set of designs, those of gp, and not with one
// for each member; where they say nothing it goes on covering the space.
func TestMembersShareTheStart(t *testing.T) {
	t.Parallel()
	ask := func(s Strategy, at uint64, n int) []Proposal {
		t.Helper()
		got, err := s.Ask(at, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	problem := Problem{Space: grid(t, 4, 8), Seed: 6}
	s := start(t, P3BO{Members: []string{"ga"}}, problem)
	first := ask(s, 0, 10)
	for i, p := range ask(start(t, GP{Initial: 10}, problem), 0, 10) {
		origin := "p3bo"
		if i == 0 {
			origin = "center"
		}
		if !slices.Equal(p.Point, first[i].Point) || first[i].Origin != origin {
			t.Errorf("design %d is %v of %s, want %v of p3bo, with which gp begins", i, first[i].Point, first[i].Origin, p.Point)
		}
	}
	for i, p := range first {
		s.Tell(Observation{Point: p.Point, Status: Infeasible, Trial: i})
	}
	if got := ask(s, 10, 1)[0]; got.Origin != "p3bo" {
		t.Errorf("where nothing is known %s proposes, want the population", got.Origin)
	}
	s.Tell(Observation{Point: problem.Space.At(99), Values: []float64{1}, Trial: 10})
	// GA alone would propose uniform designs up to its sixteenth.
	if got := ask(s, 11, 1)[0]; got.Origin != "p3bo/ga" || len(got.Parents) == 0 {
		t.Errorf("after the start %s proposes with parents %v, want a child of ga", got.Origin, got.Parents)
	}
}

// Rewards do not depend on who else is there, on failed trials or on how the
// telling is cut, only on the origin in the log.
func TestRoundsIgnoreFailures(t *testing.T) {
	t.Parallel()
	s := population(t, P3BO{Members: []string{"ga", "tpe"}, Lead: -1})
	for i := range 7 {
		s.Tell(Observation{Point: s.problem.Space.At(uint64(i)), Values: []float64{1}, Origin: "p3bo/ga"})
		s.Tell(Observation{Point: s.problem.Space.At(uint64(100 + i)), Status: Failed, Origin: "p3bo/tpe"})
	}
	if s.ledger.round != 0 {
		t.Fatalf("7 trials and 7 failures are %d rounds, want none", s.ledger.round)
	}
	s.Tell(Observation{Point: s.problem.Space.At(50), Status: Infeasible, Origin: "p3bo/tpe"})
	if s.ledger.round != 1 || s.members[1].credit != 0 || !(s.members[0].credit > 0) {
		t.Errorf("round %d, credits %v and %v", s.ledger.round, s.members[0].credit, s.members[1].credit)
	}
}

// After a generation the better half stays and the rest are new instances of
// the winners' kinds, with other knobs, that can be asked at once.
func TestAdaptation(t *testing.T) {
	t.Parallel()
	s := population(t, P3BOAdaptive{P3BO: P3BO{Members: []string{"random", "evolution", "tpe", "ga"}, Lead: -1}, Generation: 2})
	origins := slices.Repeat([]string{"p3bo/ga", "p3bo/tpe"}, 4)
	told(s, 0, origins, []float64{20, 21, 22, 23, 24, 25, 26, 27})
	told(s, 8, origins, []float64{10, 11, 12, 13, 14, 15, 16, 17})
	if s.members[0].name != "ga" || s.members[1].name != "tpe" {
		t.Fatalf("%s and %s survive, want ga and tpe", s.members[0].name, s.members[1].name)
	}
	for _, m := range s.members[2:] {
		parent := s.members[0]
		if m.kind == "tpe" {
			parent = s.members[1]
		}
		if m.kind != parent.kind || m.setup == parent.setup || m.credit != parent.credit {
			t.Errorf("%s is %+v with credit %v, its parent %+v with %v", m.name, m.setup, m.credit, parent.setup, parent.credit)
		}
		if _, err := m.setup.Start(Problem{Space: grid(t, 2, 3)}); err != nil {
			t.Errorf("%s does not start: %v", m.name, err)
		}
	}
	got, err := s.Ask(16, 12, []space.Point{s.problem.Space.At(99)})
	if err != nil || len(got) != 12 {
		t.Fatalf("Ask = %d designs, %v, want 12", len(got), err)
	}
}

// Whatever is perturbed again and again stays in range.
func TestPerturbedKnobsAreValid(t *testing.T) {
	t.Parallel()
	rng := newStream(3, 3)
	for _, name := range Names() {
		a, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			a = perturb(a, rng)
			if err := a.(knobs).validate(); err != nil {
				t.Fatalf("%s: %+v: %v", name, a, err)
			}
		}
	}
}
