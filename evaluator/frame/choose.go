package frame

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

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
	params      []space.Param // own ones
	metrics     int           // of the template
	bind        func(evaluator.Network) (evaluator.Evaluator, error)
	any         evaluator.Evaluator // that of a network which is always there

	mu    sync.Mutex
	bound map[string]evaluator.Evaluator // by network
}

// maxBound bounds the networks that are kept ready where there are more than the
// choice lists; all are forgotten then. Chosen: a megabyte each at most.
const maxBound = 256

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
	c.metrics = len(d.Of(task.Choice.All)) + len(d.OnRequest(task.Metrics))
	c.bind = func(n evaluator.Network) (evaluator.Evaluator, error) {
		return b.New(evaluator.Task{Params: c.params, Networks: []evaluator.Network{n}, MapperGoal: task.MapperGoal, Metrics: task.Metrics})
	}
	proven := true
	for _, n := range task.Choice.All {
		n.Family = nil
		e, err := c.bind(n)
		if err != nil {
			return nil, err
		}
		if c.bound[n.Workload.Name] = e; c.any == nil {
			c.any = e
		}
		_, proves := e.(evaluator.Prover)
		proven = proven && proves
	}
	if proven {
		return &provingChooser{c}, nil
	}
	return c, nil
}

// of returns what a design runs, its evaluator and what chose it; the error is for a
// design that names no network.
func (c *chooser) of(design []space.Value) (e evaluator.Evaluator, chosen []space.Value, err error) {
	if len(design) != len(c.chosen)+len(c.own) {
		return nil, nil, fmt.Errorf("the design has %d values, want %d", len(design), len(c.chosen)+len(c.own))
	}
	chosen = evaluator.Pick(nil, design, c.chosen)
	n, err := c.choice.Network(chosen)
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e = c.bound[n.Workload.Name]; e != nil {
		return e, chosen, nil
	}
	if len(c.bound) >= max(maxBound, len(c.choice.All)) {
		clear(c.bound)
	}
	if e, err = c.bind(n); err != nil {
		return nil, nil, err
	}
	c.bound[n.Workload.Name] = e
	return e, chosen, nil
}

// Evaluate implements evaluator.Evaluator.
func (c *chooser) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	e, chosen, err := c.of(r.Design)
	if err != nil {
		values := make([]float64, c.metrics+len(c.choice.Metrics))
		for i := range values {
			values[i] = math.NaN()
		}
		return evaluator.Result{Outcome: evaluator.Failed, Values: values, Reason: &evaluator.Reason{Code: "malformed_design", Message: err.Error()}}, nil
	}
	r.Design = evaluator.Pick(nil, r.Design, c.own)
	result, err := e.Evaluate(ctx, r)
	result.Values = c.choice.Values(result.Values, chosen)
	if c.choice.Extra != nil && err == nil {
		result.Extra = append(result.Extra, c.choice.Extra(chosen)...)
	}
	return result, err
}

// Check implements evaluator.Checker.
func (c *chooser) Check(design []space.Value, dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
	if len(design) != len(c.chosen)+len(c.own) {
		return
	}
	var chosen [maxChosen]space.Value
	by := evaluator.Pick(chosen[:0], design, c.chosen)
	e := c.any
	if !c.choice.Alike {
		n, err := c.choice.Network(by)
		if err != nil {
			return
		}
		e = c.bound[n.Workload.Name] // all of them, from the beginning
	}
	var room [MaxParams]space.Value
	e.(evaluator.Checker).Check(evaluator.Pick(room[:0], design, c.own), dst) // evaluators of templates are checkers
	c.values(dst, by)
}

// maxChosen is how many parameters of a choice fit into memory that nobody has to
// make.
const maxChosen = 64

// values writes the metrics of what a design runs behind those of the template.
func (c *chooser) values(dst []float64, chosen []space.Value) {
	if end := c.metrics + len(c.choice.Metrics); len(dst) >= end {
		c.choice.Values(dst[:c.metrics:end], chosen)
	}
}

// provingChooser is a chooser whose best design can be proven.
type provingChooser struct{ *chooser }

// stages are those of every network, over the template's own parameters.
func (c *provingChooser) stages() [][]int {
	return c.any.(evaluator.Prover).Stages()
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
	chosen []space.Value
	design []space.Value
}

// Fix implements evaluator.Probe.
func (p *chosenProbe) Fix(stage int, design []space.Value, values []float64) bool {
	if stage == 0 {
		e, chosen, err := p.of.of(design)
		if err != nil {
			return false
		}
		if len(p.probes) >= max(maxBound, len(p.of.choice.All)) {
			clear(p.probes)
		}
		if p.probes[e] == nil {
			p.probes[e] = e.(evaluator.Prover).NewProbe(p.wanted[:min(len(p.wanted), p.of.metrics)])
		}
		p.now, p.chosen = p.probes[e], chosen
	}
	p.design = evaluator.Pick(p.design[:0], design, p.of.own)
	p.of.values(values, p.chosen)
	return p.now.Fix(stage, p.design, values)
}
