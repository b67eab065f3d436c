package optimizertest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// programs runs random programs, the same ones for every strategy.
func programs(t *testing.T, a optimizer.Algorithm, o Options) {
	for i := range o.Programs {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			Program(t, a, programCode(i))
		})
	}
}

func programCode(i int) []byte {
	code := make([]byte, 20+i%100)
	rng := rand.New(rand.NewPCG(uint64(i), 77))
	for j := range code {
		code[j] = byte(rng.Uint32())
	}
	return code
}

// Program reads code as a small study and a sequence of asks, results, foreign
// observations and restarts, and checks the contract at every step, then asks
// the space to its last point. Any bytes are a program: it is meant for fuzz
// targets. The spaces have at most 100 points.
func Program(t testing.TB, a optimizer.Algorithm, code []byte) {
	t.Helper()
	program(t, a, code, 1)
}

func program(t testing.TB, a optimizer.Algorithm, code []byte, objectives int) {
	t.Helper()
	c := &tape{code: code}
	p := c.problem()
	p.Objectives = objectives
	s := newStudy(t, a, p)
	measure := several(c.measure(), objectives)
	for len(c.code) > 0 {
		switch op, n := c.next(8), c.next(9); op {
		case 0, 1, 2:
			s.ask(1 + n)
		case 3, 4:
			for ; n > 0 && len(s.pending) > 0; n-- {
				i := c.next(len(s.pending))
				s.tell(i, measure(s.pending[i].Point))
			}
		case 5:
			s.observe(c.foreign(s, measure))
		case 6:
			s.rebuild(1+n, func() int { return c.next(6) })
		default:
			s.ask(1)
		}
	}
	s.run(1<<20, 7, measure)
	s.rebuild(3, func() int { return 5 })
}

// tape hands out the bytes of a program; past its end they are 0.
type tape struct{ code []byte }

// next returns a number in [0, n).
func (c *tape) next(n int) int {
	if len(c.code) == 0 {
		return 0
	}
	b := c.code[0]
	c.code = c.code[1:]
	return int(b) % n
}

func (c *tape) problem() optimizer.Problem {
	shapes := [][]int{{4, -3, 1, 5}, {2, 2, 2, 2, 2, 2}, {-10, 10}, {97}, {1, 1, -2}, {3, 3, 3, 3}, {-2, 7, 7}}
	s := lattice(shapes[c.next(len(shapes))]...)
	p := optimizer.Problem{Space: s, Seed: uint64(c.next(256))}
	if oneIn := 1 + c.next(6); oneIn > 1 {
		p.Legal = func(q space.Point) bool { return digest(s.Index(q), p.Seed)%uint64(oneIn) == 0 }
	}
	if c.next(2) == 1 {
		p.Features = func(q space.Point) []float64 {
			sum := 0.0
			for _, level := range q {
				sum += float64(level)
			}
			return []float64{sum, 1}
		}
	}
	if c.next(3) == 0 {
		p.Prior = priors(s)
	}
	return p
}

// priors returns a task over the same space, one over another, and an empty one.
func priors(same space.Space) []optimizer.Task {
	tasks := []optimizer.Task{{Name: "same/1", Space: same}, {Name: "other/1", Space: lattice(5, -2)}, {Name: "empty/1"}}
	for i := range 2 {
		for k := range min(6, tasks[i].Space.Size()) {
			o := optimizer.Observation{Point: tasks[i].Space.At(k), Values: []float64{float64(k)}, Trial: int(k)}
			if k%3 == 2 {
				o.Status, o.Values = optimizer.Infeasible, nil
			}
			tasks[i].Observations = append(tasks[i].Observations, o)
		}
	}
	return tasks
}

func digest(x, seed uint64) uint64 { return rand.NewPCG(x, seed).Uint64() }

// measure returns a mixture of outcomes that is a pure function of the point.
func (c *tape) measure() func(space.Point) optimizer.Observation {
	kind := c.next(5)
	return func(p space.Point) optimizer.Observation {
		o := slope(p)
		roll := uint64(0)
		for _, level := range p {
			roll = digest(roll, uint64(level))
		}
		switch {
		case kind == 1 || kind == 2 && roll%3 == 0:
			return optimizer.Observation{Status: optimizer.Infeasible}
		case kind == 3 && roll%2 == 0:
			return optimizer.Observation{Status: optimizer.Infeasible, Values: o.Values, Violation: float64(roll%7) / 3}
		case kind == 0 && roll%4 == 0:
			o.Values[0] = 1e9 // a penalty
		case kind == 3 && roll%5 == 0:
			return optimizer.Observation{Status: optimizer.Failed}
		case kind == 4 && roll%5 == 0:
			return optimizer.Observation{Status: optimizer.Failed, Cause: "failed"}
		}
		return o
	}
}

// foreign makes an observation that the study did not ask for: any point of
// the space or one beside it, also a pending or a told one.
func (c *tape) foreign(s *study, measure func(space.Point) optimizer.Observation) optimizer.Observation {
	p := s.problem.Space.At(uint64(c.next(256)) % s.problem.Space.Size())
	o := measure(p)
	o.Point, o.Trial = p, -1
	if c.next(8) == 0 {
		o.Point = slices.Concat(p, space.Point{0})
	}
	return o
}
