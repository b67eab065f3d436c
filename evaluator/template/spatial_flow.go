package template

import (
	"math"

	"apollo/evaluator/model"
)

// freeOrders are the orders of the loops over a tile that a free array tries:
// what stands innermost decides which operand stays in the units. First outputs
// stay, then weights, then inputs.
var freeOrders = [...][model.Dims]model.Dim{
	{model.G, model.N, model.K, model.P, model.Q, model.C, model.R, model.S},
	{model.G, model.N, model.K, model.C, model.R, model.S, model.P, model.Q},
	{model.G, model.N, model.P, model.Q, model.C, model.R, model.S, model.K},
}

// free searches mappings of a hierarchy whose controllers have loops in several
// orders.
type free struct{ flows []loops }

var _ Dataflow = (*free)(nil)

// tieTime makes the worth of energy so small that it decides between mappings of
// equal time only: orders differ more in energy than tiles do, and what they are
// worth would let a faster interface slow a layer down.
const tieTime = 1e-6

// steps implements stepper. Each order has the same wires, and spreading a loop over
// fewer units takes no fewer steps.
func (f *free) steps(p *model.Problem) int64 {
	l, least := &f.flows[0], int64(math.MaxInt64)
	var shared [maxShares]share
	for _, list := range l.spreads {
		_, rest := l.shares(p, list, &way{}, &shared)
		least = min(least, steps(&rest))
	}
	return least
}

// Nest implements Dataflow.
func (f *free) Nest(p *model.Problem) model.Problem { return *p }

// Find implements Dataflow.
func (f *free) Find(p *model.Problem, g goal, m *model.Mapping) (best Cost, misfit *Misfit) {
	time := g == leastTime()
	if g = g.on(p, &f.flows[0].arch); time {
		// Less than a cycle for all of the energy: time alone decides.
		g.cyclesPerPJ *= tieTime
	}
	limit, found, flow := g.limit(), false, 0
	reached, small := limit, f.steps(p) <= maxPolished
	if small {
		limit = math.Inf(1) // what is polished may come below
	}
	for i := range f.flows {
		s := search{l: &f.flows[i], p: p, goal: g, limit: limit}
		if s.run(); s.best.any {
			best, *m, limit, found, flow = s.best.cost, s.best.m, s.best.value, true, i
		} else if i == 0 {
			misfit = s.misfit() // what fits does not depend on the order
		}
	}
	if !found {
		return Cost{}, misfit
	}
	if small {
		if f.flows[flow].polish(p, g, m, &best); g.of(&best) > reached {
			return Cost{}, &Misfit{What: "a mapping that is known costs less"}
		}
	}
	return best, nil
}

// Detail implements Dataflow.
func (f *free) Detail(p *model.Problem, m *model.Mapping) (d Detail, err error) {
	for i := range f.flows {
		if d, err = f.flows[i].Detail(p, m); err == nil {
			return d, nil
		}
	}
	return d, err
}
