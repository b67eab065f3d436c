package template

import (
	"math"

	"apollo/evaluator"
	"apollo/evaluator/model"
)

// goal is what searches minimise.
type goal struct {
	// cyclesPerPJ is what a picojoule is worth, in cycles.
	cyclesPerPJ float64
	// reached is a value that a mapping is known to have: worse ones may be left out.
	// 0 means that none is known.
	reached float64
}

// leastTime is the goal of the least time, and of equal times the least energy.
func leastTime() goal { return goal{} }

// leastEnergy is the goal of the least dynamic energy, and of equal ones the least time.
func leastEnergy() goal { return goal{cyclesPerPJ: math.Inf(1)} }

// equalTime is what a layer's least energy is worth of its least time where the
// goal is time; chosen: see docs/model.md#mapper-goal. equalEnergy is what its least time is
// worth of its least energy where that is the goal: more than sums of energies are rounded by,
// so that what decides between mappings of one energy is not the order of the search.
const (
	equalTime   = 1e-3
	equalEnergy = 1e-6
)

// on returns the goal for a layer on a machine: of mappings that take the same
// time, up to a rounding, the one with the least energy, or of the same energy the one
// with the least time.
func (g goal) on(p *model.Problem, a *model.Arch) goal {
	if g.cyclesPerPJ > 0 && !math.IsInf(g.cyclesPerPJ, 1) {
		return g
	}
	const milli = 1000
	bytes := compulsory(p)
	cycles := max(float64(p.MACs())/float64(a.Units()), float64(bytes*milli)/float64(a.Level[0].ReadRate))
	worth := cycles / (float64(p.MACs())*a.MACPJ + float64(bytes)*a.Level[0].ReadPJ)
	if g.cyclesPerPJ > 0 {
		return goal{cyclesPerPJ: worth / equalEnergy}
	}
	return goal{cyclesPerPJ: equalTime * worth}
}

// compulsory returns the bytes of every tensor once.
func compulsory(p *model.Problem) int64 {
	bytes := touched(p) * p.Bytes[model.Inputs]
	for _, o := range [...]model.Operand{model.Weights, model.Outputs} {
		bytes += p.Elements(o, &p.Bound) * p.Bytes[o]
	}
	return bytes
}

// value returns what cycles and picojoules are worth. It falls with neither, so
// the value of two bounds is a bound.
func (g goal) value(cycles, pj float64) float64 { return cycles + g.cyclesPerPJ*pj }

// limit is what a search begins with: a value that is reached is found again.
func (g goal) limit() float64 {
	const rounding = 1e-9
	if g.reached > 0 {
		return g.reached * (1 + rounding)
	}
	return math.Inf(1)
}

// of returns the value of a cost.
func (g goal) of(c *Cost) float64 { return g.value(float64(c.Cycles), c.EnergyPJ) }

// margin keeps the rounding of a bound from ruling out an equal candidate.
const margin = 1 - 1e-12

const picojoulesPerJoule = 1e12

// standingPJ is the energy of leakage and the clock network in a cycle, in pJ.
func (m *Machine) standingPJ() float64 {
	return (m.LeakageW + m.ClockW) / float64(m.ClockHz) * picojoulesPerJoule
}

// goal is what the mapper minimises for a network when nothing is known of its
// cost: energy is that of the layers, and of leakage and clock while they run.
func (b *taskModel) goal(m *Machine) goal {
	if standing := m.standingPJ(); b.mapperGoal == evaluator.MapEnergy && standing > 0 {
		return goal{cyclesPerPJ: 1 / standing}
	}
	return leastTime()
}

// rounds bounds how often a network is mapped for its energy and its delay.
const rounds = 4

// balanced returns the sum of a network's layers with the least product of its energy
// and time, and leaves in goals what each shape was mapped for, which finds the same
// mapping again. Near a mapping, the product of sums falls as time does when a picojoule is worth the
// time over the energy: the search goes on from there while the product falls.
func (b *taskModel) balanced(seen []Machine, net *network, costs []Cost, goals []goal) (Cost, *Misfit, int) {
	m := &seen[0]
	at, misfit := b.costs(seen, leastTime(), costs)
	if misfit != nil {
		return Cost{}, misfit, at
	}
	for i := range goals {
		goals[i] = leastTime()
	}
	sum, tried := net.sum(costs), make([]goal, len(goals))
	for range rounds {
		time, energy := float64(sum.Cycles), m.energyPJ(&sum)
		copy(tried, goals)
		if !b.again(seen, goal{cyclesPerPJ: time / energy}, costs, tried) {
			break
		}
		other := net.sum(costs)
		if !(float64(other.Cycles)*m.energyPJ(&other) < time*energy) {
			break
		}
		sum = other
		copy(goals, tried)
	}
	return sum, nil, 0
}

// again is costs where the costs of a mapping of each shape are known: what costs more
// need not be searched. Costs and goals stay where nothing is found. It returns false when
// a layer has no mapping.
func (b *taskModel) again(seen []Machine, g goal, costs []Cost, goals []goal) bool {
	for i := range b.shapes {
		s := &b.shapes[i]
		own := g
		if !s.vector {
			own.reached = g.value(float64(costs[i].loops.cycles), costs[i].loops.pj)
		}
		c, misfit := b.layer(seen, s, own)
		switch {
		case misfit == nil:
			costs[i] = c
			if len(goals) > 0 {
				goals[i] = own
			}
		case own.reached == 0:
			return false
		}
	}
	return true
}

// energyPJ is the energy of a network with leakage and clock, in pJ.
func (m *Machine) energyPJ(sum *Cost) float64 {
	return sum.EnergyPJ + m.standingPJ()*float64(sum.Cycles)
}
