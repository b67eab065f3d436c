package optimizertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"apollo/optimizer"
	"apollo/optimizer/pareto"
	"apollo/optimizer/space"
)

// Fronts returns the named problems with several objectives, all minimised.
func Fronts() []Problem {
	return []Problem{
		{Name: "two spheres", Space: repeat(8, 16), Reference: []float64{600, 600}, Measure: values(sphere, mirrored)},
		{Name: "trade-off", Space: lattice(10, 10, 7, 10, 7, 11, 7, 4, 5, 6), Legal: acceleratorFits, Reference: []float64{12_000, 102}, Measure: values(acceleratorLatency, acceleratorArea)},
		{Name: "load and cost", Space: repeat(8, 12), Reference: []float64{1000, 60}, Measure: loadAndCost},
		{Name: "three ways", Space: lattice(10, 10, 7, 10, 7, 11, 7, 4, 5, 6), Legal: acceleratorFits, Reference: []float64{12_000, 102, 25}, Measure: values(acceleratorLatency, acceleratorArea, acceleratorPorts)},
	}
}

func values(functions ...func(space.Point) float64) func(space.Point) optimizer.Observation {
	return func(p space.Point) optimizer.Observation {
		var o optimizer.Observation
		for _, f := range functions {
			o.Values = append(o.Values, f(p))
		}
		return o
	}
}

// mirrored is a sphere whose optimum lies elsewhere.
func mirrored(p space.Point) (sum float64) {
	for i, level := range p {
		d := offset(i, 15-level, 16)
		sum += d * d
	}
	return sum
}

// loadAndCost are the two sides of budget, and one design in seven crashes
// without a number.
func loadAndCost(p space.Point) optimizer.Observation {
	load, cost := 0.0, 0.0
	for i, level := range p {
		load += float64(level)
		cost += float64((11-level)*(11-level)) * (1 + float64(i)/4)
	}
	if (p[0]+2*p[1])%7 == 3 {
		return optimizer.Observation{Status: optimizer.Infeasible}
	}
	o := optimizer.Observation{Values: []float64{cost, load}}
	const limit = 60
	if load > limit {
		o.Status, o.Violation = optimizer.Infeasible, load/limit-1
	}
	return o
}

// acceleratorPorts is a third cost of the accelerator that pulls against both
// others: what its ports draw.
func acceleratorPorts(p space.Point) float64 {
	return float64(1+p[7])*1.5 + float64(1+p[8]) + float64((1+p[9])*(1+p[9]))/4 + float64(p[5])
}

// hypervolume runs a study of a problem of Fronts, one design at a time, and
// returns the hypervolume of the feasible trials below the problem's reference.
func hypervolume(a optimizer.Algorithm, p Problem, seed uint64, trials int) (float64, error) {
	strategy, err := a.Start(p.Start(seed))
	if err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	var points [][]float64
	for i := range trials {
		proposals, err := strategy.Ask(uint64(i), 1, []space.Point{})
		if errors.Is(err, optimizer.ErrExhausted) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("trial %d: %w", i, err)
		}
		o := p.Measure(proposals[0].Point)
		o.Point, o.Trial, o.Origin = proposals[0].Point, i, proposals[0].Origin
		strategy.Tell(o)
		if o.Status == optimizer.Measured {
			points = append(points, o.Values)
		}
	}
	return pareto.Hypervolume(points, p.Reference), nil
}

// MedianHypervolume returns the median of Hypervolume over seeds 1 to seeds.
func MedianHypervolume(a optimizer.Algorithm, p Problem, seeds, trials int) (float64, error) {
	var last []float64
	for seed := range seeds {
		volume, err := hypervolume(a, p, uint64(seed+1), trials)
		if err != nil {
			return 0, fmt.Errorf("problem %s, seed %d: %w", p.Name, seed+1, err)
		}
		last = append(last, volume)
	}
	slices.Sort(last)
	return (last[(len(last)-1)/2] + last[len(last)/2]) / 2, nil
}

// RunFronts runs the suite for strategies that take several objectives: random
// programs with two to four objectives, the named problems with restarts,
// exhaustion, strange results, and a hypervolume above that of random search
// except where NotBetter gives a reason.
func RunFronts(t *testing.T, a optimizer.Algorithm, o Options) {
	o = o.withDefaults()
	for _, check := range []struct {
		name string
		run  func(*testing.T, optimizer.Algorithm, Options)
	}{
		{"programs", frontPrograms},
		{"rebuilds", func(t *testing.T, a optimizer.Algorithm, o Options) { rebuildsOf(t, a, o, Fronts()) }},
		{"survives", func(t *testing.T, a optimizer.Algorithm, o Options) { survivesWith(t, a, o, 2) }},
		{"large", func(t *testing.T, a optimizer.Algorithm, o Options) { largeOf(t, a, o, Fronts()[1]) }},
		{"beats random", frontBeatsRandom},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, a, o)
		})
	}
}

// frontPrograms runs the random programs of programs, with two to four
// objectives.
func frontPrograms(t *testing.T, a optimizer.Algorithm, o Options) {
	for i := range o.Programs {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			program(t, a, programCode(i), 2+i%3)
		})
	}
}

// several adds objectives to a measurement: the first one's opposite, and
// others that are pure functions of the point.
func several(measure func(space.Point) optimizer.Observation, objectives int) func(space.Point) optimizer.Observation {
	if objectives < 2 {
		return measure
	}
	return func(p space.Point) optimizer.Observation {
		o := measure(p)
		if len(o.Values) == 0 {
			return o
		}
		o.Values = append(slices.Clone(o.Values), -o.Values[0])
		for k := 2; k < objectives; k++ {
			sum := 0
			for i, level := range p {
				sum += level * (k + i) % 7
			}
			o.Values = append(o.Values, float64(sum))
		}
		return o
	}
}

func frontBeatsRandom(t *testing.T, a optimizer.Algorithm, o Options) {
	for _, p := range Fronts() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			o.skip(t, p)
			got, err := MedianHypervolume(a, p, o.Seeds, o.Trials)
			if err != nil {
				t.Fatal(err)
			}
			reference, err := MedianHypervolume(optimizer.Random{}, p, o.Seeds, o.Trials)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("median hypervolume of %d seeds after %d trials: %.6g, random %.6g", o.Seeds, o.Trials, got, reference)
			if !(got > reference) {
				t.Errorf("median hypervolume %v is not above random search's %v", got, reference)
			}
		})
	}
}
