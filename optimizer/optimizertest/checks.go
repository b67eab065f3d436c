package optimizertest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// exhausts asks small spaces to the last point: every legal one comes exactly
// once, in batches that may be larger than what is left.
func exhausts(t *testing.T, a optimizer.Algorithm, _ Options) {
	for _, c := range []struct {
		name  string
		space space.Space
		legal func(space.Point) bool
	}{
		{"no parameter", lattice(), nil},
		{"one point", lattice(1, 1), nil},
		{"one parameter", lattice(7), nil},
		{"single levels", lattice(1, 3, 1, 2, 1), nil},
		{"categories", lattice(-3, -2, -4), nil},
		{"half legal", lattice(5, -3, 4), func(p space.Point) bool { return (p[0]+p[1]+p[2])%2 == 0 }},
		{"one legal", lattice(9, 9, 9), func(p space.Point) bool { return p[0] == 7 && p[1] == 0 && p[2] == 8 }},
		{"islands", lattice(12, 12), func(p space.Point) bool { return p[0]%4 == 0 && p[1]%4 == 3 }},
		{"nothing legal", lattice(6, 6), func(space.Point) bool { return false }},
	} {
		for _, batch := range []int{1, 4, 1000} {
			t.Run(fmt.Sprint(c.name, " by ", batch), func(t *testing.T) {
				t.Parallel()
				s := newStudy(t, a, optimizer.Problem{Space: c.space, Legal: c.legal, Seed: 5})
				s.run(math.MaxInt, batch, patchy)
				if got, want := len(s.log), len(s.legal); got != want {
					t.Errorf("exhausted after %d trials, want %d", got, want)
				}
			})
		}
	}
}

// patchy is a slope on which one design in three cannot run, for one of two
// causes.
func patchy(p space.Point) optimizer.Observation {
	sum := 0
	for _, level := range p {
		sum += level
	}
	if sum%3 == 2 {
		return optimizer.Observation{Status: optimizer.Infeasible, Violation: 1 + float64(sum), Cause: []string{"odd", "even"}[(sum+1)%2]}
	}
	return slope(p)
}

// slope falls with every level, and with categories too: smooth and trivial.
func slope(p space.Point) optimizer.Observation {
	v := 0.0
	for i, level := range p {
		v -= float64((i + 1) * level)
	}
	return optimizer.Observation{Values: []float64{v}}
}

// withholds leaves trials pending while the space runs out.
func withholds(t *testing.T, a optimizer.Algorithm, _ Options) {
	s := newStudy(t, a, optimizer.Problem{Space: lattice(4, -3, 2), Seed: 9})
	for len(s.ask(5)) > 0 {
	}
	if got, want := len(s.pending), 24; got != want {
		t.Fatalf("%d designs were proposed without a result, want all %d", got, want)
	}
	for len(s.pending) > 0 {
		s.tell(len(s.pending)/2, optimizer.Observation{Status: optimizer.Failed})
		s.ask(1) // still exhausted: a failed design is not tried again
	}
}

// rebuilds stops studies of the named problems at several trials and starts
// them again from their logs, told whole, singly and in uneven pieces. The
// bowls and waves on plain lattices are one problem to a restart: the one with
// ties stands for them.
func rebuilds(t *testing.T, a optimizer.Algorithm, o Options) {
	plain := []string{"sphere", "rosenbrock", "ackley", "rastrigin"}
	rebuildsOf(t, a, o, slices.DeleteFunc(Problems(), func(p Problem) bool { return slices.Contains(plain, p.Name) }))
}

func rebuildsOf(t *testing.T, a optimizer.Algorithm, o Options, problems []Problem) {
	if testing.Short() {
		problems = problems[len(problems)/2:]
	}
	for _, p := range problems {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			s := newStudy(t, a, p.Start(3))
			rng := rand.New(rand.NewPCG(3, 3))
			uneven := func() int { return 1 + rng.IntN(9) }
			s.run(1, 7, p.Measure)
			s.rebuild(5, uneven)
			s.run(o.Trials/4, 7, p.Measure)
			s.rebuild(1, func() int { return 1 })
			s.run(o.Trials*3/4, 7, p.Measure)
			s.rebuild(5, func() int { return 0 })
			s.rebuild(1, func() int { return 1 })
			s.rebuild(11, uneven)
		})
	}
}

// survives feeds results that carry little, or strange, information.
func survives(t *testing.T, a optimizer.Algorithm, o Options) { survivesWith(t, a, o, 1) }

func survivesWith(t *testing.T, a optimizer.Algorithm, o Options, objectives int) {
	extreme := []float64{1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, 0, 5e-324, -5e-324, 1}
	for _, c := range []struct {
		name    string
		measure func(space.Point) optimizer.Observation
	}{
		{"all infeasible", func(space.Point) optimizer.Observation {
			return optimizer.Observation{Status: optimizer.Infeasible}
		}},
		{"all over a constraint", func(p space.Point) optimizer.Observation {
			return optimizer.Observation{Status: optimizer.Infeasible, Values: []float64{2}, Violation: 1 / (1 + float64(p[0]))}
		}},
		{"one in eight feasible", func(p space.Point) optimizer.Observation {
			if p[0] == 3 {
				return optimizer.Observation{Values: []float64{float64(p[1])}}
			}
			return optimizer.Observation{Status: optimizer.Infeasible}
		}},
		{"all failed", func(space.Point) optimizer.Observation { return optimizer.Observation{Status: optimizer.Failed} }},
		{"half failed", func(p space.Point) optimizer.Observation {
			if p[0]%2 == 0 {
				return optimizer.Observation{Status: optimizer.Failed}
			}
			return slope(p)
		}},
		{"constant", func(space.Point) optimizer.Observation { return optimizer.Observation{Values: []float64{7}} }},
		{"extreme values", func(p space.Point) optimizer.Observation {
			return optimizer.Observation{Values: []float64{extreme[p[0]]}}
		}},
		{"huge violations", func(p space.Point) optimizer.Observation {
			return optimizer.Observation{Status: optimizer.Infeasible, Violation: math.Abs(extreme[p[0]])}
		}},
		{"tiny differences", func(p space.Point) optimizer.Observation {
			return optimizer.Observation{Values: []float64{1 + float64(p[0])*0x1p-52}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStudy(t, a, optimizer.Problem{Space: lattice(8, 6, -4, 1, 3), Seed: 21, Objectives: objectives})
			s.run(o.Trials, 6, several(c.measure, objectives))
			s.rebuild(4, func() int { return 0 })
		})
	}
}

// foreign tells what the strategy never proposed: other studies' trials, also
// of points that are not legal here or belong to another space.
func foreign(t *testing.T, a optimizer.Algorithm, o Options) {
	legal := func(p space.Point) bool { return p[0] != 2 }
	s := newStudy(t, a, optimizer.Problem{Space: lattice(6, 5, -3, 4), Legal: legal, Seed: 2})
	for i := uint64(0); i < s.problem.Space.Size(); i += 5 {
		obs := slope(s.problem.Space.At(i))
		obs.Trial = -1
		s.observe(obs)
	}
	for _, p := range []space.Point{nil, {1}, {0, 0, 0, 0, 0}, {6, 0, 0, 0}, {0, -1, 0, 0}} {
		s.observe(optimizer.Observation{Point: p, Values: []float64{-1e6}, Trial: -1})
	}
	s.rebuild(8, func() int { return 7 })
	s.run(len(s.log)+o.Trials, 5, slope)
	s.rebuild(8, func() int { return 0 })
}

// repeats tells trials again, with the same and with another result.
func repeats(t *testing.T, a optimizer.Algorithm, o Options) {
	s := newStudy(t, a, optimizer.Problem{Space: lattice(8, 5, -3, 4), Seed: 4})
	s.run(o.Trials/2, 5, slope)
	s.observe(slices.Clone(s.log)...)
	for _, again := range s.log[:len(s.log)/4] {
		again.Values = []float64{again.Values[0] + 1}
		s.observe(again)
		again.Status, again.Values = optimizer.Failed, nil
		s.observe(again)
	}
	s.ask(3)
	s.run(len(s.log)+o.Trials/4, 5, slope)
	s.rebuild(5, func() int { return 3 })
}

// objectives starts a study of two objectives: a strategy that searches one
// has to say so at the start.
func objectives(t *testing.T, a optimizer.Algorithm, o Options) {
	p := optimizer.Problem{Space: lattice(6, 5, -3, 4), Objectives: 2}
	if _, err := a.Start(p); err != nil {
		t.Logf("Start refuses two objectives: %v", err)
		return
	}
	s := newStudy(t, a, p)
	s.run(o.Trials/2, 5, func(p space.Point) optimizer.Observation {
		return optimizer.Observation{Values: []float64{float64(p[0] - p[1]), float64(p[3] - p[0])}}
	})
	s.rebuild(5, func() int { return 3 })
}

// seeds checks that the seed of a problem selects another search.
func seeds(t *testing.T, a optimizer.Algorithm, _ Options) {
	ask := func(seed uint64) []optimizer.Proposal {
		s := newStudy(t, a, optimizer.Problem{Space: lattice(16, 16, 16, 16, 16), Seed: seed})
		proposals, err := s.askOnce(s.strategy, 16)
		s.check(16, proposals, err)
		return proposals
	}
	if one, two := ask(1), ask(2); reflect.DeepEqual(one, two) {
		t.Errorf("seeds 1 and 2 propose the same designs: %v", one)
	}
}

// wide searches spaces of 2^63 points and more, which have no index.
func wide(t *testing.T, a optimizer.Algorithm, o Options) {
	features := func(p space.Point) []float64 { return []float64{float64(p[0] * p[1]), float64(p[2])} }
	for _, c := range []struct {
		name string
		optimizer.Problem
	}{
		{"63 switches", optimizer.Problem{Space: repeat(63, 2)}},
		{"64 categories", optimizer.Problem{Space: repeat(64, -2), Legal: func(p space.Point) bool { return p[3] == p[60] }}},
		{"10 of 80", optimizer.Problem{Space: repeat(10, 80), Features: features}},
		{"a mapping", optimizer.Problem{Space: lattice(200, -6, 200, -6, 200, 200, 200, 200, 200, 30), Features: features, Legal: func(p space.Point) bool { return p[0]+p[2] < 200 }}},
		{"2^140", optimizer.Problem{Space: repeat(70, 4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := c.Problem
			p.Seed = 8
			s := newStudy(t, a, p)
			s.run(min(12, o.Trials), 4, patchy)
			s.rebuild(2, func() int { return 7 })
			s.run(len(s.log)+4, 3, slope)
		})
	}
}

// large tells a long log at once and asks on.
func large(t *testing.T, a optimizer.Algorithm, o Options) { largeOf(t, a, o, problem("accelerator")) }

func largeOf(t *testing.T, a optimizer.Algorithm, o Options, p Problem) {
	reference, err := optimizer.Random{}.Start(p.Start(6))
	if err != nil {
		t.Fatal(err)
	}
	proposals, err := reference.Ask(0, o.Large, nil)
	if err != nil || len(proposals) != o.Large {
		t.Fatalf("random search proposes %d designs, %v, want %d", len(proposals), err, o.Large)
	}
	log := make([]optimizer.Observation, o.Large)
	for i, proposal := range proposals {
		log[i] = p.Measure(proposal.Point)
		log[i].Point, log[i].Trial, log[i].Origin = proposal.Point, i, proposal.Origin
	}
	s := newStudy(t, a, p.Start(6))
	s.proposed = uint64(o.Large)
	s.observe(log...)
	s.ask(24)
	s.rebuild(5, func() int { return o.Large/3 + 1 })
}
