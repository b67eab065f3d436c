package template

import (
	"math"
	"math/bits"

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
type free struct {
	flows []loops
	// several says that an axis has several loops, which share its lanes in another way on each layer;
	// distinct that these ways are of one layer, each once.
	several, distinct bool
}

var _ Dataflow = (*free)(nil)

// tieTime makes the worth of energy so small that it decides between mappings of
// equal time only: orders differ more in energy than tiles do, and what they are
// worth would let a faster interface slow a layer down.
const tieTime = 1e-6

// steps implements stepper. Each order has the same wires, and spreading a loop over
// fewer units takes no fewer steps.
func (f *free) steps(p *model.Problem) int64 {
	f = f.on(p)
	l, least := &f.flows[0], int64(math.MaxInt64)
	var shared [maxShares]share
	for _, list := range l.spreads {
		_, rest := l.shares(p, list, &way{}, &shared)
		least = min(least, steps(&rest))
	}
	return least
}

// only returns the array with one order of the loops on chip.
func (f *free) only(i int) *free {
	one := *f
	one.flows = f.flows[i : i+1]
	return &one
}

// Nest implements Dataflow.
func (f *free) Nest(p *model.Problem) model.Problem { return *p }

// Find implements Dataflow. A layer with few mappings gets the least of all. For time the others
// get the best of the tile search in each order of the loops, improved where it is far from a bound; where energy
// counts, of which the bounds of the tile search know little, what is improved from the least tiles in each order.
func (f *free) Find(p *model.Problem, g goal, m *model.Mapping) (Cost, *Misfit) {
	f = f.on(p)
	time := leastTime().on(p, &f.flows[0].arch)
	time.cyclesPerPJ *= tieTime // less than a cycle for all of the energy: time alone decides
	fast := g == leastTime()
	if g = g.on(p, &f.flows[0].arch); fast {
		g = time
	}
	few := f.tilings(p, maxTilings) <= maxTilings
	limit := g.limit()
	best := found{value: math.Inf(1)}
	if !few && !fast {
		best = f.grow(p, g)
	}
	for i := 0; i < len(f.flows) && (few || fast || !best.any); i++ {
		s := searchOf(&f.flows[i], p, time, math.Inf(1))
		if fast && !few {
			s.limit = min(limit, best.value)
		}
		s.run()
		known, unlimited := s.best, s.limit == math.Inf(1)
		var misfit *Misfit
		if !known.any && i == 0 && unlimited {
			misfit = s.misfit() // what fits does not depend on the order
		}
		if searches.Put(s); misfit != nil {
			return Cost{}, misfit
		}
		if known.value = g.of(&known.cost); !known.any {
			continue
		}
		switch {
		case few:
			// This one is to beat.
			if c, ok := f.exact(p, g, min(limit, known.value), all(every), &known.m); ok {
				known.cost, known.value = c, g.of(&c)
			}
			i = len(f.flows)
		case !fast:
			f.only(i).improve(p, g, &known)
		}
		if known.value < best.value {
			best = known
		}
	}
	if fast && !few && best.value < limit && float64(best.cost.Cycles) > (1+distant)*f.least(p) {
		f.improve(p, g, &best)
	}
	if best.value >= limit {
		return Cost{}, &Misfit{What: "a mapping that is known costs less"}
	}
	*m = best.m
	return best.cost, nil
}

// grow returns the best mapping that is found from the least tiles, in each order of the loops by itself, so that an
// array that knows fewer orders gets no better one.
func (f *free) grow(p *model.Problem, g goal) (best found) {
	best.value = math.Inf(1)
	for i := range f.flows {
		x := found{value: math.Inf(1)}
		x.m.Loops[0].Temporal = f.flows[i].spread(p, f.flows[i].spreads[0], &way{}, &x.m)
		if f.only(i).improve(p, g, &x); x.value < best.value {
			best = x
		}
	}
	return best
}

// improve goes from a mapping to better ones while there are some: to the best with other tiles of two dimensions, of powers
// of two, then of more, then to the best with sizes next to its own in two. The tiles of the other dimensions stay, so that
// each step has few mappings to choose from, however large the layer is.
func (f *free) improve(p *model.Problem, g goal, best *found) {
	most, several := f.rests(p), 0
	for _, d := range tileDims {
		if most[d] > 1 {
			several++
		}
	}
	more := 3
	if several == more+1 {
		more = several // a layer of one position: few enough at once
	}
	f.along(p, g, &most, 2, halves, best)
	f.along(p, g, &most, more, halves, best)
	f.along(p, g, &most, 2, nearby, best)
}

// along improves a mapping in so many dimensions of several steps at once.
func (f *free) along(p *model.Problem, g goal, most *[model.Dims]int64, dims int, which selection, best *found) {
	var sets [1 << len(tileDims)][model.Dims]selection
	n := 0
	for set := range uint(len(sets)) {
		list, cut := all(held), 0
		for i, d := range tileDims {
			if set>>i&1 > 0 && most[d] > 1 {
				list[d] = which
				cut++
			}
		}
		if cut == dims && bits.OnesCount(set) == dims {
			sets[n] = list
			n++
		}
	}
	// The set that was improved last has nothing better, unless other sizes are near now.
	for at, tried := 0, 0; tried < n; at = (at + 1) % n {
		tried++
		if c, ok := f.exact(p, g, best.value*margin, sets[at], &best.m); ok {
			best.cost, best.value, best.any = c, g.of(&c), true
			if tried = 1; which == nearby {
				tried = 0
			}
		}
	}
}

// rests returns the most steps of each dimension that a way of the wires leaves.
func (f *free) rests(p *model.Problem) (most [model.Dims]int64) {
	var shared [maxShares]share
	for _, list := range f.flows[0].spreads {
		_, rest := f.flows[0].shares(p, list, &way{}, &shared)
		for d, n := range rest {
			most[d] = max(most[d], n)
		}
	}
	return most
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
