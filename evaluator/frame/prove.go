package frame

import (
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// Bounded is implemented by models whose networks' totals can be bounded before
// a design is complete: studies of their templates can be proven. Area, time and
// energy of such a template's machines do not fall when a parameter rises, or
// the probe allows for it.
type Bounded interface {
	// Stages groups the template's parameters by index, in the order in which a
	// proof fixes them; those that are categorical stand in the first.
	Stages() [][]int
	// NewProbe returns the state of one walk over partial designs. Without energy
	// the totals need none.
	NewProbe(energy bool) Probe
}

// Probe bounds partial designs.
type Probe interface {
	// Fix takes a stage's parameters. low and high have the smallest and the
	// largest values of those that are not fixed. It writes totals that no
	// completion is below, at the last stage those of Measure, and returns the
	// machine of low; false when no completion is feasible.
	Fix(stage int, low, high *Design, totals []Totals) (Machine, bool)
}

// rises reports whether no cheap metric falls when area does not.
func (e *taskEvaluator) rises() bool {
	return !slices.ContainsFunc(e.rows, func(r Metric) bool { return r.Cheap && !r.Rises })
}

// proving is a template for one task whose best design can be proven.
type proving struct {
	*taskEvaluator
	bounded Bounded
}

var (
	_ evaluator.Prover = (*proving)(nil)
	_ evaluator.Probe  = (*probe)(nil)
)

// Stages implements evaluator.Prover.
func (p *proving) Stages() [][]int {
	var stages [][]int
	for _, params := range p.bounded.Stages() {
		at := make([]int, len(params))
		for i, param := range params {
			at[i] = p.position[param]
		}
		stages = append(stages, at)
	}
	return stages
}

// NewProbe implements evaluator.Prover.
func (p *proving) NewProbe(wanted []bool) evaluator.Probe {
	x := &probe{taskEvaluator: p.taskEvaluator, stages: p.bounded.Stages(), totals: make([]Totals, len(p.nets)), wanted: make([]bool, len(p.rows))}
	energy := false
	for i := range p.rows {
		x.wanted[i] = len(wanted) <= i || wanted[i]
		energy = energy || x.wanted[i] && p.rows[i].usesEnergy()
	}
	for i := range p.spec.Params {
		if values := p.params[i].Values; len(values) > 0 {
			x.smallest.Values[i], x.largest.Values[i] = int64(values[0]), int64(values[len(values)-1])
		}
	}
	x.low, x.high, x.model = x.smallest, x.largest, p.bounded.NewProbe(energy)
	return x
}

// probe implements evaluator.Probe: between low and high stand all completions
// of a partial design.
type probe struct {
	*taskEvaluator
	stages                       [][]int
	model                        Probe
	wanted                       []bool
	smallest, largest, low, high Design
	totals                       []Totals
}

// roundOff makes up for the rounding of logarithms and exponentials, whose
// relative errors are below 1e-12.
const roundOff = 1 - 1e-9

// Fix implements evaluator.Probe.
func (p *probe) Fix(stage int, design []space.Value, values []float64) bool {
	for s := stage; s < len(p.stages); s++ {
		for _, i := range p.stages[s] {
			if s == stage {
				v := design[p.position[i]]
				n := int64(v.Num)
				if levels := p.levels[i]; levels != nil {
					n = int64(levels[v.Label])
				}
				p.low.Values[i], p.high.Values[i] = n, n
				continue
			}
			p.low.Values[i], p.high.Values[i] = p.smallest.Values[i], p.largest.Values[i]
		}
	}
	m, ok := p.model.Fix(stage, &p.low, &p.high, p.totals)
	if !ok {
		return false
	}
	last := stage == len(p.stages)-1
	for i := range p.rows {
		r := &p.rows[i]
		switch {
		case !p.wanted[i]:
			values[i] = math.NaN()
		case !last && !r.Rises:
			values[i] = math.Inf(-1)
		default:
			values[i] = p.value(r, m, p.totals)
			if !last && !r.Cheap && r.only == 0 && len(p.totals) > 1 {
				values[i] *= roundOff
			}
		}
	}
	return true
}
