package frame

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"apollo/evaluator"
	"apollo/evaluator/workload"
	"apollo/optimizer/space"
)

// backend evaluates a template's designs.
type backend struct{ spec *Spec }

// Describe implements evaluator.Backend.
func (b backend) Describe() evaluator.Description {
	d := evaluator.Description{Name: b.spec.Name, Version: b.spec.Version, Deterministic: true}
	for _, r := range b.spec.metrics() {
		d.Metrics = append(d.Metrics, r.Metric)
	}
	return d
}

// New implements evaluator.Backend. The task must hold the template's
// parameters, in any order, and at least one network.
func (b backend) New(task evaluator.Task) (evaluator.Evaluator, error) {
	if task.Choice != nil {
		return newChooser(b, task)
	}
	e, err := b.spec.bind(task, b.spec.Declare())
	if err != nil {
		return nil, err
	}
	if m, ok := e.model.(Bounded); ok && e.rises() {
		return &proving{e, m}, nil
	}
	return e, nil
}

// taskEvaluator is a template for one task.
type taskEvaluator struct {
	spec *Spec
	rows []Metric
	// position holds, for each parameter of the template, its index in a
	// request's design.
	position []int
	params   []space.Param    // the task's, in the template's order
	levels   []map[string]int // of those of the template's that are categorical, the level of each label
	runs     []run
	nets     []Network // the phases of the runs
	model    Model
	free     sync.Pool // of *[]Totals
}

// run is a network of the task: one phase, or two where it generates tokens.
type run struct {
	name   string
	weight float64
	decode *workload.Decode
	first  int // its first phase
}

var (
	_ evaluator.Evaluator = (*taskEvaluator)(nil)
	_ evaluator.Checker   = (*taskEvaluator)(nil)
)

func (s *Spec) bind(task evaluator.Task, k Constants) (*taskEvaluator, error) {
	e := &taskEvaluator{spec: s, rows: s.metrics()}
	generates := slices.ContainsFunc(task.Networks, func(n evaluator.Network) bool { return n.Workload != nil && n.Workload.Decode != nil })
	e.rows = slices.DeleteFunc(slices.Clone(e.rows), func(r Metric) bool { return r.Asked || r.Generation && !generates })
	if g := task.MapperGoal; g != "" && !slices.Contains(evaluator.MapperGoals(), g) {
		return nil, fmt.Errorf("template %s: the mapper's goal is %q, want one of %q", s.Name, g, evaluator.MapperGoals())
	}
	if err := e.findParams(task.Params); err != nil {
		return nil, err
	}
	if err := e.findNetworks(task.Networks); err != nil {
		return nil, err
	}
	if err := e.asked(task.Metrics); err != nil {
		return nil, err
	}
	for _, at := range e.position {
		e.params = append(e.params, task.Params[at])
	}
	var err error
	e.model, err = k.Bind(Task{e.params, e.nets, task.MapperGoal, e.peaks()})
	return e, err
}

func (e *taskEvaluator) findParams(have []space.Param) error {
	for i := range e.spec.Params {
		want := &e.spec.Params[i]
		at := slices.IndexFunc(have, func(p space.Param) bool { return p.Name == want.Name })
		switch {
		case at < 0:
			return fmt.Errorf("template %s: the parameter %s is missing", e.spec.Name, want.Name)
		case have[at].Len() > 0 && have[at].Categorical() != want.Categorical():
			// An evaluator behind a bus is told names and units only.
			return fmt.Errorf("parameter %s: labels and numbers are confused", want.Name)
		case have[at].Unit != want.Unit:
			return fmt.Errorf("parameter %s: the unit is %q, want %q", want.Name, have[at].Unit, want.Unit)
		}
		var levels map[string]int
		if want.Categorical() {
			levels = make(map[string]int, len(want.Labels))
			for level, label := range want.Labels {
				levels[label] = level
			}
		}
		e.position, e.levels = append(e.position, at), append(e.levels, levels)
	}
	for i, p := range have {
		if !slices.Contains(e.position, i) {
			return fmt.Errorf("parameter %s: the template %s has no such parameter, or the task has it twice", p.Name, e.spec.Name)
		}
	}
	return nil
}

func (e *taskEvaluator) findNetworks(list []evaluator.Network) error {
	if len(list) == 0 {
		return fmt.Errorf("template %s: the task has no network", e.spec.Name)
	}
	for i, n := range list {
		if n.Workload == nil {
			return fmt.Errorf("network %d: there is no workload", i)
		}
		if !(n.Weight > 0) || math.IsInf(n.Weight, 0) {
			return fmt.Errorf("network %s: the weight is %g, want a positive number", n.Workload.Name, n.Weight)
		}
		e.runs = append(e.runs, run{n.Workload.Name, n.Weight, n.Workload.Decode, len(e.nets)})
		for _, w := range n.Workload.Phases() {
			phase := *w
			for n.Workload.Decode != nil && named(list, phase.Name) {
				phase.Name += phaseSuffix
			}
			if err := e.addPhase(&phase, n.Weight); err != nil {
				return err
			}
		}
	}
	return nil
}

// phaseSuffix tells a phase of a network that generates tokens from the network of
// the same name beside it.
const phaseSuffix = "_phase"

func named(list []evaluator.Network, name string) bool {
	return slices.ContainsFunc(list, func(n evaluator.Network) bool { return n.Workload != nil && n.Workload.Name == name })
}

// addPhase adds a network that runs as it is.
func (e *taskEvaluator) addPhase(w *workload.Workload, weight float64) error {
	net := Network{Name: w.Name, Weight: weight, Workload: w}
	if slices.ContainsFunc(e.nets, func(o Network) bool { return o.Name == net.Name }) {
		return fmt.Errorf("network %s: the name is used twice: leave one of them out", net.Name)
	}
	if err := e.spec.sparse(w); err != nil {
		return err
	}
	for at := range w.Layers {
		if l := &w.Layers[at]; l.Op != workload.View {
			net.Layers = append(net.Layers, Layer{l, at})
		}
	}
	if len(net.Layers) == 0 {
		return fmt.Errorf("network %s: the network has no layer that does anything", net.Name)
	}
	e.nets = append(e.nets, net)
	return nil
}

// sparse refuses networks whose zero weights the template has no use for.
func (s *Spec) sparse(w *workload.Workload) error {
	how, err := workload.ParseSparsity(w.Precision.Sparsity)
	switch {
	case err != nil:
		return fmt.Errorf("network %s: %w", w.Name, err)
	case how.Blocks() && !s.Sparse.Blocks:
		return fmt.Errorf("network %s: the template %s does not skip weights in blocks (sparsity %s): leave sparsity out, or use systolic, nvdla or simba",
			w.Name, s.Name, w.Precision.Sparsity)
	case how.Density > 0 && !s.Sparse.Masked:
		return fmt.Errorf("network %s: the template %s stores every weight (sparsity %s): leave sparsity out, use nvdla, or zeros in blocks such as 2:4 where a template skips them",
			w.Name, s.Name, w.Precision.Sparsity)
	}
	return nil
}

// maxValue bounds a parameter so that no product of a model can overflow 63
// bits.
const maxValue = 1 << 40

// read reads a design in the template's order; false for a malformed one.
func (e *taskEvaluator) read(design []space.Value, d *Design) bool {
	if len(design) != len(e.position) {
		return false
	}
	for i, at := range e.position {
		v := &design[at]
		if levels := e.levels[i]; levels != nil {
			level, ok := levels[v.Label]
			if !ok {
				return false
			}
			d.Values[i] = int64(level)
			continue
		}
		n := int64(v.Num)
		if v.Label != "" || float64(n) != v.Num || n < 1 || n > maxValue {
			return false
		}
		d.Values[i] = n
	}
	return true
}

// malformed says why read has refused a design.
func (e *taskEvaluator) malformed(design []space.Value) error {
	if len(design) != len(e.position) {
		return fmt.Errorf("the design has %d values, the template %s has %d parameters", len(design), e.spec.Name, len(e.position))
	}
	for i, at := range e.position {
		p, v := &e.spec.Params[i], design[at]
		if p.Categorical() {
			if _, ok := p.Level(v); !ok {
				return fmt.Errorf("%s is %q, want one of %v", p.Name, v, p.Labels)
			}
		} else if v.Label != "" || v.Num != math.Trunc(v.Num) || v.Num < 1 || v.Num > maxValue {
			return fmt.Errorf("%s is %s, want a whole number from 1 to 2^40", p.Name, v)
		}
	}
	return fmt.Errorf("the design is malformed")
}

// Check implements evaluator.Checker: the metrics of the machine. A malformed
// design has none.
func (e *taskEvaluator) Check(design []space.Value, dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
	var d Design
	if e.read(design, &d) && len(dst) >= len(e.rows) {
		m, _ := e.model.Measure(d, nil)
		e.values(dst, m, nil)
	}
}

// Evaluate implements evaluator.Evaluator. A malformed design, which no space
// that the task accepts can hold, has failed.
func (e *taskEvaluator) Evaluate(ctx context.Context, r evaluator.Request) (evaluator.Result, error) {
	if err := ctx.Err(); err != nil {
		return evaluator.Result{}, err
	}
	values := make([]float64, len(e.rows))
	var d Design
	if !e.read(r.Design, &d) {
		for i := range values {
			values[i] = math.NaN()
		}
		why := &evaluator.Reason{Code: "malformed_design", Message: e.malformed(r.Design).Error()}
		return evaluator.Result{Outcome: evaluator.Failed, Values: values, Reason: why}, nil
	}
	all := e.totals()
	defer e.free.Put(all)
	m, why := e.model.Measure(d, *all)
	if why != nil {
		e.values(values, m, nil)
		return evaluator.Result{Outcome: evaluator.Infeasible, Values: values, Reason: why}, nil
	}
	e.values(values, m, *all)
	return evaluator.Result{Outcome: evaluator.Measured, Values: values, Extra: e.extra(m, *all)}, nil
}

// totals returns room for the totals of every network.
func (e *taskEvaluator) totals() *[]Totals {
	if all, ok := e.free.Get().(*[]Totals); ok {
		return all
	}
	return new(make([]Totals, len(e.nets)))
}
