package frame

import (
	"context"
	"fmt"
	"math"
	"slices"

	"apollo/evaluator"
	"apollo/optimizer/space"
)

// chooser evaluates designs that run one of several networks: each by the
// evaluator of its network.
type chooser struct {
	choice *evaluator.Choice
	// chosen and own are where a design has what chooses the network and what the
	// template has.
	chosen, own []int
	params      []space.Param                  // own ones
	metrics     int                            // of the template
	bound       map[string]evaluator.Evaluator // by network
}

var (
	_ evaluator.Evaluator = (*chooser)(nil)
	_ evaluator.Checker   = (*chooser)(nil)
	_ evaluator.Prover    = (*provingChooser)(nil)
	_ evaluator.Probe     = (*chosenProbe)(nil)
)

// newChooser binds every network, so that the error names one that the template
// cannot take.
func newChooser(b backend, task evaluator.Task) (evaluator.Evaluator, error) {
	c := &chooser{choice: task.Choice, bound: map[string]evaluator.Evaluator{}}
	var err error
	if c.chosen, c.own, err = task.Choice.Split(task.Params); err != nil {
		return nil, fmt.Errorf("template %s: %w", b.spec.Name, err)
	}
	for _, at := range c.own {
		c.params = append(c.params, task.Params[at])
	}
	d := b.Describe()
	c.metrics = len(d.Of(task.Choice.All))
	proven := true
	for _, n := range task.Choice.All {
		one := evaluator.Task{Params: c.params, Networks: []evaluator.Network{n}, MapperGoal: task.MapperGoal, Metrics: task.Metrics}
		e, err := b.New(one)
		if err != nil {
			return nil, err
		}
		c.bound[n.Workload.Name] = e
		_, proves := e.(evaluator.Prover)
		proven = proven && proves
	}
	if proven {
		return &provingChooser{c}, nil
	}
	return c, nil
}

// of returns a design's network and its evaluator; the error is for a design that
// names none.
func (c *chooser) of(design []space.Value) (n evaluator.Network, e evaluator.Evaluator, err error) {
	if len(design) != len(c.chosen)+len(c.own) {
		return n, nil, fmt.Errorf("the design has %d values, want %d", len(design), len(c.chosen)+len(c.own))
	}
	var room [MaxParams]space.Value
	if n, err = c.choice.Network(evaluator.Pick(room[:0], design, c.chosen)); err != nil {
		return n, nil, err
	}
	return n, c.bound[n.Workload.Name], nil
}

// Evaluate implements evaluator.Evaluator.
func (c *chooser) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	n, e, err := c.of(r.Design)
	if err != nil {
		values := make([]float64, c.metrics+len(c.choice.Metrics))
		for i := range values {
			values[i] = math.NaN()
		}
		return evaluator.Result{Outcome: evaluator.Failed, Values: values, Reason: &evaluator.Reason{Code: "malformed_design", Message: err.Error()}}, nil
	}
	r.Design = evaluator.Pick(nil, r.Design, c.own)
	result, err := e.Evaluate(ctx, r)
	result.Values = c.choice.Values(result.Values, n)
	return result, err
}

// Check implements evaluator.Checker.
func (c *chooser) Check(design []space.Value, dst []float64) {
	n, e, err := c.of(design)
	if err != nil {
		for i := range dst {
			dst[i] = math.NaN()
		}
		return
	}
	var room [MaxParams]space.Value
	e.(evaluator.Checker).Check(evaluator.Pick(room[:0], design, c.own), dst) // evaluators of templates are checkers
	c.values(dst, n)
}

// values writes the metrics of a network behind those of the template.
func (c *chooser) values(dst []float64, n evaluator.Network) {
	if end := c.metrics + len(c.choice.Metrics); len(dst) >= end {
		c.choice.Values(dst[:c.metrics:end], n)
	}
}

// provingChooser is a chooser whose best design can be proven.
type provingChooser struct{ *chooser }

// stages are those of every network, over the template's own parameters.
func (c *provingChooser) stages() [][]int {
	return c.bound[c.choice.All[0].Workload.Name].(evaluator.Prover).Stages()
}

// Stages implements evaluator.Prover: the network is fixed with the first ones.
func (c *provingChooser) Stages() [][]int {
	stages := [][]int{c.chosen}
	for i, params := range c.stages() {
		if i > 0 {
			stages = append(stages, nil)
		}
		for _, p := range params {
			stages[i] = append(slices.Clip(stages[i]), c.own[p])
		}
	}
	return stages
}

// NewProbe implements evaluator.Prover.
func (c *provingChooser) NewProbe(wanted []bool) evaluator.Probe {
	return &chosenProbe{of: c, wanted: wanted, probes: map[evaluator.Evaluator]evaluator.Probe{}, design: make([]space.Value, len(c.own))}
}

// chosenProbe is the probe of the network that was fixed.
type chosenProbe struct {
	of     *provingChooser
	wanted []bool
	probes map[evaluator.Evaluator]evaluator.Probe
	now    evaluator.Probe
	runs   evaluator.Network
	design []space.Value
}

// Fix implements evaluator.Probe.
func (p *chosenProbe) Fix(stage int, design []space.Value, values []float64) bool {
	if stage == 0 {
		n, e, err := p.of.of(design)
		if err != nil {
			return false
		}
		if p.probes[e] == nil {
			p.probes[e] = e.(evaluator.Prover).NewProbe(p.wanted[:min(len(p.wanted), p.of.metrics)])
		}
		p.now, p.runs = p.probes[e], n
	}
	p.design = evaluator.Pick(p.design[:0], design, p.of.own)
	p.of.values(values, p.runs)
	return p.now.Fix(stage, p.design, values)
}
