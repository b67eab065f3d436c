package suite

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"apollo/evaluator"
	"apollo/events"
	"apollo/optimizer/space"
	"apollo/services/study"
)

// additive is a pair of functions that are sums over the parameters, so that
// the front of the lattice is the sum of the parameters' own fronts.
func additive(name string, term func(i int, x float64) [2]float64) pair {
	p := pair{name: name, family: "additive", params: bbobParams()}
	p.of = func(x []float64) [2]float64 {
		var s [2]float64
		for i, v := range x {
			t := term(i, v)
			s[0], s[1] = s[0]+t[0], s[1]+t[1]
		}
		return s
	}
	p.exact = func() front {
		total := front{{0, 0}}
		for i, param := range p.params {
			var own [][2]float64
			for _, x := range param.Values {
				own = append(own, term(i, x))
			}
			total = total.plus(prune(own), math.Inf(1))
		}
		return total
	}
	return p
}

// optima draws the two lattice points where a pair has its minima.
func optima(seed uint64) (first, second []float64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	draw := func() []float64 {
		x := make([]float64, bbobDims)
		for i := range x {
			x[i] = float64(rng.IntN(bbobLevel))*bbobStep - bbobBound
		}
		return x
	}
	return draw(), draw()
}

func sphereSphere() pair {
	a, b := optima(1)
	return additive("sphere-sphere", func(i int, x float64) [2]float64 {
		return [2]float64{(x - a[i]) * (x - a[i]), (x - b[i]) * (x - b[i])}
	})
}

// sphereRastrigin has Rastrigin's function without rotation and ruggedness, so
// that it is a sum.
func sphereRastrigin() pair {
	a, b := optima(2)
	return additive("sphere-rastrigin", func(i int, x float64) [2]float64 {
		d := x - b[i]
		return [2]float64{(x - a[i]) * (x - a[i]), d*d + 10*(1-math.Cos(2*math.Pi*d))}
	})
}

const (
	// climbStarts legal designs of at most climbDraws, and climbEvaluations in
	// all, bound the search for a best known front to some minutes. Chosen.
	climbStarts      = 2000
	climbDraws       = 1 << 24
	climbEvaluations = 400_000
	// climbPatience is how many mutants in a row may be known or not legal.
	climbPatience = 10_000
)

// climbing names what climb does, for fronts that are kept: it changes with
// every change of what is found.
const climbing = "iterated Pareto local search"

// climb is iterated Pareto local search (L. Paquete, M. Chiarandini, T. Stützle,
// 2004; M. M. Drugan, D. Thierens, 2012): it starts from random legal designs
// and visits every neighbour of every design of the archive. Where none is left
// it goes on from designs of the archive of which some parameters are changed at
// random, until the budget is spent or they lead nowhere new.
func climb(ctx context.Context, spec *events.Spec, ev evaluator.Evaluator) (front, error) {
	c, err := newClimber(spec, ev)
	if err != nil {
		return nil, err
	}
	sp := c.space
	for tries := uint64(0); len(c.seen) < climbStarts && tries < min(climbDraws, 20*sp.Size()); tries++ {
		if err := c.visit(ctx, sp.At(c.rng.Uint64N(sp.Size()))); err != nil {
			return nil, err
		}
	}
	for idle := 0; idle < climbPatience && len(c.seen) < climbEvaluations; {
		if err := c.descend(ctx); err != nil {
			return nil, err
		}
		if len(c.archive) == 0 {
			break
		}
		before := len(c.seen)
		if err := c.visit(ctx, c.mutant()); err != nil {
			return nil, err
		}
		if idle++; len(c.seen) > before {
			idle = 0
		}
	}
	var all [][2]float64
	for _, p := range c.archive {
		all = append(all, p.values)
	}
	return prune(all), nil
}

// descend visits neighbours until no open design is left.
func (c *climber) descend(ctx context.Context) error {
	for len(c.open) > 0 && len(c.seen) < climbEvaluations {
		p := c.open[0]
		c.open = c.open[1:]
		if !c.keeps(p.values) {
			continue
		}
		for _, q := range c.space.Neighbors(p.point) {
			if err := c.visit(ctx, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// mutant is a design of the archive of which two to four parameters, as far as
// there are so many, have new levels.
func (c *climber) mutant() space.Point {
	p := c.archive[c.rng.IntN(len(c.archive))].point.Clone()
	if len(p) == 0 {
		return p
	}
	for range 2 + c.rng.IntN(3) {
		i := c.rng.IntN(len(p))
		p[i] = c.rng.IntN(c.space.Param(i).Len())
	}
	return p
}

// climber is a Pareto local search under way.
type climber struct {
	spec    *events.Spec
	space   space.Space
	ev      evaluator.Evaluator
	legal   func(space.Point) bool // nil when all points are
	judge   *events.Judge
	rng     *rand.Rand
	seen    map[uint64]bool
	archive []visited
	open    []visited // members of the archive whose neighbours were not visited
}

func newClimber(spec *events.Spec, ev evaluator.Evaluator) (*climber, error) {
	sp, err := spec.Space()
	if err != nil {
		return nil, err
	}
	judge, err := events.NewJudge(spec)
	if err != nil {
		return nil, err
	}
	checker, _ := ev.(evaluator.Checker)
	return &climber{
		spec: spec, space: sp, ev: ev, legal: study.Legality(spec, sp, judge, checker), judge: judge,
		seen: map[uint64]bool{}, rng: rand.New(rand.NewPCG(0, sp.Size())),
	}, nil
}

type visited struct {
	point  space.Point
	values [2]float64
}

// visit evaluates a new legal point and keeps it when nothing covers it.
func (c *climber) visit(ctx context.Context, p space.Point) error {
	v, ok, err := c.measure(ctx, p)
	if err != nil || !ok || slices.ContainsFunc(c.archive, func(a visited) bool { return a.covers(v) }) {
		return err
	}
	c.archive = append(slices.DeleteFunc(c.archive, v.covers), v)
	c.open = append(c.open, v)
	return nil
}

// measure evaluates a new legal point; ok is false for one that is none, or is
// not feasible.
func (c *climber) measure(ctx context.Context, p space.Point) (v visited, ok bool, err error) {
	index := c.space.Index(p)
	if c.seen[index] || c.legal != nil && !c.legal(p) {
		return visited{}, false, nil
	}
	c.seen[index] = true
	r, err := c.ev.Evaluate(ctx, evaluator.Request{Trial: -1, Design: c.space.Values(p)})
	if err != nil || r.Outcome != evaluator.Measured || !c.judge.MetricsOK(r.Values) {
		return visited{}, false, err
	}
	v.point = p.Clone()
	for i, o := range c.spec.Objectives {
		v.values[i] = r.Values[c.spec.MetricIndex(o.Metric)]
	}
	return v, true, nil
}

// medianDraws is the number of feasible designs that medians are taken of: their
// ranks are then good to about 2 %.
const medianDraws = 999

// medians are the middle values of both objectives among random feasible
// designs, always the same ones.
func medians(ctx context.Context, spec *events.Spec, ev evaluator.Evaluator) ([2]float64, error) {
	c, err := newClimber(spec, ev)
	if err != nil {
		return [2]float64{}, err
	}
	var all [2][]float64
	for tries := uint64(0); len(all[0]) < medianDraws && tries < min(climbDraws, 20*c.space.Size()); tries++ {
		v, ok, err := c.measure(ctx, c.space.At(c.rng.Uint64N(c.space.Size())))
		if err != nil {
			return [2]float64{}, err
		}
		if ok {
			all[0], all[1] = append(all[0], v.values[0]), append(all[1], v.values[1])
		}
	}
	if len(all[0]) == 0 {
		return [2]float64{}, errNoAnswer
	}
	slices.Sort(all[0])
	slices.Sort(all[1])
	return [2]float64{all[0][len(all[0])/2], all[1][len(all[1])/2]}, nil
}

// covers reports whether v is at least as good as o in both objectives.
func (v visited) covers(o visited) bool {
	return v.values[0] <= o.values[0] && v.values[1] <= o.values[1]
}

// keeps reports whether the values are still in the archive.
func (c *climber) keeps(values [2]float64) bool {
	for _, a := range c.archive {
		if a.values == values {
			return true
		}
	}
	return false
}
