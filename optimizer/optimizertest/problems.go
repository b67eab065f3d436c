package optimizertest

import (
	"fmt"
	"math"

	"apollo/optimizer"
	"apollo/optimizer/space"
)

// Problem is a named test problem: a lattice, what is legal for free, and a
// measurement that is a pure function of the point. All are minimised.
type Problem struct {
	// Name tells the problem apart in tests and tables.
	Name string
	// Space is the lattice of designs.
	Space space.Space
	// Legal is the free check; nil when every point passes.
	Legal func(space.Point) bool
	// Reference is the worst value of interest in every objective, the corner
	// of the hypervolume; nil for a problem with one objective.
	Reference []float64
	// Measure returns status, values and violation of a point; the caller adds
	// the point, the trial and the origin.
	Measure func(space.Point) optimizer.Observation
}

// Start returns the problem as a strategy is given it.
func (p Problem) Start(seed uint64) optimizer.Problem {
	return optimizer.Problem{Space: p.Space, Legal: p.Legal, Seed: seed, Objectives: len(p.Reference)}
}

// Problems returns the named problems. The optima lie off the centre and off
// the corners wherever the function has a say, so that no habit wins.
func Problems() []Problem {
	return []Problem{
		{Name: "sphere", Space: repeat(8, 16), Measure: value(sphere)},
		{Name: "rosenbrock", Space: repeat(6, 17), Measure: value(rosenbrock)},
		{Name: "ackley", Space: repeat(8, 21), Measure: value(ackley)},
		{Name: "rastrigin", Space: repeat(8, 21), Measure: value(rastrigin)},
		{Name: "plateau", Space: repeat(8, 16), Measure: value(plateau)},
		{Name: "trap", Space: repeat(24, -2), Measure: value(trap)},
		{Name: "mixed", Space: lattice(12, -4, 12, -3, 12, -5, 8), Measure: value(mixed)},
		{Name: "budget", Space: repeat(8, 12), Measure: budget},
		{Name: "crash", Space: repeat(8, 12), Measure: crash},
		{Name: "conditional", Space: lattice(-3, 6, 6, 6, 6, 6, 6, 8, 8, 8), Legal: pinned, Measure: value(conditional)},
		{Name: "accelerator", Space: lattice(10, 10, 7, 10, 7, 11, 7, 4, 5, 6), Legal: acceleratorFits, Measure: value(acceleratorLatency)},
	}
}

func problem(name string) Problem {
	for _, p := range Problems() {
		if p.Name == name {
			return p
		}
	}
	panic("optimizertest: no problem " + name)
}

// lattice returns a space with one parameter per count: numeric with that many
// levels, or categorical when the count is negative.
func lattice(counts ...int) space.Space {
	params := make([]space.Param, len(counts))
	for i, n := range counts {
		params[i].Name = fmt.Sprint("p", i)
		for level := range max(n, -n) {
			if n > 0 {
				params[i].Values = append(params[i].Values, float64(level))
			} else {
				params[i].Labels = append(params[i].Labels, fmt.Sprint("c", level))
			}
		}
	}
	s, err := space.New(params...)
	if err != nil {
		panic("optimizertest: " + err.Error())
	}
	return s
}

func repeat(times, count int) space.Space {
	counts := make([]int, times)
	for i := range counts {
		counts[i] = count
	}
	return lattice(counts...)
}

func value(f func(space.Point) float64) func(space.Point) optimizer.Observation {
	return func(p space.Point) optimizer.Observation {
		return optimizer.Observation{Values: []float64{f(p)}}
	}
}

// offset is the distance of a level from an optimum that differs by parameter.
func offset(i, level, count int) float64 {
	return float64(level - (count/4+i*5)%count)
}

func sphere(p space.Point) (sum float64) {
	for i, level := range p {
		d := offset(i, level, 16)
		sum += d * d
	}
	return sum
}

// rosenbrock is the curved valley on [-2, 2], optimum 0 at level 12 of 17.
func rosenbrock(p space.Point) (sum float64) {
	x := func(i int) float64 { return float64(p[i])/4 - 2 }
	for i := range len(p) - 1 {
		a, b := x(i+1)-x(i)*x(i), 1-x(i)
		sum += 100*a*a + b*b
	}
	return sum
}

// ackley is Ackley's function with one level as unit, optimum 0.
func ackley(p space.Point) float64 {
	var squares, waves float64
	for i, level := range p {
		x := offset(i, level, 21) / 2
		squares += x * x
		waves += math.Cos(2 * math.Pi * x)
	}
	n := float64(len(p))
	return 20 + math.E - 20*math.Exp(-0.2*math.Sqrt(squares/n)) - math.Exp(waves/n)
}

// rastrigin is Rastrigin's function with half a level as unit, so that every
// second level is a local optimum; its optimum is 0.
func rastrigin(p space.Point) (sum float64) {
	for i, level := range p {
		x := offset(i, level, 21) / 2
		sum += x*x + 10*(1-math.Cos(2*math.Pi*x))
	}
	return sum
}

// plateau is the sphere in steps of 16: most neighbours are ties.
func plateau(p space.Point) float64 { return math.Floor(sphere(p) / 16) }

// trap sums deceptive traps of four binary categories: the fewer ones the
// better, except that all four ones are the best (Goldberg 1987).
func trap(p space.Point) float64 {
	total := 0
	for i := 0; i+4 <= len(p); i += 4 {
		if ones := p[i] + p[i+1] + p[i+2] + p[i+3]; ones < 4 {
			total += 1 + ones
		}
	}
	return float64(total)
}

// mixed has categories that move the optimum of the numeric parameter before
// them and scale its weight.
func mixed(p space.Point) (sum float64) {
	for i := 0; i+1 < len(p); i += 2 {
		category := p[i+1]
		d := float64(p[i] - (2+3*category)%12)
		sum += d*d*(1+float64(category)/2) + 3*float64((category+i)%3)
	}
	last := float64(p[len(p)-1] - 5)
	return sum + last*last
}

// budget is a sphere whose optimum lies beyond a constraint that says by how
// much it is broken; one design in eight is feasible.
func budget(p space.Point) optimizer.Observation {
	load, cost := 0.0, 0.0
	for i, level := range p {
		load += float64(level)
		cost += float64((11-level)*(11-level)) * (1 + float64(i)/4)
	}
	const limit = 33
	o := optimizer.Observation{Values: []float64{cost}}
	if load > limit {
		o.Status, o.Violation = optimizer.Infeasible, load/limit-1
	}
	return o
}

// crash is a sphere where neighbouring parameters must not be far apart, which
// shows only as an infeasible trial without any number.
func crash(p space.Point) optimizer.Observation {
	sum := 0.0
	for i, level := range p {
		if i > 0 && max(level-p[i-1], p[i-1]-level) > 6 {
			return optimizer.Observation{Status: optimizer.Infeasible}
		}
		d := float64(level - (3 + i%5))
		sum += d * d
	}
	return optimizer.Observation{Values: []float64{sum}}
}

// pinned is the free check of conditional parameters: each of three modes has
// two parameters, and those of the other modes stay at level 0. One point in
// 1,296 is legal.
func pinned(p space.Point) bool {
	for i, level := range p[1:7] {
		if i/2 != p[0] && level != 0 {
			return false
		}
	}
	return true
}

// conditional is a bowl over the parameters of the mode and three shared ones;
// the second mode is the best one.
func conditional(p space.Point) float64 {
	mode := p[0]
	sum := float64(8 * ((mode + 2) % 3))
	for i, level := range p[1+2*mode : 3+2*mode] {
		d := float64(level - (1 + mode + 2*i))
		sum += d * d
	}
	for i, level := range p[7:] {
		d := offset(i, level, 8)
		sum += d * d
	}
	return sum
}

// acceleratorFits and acceleratorLatency are a small stand-in for an
// accelerator: the counts of the ten-parameter template, an area limit that
// 2.6 % of the designs meet, and a roofline with steps. The numbers are made
// up; only the shape is meant: products, a knee and a hard limit.
func acceleratorFits(p space.Point) bool { return acceleratorArea(p) <= 102 }

func acceleratorArea(p space.Point) float64 {
	pes := extent(p[0]) * extent(p[1])
	lanes := float64(int(4) << p[2])
	cores := extent(p[3])
	memory := float64(int(1)<<p[4]) + float64(int(1)<<p[5])*cores/16 + float64(int(1)<<p[6])/16
	return pes*(cores*lanes*0.05+memory*0.25+1) + 10*float64(p[7]+p[8]+p[9])
}

func acceleratorLatency(p space.Point) float64 {
	pes := extent(p[0]) * extent(p[1])
	lanes := float64(int(4) << p[2])
	width, height := extent(p[0])*lanes, extent(p[1])*extent(p[3])
	compute := math.Ceil(960/width) * math.Ceil(112/height) * 40
	resident := pes * (float64(int(1)<<p[4]) + float64(int(1)<<p[6])/8)
	traffic := 4000 * (1 + 600/(resident+20)) / (5 + 5*float64(p[9]))
	stalls := 300/float64(int(1)<<p[5]) + 100/float64(1+p[7]) + 60/float64(1+p[8])
	return max(compute, traffic) + 0.2*min(compute, traffic) + stalls
}

// extent is the value of a PE or core level: 1, 2, 4, 6, … 16.
func extent(level int) float64 { return float64(max(1, 2*level)) }
