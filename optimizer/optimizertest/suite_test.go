package optimizertest

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// broken is random search with one promise broken.
type broken struct {
	optimizer.Strategy
	ask  func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error)
	tell func(s *broken, obs []optimizer.Observation)

	deaf bool // the random search inside is not told

	problem optimizer.Problem
	count   int
	kept    []space.Point
}

func (b *broken) Start(p optimizer.Problem) (optimizer.Strategy, error) {
	inner, err := optimizer.Random{}.Start(p)
	return &broken{Strategy: inner, ask: b.ask, tell: b.tell, deaf: b.deaf, problem: p}, err
}

func (b *broken) Ask(at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
	if b.ask == nil {
		return b.Strategy.Ask(at, n, pending)
	}
	return b.ask(b, at, n, pending)
}

func (b *broken) Tell(obs ...optimizer.Observation) {
	if b.tell != nil {
		b.tell(b, obs)
	}
	if !b.deaf {
		b.Strategy.Tell(obs...)
	}
}

// recorder stands in for the test of a suite that has to fail.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	if r.failure == "" {
		r.failure = fmt.Sprintf(format, args...)
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failureOf runs a program and returns the first failure, "" when there is none.
func failureOf(a optimizer.Algorithm, code []byte) string {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Program(r, a, code)
	}()
	<-done
	return r.failure
}

// The programs must find each of these, or they prove nothing.
func TestProgramsFindBrokenStrategies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		broken     broken
	}{
		{"forgets what is pending", "is pending", broken{ask: func(s *broken, at uint64, n int, _ []space.Point) ([]optimizer.Proposal, error) {
			return s.Strategy.Ask(at, n, nil)
		}}},
		{"repeats within a batch", "is in the batch", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			got, err := s.Strategy.Ask(at, n, pending)
			if len(got) > 1 {
				got[1].Point = got[0].Point.Clone()
			}
			return got, err
		}}},
		{"ignores what is legal", "is not legal", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			got, err := s.Strategy.Ask(at, n, pending)
			for i := range got {
				for _, p := range s.problem.Space.All() {
					if s.problem.Legal != nil && !s.problem.Legal(p) {
						got[i].Point = p
						break
					}
				}
			}
			return got, err
		}}},
		{"stops short", "designs with", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			got, err := s.Strategy.Ask(at, n, pending)
			return got[:min(len(got), 2)], err
		}}},
		{"gives up early", "points left: no legal design", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			if at > 12 {
				return nil, optimizer.ErrExhausted
			}
			return s.Strategy.Ask(at, n, pending)
		}}},
		{"remembers asks", "a second Ask", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			s.count++
			return s.Strategy.Ask(at+uint64(s.count), n, pending)
		}}},
		{"counts tells", "rebuilt from a log", broken{
			tell: func(s *broken, _ []optimizer.Observation) { s.count++ },
			ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
				return s.Strategy.Ask(at+uint64(s.count), n, pending)
			},
		}},
		{"keeps the observer's points", "was told", broken{
			deaf: true,
			tell: func(s *broken, obs []optimizer.Observation) {
				for _, o := range obs {
					s.kept = append(s.kept, o.Point)
				}
			},
			ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
				return s.Strategy.Ask(at, n, slices.Concat(pending, s.kept))
			},
		}},
		{"writes observations", "Tell wrote", broken{tell: func(_ *broken, obs []optimizer.Observation) {
			if len(obs[0].Point) > 0 {
				obs[0].Point[0]++
			}
		}}},
		{"writes pending", "Ask wrote", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			got, err := s.Strategy.Ask(at, n, pending)
			for _, p := range pending {
				clear(p)
			}
			return got, err
		}}},
		{"invents parents", "as parent", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			got, err := s.Strategy.Ask(at, n, pending)
			for i := range got {
				got[i].Parents = []int{int(at) + 1}
			}
			return got, err
		}}},
		{"says nothing of its origin", "has no origin", broken{ask: func(s *broken, at uint64, n int, pending []space.Point) ([]optimizer.Proposal, error) {
			got, err := s.Strategy.Ask(at, n, pending)
			for i := range got {
				got[i].Origin = ""
			}
			return got, err
		}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found, last := 0, ""
			for i := range 60 {
				if failure := failureOf(&c.broken, programCode(i)); failure != "" {
					last = failure
					if strings.Contains(failure, c.want) {
						found++
					}
				}
			}
			if found < 3 {
				t.Errorf("%d of 60 programs found it, want at least 3 failures with %q; the last was %q", found, c.want, last)
			}
		})
	}
	for i := range 60 {
		if failure := failureOf(&broken{}, programCode(i)); failure != "" {
			t.Fatalf("program %d fails for a strategy that is not broken: %s", i, failure)
		}
	}
}

func TestProblemsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, p := range Problems() {
		if names[p.Name] {
			t.Errorf("problem %s exists twice", p.Name)
		}
		names[p.Name] = true
		const draws = 50_000
		legal, feasible := 0, 0
		for i := range uint64(draws) {
			point := p.Space.At(digest(i, 1) % p.Space.Size())
			if p.Legal != nil && !p.Legal(point) {
				continue
			}
			legal++
			o, again := p.Measure(point), p.Measure(point)
			if !reflect.DeepEqual(o, again) {
				t.Fatalf("%s: %v is measured as %v and as %v", p.Name, point, o, again)
			}
			if o.Status == optimizer.Measured {
				feasible++
			}
		}
		t.Logf("%s: %d points, legal %.4f, feasible %.4f", p.Name, p.Space.Size(), float64(legal)/draws, float64(feasible)/draws)
		if p.Name == "accelerator" && (legal < 1_200 || legal > 1_400) {
			t.Errorf("accelerator: %d of %d draws are legal, want 2.6 %%", legal, draws)
		}
		if p.Name == "budget" && (feasible < 5_000 || feasible > 8_000) {
			t.Errorf("budget: %d of %d draws are feasible, want an eighth", feasible, draws)
		}
	}
	for _, c := range []struct {
		problem string
		optimum space.Point
		value   float64
	}{
		{"sphere", space.Point{4, 9, 14, 3, 8, 13, 2, 7}, 0},
		{"rosenbrock", space.Point{12, 12, 12, 12, 12, 12}, 0},
		{"rastrigin", space.Point{5, 10, 15, 20, 4, 9, 14, 19}, 0},
		{"plateau", space.Point{4, 9, 14, 3, 8, 13, 2, 7}, 0},
		{"trap", slices.Repeat(space.Point{1}, 24), 0},
	} {
		if got := problem(c.problem).Measure(c.optimum).Values[0]; got != c.value {
			t.Errorf("%s at its optimum is %v, want %v", c.problem, got, c.value)
		}
	}
}
