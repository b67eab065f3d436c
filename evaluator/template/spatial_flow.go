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

// Find implements Dataflow. A layer with few mappings gets the least of all. For time the others
// get the best of the tile search in each order of the loops, improved where it is far from a bound; where energy
// counts, of which the bounds of the tile search know little, the best that is improved in each order.
func (f *free) Find(p *model.Problem, g goal, m *model.Mapping) (best Cost, misfit *Misfit) {
	time := leastTime().on(p, &f.flows[0].arch)
	time.cyclesPerPJ *= tieTime // less than a cycle for all of the energy: time alone decides
	fast := g == leastTime()
	if g = g.on(p, &f.flows[0].arch); fast {
		g = time
	}
	few := f.tilings(p, maxTilings) <= maxTilings
	limit, value := g.limit(), math.Inf(1)
	for i := range f.flows {
		s := searchOf(&f.flows[i], p, time, math.Inf(1))
		if fast && !few {
			s.limit = min(limit, value)
		}
		if s.run(); !s.best.any {
			if i == 0 && s.limit == math.Inf(1) {
				misfit = s.misfit() // what fits does not depend on the order
			}
			searches.Put(s)
			if misfit != nil {
				return Cost{}, misfit
			}
			continue
		}
		if few {
			// This one is to beat.
			if c, ok := f.exact(p, g, min(limit, g.of(&s.best.cost)), every, &s.best.m); ok {
				s.best.cost = c
			}
		} else if !fast {
			improve(f.flows[i:i+1], p, g, &s.best)
		}
		if v := g.of(&s.best.cost); v < value {
			best, *m, value = s.best.cost, s.best.m, v
		}
		searches.Put(s)
		if few {
			break
		}
	}
	if fast && !few && value < limit && float64(best.Cycles) > (1+distant)*f.least(p) {
		x := found{m: *m, cost: best}
		improve(f.flows, p, g, &x)
		best, *m = x.cost, x.m
	}
	if value >= limit {
		return Cost{}, &Misfit{What: "a mapping that is known costs less"}
	}
	return best, nil
}

// improve goes from a mapping to the best in some orders of the loops with tiles of powers of
// two, and on to the best with sizes next to it, while there is a better one.
func improve(orders []loops, p *model.Problem, g goal, best *found) {
	f := free{orders}
	for which := halves; ; which = nearby {
		c, ok := f.exact(p, g, g.of(&best.cost)*margin, which, &best.m)
		if ok {
			best.cost = c
		} else if which == nearby {
			return
		}
	}
}

// distant is how far above a bound of its time a mapping is that is improved where time counts. Chosen: nearer
// ones are seldom more than 1 % above the least.
const distant = 0.25

// least returns a bound of a layer's time: that of the steps that the wires leave, and of every
// tensor once over the interface.
func (f *free) least(p *model.Problem) float64 {
	const milli = 1000
	return max(float64(f.steps(p)), float64(compulsory(p)*milli)/float64(f.flows[0].arch.Level[0].ReadRate))
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
